//! Golden translations: `fixtures/<provider>/{request,response,stream}/<case>.in.*` beside `.out.*`.
//!
//! Each case runs through the whole filter. Streams run whole, byte by byte, and cut at every offset;
//! JSON is compared token by token, so that no number may be reformatted. `TOLLGATE_BLESS=1` writes
//! the outputs anew: read the difference before you commit it.
#![allow(clippy::allow_attributes, clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::path::PathBuf;

use support::{NOW, exchange, minified, pretty};
use tollgate_effects::testkit::Cut;

const CONFIG: &str = r#"{"providers": [
    {"name": "anthropic", "dialect": "anthropic", "credential": {"env": "KEY"},
     "models": {"claude": "claude-sonnet-4-5"}}
], "defaultProvider": "anthropic"}"#;

/// A request for the stream cases.
const STREAM_REQUEST: &str = r#"{"model": "claude", "stream": true,
    "stream_options": {"include_usage": true},
    "tools": [{"type": "function", "function": {"name": "mcp.lookup", "parameters": {}}}],
    "messages": [{"role": "user", "content": "hi"}]}"#;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Request,
    Response,
    Stream,
}
use Kind::{Request, Response, Stream};

const CASES: &[(&str, Kind, &[&str])] = &[
    (
        "anthropic",
        Request,
        &[
            "minimal",
            "cache-control",
            "documents",
            "empty-texts",
            "history-without-tools",
            "images",
            "integers",
            "json-schema",
            "neutral-values",
            "parameters",
            "prefill",
            "reasoning",
            "reasoning-loop",
            "roles",
            "tool-loop",
            "tool-names",
            "tools",
            "user-email",
            "web-search",
        ],
    ),
    (
        "anthropic",
        Response,
        &["cached", "integers", "refusal", "several-texts", "text", "thinking", "tools", "unknown"],
    ),
    (
        "anthropic",
        Stream,
        &[
            "cached",
            "crlf",
            "cut-off",
            "error",
            "no-message-delta",
            "server-tools",
            "text",
            "thinking",
            "tools",
            "unreadable",
        ],
    ),
];

#[test]
fn every_case_has_its_output() {
    let mut wrong = Vec::new();
    for (provider, kind, cases) in CASES {
        for case in *cases {
            if let Err(difference) = run(provider, *kind, case) {
                wrong.push(format!("{provider} {kind:?} {case}:\n{difference}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn every_fixture_is_in_the_table() {
    for (provider, kind, cases) in CASES {
        let folder = folder(provider, *kind);
        for entry in std::fs::read_dir(&folder).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let case = name.split('.').next().unwrap();
            assert!(cases.contains(&case), "{} has no row", folder.join(name).display());
        }
    }
}

fn folder(provider: &str, kind: Kind) -> PathBuf {
    let kind = format!("{kind:?}").to_lowercase();
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(provider).join(kind)
}

fn run(provider: &str, kind: Kind, case: &str) -> Result<(), String> {
    let extension = if kind == Stream { "sse" } else { "json" };
    let path = |end: &str| folder(provider, kind).join(format!("{case}.{end}.{extension}"));
    let input = std::fs::read_to_string(path("in")).map_err(|e| format!("{}: {e}", case))?;
    let found = match kind {
        Request => pretty(&request(&input)?),
        Response => pretty(&response(&input)?),
        Stream => stream(&input)?,
    };
    if std::env::var_os("TOLLGATE_BLESS").is_some() {
        std::fs::write(path("out"), &found).unwrap();
    }
    let expected = std::fs::read_to_string(path("out")).unwrap_or_default();
    let same = match kind {
        Stream => found == expected,
        Request | Response => minified(&found) == minified(&expected),
    };
    if same { Ok(()) } else { Err(format!("found\n{found}\nexpected\n{expected}")) }
}

fn request(input: &str) -> Result<String, String> {
    let mut exchange = exchange(CONFIG);
    exchange.request(&support::post("/v1/chat/completions"), Some(input.as_bytes()), Cut::Whole);
    match exchange.reply {
        Some(reply) => Err(format!("refused: {}", String::from_utf8_lossy(&reply.body))),
        None => Ok(exchange.request.text()),
    }
}

fn response(input: &str) -> Result<String, String> {
    let mut exchange = exchange(CONFIG).at(NOW);
    let body = r#"{"model": "claude", "messages": [{"role": "user", "content": "hi"}]}"#;
    exchange.request(&support::post("/v1/chat/completions"), Some(body.as_bytes()), Cut::Whole);
    let headers = [(":status", "200"), ("content-type", "application/json")];
    exchange.response(&headers, Some(input.as_bytes()), Cut::EveryByte);
    let length = exchange.response.header("content-length");
    assert_eq!(length, Some(exchange.response.body.len().to_string()));
    Ok(exchange.response.text())
}

fn stream(input: &str) -> Result<String, String> {
    let whole = stream_cut(input, Cut::Whole);
    assert_eq!(stream_cut(input, Cut::EveryByte), whole, "byte by byte");
    for at in 0..=input.len() {
        assert_eq!(stream_cut(input, Cut::At(&[at])), whole, "cut at {at}");
    }
    assert_eq!(stream_cut(input, Cut::ThenEmpty), whole, "ended by trailers");
    Ok(whole)
}

fn stream_cut(input: &str, cut: Cut<'_>) -> String {
    let mut exchange = exchange(CONFIG).at(NOW);
    let body = Some(STREAM_REQUEST.as_bytes());
    exchange.request(&support::post("/v1/chat/completions"), body, Cut::Whole);
    let headers = [(":status", "200"), ("content-type", "text/event-stream; charset=utf-8")];
    exchange.response(&headers, Some(input.as_bytes()), cut);
    assert!(exchange.response.released);
    exchange.response.text()
}
