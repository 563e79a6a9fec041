//! Answers that are no plain success: errors, broken bodies, limits, the host's own replies.
#![allow(clippy::allow_attributes, clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod support;

use provider_rewrite_core::Attempt;
use serde_json::{Value, json};
use support::{KEY, exchange, post};
use tollgate_effects::testkit::{Cut, Exchange};

const CONFIG: &str = r#"{"providers": [
    {"name": "anthropic", "dialect": "anthropic", "credential": {"env": "KEY"}},
    {"name": "openai", "dialect": "openai", "credential": {"env": "OPENAI_KEY"},
     "models": {"m": "wire"}}
], "limits": {"maxResponseBytes": 1000, "maxEventBytes": 300}}"#;

const PROVIDER: &str = "xds.upstream_host_metadata.filter_metadata.tollgate.provider";
const BODY: &str = r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;

fn asked(provider: &str, path: &str) -> Exchange<Attempt> {
    let mut exchange = exchange(CONFIG).property(PROVIDER, provider);
    exchange.request(&post(path), Some(BODY.as_bytes()), Cut::Whole);
    assert!(exchange.request.released, "{provider} {path}");
    exchange
}

fn chat(provider: &str) -> Exchange<Attempt> {
    asked(provider, "/v1/chat/completions")
}

fn status(exchange: &Exchange<Attempt>) -> String {
    match &exchange.reply {
        Some(reply) => reply.status.to_string(),
        None => exchange.response.header(":status").unwrap(),
    }
}

fn json_of(exchange: &Exchange<Attempt>) -> Value {
    let body = exchange.reply.as_ref().map_or(&exchange.response.body, |reply| &reply.body);
    serde_json::from_slice(body).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(body)))
}

#[test]
fn a_providers_error_comes_in_the_clients_dialect() {
    for (status_in, kind, message, status_out, code) in [
        (400, "invalid_request_error", "max_tokens: bad", "400", "invalid_request"),
        (
            400,
            "invalid_request_error",
            "prompt is too long: 9 tokens > 8 maximum",
            "400",
            "context_length_exceeded",
        ),
        (401, "authentication_error", "invalid x-api-key", "401", "upstream_authentication_error"),
        (404, "not_found_error", "model: m", "404", "model_not_found"),
        (429, "rate_limit_error", "slow down", "429", "rate_limit_exceeded"),
        (500, "api_error", "oops", "500", "upstream_error"),
        (529, "overloaded_error", "Overloaded", "503", "upstream_overloaded"),
    ] {
        let mut exchange = chat("anthropic");
        let body = json!({"type": "error", "error": {"type": kind, "message": message}});
        let status_in = status_in.to_string();
        let headers = [
            (":status", status_in.as_str()),
            ("content-type", "application/json"),
            ("retry-after", "7"),
            ("x-tollgate-retry", "1"),
            ("anthropic-organization-id", "org"),
        ];
        exchange.response(&headers, Some(body.to_string().as_bytes()), Cut::EveryByte);
        assert_eq!(status(&exchange), status_out, "{status_in}");
        let found = json_of(&exchange);
        assert_eq!(found["error"]["code"], code, "{status_in}");
        assert_eq!(exchange.response.header("retry-after").unwrap(), "7");
        assert_eq!(exchange.response.header("x-tollgate-retry"), None);
        assert_eq!(exchange.response.header("anthropic-organization-id"), None);
        let length = exchange.response.body.len().to_string();
        assert_eq!(exchange.response.header("content-length").unwrap(), length);
        let passed = found["error"]["message"] == message;
        assert_eq!(passed, status_in != "401", "{found}");
    }
}

#[test]
fn an_error_that_cannot_be_read_is_a_general_one() {
    for (body, extra) in [
        ("<html>bad gateway</html>", ("content-type", "text/html")),
        ("", ("content-type", "application/json")),
        ("\u{1f}\u{8b}", ("content-encoding", "gzip")),
        (&*"x".repeat(5000), ("content-type", "text/plain")),
    ] {
        for provider in ["anthropic", "openai"] {
            let mut exchange = chat(provider);
            let headers = [(":status", "503"), extra];
            exchange.response(&headers, Some(body.as_bytes()), Cut::Whole);
            assert_eq!(status(&exchange), "503");
            let error = json_of(&exchange)["error"].clone();
            assert_eq!(error["message"], "the provider is overloaded", "{provider} {body}");
            if exchange.reply.is_none() {
                assert_eq!(exchange.response.header("content-encoding"), None);
            }
        }
    }
}

#[test]
fn an_error_of_the_clients_dialect_passes_as_it_is() {
    let body = r#"{ "error": {"message":"no","type":"t","param":"p","code":"c","extra":1.0} }"#;
    let mut exchange = chat("openai");
    let headers = [(":status", "400"), ("content-type", "application/json")];
    exchange.response(&headers, Some(body.as_bytes()), Cut::EveryByte);
    assert_eq!(exchange.response.text(), body);

    let body =
        r#"{"type":"error","error":{"type":"overloaded_error","message":"prompt is too long"}}"#;
    let mut exchange = asked("anthropic", "/v1/messages");
    exchange.response(&[(":status", "529")], Some(body.as_bytes()), Cut::Whole);
    assert_eq!((status(&exchange).as_str(), &*exchange.response.text()), ("503", body));
}

#[test]
fn no_credential_is_in_an_error() {
    for body in [
        format!(r#"{{"type":"error","error":{{"type":"x","message":"bad key {KEY}"}}}}"#),
        format!(r#"{{"type":"error","error":{{"type":"x","message":"bad","key":"{KEY}"}}}}"#),
    ] {
        for path in ["/v1/chat/completions", "/v1/messages"] {
            for status in ["400", "401", "403", "500"] {
                let mut exchange = asked("anthropic", path);
                exchange.response(&[(":status", status)], Some(body.as_bytes()), Cut::Whole);
                assert!(!exchange.response.text().contains(KEY), "{path} {status}");
            }
        }
    }
}

#[test]
fn an_error_without_a_body_keeps_its_chance_of_another_attempt() {
    for (status_in, status_out) in [("503", "503"), ("529", "503"), ("302", "502")] {
        let mut exchange = chat("anthropic");
        let headers = [(":status", status_in), ("location", "https://provider.test/")];
        exchange.response(&headers, None, Cut::Whole);
        assert!(exchange.reply.is_none());
        assert_eq!(status(&exchange), status_out);
        assert_eq!(exchange.response.header("location"), None);
    }
}

#[test]
fn an_answer_that_cannot_be_translated_is_a_502() {
    let long = format!(r#"{{"content":[],"x":"{}"}}"#, "y".repeat(2000));
    for (content_type, encoding, body, code) in [
        ("application/json", "", Some("not json"), "bad_upstream_response"),
        ("application/json", "", Some("{}"), "bad_upstream_response"),
        (
            "application/json",
            "",
            Some(r#"{"content":[{"type":"tool_use"}]}"#),
            "bad_upstream_response",
        ),
        ("application/json", "", Some(&*long), "bad_upstream_response"),
        ("application/json", "", None, "bad_upstream_response"),
        ("text/html", "", Some("<html>"), "bad_upstream_response"),
        ("application/json", "gzip", Some("x"), "unsupported_content_encoding"),
        ("text/event-stream", "br", Some("x"), "unsupported_content_encoding"),
    ] {
        let mut exchange = chat("anthropic");
        let mut headers = vec![(":status", "200"), ("content-type", content_type)];
        if !encoding.is_empty() {
            headers.push(("content-encoding", encoding));
        }
        exchange.response(&headers, body.map(str::as_bytes), Cut::Whole);
        assert_eq!(status(&exchange), "502", "{body:?}");
        assert_eq!(json_of(&exchange)["error"]["code"], code, "{body:?}");
    }
}

#[test]
fn an_event_over_the_limit_ends_the_stream_with_an_error() {
    let long = format!("data: {{\"type\":\"ping\",\"x\":\"{}\"}}\n\ndata: x\n\n", "y".repeat(2000));
    for cut in [Cut::Whole, Cut::EveryByte] {
        let mut exchange = chat("anthropic");
        let headers = [(":status", "200"), ("content-type", "text/event-stream")];
        exchange.response(&headers, Some(long.as_bytes()), cut);
        let text = exchange.response.text();
        assert!(text.contains("an event of the provider is too long"), "{text}");
        assert_eq!(text.matches("data: ").count(), 1, "{text}");
    }
}

#[test]
fn the_hosts_own_reply_passes_as_it_is() {
    let mut exchange = chat("anthropic").property("response.code_details", "no_healthy_upstream");
    let headers = [(":status", "503"), ("content-type", "text/plain"), ("set-cookie", "a")];
    exchange.response(&headers, Some(b"no healthy upstream"), Cut::Whole);
    assert_eq!(exchange.response.text(), "no healthy upstream");
    assert!(exchange.response.header("set-cookie").is_some());
}

#[test]
fn a_long_answer_of_the_same_dialect_passes_with_the_providers_name() {
    let body = format!(r#"{{"model":"wire","x":"{}"}}"#, "y".repeat(2000));
    let mut exchange = chat("openai");
    let headers = [(":status", "200"), ("content-type", "application/json")];
    exchange.response(&headers, Some(body.as_bytes()), Cut::EveryByte);
    assert_eq!(exchange.response.text(), body);
}

#[test]
fn each_parameter_that_anthropic_lacks_is_named_or_dropped() {
    for (parameter, value) in [
        ("n", "2"),
        ("seed", "0"),
        ("frequency_penalty", "0.5"),
        ("presence_penalty", "-0.5"),
        ("logprobs", "true"),
        ("top_logprobs", "3"),
        ("logit_bias", r#"{"1":5}"#),
        ("response_format", r#"{"type":"json_object"}"#),
        ("temperature", "1.5"),
        ("stop", r#"" ""#),
        ("store", "true"),
        ("modalities", r#"["text","audio"]"#),
        ("audio", "{}"),
        ("prediction", "{}"),
        ("verbosity", r#""low""#),
        ("service_tier", r#""flex""#),
        ("functions", r#"[{"name":"f"}]"#),
        ("function_call", r#""auto""#),
        ("brand_new", "1"),
    ] {
        let body = BODY.replace("{\"model\"", &format!("{{\"{parameter}\":{value},\"model\""));
        let reject = exchange_with(CONFIG, &body);
        let reply = reject.reply.as_ref().unwrap_or_else(|| panic!("{parameter}: sent"));
        let error: Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(error["error"]["code"], "unsupported_parameter", "{parameter}");
        assert_eq!(error["error"]["param"], parameter);
        let dropping = CONFIG.replace(
            r#""dialect": "anthropic","#,
            r#""dialect": "anthropic", "onUnsupported": "drop","#,
        );
        let dropped = exchange_with(&dropping, &body);
        assert_eq!(
            dropped.request.text(),
            exchange_with(CONFIG, BODY).request.text(),
            "{parameter}"
        );
    }
}

#[test]
fn each_wrong_value_is_named() {
    for (parameter, value) in [
        ("messages", "[]"),
        ("messages", "7"),
        ("messages", r#"[{"role":"system","content":"only"}]"#),
        ("messages[0]", "[7]"),
        ("messages[0].role", r#"[{"role":"wizard","content":"x"}]"#),
        ("messages[0].content", r#"[{"role":"user","content":7}]"#),
        ("messages[0].content", r#"[{"role":"user","content":[{"text":"no type"}]}]"#),
        (
            "messages[0].content[0].image_url",
            r#"[{"role":"user","content":[{"type":"image_url","image_url":{"url":"ftp://x"}}]}]"#,
        ),
        (
            "messages[0].tool_calls[0].function.arguments",
            r#"[{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"f","arguments":"[1]"}}]}]"#,
        ),
        ("messages[0].tool_call_id", r#"[{"role":"tool","content":"x"}]"#),
        ("max_tokens", "0"),
        ("max_tokens", "1.5"),
        ("max_tokens", r#""5""#),
        ("stream", "1"),
        ("temperature", r#""hot""#),
        ("top_p", "2"),
        ("stop", "[1]"),
        ("tools", "{}"),
        ("tools[0]", "[{}]"),
        ("tools[0].function", r#"[{"type":"function"}]"#),
        ("tool_choice", r#""sometimes""#),
        ("reasoning_effort", r#""enormous""#),
        ("response_format.json_schema.schema", r#"{"type":"json_schema","json_schema":{}}"#),
    ] {
        let name = parameter.split(['[', '.']).next().unwrap();
        let mut body: Value = serde_json::from_str(BODY).unwrap();
        body[name] = serde_json::from_str(value).unwrap();
        let exchange = exchange_with(CONFIG, &body.to_string());
        let reply = exchange.reply.as_ref().unwrap_or_else(|| panic!("{parameter} {value}: sent"));
        let error: Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(reply.status, 400);
        assert_eq!(error["error"]["param"], parameter, "{value}: {error}");
    }
}

fn exchange_with(config: &str, body: &str) -> Exchange<Attempt> {
    let mut exchange = exchange(config).property(PROVIDER, "anthropic");
    exchange.request(&post("/v1/chat/completions"), Some(body.as_bytes()), Cut::Whole);
    exchange
}
