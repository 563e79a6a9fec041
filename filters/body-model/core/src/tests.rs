//! One exchange at a time through the filter, in every cut of its body.

mod bodies;
mod holding;
mod properties;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tollgate_effects::testkit::{Cut, Exchange};
use tollgate_effects::{Context, Direction, Effect, Effects, Headers, Plugin, Stream};

use super::*;

const CHAT: &str = "/v1/chat/completions";

fn exchange(config: &Value) -> Exchange<Request> {
    let env = BTreeMap::<String, String>::new();
    match BodyModel::configure(config.to_string().as_bytes(), &env) {
        Ok(configured) => Exchange::new(configured.plugin.stream()),
        Err(problems) => panic!("{problems}"),
    }
}

fn caller(models: &[&str]) -> String {
    json!({"keyId": "k", "models": models}).to_string()
}

/// A POST of `body` with its length, through `config`, cut as `cut`; `caller` as published.
fn post(config: &Value, caller: Option<&str>, body: &[u8], cut: Cut<'_>) -> Exchange<Request> {
    let mut exchange = exchange(config);
    if let Some(caller) = caller {
        exchange = exchange.property("tollgate.caller", caller);
    }
    let length = body.len().to_string();
    let headers = [(":method", "POST"), (":path", CHAT), ("content-length", length.as_str())];
    exchange.request(&headers, Some(body), cut);
    exchange
}

/// What is seen behind the filter, to compare cuts. How much of a refused request had gone on before what is wrong
/// with it came by depends on the cut.
fn outcome(exchange: &Exchange<Request>) -> String {
    if let Some(reply) = &exchange.reply {
        return format!("{reply:?} {:?}", exchange.counters);
    }
    let state = ["tollgate.model", "tollgate.request"].map(|key| exchange.state(key));
    format!(
        "{:?} {} {:?} {} {} {:?}",
        exchange.request.headers,
        exchange.request.text(),
        state,
        exchange.request.released,
        exchange.route_cache_cleared,
        exchange.counters,
    )
}

/// The same in every cut, with the outcome of the whole body.
fn post_all_cuts(config: &Value, caller: Option<&str>, body: &[u8]) -> Exchange<Request> {
    let whole = post(config, caller, body, Cut::Whole);
    let expected = outcome(&whole);
    for cut in [Cut::EveryByte, Cut::ThenEmpty] {
        assert_eq!(outcome(&post(config, caller, body, cut)), expected, "{cut:?}");
    }
    for at in 0..body.len() {
        let found = outcome(&post(config, caller, body, Cut::At(&[at])));
        assert_eq!(found, expected, "cut at {at}");
    }
    whole
}

/// Status, code and param of the refusal.
fn refused(exchange: &Exchange<Request>) -> (u16, String, Option<String>) {
    let reply = exchange.reply.as_ref().unwrap_or_else(|| panic!("not refused"));
    let body: Value = serde_json::from_slice(&reply.body).unwrap();
    let text = |key: &str| body["error"][key].as_str().map(str::to_owned);
    assert!(!exchange.request.released && !exchange.route_cache_cleared);
    (reply.status, text("code").unwrap(), text("param"))
}

#[test]
fn publishes_what_the_body_says() {
    let body = br#"{"messages":[{"content":"{\"model\":\"no\"}"}],"stream":true,"model":"llama-3","max_tokens":50}"#;
    let exchange = post_all_cuts(&json!({}), None, body);
    assert_eq!(exchange.reply, None);
    assert_eq!(exchange.request.body, body);
    assert_eq!(exchange.request.header("x-gateway-model-name").as_deref(), Some("llama-3"));
    assert_eq!(exchange.request.header("x-gateway-stream").as_deref(), Some("true"));
    assert_eq!(exchange.request.header("x-gateway-base-model-name"), None);
    assert_eq!(exchange.request.header("content-length"), Some(body.len().to_string()));
    assert_eq!(exchange.state("tollgate.model").as_deref(), Some("llama-3"));
    let fact: Value = serde_json::from_str(&exchange.state("tollgate.request").unwrap()).unwrap();
    let expected = json!({"requestedModel": "llama-3", "model": "llama-3", "baseModel": "llama-3",
        "stream": true, "endpoint": "chat_completions", "dialect": "openai", "maxTokens": 50});
    assert_eq!(fact, expected);
    assert!(exchange.route_cache_cleared);
}

#[test]
fn the_route_is_chosen_after_everything_else() {
    let mut exchange = exchange(&json!({"aliases": {"a": "b"}}));
    let headers = Headers::new(vec![(b":method", b"POST"), (b":path", CHAT.as_bytes())]);
    let properties = exchange.properties.clone();
    let ctx = Context { now: 0, properties: &properties };
    let mut effects = Effects::new();
    let _ = exchange.stream.on_request_headers(ctx, &headers, false, &mut effects);
    assert!(effects.is_empty(), "{effects:?}");
    let bytes = br#"{"model":"a"}"#;
    let body = tollgate_effects::Body { bytes, held: bytes.len(), more: false, end: true };
    let _ = exchange.stream.on_request_body(ctx, body, &mut effects);
    let last = effects.pop();
    assert_eq!(last, Some(Effect::ClearRouteCache));
    assert!(!effects.contains(&Effect::ClearRouteCache));
    // Two headers, two facts, the edit: each is a host call.
    assert_eq!(effects.len(), 5, "{effects:?}");
}

#[test]
fn every_header_can_be_renamed_or_left_out() {
    let publish = json!({"model": "x-llm", "stream": null, "baseModel": "x-base"});
    let exchange = post(&json!({"publish": publish}), None, br#"{"model":"m"}"#, Cut::Whole);
    assert_eq!(exchange.request.header("x-llm").as_deref(), Some("m"));
    assert_eq!(exchange.request.header("x-base").as_deref(), Some("m"));
    assert_eq!(exchange.request.header("x-gateway-model-name"), None);
    assert_eq!(exchange.request.header("x-gateway-stream"), None);
}

#[test]
fn owned_headers_of_a_client_are_removed_on_every_path() {
    let spoofed = [
        "x-gateway-model-name",
        "x-gateway-base-model-name",
        "x-gateway-stream",
        "x-gateway-tags",
        "x-gateway-fallbacks",
        "x-gateway-prompt-tokens",
        "x-gateway-context",
        "x-llm",
        "x_gateway_model_name",
    ];
    for path in [CHAT, "/v1/models", "/"] {
        let mut exchange = exchange(&json!({"publish": {"model": "x-llm"}}));
        let mut headers = vec![(":method", "GET"), (":path", path), ("x-gateway-user", "u")];
        headers.extend(spoofed.iter().map(|name| (*name, "spoofed")));
        headers.extend(spoofed.iter().map(|name| (*name, "twice")));
        exchange.request(&headers, None, Cut::Whole);
        let left: Vec<&str> = exchange.request.headers.iter().map(|(n, _)| n.as_str()).collect();
        assert_eq!(left, [":method", ":path", "x-gateway-user"], "{path}");
        assert!(exchange.request.released && exchange.reply.is_none());
    }
}

#[test]
fn bad_bodies_are_refused_in_every_cut() {
    let depth = "[".repeat(128);
    let long = "x".repeat(257);
    let escaped = r"\u0078".repeat(257);
    let huge = "x".repeat(8000);
    for (body, status, code, param) in [
        ("", 400, "invalid_json", None),
        (" ", 400, "invalid_json", None),
        (r#"{"model":"m""#, 400, "invalid_json", None),
        (r#"{"model":"m",}"#, 400, "invalid_json", None),
        (r#"{"model":"m"} {}"#, 400, "invalid_json", None),
        (r#"[{"model":"m"}]"#, 400, "invalid_json", None),
        (r#""model""#, 400, "invalid_json", None),
        (&format!(r#"{{"model":"m","a":{depth}"#), 400, "invalid_json", None),
        ("{}", 400, "missing_model", Some("model")),
        (r#"{"Model":"m"}"#, 400, "missing_model", Some("model")),
        (r#"{"a":{"model":"m"}}"#, 400, "missing_model", Some("model")),
        (r#"{"model":null}"#, 400, "missing_model", Some("model")),
        (r#"{"model":1}"#, 400, "missing_model", Some("model")),
        (r#"{"model":["m"]}"#, 400, "missing_model", Some("model")),
        (r#"{"model":"a","model":"b"}"#, 400, "duplicate_model", Some("model")),
        (r#"{"model":"a","model":"a"}"#, 400, "duplicate_model", Some("model")),
        (r#"{"model":"a","mod\u0065l":"b"}"#, 400, "duplicate_model", Some("model")),
        (r#"{"model":"a","MODEL":"b"}"#, 400, "duplicate_model", Some("model")),
        (r#"{"MODEL":"a","Model":"b"}"#, 400, "duplicate_model", Some("model")),
        (r#"{"model":"a","model":1}"#, 400, "duplicate_model", Some("model")),
        (r#"{"model":""}"#, 400, "invalid_model", Some("model")),
        (r#"{"model":" m"}"#, 400, "invalid_model", Some("model")),
        (r#"{"model":"a\r\nx-admin: 1"}"#, 400, "invalid_model", Some("model")),
        (r#"{"model":"a\u0000"}"#, 400, "invalid_model", Some("model")),
        (r#"{"model":"a\u0085b"}"#, 400, "invalid_model", Some("model")),
        (&format!(r#"{{"model":"{long}"}}"#), 400, "invalid_model", Some("model")),
        (&format!(r#"{{"model":"{escaped}"}}"#), 400, "invalid_model", Some("model")),
        (&format!(r#"{{"model":"{huge}"}}"#), 400, "invalid_model", Some("model")),
        (r#"{"model":"m","stream":true,"stream":false}"#, 400, "invalid_parameter", Some("stream")),
        (r#"{"model":"m","stream":1}"#, 400, "invalid_parameter", Some("stream")),
        (r#"{"model":"m","Stream":true}"#, 400, "invalid_parameter", Some("stream")),
        (r#"{"Stream":null,"model":"m"}"#, 400, "invalid_parameter", Some("stream")),
        (r#"{"model":"m","stream":"true"}"#, 400, "invalid_parameter", Some("stream")),
    ] {
        let exchange = if body.len() > 2000 {
            post(&json!({}), None, body.as_bytes(), Cut::EveryByte)
        } else {
            post_all_cuts(&json!({}), None, body.as_bytes())
        };
        let expected = (status, code.to_owned(), param.map(str::to_owned));
        assert_eq!(refused(&exchange), expected, "{body}");
        assert_eq!(exchange.counters.values().sum::<u64>(), 1, "{body}");
        let reply = exchange.reply.unwrap();
        assert_eq!(reply.details, format!("tollgate_{code}"), "{body}");
    }
    let exchange = post_all_cuts(&json!({}), None, b"{\"model\":\"\xff\"}");
    assert_eq!(refused(&exchange).1, "invalid_json");
}

#[test]
fn a_name_as_long_as_allowed_passes_however_it_is_written() {
    for name in ["x".repeat(256), r"\u0078".repeat(256), "é".repeat(128)] {
        let body = format!(r#"{{"model":"{name}"}}"#);
        let exchange = post(&json!({}), None, body.as_bytes(), Cut::EveryByte);
        assert_eq!(exchange.reply, None);
        assert_eq!(exchange.state("tollgate.model").map(|model| model.len()), Some(256));
    }
}

#[test]
fn stream_may_be_null_and_a_bound_on_tokens_may_have_three_names() {
    for (body, expected) in [
        (r#"{"model":"m","stream":null}"#, json!(null)),
        (r#"{"model":"m","max_tokens":1,"max_completion_tokens":2}"#, json!(2)),
        (r#"{"model":"m","max_output_tokens":3}"#, json!(3)),
        (r#"{"model":"m","max_tokens":null}"#, json!(null)),
        (r#"{"model":"m","max_tokens":1.5}"#, json!(null)),
        (r#"{"model":"m","max_tokens":-1}"#, json!(null)),
        (r#"{"model":"m","max_tokens":99999999999999999999999}"#, json!(null)),
    ] {
        let exchange = post_all_cuts(&json!({}), None, body.as_bytes());
        let fact: Value =
            serde_json::from_str(&exchange.state("tollgate.request").unwrap()).unwrap();
        assert_eq!(fact["maxTokens"], expected, "{body}");
        assert_eq!(exchange.request.header("x-gateway-stream").as_deref(), Some("false"), "{body}");
    }
}

#[test]
fn size_is_refused_at_the_declared_length_or_the_first_byte_too_many() {
    let config = json!({"limits": {"maxBodyBytes": 13}});
    assert_eq!(post_all_cuts(&config, None, br#"{"model":"m"}"#).reply, None);
    let large = ("413 declared", [(":method", "POST"), (":path", CHAT), ("content-length", "14")]);
    let chunked = ("413 chunked", [(":method", "POST"), (":path", CHAT), ("x", "y")]);
    for (name, headers) in [large, chunked] {
        let mut exchange = exchange(&config);
        exchange.headers(Direction::Request, &headers, false);
        assert_eq!(exchange.reply.is_some(), name == "413 declared", "{name}");
        exchange.body(Direction::Request, br#"{"model":"m" "#, false);
        exchange.body(Direction::Request, b" ", false);
        assert_eq!(refused(&exchange).0, 413, "{name}");
    }
    // Which error comes first does not depend on the cut.
    let headers = [(":method", "POST"), (":path", CHAT)];
    for (body, status) in [(&b"{\"model\":\"m\"}         x"[..], 413), (b"x{            ", 400)] {
        for cut in [Cut::Whole, Cut::EveryByte, Cut::At(&[13]), Cut::At(&[14])] {
            let mut exchange = exchange(&config);
            exchange.request(&headers, Some(body), cut);
            assert_eq!(refused(&exchange).0, status, "{cut:?}");
        }
    }
}

#[test]
fn what_headers_alone_decide() {
    let body = Some(&br#"{"model":"m"}"#[..]);
    let invalid = Some((400, "invalid_json"));
    let encoded = Some((415, "unsupported_content_encoding"));
    for (method, path, extra, body, expected) in [
        ("GET", CHAT, None, None, None),
        ("HEAD", CHAT, None, None, None),
        ("OPTIONS", CHAT, None, None, None),
        ("GET", CHAT, None, Some(&b""[..]), None),
        ("GET", CHAT, None, Some(&b"{}"[..]), Some((400, "missing_model"))),
        ("POST", CHAT, None, None, invalid),
        ("PUT", CHAT, None, None, invalid),
        ("POST", CHAT, None, Some(&b""[..]), invalid),
        ("GET", CHAT, Some(("upgrade", "websocket")), body, invalid),
        ("POST", CHAT, Some(("upgrade", "h2c")), body, None),
        ("POST", CHAT, Some(("content-encoding", "gzip")), body, encoded),
        ("POST", CHAT, Some(("content-encoding", "identity, GZIP")), body, encoded),
        ("POST", CHAT, Some(("content-encoding", " Identity ,")), body, None),
        ("POST", CHAT, Some(("content-encoding", "")), body, None),
        ("POST", "/v1/chat/%63ompletions/", None, Some(&b"{}"[..]), Some((400, "missing_model"))),
        ("POST", "/v1/models", Some(("content-encoding", "gzip")), Some(&b"\x1f\x8b"[..]), None),
        ("POST", "/upload", Some(("content-length", "99999999")), Some(&b"x"[..]), None),
    ] {
        let mut exchange = exchange(&json!({}));
        let mut headers = vec![(":method", method), (":path", path)];
        headers.extend(extra);
        exchange.request(&headers, body, Cut::Whole);
        let case = format!("{method} {path} {extra:?}");
        let found = exchange.reply.as_ref().map(|_| refused(&exchange));
        let found = found.as_ref().map(|(status, code, _)| (*status, code.as_str()));
        assert_eq!(found, expected, "{case}");
        if expected.is_none() {
            assert!(exchange.request.released, "{case}");
            assert_eq!(exchange.request.body, body.unwrap_or_default(), "{case}");
        }
    }
}

#[test]
fn headers_that_are_not_utf_8_do_no_harm() {
    let mut exchange = exchange(&json!({}));
    let bad: &[u8] = b"\xff\xfe";
    let properties = exchange.properties.clone();
    let ctx = Context { now: 0, properties: &properties };
    for name in [&b":path"[..], b":method", b"content-encoding", b"content-length", b"\xff", b"x"] {
        let headers = Headers::new(vec![(b":path", CHAT.as_bytes()), (name, bad)]);
        let mut effects = Effects::new();
        let _ = exchange.stream.on_request_headers(ctx, &headers, false, &mut effects);
    }
}

#[test]
fn errors_speak_the_dialect_of_the_endpoint() {
    let mut exchange = exchange(&json!({}));
    let headers = [(":method", "POST"), (":path", "/v1/messages")];
    exchange.request(&headers, Some(b"{}"), Cut::Whole);
    let body: Value = serde_json::from_slice(&exchange.reply.unwrap().body).unwrap();
    assert_eq!(
        (&body["type"], &body["error"]["type"]),
        (&json!("error"), &json!("invalid_request_error"))
    );
}

#[test]
fn an_alias_changes_the_model_in_the_body_and_nothing_else() {
    let config = json!({"aliases": {"fast": "llama-3.1-8b-instruct", "a\"b": "c\\d\"é"}});
    for (body, expected) in [
        (
            r#"{ "n" : 1.0 ,"model" : "fast", "x":"fast" }"#,
            r#"{ "n" : 1.0 ,"model" : "llama-3.1-8b-instruct", "x":"fast" }"#,
        ),
        (r#"{"mod\u0065l":"f\u0061st"}"#, r#"{"mod\u0065l":"llama-3.1-8b-instruct"}"#),
        (r#"{"model":"a\"b"}"#, r#"{"model":"c\\d\"é"}"#),
        (r#"{"model":"faster"}"#, r#"{"model":"faster"}"#),
    ] {
        let exchange = post_all_cuts(&config, None, body.as_bytes());
        assert_eq!(exchange.request.text(), expected);
        let length = exchange.request.header("content-length");
        assert_eq!(length, Some(expected.len().to_string()), "{body}");
    }
    let exchange = post(&config, None, br#"{"model":"fast"}"#, Cut::Whole);
    let fact: Value = serde_json::from_str(&exchange.state("tollgate.request").unwrap()).unwrap();
    assert_eq!(fact["requestedModel"], "fast");
    assert_eq!(fact["model"], "llama-3.1-8b-instruct");
    assert_eq!(exchange.state("tollgate.model").as_deref(), Some("llama-3.1-8b-instruct"));
    assert_eq!(
        exchange.request.header("x-gateway-model-name").as_deref(),
        Some("llama-3.1-8b-instruct")
    );
}

#[test]
fn a_chunked_body_gets_no_length() {
    let mut exchange = exchange(&json!({"aliases": {"fast": "llama"}}));
    let headers = [(":method", "POST"), (":path", CHAT)];
    exchange.request(&headers, Some(br#"{"model":"fast"}"#), Cut::EveryByte);
    assert_eq!(exchange.request.text(), r#"{"model":"llama"}"#);
    assert_eq!(exchange.request.header("content-length"), None);
}

#[test]
fn who_may_use_what() {
    let config = json!({
        "models": [{"name": "big"}, {"name": "small"}],
        "aliases": {"fast": "small"},
        "requireCaller": true,
    });
    let open = json!({"models": [{"name": "big"}]});
    let anyone = json!({"keyId": "k"}).to_string();
    for (name, config, caller, model, expected) in [
        ("no caller", &config, None, "big", Some((403, "model_not_allowed"))),
        ("no caller, unknown", &config, None, "huge", Some((403, "model_not_allowed"))),
        ("unreadable", &config, Some("{".into()), "big", Some((403, "model_not_allowed"))),
        (
            "unreadable, not required",
            &open,
            Some("[]".into()),
            "big",
            Some((403, "model_not_allowed")),
        ),
        ("no caller, not required", &open, None, "big", None),
        ("no list", &config, Some(anyone.clone()), "big", None),
        ("no list, unknown", &config, Some(anyone), "huge", Some((404, "model_not_found"))),
        ("listed", &config, Some(caller(&["small"])), "small", None),
        ("alias of a listed one", &config, Some(caller(&["small"])), "fast", None),
        (
            "alias listed, model not",
            &config,
            Some(caller(&["fast"])),
            "fast",
            Some((403, "model_not_allowed")),
        ),
        ("not listed", &config, Some(caller(&["small"])), "big", Some((403, "model_not_allowed"))),
        (
            "not listed, unknown",
            &config,
            Some(caller(&["small"])),
            "huge",
            Some((404, "model_not_found")),
        ),
        ("empty list", &config, Some(caller(&[])), "small", Some((403, "model_not_allowed"))),
    ] {
        let body = json!({"model": model}).to_string();
        let exchange = post(config, caller.as_deref(), body.as_bytes(), Cut::Whole);
        let found = exchange.reply.as_ref().map(|_| refused(&exchange));
        let found = found.as_ref().map(|(status, code, param)| {
            assert_eq!(param.as_deref(), Some("model"), "{name}");
            (*status, code.as_str())
        });
        assert_eq!(found, expected, "{name}");
    }
    // The name in the message is the one that was asked for.
    let exchange = post(&config, Some(&caller(&[])), br#"{"model":"fast"}"#, Cut::Whole);
    let body: Value = serde_json::from_slice(&exchange.reply.unwrap().body).unwrap();
    assert_eq!(body["error"]["message"], "this API key may not use the model `fast`");
}
