//! What holds for every input: bodies that are nearly right, or not at all, in any cut, never panic,
//! and what goes out is whole.
#![allow(clippy::allow_attributes, clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::path::PathBuf;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use support::{exchange, post};
use tollgate_effects::testkit::Cut;

const CONFIG: &str = r#"{"providers": [
    {"name": "anthropic", "dialect": "anthropic", "onUnsupported": "drop"},
    {"name": "openai", "dialect": "openai", "models": {"claude": "wire"}}
], "limits": {"maxEventBytes": 2000}}"#;

const PROVIDER: &str = "xds.upstream_host_metadata.filter_metadata.tollgate.provider";
const CHAT: &str = "/v1/chat/completions";

/// What mutations put in: values of other types, and text that is hard to read.
const SNIPPETS: &[&str] = &[
    "null",
    "{}",
    "[]",
    "\"\"",
    "-1",
    "1e999",
    "0",
    "true",
    "\"\\ud800\"",
    "\"\\ud83d\\ude00\"",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\n",
    "\r\n\r\n",
    "data: ",
    "é",
    "\u{feff}",
    "18446744073709551616",
    "\"type\":",
    "\"text\"",
    "\"tool_use\"",
    "\"messages\":",
];

fn fixtures(kind: &str) -> Vec<String> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/anthropic");
    let files = std::fs::read_dir(folder.join(kind)).unwrap().map(|entry| entry.unwrap().path());
    let mut inputs: Vec<PathBuf> =
        files.filter(|path| path.to_string_lossy().contains(".in.")).collect();
    inputs.sort();
    inputs.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

/// A fixture with a few places overwritten.
fn mutated(kind: &str) -> impl Strategy<Value = Vec<u8>> {
    let edit = (any::<Index>(), 0_usize..12, select(SNIPPETS));
    (select(fixtures(kind)), vec(edit, 0..4)).prop_map(|(input, edits)| {
        let mut bytes = input.into_bytes();
        for (at, len, with) in edits {
            let at = at.index(bytes.len() + 1);
            let end = (at + len).min(bytes.len());
            bytes.splice(at..end, with.bytes());
        }
        bytes
    })
}

fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_request_is_refused_or_sent_whole(
        body in mutated("request"),
        provider in select(&["anthropic", "openai"][..]),
        cut in any::<Index>(),
    ) {
        let mut exchange = exchange(CONFIG).property(PROVIDER, provider);
        exchange.request(&post(CHAT), Some(&body), Cut::At(&[cut.index(body.len() + 1)]));
        match &exchange.reply {
            Some(reply) => prop_assert!(is_json(&reply.body) && reply.status == 400),
            None => {
                prop_assert!(is_json(&exchange.request.body), "{}", exchange.request.text());
                let length = exchange.request.header("content-length");
                let sent = exchange.request.body.len().to_string();
                prop_assert!(length.is_none() || length == Some(sent));
            }
        }
    }

    #[test]
    fn an_answer_is_a_completion_or_an_error(
        body in mutated("response"),
        status in select(&["200", "400", "401", "529"][..]),
        provider in select(&["anthropic", "openai"][..]),
    ) {
        let mut exchange = exchange(CONFIG).property(PROVIDER, provider);
        let request = br#"{"model":"claude","messages":[{"role":"user","content":"x"}]}"#;
        exchange.request(&post(CHAT), Some(request), Cut::Whole);
        let headers = [(":status", status), ("content-type", "application/json")];
        exchange.response(&headers, Some(&body), Cut::Whole);
        let untouched = exchange.response.body == body;
        prop_assert!(untouched || is_json(&exchange.response.body));
        prop_assert!(!untouched || provider == "openai");
        prop_assert!(exchange.response.released);
    }

    #[test]
    fn a_stream_is_the_same_however_it_is_cut(
        body in mutated("stream"),
        provider in select(&["anthropic", "openai"][..]),
        cuts in vec(any::<Index>(), 0..5),
    ) {
        let mut offsets: Vec<usize> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
        offsets.sort_unstable();
        let run = |cut: Cut<'_>| {
            let mut exchange = exchange(CONFIG).property(PROVIDER, provider);
            let request =
                br#"{"model":"claude","stream":true,"messages":[{"role":"user","content":"x"}]}"#;
            exchange.request(&post(CHAT), Some(request), Cut::Whole);
            let headers = [(":status", "200"), ("content-type", "text/event-stream")];
            exchange.response(&headers, Some(&body), cut);
            exchange.response.body
        };
        let whole = run(Cut::Whole);
        prop_assert_eq!(&run(Cut::At(&offsets)), &whole);
        if provider == "anthropic" {
            let text = String::from_utf8(whole).unwrap();
            for frame in text.split_terminator("\n\n") {
                let data = frame.strip_prefix("data: ").unwrap();
                prop_assert!(data == "[DONE]" || is_json(data.as_bytes()), "{frame}");
            }
            let has_its_end = text.ends_with("data: [DONE]\n\n") || text.contains("\"error\":");
            prop_assert!(has_its_end, "{text}");
        }
    }
}
