use tollgate_effects::Plugin;
use tollgate_effects::testkit::{Cut, Exchange as Host, Message};

use super::*;
use crate::TokenCount;

const CHAT: &[(&str, &str)] = &[(":method", "POST"), (":path", "/v1/chat/completions")];
const JSON: &[(&str, &str)] = &[(":status", "200"), ("content-type", "application/json")];
const EVENTS: &[(&str, &str)] =
    &[(":status", "200"), ("content-type", "text/event-stream; charset=utf-8")];
const STREAM: &str = r#"{"model":"m","stream":true}"#;
const ASKED: &str = r#"{"stream_options":{"include_usage":true},"model":"m","stream":true}"#;
const ANSWER: &str = r#"{"usage":{"prompt_tokens":3,"completion_tokens":4}}"#;

fn plugin(config: &str) -> TokenCount {
    let env = std::collections::BTreeMap::new();
    TokenCount::configure(config.as_bytes(), &env).unwrap().plugin
}

fn host(config: &str) -> Host<Exchange> {
    Host::new(plugin(config).stream()).property("response.code_details", "via_upstream")
}

fn with(
    headers: &[(&'static str, &'static str)],
    more: &[(&'static str, &'static str)],
) -> Vec<(&'static str, &'static str)> {
    [headers, more].concat()
}

fn fact(stream: bool) -> String {
    format!(
        r#"{{"requestedModel":"alias","model":"real","baseModel":"base","stream":{stream},
            "endpoint":"chat_completions","dialect":"openai"}}"#
    )
}

fn sent(request: &Message) -> String {
    assert!(request.released);
    assert!(request.held.is_empty());
    request.text()
}

#[test]
fn a_stream_is_asked_for_its_usage_however_its_body_is_cut() {
    let length = STREAM.len().to_string();
    let headers =
        [CHAT, &[("content-length", length.as_str()), ("accept-encoding", "br")]].concat();
    for cut in [Cut::Whole, Cut::EveryByte, Cut::ThenEmpty] {
        let mut host = host("");
        host.request(&headers, Some(STREAM.as_bytes()), cut);
        assert_eq!(sent(&host.request), ASKED, "{cut:?}");
        assert_eq!(host.request.header("content-length"), Some(ASKED.len().to_string()));
        assert_eq!(host.request.header("accept-encoding"), None);
    }
    for at in 0..STREAM.len() {
        let mut host = host("");
        host.request(&headers, Some(STREAM.as_bytes()), Cut::At(&[at]));
        assert_eq!(sent(&host.request), ASKED, "cut at {at}");
    }
}

#[test]
fn without_a_length_none_is_made_up() {
    let mut host = host("");
    host.request(CHAT, Some(STREAM.as_bytes()), Cut::Whole);
    assert_eq!(host.request.header("content-length"), None);
}

#[test]
fn what_needs_no_asking_passes_as_it_is() {
    for (case, body) in [
        ("no stream", r#"{"model":"m"}"#),
        ("stream false", r#"{"model":"m","stream":false}"#),
        ("asks itself", r#"{"stream":true,"stream_options":{"include_usage":true}}"#),
        ("not JSON", r#"{"stream":true,"#),
        ("not an object", r#"[true]"#),
        ("text", r#"{"stream":"true"}"#),
        ("empty", ""),
    ] {
        let mut host = host("");
        host.request(CHAT, Some(body.as_bytes()), Cut::EveryByte);
        assert_eq!(sent(&host.request), body, "{case}");
    }
}

#[test]
fn the_fact_saves_reading_a_body_that_does_not_stream() {
    let mut host = host("").property(key::REQUEST, fact(false));
    host.headers(Direction::Request, CHAT, false);
    assert!(host.request.released);
    assert_eq!(host.stream.wants(Phase::RequestBody), Want::Nothing);
    host.response(JSON, Some(ANSWER.as_bytes()), Cut::Whole);
    assert_eq!(host.counters["tollgate_tokens.model.real.direction.prompt"], 3);
}

#[test]
fn the_fact_names_model_and_operation() {
    let mut host = host("").property(key::REQUEST, fact(true));
    let headers = [(":method", "POST"), (":path", "/openai/deployments/d/chat/completions")];
    host.request(&headers, Some(STREAM.as_bytes()), Cut::EveryByte);
    assert_eq!(sent(&host.request), ASKED);
    host.response(EVENTS, Some(b"data: [DONE]\n\n"), Cut::Whole);
    assert_eq!(host.counters["tollgate_requests.model.real.status.unknown"], 1);
}

#[test]
fn without_the_fact_the_path_names_model_and_operation() {
    for (path, model) in [
        ("/openai/deployments/d/chat/completions?api-version=1", "d"),
        ("/engines/e/chat/completions", "e"),
        // The path names two models, depending on who reads it: that of the body is as good.
        ("//openai/deployments/d/chat/completions", "m"),
    ] {
        let mut host = host("");
        let headers = [(":method", "POST"), (":path", path)];
        host.request(&headers, Some(STREAM.as_bytes()), Cut::EveryByte);
        assert_eq!(sent(&host.request), ASKED, "{path}");
        host.response(EVENTS, Some(b"data: [DONE]\n\n"), Cut::Whole);
        assert_eq!(host.counters[&*format!("tollgate_requests.model.{model}.status.unknown")], 1);
    }
}

#[test]
fn other_operations_are_left_alone() {
    for (method, path) in [
        ("POST", "/v1/messages"),
        ("POST", "/v1/models"),
        ("GET", "/v1/chat/completions"),
        ("POST", "/v1/moderations"),
        ("POST", "/model/m/converse"),
        ("POST", "/v1beta/models/m:generateContent"),
    ] {
        let mut host = host("");
        let headers = [(":method", method), (":path", path), ("accept-encoding", "gzip")];
        host.request(&headers, Some(STREAM.as_bytes()), Cut::Whole);
        host.response(JSON, Some(ANSWER.as_bytes()), Cut::Whole);
        host.log();
        assert_eq!(sent(&host.request), STREAM, "{method} {path}");
        assert_eq!(host.request.header("accept-encoding").as_deref(), Some("gzip"));
        assert_eq!(host.state(key::USAGE), None, "{method} {path}");
        assert!(host.counters.is_empty());
    }
}

#[test]
fn embeddings_and_responses_are_counted_but_never_edited() {
    for path in ["/v1/embeddings", "/v1/responses"] {
        let mut host = host("");
        host.headers(Direction::Request, &[(":method", "POST"), (":path", path)], false);
        assert!(host.request.released, "headers are not held");
        host.body(Direction::Request, STREAM.as_bytes(), true);
        assert_eq!(host.request.text(), STREAM);
        host.response(JSON, Some(ANSWER.as_bytes()), Cut::EveryByte);
        assert_eq!(host.counters["tollgate_tokens.model.m.direction.completion"], 4, "{path}");
    }
}

#[test]
fn asking_can_be_switched_off() {
    let mut host = host(r#"{"askForUsage": false}"#);
    host.headers(Direction::Request, CHAT, false);
    assert!(host.request.released, "headers are not held");
    host.body(Direction::Request, STREAM.as_bytes(), true);
    assert_eq!(host.request.text(), STREAM);
}

#[test]
fn a_body_over_the_limit_passes_as_it_is_and_is_logged_once() {
    let plugin = plugin(&format!(r#"{{"maxRequestBytes": {}}}"#, STREAM.len() - 1));
    let length = STREAM.len().to_string();
    let declared = [CHAT, &[("content-length", length.as_str())]].concat();
    for (n, headers) in [declared.as_slice(), CHAT, CHAT].into_iter().enumerate() {
        let mut host = Host::new(plugin.stream()).property("response.code_details", "via_upstream");
        host.request(headers, Some(STREAM.as_bytes()), Cut::EveryByte);
        assert_eq!(sent(&host.request), STREAM);
        assert_eq!(host.logs.len(), usize::from(n == 0), "request {n}");
        host.response(JSON, Some(ANSWER.as_bytes()), Cut::Whole);
        assert_eq!(host.counters["tollgate_tokens.model.m.direction.prompt"], 3);
    }
    // One byte less fits.
    let mut host = host(&format!(r#"{{"maxRequestBytes": {}}}"#, STREAM.len()));
    host.request(&declared, Some(STREAM.as_bytes()), Cut::EveryByte);
    assert_eq!(sent(&host.request), ASKED);
}

#[test]
fn a_declared_length_over_the_limit_is_not_held_at_all() {
    let mut host = host("");
    host.headers(Direction::Request, &with(CHAT, &[("content-length", "1048577")]), false);
    assert!(host.request.released);
}

#[test]
fn a_compressed_request_is_not_held() {
    let mut host = host("");
    host.headers(Direction::Request, &with(CHAT, &[("content-encoding", "gzip")]), false);
    assert!(host.request.released);
}

#[test]
fn usage_is_published_and_counted_once() {
    let mut host = host("");
    host.request(CHAT, Some(br#"{"model":"m"}"#), Cut::Whole);
    host.response(JSON, Some(ANSWER.as_bytes()), Cut::ThenEmpty);
    host.log();
    assert_eq!(
        host.state(key::USAGE).as_deref(),
        Some(r#"{"prompt":3,"completion":4,"total":7,"status":"exact"}"#)
    );
    let counted: Vec<(&str, u64)> = host.counters.iter().map(|(k, v)| (k.as_str(), *v)).collect();
    assert_eq!(
        counted,
        [
            ("tollgate_requests.model.m.status.exact", 1),
            ("tollgate_tokens.model.m.direction.completion", 4),
            ("tollgate_tokens.model.m.direction.prompt", 3),
        ]
    );
    assert_eq!(host.response.text(), ANSWER);
}

#[test]
fn only_good_answers_of_an_upstream_count() {
    for (case, details, status) in [
        ("local reply", "tollgate_token_limit_exceeded", "200"),
        ("provider's error", "via_upstream", "400"),
        ("switching protocols", "via_upstream", "101"),
    ] {
        let mut host = host("").property("response.code_details", details);
        host.request(CHAT, Some(b"{}"), Cut::Whole);
        host.response(&[(":status", status)], Some(ANSWER.as_bytes()), Cut::Whole);
        host.log();
        assert_eq!(host.state(key::USAGE), None, "{case}");
        assert!(host.counters.is_empty(), "{case}");
    }
}

#[test]
fn an_answer_without_usage_is_unknown() {
    for (case, headers, body) in [
        ("no body", with(JSON, &[]), None),
        ("no usage", with(JSON, &[]), Some("{}")),
        ("compressed", with(JSON, &[("content-encoding", "br")]), Some(ANSWER)),
        ("page as a stream", with(EVENTS, &[]), Some("<html>\n\n<body>busy</body>\n\n")),
    ] {
        let mut host = host("");
        host.request(CHAT, Some(STREAM.as_bytes()), Cut::Whole);
        host.response(&headers, body.map(str::as_bytes), Cut::EveryByte);
        host.log();
        assert_eq!(host.response.text(), body.unwrap_or_default(), "{case}");
        assert_eq!(host.counters["tollgate_requests.model.m.status.unknown"], 1, "{case}");
    }
}

#[test]
fn the_length_of_a_stream_goes_only_where_it_may_change() {
    for (body, expected) in [(STREAM, None), (ASKED, Some("9".to_owned()))] {
        let mut host = host("");
        host.request(CHAT, Some(body.as_bytes()), Cut::Whole);
        host.headers(Direction::Response, &with(EVENTS, &[("content-length", "9")]), false);
        assert_eq!(host.response.header("content-length"), expected);
    }
}

#[test]
fn an_exchange_that_breaks_off_is_settled_in_the_log() {
    let numbers = "data: {\"choices\":[{}],\"usage\":{\"prompt_tokens\":2}}\n\n";
    for (case, headers, body, prompt) in [
        ("with numbers", EVENTS, numbers, 2),
        ("without", EVENTS, "data: {\"choices\":[{}]}\n\n", 0),
        ("JSON", JSON, "{\"usage\":{\"prompt_tokens\":2},\"cho", 2),
    ] {
        let mut host = host("");
        host.request(CHAT, Some(STREAM.as_bytes()), Cut::Whole);
        host.headers(Direction::Response, headers, false);
        host.body(Direction::Response, body.as_bytes(), false);
        assert_eq!(host.state(key::USAGE), None);
        host.log();
        let state = host.state(key::USAGE).unwrap();
        assert!(state.contains(&format!("\"prompt\":{prompt},")), "{case}: {state}");
        assert!(state.contains("\"status\":\"partial\""), "{case}: {state}");
        assert_eq!(host.counters["tollgate_requests.model.m.status.partial"], 1, "{case}");
    }
}

#[test]
fn a_client_that_left_before_the_answer_counts_if_an_upstream_had_the_request() {
    for (case, code, address, counted) in [
        ("left", Some(0u64), true, true),
        ("left, with a status", Some(499), true, true),
        ("left, no status", None, true, true),
        ("answered by the gateway", Some(403), true, false),
        ("never sent on", Some(0), false, false),
    ] {
        let mut host = host("");
        if let Some(code) = code {
            host = host.property("response.code", code.to_le_bytes());
        }
        if address {
            host = host.property("upstream.address", "127.0.0.1:80");
        }
        host.request(CHAT, Some(STREAM.as_bytes()), Cut::Whole);
        host.log();
        assert_eq!(host.state(key::USAGE).is_some(), counted, "{case}");
    }
}

#[test]
fn an_unreadable_fact_is_as_good_as_none() {
    let mut host = host("").property(key::REQUEST, "not json");
    host.request(CHAT, Some(STREAM.as_bytes()), Cut::Whole);
    assert_eq!(sent(&host.request), ASKED);
}

#[test]
fn streams_of_a_worker_share_the_labels() {
    let plugin = plugin(r#"{"maxModelLabels": 1}"#);
    for (model, label) in [("a", "a"), ("b", "other"), ("a", "a")] {
        let mut host = Host::new(plugin.stream()).property("response.code_details", "via_upstream");
        host.request(CHAT, Some(format!(r#"{{"model":"{model}"}}"#).as_bytes()), Cut::Whole);
        host.response(JSON, Some(ANSWER.as_bytes()), Cut::Whole);
        assert_eq!(host.counters[&format!("tollgate_tokens.model.{label}.direction.prompt")], 3);
    }
}
