//! One request through each filter, in wasm, on the offline host: the four filters alone, then as
//! the chain that ships. Each result is checked.
//!
//! Needs the filters as `make wasm` leaves them. Without fuel, so times are those of the code as it
//! runs; they contain the host's own share, which `nothing` (no filter at all) shows.
#![expect(clippy::expect_used, reason = "a bench may panic")]

use std::path::{Path, PathBuf};

use criterion::{Criterion, criterion_group, criterion_main};
use host_tests::plan::Plan;
use host_tests::wasm::{Budget, Gateway, Runtime};

/// Filters as chain links, with configurations that make them work.
const KEY_CHECK: &str =
    r#"{filter: key-check, config: {keys: [{id: one, sha256: KEY_HASH, models: [gpt-4o]}]}}"#;
const BODY_MODEL: &str = r#"{filter: body-model, config: {requireCaller: false}}"#;
const TOKEN_COUNT: &str = r#"{filter: token-count, config: {}}"#;
const PROVIDER_REWRITE: &str = r#"{filter: provider-rewrite, at: upstream, config: {providers: [{name: one, dialect: openai}]}}"#;

fn main() {}
