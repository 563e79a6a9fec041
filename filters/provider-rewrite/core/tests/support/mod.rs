//! What the tests of this folder share: an exchange with a configuration, and JSON text.
#![allow(
    clippy::allow_attributes,
    clippy::panic,
    dead_code,
    reason = "each test file uses a part; a wrong configuration ends the test"
)]

use std::collections::BTreeMap;

use provider_rewrite_core::{Attempt, ProviderRewrite};
use tollgate_effects::Plugin;
use tollgate_effects::testkit::Exchange;

/// 2026-01-01T00:00:00Z
pub(crate) const NOW: u64 = 1_767_225_600 * 1_000_000_000;

pub(crate) const KEY: &str = "canary-anthropic";
pub(crate) const OPENAI_KEY: &str = "canary-openai";

pub(crate) fn plugin(config: &str) -> ProviderRewrite {
    let env: BTreeMap<String, String> =
        [("KEY", KEY), ("OPENAI_KEY", OPENAI_KEY)].map(|(k, v)| (k.into(), v.into())).into();
    ProviderRewrite::configure(config.as_bytes(), &env)
        .unwrap_or_else(|problems| panic!("{problems}"))
        .plugin
}

pub(crate) fn exchange(config: &str) -> Exchange<Attempt> {
    Exchange::new(plugin(config).stream())
}

pub(crate) fn post(path: &str) -> Vec<(&str, &str)> {
    vec![
        (":method", "POST"),
        (":scheme", "https"),
        (":authority", "gateway.test"),
        (":path", path),
        ("content-type", "application/json"),
    ]
}

/// JSON text without white space between tokens; the tokens are not touched.
pub(crate) fn minified(json: &str) -> String {
    let mut out = String::new();
    let (mut in_string, mut escaped) = (false, false);
    for c in json.chars() {
        if in_string {
            out.push(c);
            (in_string, escaped) = (escaped || c != '"', !escaped && c == '\\');
        } else if !c.is_ascii_whitespace() {
            out.push(c);
            in_string = c == '"';
        }
    }
    out
}

/// JSON text indented; the tokens are not touched.
pub(crate) fn pretty(json: &str) -> String {
    let mut out = String::new();
    let (mut in_string, mut escaped, mut depth) = (false, false, 0);
    let json = minified(json);
    let mut chars = json.chars().peekable();
    let newline = |out: &mut String, depth: usize| {
        out.push('\n');
        out.push_str(&"  ".repeat(depth));
    };
    while let Some(c) = chars.next() {
        if in_string {
            out.push(c);
            (in_string, escaped) = (escaped || c != '"', !escaped && c == '\\');
            continue;
        }
        match c {
            '{' | '[' => {
                out.push(c);
                if chars.peek().is_some_and(|next| matches!(next, '}' | ']')) {
                    continue;
                }
                depth += 1;
                newline(&mut out, depth);
            }
            '}' | ']' => {
                if !out.ends_with(['{', '[']) {
                    depth -= 1;
                    newline(&mut out, depth);
                }
                out.push(c);
            }
            ',' => {
                out.push(c);
                newline(&mut out, depth);
            }
            ':' => out.push_str(": "),
            _ => {
                in_string = c == '"';
                out.push(c);
            }
        }
    }
    out.push('\n');
    out
}
