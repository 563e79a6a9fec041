//! Attempts: where they go, with which headers, and what a later one finds of an earlier one.
#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests"
)]

mod support;

use provider_rewrite_core::Attempt;
use support::{KEY, OPENAI_KEY, exchange, plugin, post};
use tollgate_effects::Plugin;
use tollgate_effects::testkit::{Cut, Exchange};

const CONFIG: &str = r#"{"providers": [
    {"name": "anthropic", "dialect": "anthropic", "credential": {"env": "KEY"},
     "authority": "api.anthropic.test", "models": {"claude": "claude-sonnet-4-5"}},
    {"name": "openai", "dialect": "openai", "credential": {"env": "OPENAI_KEY"},
     "authority": "api.openai.test", "pathPrefix": "/openai/v1", "models": {"claude": "gpt-4o"}},
    {"name": "team", "dialect": "openai", "credential": {"header": "x-team-credential"}},
    {"name": "plain", "dialect": "openai"}
], "passHeaders": ["X-Correlation-Id"], "limits": {"maxBodyBytes": 2000}}"#;

const PROVIDER: &str = "xds.upstream_host_metadata.filter_metadata.tollgate.provider";
const MODEL: &str = "xds.upstream_host_metadata.filter_metadata.tollgate.model";
const CHAT: &str = "/v1/chat/completions";
const BODY: &str =
    r#"{ "model": "claude", "messages": [{"role":"user","content":"hi"}], "seed": null }"#;

fn at(provider: &str) -> Exchange<Attempt> {
    exchange(CONFIG).property(PROVIDER, provider)
}

fn send(exchange: &mut Exchange<Attempt>, headers: &[(&str, &str)], body: &str) {
    exchange.request(headers, Some(body.as_bytes()), Cut::Whole);
}

fn code(exchange: &Exchange<Attempt>) -> (u16, String) {
    let reply = exchange.reply.as_ref().expect("no reply");
    let body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
    let code = body.pointer("/error/code").or_else(|| body.pointer("/error/type")).unwrap();
    (reply.status, code.as_str().unwrap().to_owned())
}

#[test]
fn only_what_is_allowed_reaches_a_provider() {
    let mut headers = post(CHAT);
    let spoofed = [
        ("authorization", "Bearer client"),
        ("x-api-key", "client"),
        ("api-key", "client"),
        ("x-goog-api-key", "client"),
        ("x-amz-security-token", "client"),
        ("cookie", "client"),
        ("x-forwarded-for", "client"),
        ("x-gateway-user", "client"),
        ("x-envoy-internal", "client"),
        ("x-team-credential", "client"),
        ("accept-encoding", "gzip"),
        ("anthropic-beta", "client"),
        ("openai-organization", "client"),
    ];
    headers.extend(spoofed);
    headers.extend([
        ("user-agent", "test"),
        ("x-correlation-id", "7"),
        ("x-envoy-max-retries", "2"),
        ("te", "trailers"),
        ("x-request-id", "r"),
    ]);
    let mut exchange = at("anthropic");
    send(&mut exchange, &headers, BODY);
    for (name, value) in &exchange.request.headers {
        assert!(value != b"client", "{name} reached the provider");
    }
    let header = |name: &str| exchange.request.header(name).unwrap_or_default();
    assert_eq!(header("x-api-key"), KEY);
    assert_eq!(header("anthropic-version"), "2023-06-01");
    assert_eq!(header(":authority"), "api.anthropic.test");
    assert_eq!(header(":path"), "/v1/messages");
    assert_eq!(header("user-agent"), "test");
    assert_eq!(header("x-correlation-id"), "7");
    assert_eq!(header("x-envoy-max-retries"), "2");
    assert_eq!(header("te"), "trailers");
    assert_eq!(header("x-request-id"), "r");
    assert_eq!(header("accept-encoding"), "");
    assert_eq!(header("content-length"), exchange.request.body.len().to_string());
    assert_eq!(exchange.state("tollgate.provider").unwrap(), "anthropic");
}

/// The second attempt starts with the first one's headers and filter state, and the original body.
#[test]
fn a_later_attempt_undoes_what_the_one_before_did() {
    let mut headers = post(CHAT);
    let length = BODY.len().to_string();
    headers.extend([("authorization", "Bearer client"), ("content-length", &length)]);
    headers.extend([("x-team-credential", "bearer team-secret"), ("user-agent", "ünï")]);
    let mut first = at("anthropic");
    send(&mut first, &headers, BODY);
    assert_eq!(first.request.header("x-api-key").unwrap(), KEY);

    for (provider, path, authority, credential) in [
        ("openai", "/openai/v1/chat/completions", "api.openai.test", Some(OPENAI_KEY)),
        ("team", CHAT, "gateway.test", Some("team-secret")),
        ("plain", CHAT, "gateway.test", None),
    ] {
        let mut second = Exchange::new(plugin(CONFIG).stream());
        second.properties = first.properties.clone();
        let mut second = second.property(PROVIDER, provider);
        let left: Vec<(String, String)> = first
            .request
            .headers
            .iter()
            .map(|(n, v)| (n.clone(), String::from_utf8(v.clone()).unwrap()))
            .collect();
        let left: Vec<(&str, &str)> = left.iter().map(|(n, v)| (&**n, &**v)).collect();
        send(&mut second, &left, BODY);
        let header = |name: &str| second.request.header(name);
        assert_eq!(header(":path").unwrap(), path, "{provider}");
        assert_eq!(header(":authority").unwrap(), authority, "{provider}");
        assert_eq!(header("x-api-key"), None, "{provider}");
        assert_eq!(header("anthropic-version"), None, "{provider}");
        assert_eq!(header("user-agent").unwrap(), "ünï", "{provider}");
        let bearer = credential.map(|secret| format!("Bearer {secret}"));
        assert_eq!(header("authorization"), bearer, "{provider}");
        let body = second.request.text();
        let expected =
            if provider == "openai" { BODY.replace("claude", "gpt-4o") } else { BODY.into() };
        assert_eq!(body, expected, "{provider}");
        assert_eq!(header("content-length").unwrap(), body.len().to_string(), "{provider}");
        for (name, value) in &second.request.headers {
            let value = String::from_utf8_lossy(value);
            assert!(!value.contains(KEY), "{provider}: {name} has the other provider's secret");
        }
    }
}

#[test]
fn only_the_models_bytes_change_where_the_dialect_is_the_same() {
    let body = r#"{"unknown":[1.10,12345678901234567890], "model"  : "cl\u0061ude" ,"n":1e2}"#;
    for cut in [Cut::Whole, Cut::EveryByte, Cut::ThenEmpty] {
        let mut exchange = at("openai");
        exchange.request(&post("/v1/embeddings?a=b"), Some(body.as_bytes()), cut);
        let expected = body.replace("\"cl\\u0061ude\"", "\"gpt-4o\"");
        assert_eq!(exchange.request.text(), expected, "{cut:?}");
        assert_eq!(exchange.request.header(":path").unwrap(), "/openai/v1/embeddings?a=b");
        let length = exchange.request.header("content-length").unwrap();
        assert_eq!(length, expected.len().to_string());
    }
}

#[test]
fn a_request_without_a_body_passes_with_prefix_and_credential() {
    for method in ["GET", "HEAD"] {
        let mut exchange = at("openai");
        let headers =
            [(":method", method), (":authority", "gateway.test"), (":path", "/v1/models")];
        exchange.request(&headers, None, Cut::Whole);
        assert!(exchange.request.released);
        assert_eq!(exchange.request.header(":path").unwrap(), "/openai/v1/models");
        assert!(exchange.request.header("authorization").unwrap().contains(OPENAI_KEY));
        exchange.response(&[(":status", "200"), ("set-cookie", "a")], None, Cut::Whole);
        assert!(exchange.response.released);
        assert_eq!(exchange.response.header("set-cookie"), None);
    }
}

#[test]
fn a_body_that_needs_no_change_is_not_held() {
    let mut exchange = at("plain");
    exchange.headers(tollgate_effects::Direction::Request, &post("/v1/audio/speech"), false);
    assert!(exchange.request.released);
}

#[test]
fn an_endpoints_model_takes_the_place_of_the_clients() {
    let mut exchange = at("openai").property(MODEL, "gpt-4.1");
    send(&mut exchange, &post(CHAT), BODY);
    assert_eq!(exchange.request.text(), BODY.replace("claude", "gpt-4.1"));
    let answer = r#"{"id":"x","model":"gpt-4.1-2025","choices":[]}"#;
    let headers = [(":status", "200"), ("content-type", "application/json")];
    exchange.response(&headers, Some(answer.as_bytes()), Cut::EveryByte);
    assert_eq!(exchange.response.text(), answer.replace("gpt-4.1-2025", "claude"));
}

#[test]
fn a_model_that_the_caller_may_not_use_ends_the_chain() {
    let caller = r#"{"keyId":"k","models":["claude"]}"#;
    for (provider, model, caller, expected) in [
        ("openai", Some("gpt-4.1"), caller, 403),
        ("anthropic", Some("other"), caller, 403),
        ("anthropic", Some("claude"), caller, 200),
        ("anthropic", None, caller, 200),
        ("openai", None, caller, 200),
        ("openai", Some("gpt-4.1"), "not json", 403),
        ("openai", Some("gpt-4.1"), r#"{"keyId":"k"}"#, 200),
        ("openai", None, r#"{"keyId":"k","models":["x"]}"#, 403),
        ("plain", None, r#"{"keyId":"k","models":[]}"#, 403),
    ] {
        let mut exchange = at(provider).property("tollgate.caller", caller);
        if let Some(model) = model {
            exchange = exchange.property(MODEL, model);
        }
        send(&mut exchange, &post(CHAT), BODY);
        let status = exchange.reply.as_ref().map_or(200, |reply| reply.status);
        assert_eq!(status, expected, "{provider} {model:?} {caller}");
        if status == 403 {
            assert_eq!(code(&exchange).1, "model_not_allowed");
        }
    }
}

#[test]
fn the_clients_name_of_the_model_comes_back() {
    let request = r#"{"requestedModel":"alias","model":"claude","baseModel":"claude",
        "endpoint":"chat_completions","dialect":"openai"}"#;
    let mut exchange = at("openai").property("tollgate.request", request);
    send(&mut exchange, &post(CHAT), BODY);
    let stream = "data: {\"model\":\"gpt-4o-2024\",\"choices\":[]}\n\ndata: [DONE]\n\n";
    let headers = [(":status", "200"), ("content-type", "text/event-stream")];
    exchange.response(&headers, Some(stream.as_bytes()), Cut::EveryByte);
    assert_eq!(exchange.response.text(), stream.replace("gpt-4o-2024", "alias"));
}

#[test]
fn an_unknown_upstream_gets_nothing() {
    for provider in ["nobody", ""] {
        let mut exchange = at(provider);
        send(&mut exchange, &post(CHAT), BODY);
        assert_eq!(code(&exchange), (500, "internal_error".into()));
        assert_eq!(exchange.logs.len(), 1);
        assert!(exchange.logs[0].1.contains("known: anthropic, openai, team, plain"));
    }
    let mut exchange = at("anthropic").property("tollgate.original", "garbage");
    send(&mut exchange, &post(CHAT), BODY);
    assert_eq!(code(&exchange).0, 500);
    let mut exchange = at("team");
    send(&mut exchange, &post(CHAT), BODY);
    assert_eq!(code(&exchange).0, 500);
    assert!(exchange.logs[0].1.contains("no header `x-team-credential`"));
}

#[test]
fn cluster_metadata_serves_where_endpoints_have_none() {
    let mut exchange = exchange(CONFIG)
        .property("xds.cluster_metadata.filter_metadata.tollgate.provider", "openai");
    send(&mut exchange, &post(CHAT), BODY);
    assert_eq!(exchange.state("tollgate.provider").unwrap(), "openai");
}

#[test]
fn what_cannot_be_sent_has_its_error() {
    let long = format!(r#"{{"model":"claude","messages":"{}"}}"#, "x".repeat(3000));
    for (provider, path, content_type, body, expected) in [
        ("openai", "/v1/messages", "application/json", BODY, (400, "invalid_request_error")),
        ("anthropic", "/v1/embeddings", "application/json", BODY, (400, "unsupported_endpoint")),
        ("anthropic", "/v1/models", "application/json", BODY, (400, "unsupported_endpoint")),
        ("openai", "/v1beta/models/x:generateContent", "application/json", BODY, (400, "")),
        ("anthropic", CHAT, "application/json", "{", (400, "invalid_json")),
        ("anthropic", CHAT, "application/json", "", (400, "invalid_json")),
        ("anthropic", CHAT, "application/json", "{}", (400, "missing_model")),
        ("openai", CHAT, "application/json", "{}", (400, "missing_model")),
        (
            "openai",
            CHAT,
            "application/json",
            r#"{"model":"a","Model":"b"}"#,
            (400, "duplicate_model"),
        ),
        ("openai", CHAT, "application/json", &long, (413, "request_too_large")),
        ("openai", CHAT, "multipart/form-data", "x", (415, "unsupported_media_type")),
        ("openai", "/v1/%2e%2e/x", "application/json", BODY, (400, "invalid_path")),
    ] {
        let mut headers = post(path);
        headers.retain(|(name, _)| *name != "content-type");
        headers.push(("content-type", content_type));
        let mut exchange = at(provider);
        if provider == "openai" {
            exchange = exchange.property(MODEL, "claude");
        }
        exchange.request(&headers, Some(body.as_bytes()), Cut::EveryByte);
        let reply = exchange.reply.as_ref().unwrap_or_else(|| panic!("{provider} {path}: sent"));
        assert_eq!(reply.status, expected.0, "{provider} {path}");
        if !expected.1.is_empty() {
            assert_eq!(code(&exchange).1, expected.1, "{provider} {path}");
        }
    }
    let mut exchange = at("anthropic");
    let mut headers = post(CHAT);
    headers.push(("content-encoding", "gzip"));
    send(&mut exchange, &headers, BODY);
    assert_eq!(code(&exchange), (415, "unsupported_content_encoding".into()));
    let mut exchange = at("anthropic");
    let mut headers = post(CHAT);
    headers.push(("content-length", "99999"));
    exchange.headers(tollgate_effects::Direction::Request, &headers, false);
    assert_eq!(code(&exchange), (413, "request_too_large".into()));
}

#[test]
fn a_client_of_messages_passes_to_anthropic_as_it_is() {
    let mut headers = post("/v1/messages");
    headers.extend([("anthropic-version", "2024-10-22"), ("anthropic-beta", "b")]);
    let mut exchange = at("anthropic");
    let body = r#"{"model":"claude","max_tokens":5,"messages":[],"x":1.0}"#;
    send(&mut exchange, &headers, body);
    assert_eq!(exchange.request.text(), body.replace("claude", "claude-sonnet-4-5"));
    assert_eq!(exchange.request.header("anthropic-version").unwrap(), "2024-10-22");
    assert_eq!(exchange.request.header("anthropic-beta").unwrap(), "b");
    let stream = "event: message_start\ndata: {\"message\":{\"model\":\"claude-sonnet-4-5\"}}\n\n";
    let headers = [(":status", "200"), ("content-type", "text/event-stream")];
    exchange.response(&headers, Some(stream.as_bytes()), Cut::EveryByte);
    assert_eq!(exchange.response.text(), stream.replace("claude-sonnet-4-5", "claude"));
}

#[test]
fn a_body_that_body_model_read_is_json_whatever_it_is_called() {
    let request = r#"{"requestedModel":"claude","model":"claude","baseModel":"claude",
        "endpoint":"chat_completions","dialect":"openai"}"#;
    let mut headers = post(CHAT);
    headers.retain(|(name, _)| *name != "content-type");
    headers.push(("content-type", "application/x-www-form-urlencoded"));
    let mut exchange = at("openai").property("tollgate.request", request);
    send(&mut exchange, &headers, BODY);
    assert_eq!(exchange.request.text(), BODY.replace("claude", "gpt-4o"));
}

#[test]
fn a_body_that_passes_unread_keeps_its_coding() {
    for provider in ["plain", "openai"] {
        let mut headers = post("/v1/files");
        headers.push(("content-encoding", "gzip"));
        headers.retain(|(name, _)| *name != "content-type");
        let request = r#"{"requestedModel":"m","model":"m","baseModel":"m",
            "endpoint":"chat_completions","dialect":"openai"}"#;
        let mut exchange = at(provider).property(MODEL, "m").property("tollgate.request", request);
        send(&mut exchange, &headers, "\u{1f}");
        assert_eq!(exchange.request.text(), "\u{1f}", "{provider}");
        assert_eq!(exchange.request.header("content-encoding").as_deref(), Some("gzip"));
    }
}
