//! Calls to other clusters, answer by answer: what arrives, and all that a filter can ask of what
//! comes back. Each was measured on Envoy 1.40 before the wasmtime host had callouts; what is the
//! host's own about them (bounds, hangs, time) is in `callouts` and `grpc`.
//!
//! `x-envoy-upstream-service-time`, which Envoy adds to what a server answers, is counted here and
//! never shown: it has the milliseconds.

mod grpc;
mod http;

use super::guest::map;
use super::*;

const ONE: &str = "{request: {path: /}, upstream: [{body: fine}]}";

/// Resumes the request that `on_request_headers` kept.
const GO_ON: &str =
    "(drop (call $effective (global.get $kept))) (drop (call $continue (i32.const 0)))";

/// Keeps the stream and holds it after `code`.
fn held(code: &str) -> String {
    format!("(global.set $kept (local.get $id)) {code} (i32.const 1)")
}

/// What the filter logs when `on_request_headers` is `code` and the stream is not held.
fn said(code: &str, scenario: &str) -> Vec<String> {
    let code = format!("{code} (i32.const 0)");
    let seen = observe(&[("on_request_headers", &code)], scenario, ONE);
    seen.logs.into_iter().map(|line| line.message).collect()
}

fn observe(callbacks: &[(&str, &str)], scenario: &str, exchange: &str) -> Observed {
    Chain { filters: vec![("a", callbacks, "")], scenario }.observe(exchange)
}
