//! What lets held headers go, and when.

use super::*;

/// Headers of a POST to `path`.
fn headers(path: &str) -> Vec<(&str, &str)> {
    vec![(":method", "POST"), (":path", path)]
}

/// Feeds `body` byte by byte; the offset behind which the headers were let go, if they were before its end.
fn let_go_at(config: &Value, path: &str, body: &str) -> Option<usize> {
    let mut exchange = exchange(config);
    exchange.headers(Direction::Request, &headers(path), false);
    if exchange.request.released {
        return Some(0);
    }
    for (at, byte) in body.bytes().enumerate() {
        exchange.body(Direction::Request, &[byte], false);
        if exchange.request.released {
            return Some(at + 1);
        }
    }
    exchange.body(Direction::Request, b"", true);
    assert!(exchange.request.released, "{:?}", exchange.reply);
    None
}

/// The offset behind `part` in `body`.
fn behind(body: &str, part: &str) -> Option<usize> {
    Some(body.find(part).unwrap() + part.len())
}

#[test]
fn headers_go_as_soon_as_all_that_is_told_by_them_is_known() {
    let model_first = r#"{"model":"m","stream":true,"messages":[]}"#;
    let stream_first = r#"{"stream":true,"messages":[],"model":"m","tools":[]}"#;
    let no_stream = r#"{"model":"m","messages":[]}"#;
    let no_header = json!({"publish": {"stream": null}});
    let gemini = "/v1beta/models/m:generateContent";
    let azure = "/openai/deployments/m/chat/completions";
    for (config, path, body, expected) in [
        (json!({}), CHAT, model_first, behind(model_first, "true")),
        (json!({}), CHAT, stream_first, behind(stream_first, r#""m""#)),
        (json!({}), CHAT, no_stream, None),
        (no_header.clone(), CHAT, no_stream, behind(no_stream, r#""m""#)),
        (no_header.clone(), CHAT, model_first, behind(model_first, r#""m""#)),
        (json!({"aliases": {"m": "n"}}), CHAT, model_first, behind(model_first, "true")),
        (json!({"tags": {"header": "x-tags"}}), CHAT, model_first, behind(model_first, "true")),
        (json!({"tags": {"body": true}}), CHAT, model_first, None),
        (json!({"fallbacks": {"body": true}}), CHAT, model_first, None),
        (json!({"estimate": {}}), CHAT, model_first, None),
        (json!({"publish": {"promptTokens": "x-tokens"}}), CHAT, model_first, None),
        // The path says both.
        (json!({}), gemini, r#"{"contents":[]}"#, Some(0)),
        // The body may name it too.
        (json!({"aliases": {"m": "n"}}), gemini, r#"{"contents":[]}"#, None),
        // The body says whether it is a stream.
        (json!({}), azure, model_first, behind(model_first, "true")),
        (json!({}), azure, r#"{"messages":[]}"#, None),
        (no_header, azure, r#"{"messages":[]}"#, Some(0)),
    ] {
        assert_eq!(let_go_at(&config, path, body), expected, "{config} {path} {body}");
    }
}

#[test]
fn what_goes_on_is_the_same_however_the_body_is_cut() {
    let config = json!({"aliases": {"fast": "a-longer-name"}});
    for body in [
        r#"{"model":"fast","stream":true,"max_tokens":3,"messages":[{"content":"x"}]}"#,
        r#"{"messages":[{"content":"x"}],"stream":false,"model":"fast","max_tokens":3}"#,
        r#"{"messages":[],"model":"fast"}"#,
    ] {
        let exchange = post_all_cuts(&config, None, body.as_bytes());
        assert_eq!(exchange.request.text(), body.replace("fast", "a-longer-name"));
        let length = exchange.request.text().len().to_string();
        assert_eq!(exchange.request.header("content-length"), Some(length), "{body}");
    }
}

#[test]
fn a_length_that_cannot_be_read_is_replaced_with_the_body() {
    let config = json!({"aliases": {"fast": "a-longer-name"}});
    let body = br#"{"model":"fast","stream":true}"#;
    for lengths in [&["30", "30"][..], &["-1"], &["x"], &["99999999999999999999999"]] {
        for cut in [Cut::Whole, Cut::EveryByte, Cut::ThenEmpty] {
            let mut exchange = exchange(&config);
            let mut headers = headers(CHAT);
            headers.extend(lengths.iter().map(|length| ("content-length", *length)));
            exchange.request(&headers, Some(body), cut);
            let found =
                exchange.request.headers.iter().filter(|(name, _)| name == "content-length");
            let found: Vec<&[u8]> = found.map(|(_, value)| value.as_slice()).collect();
            assert_eq!(found, [b"39"], "{lengths:?} {cut:?} {:?}", exchange.reply);
        }
    }
}

#[test]
fn a_large_piece_is_read_in_windows() {
    let config = json!({"aliases": {"fast": "a-longer-name"}});
    let long = "x".repeat(300);
    for body in [
        format!(r#"{{"model":"fast","stream":true,"messages":["{long}"]}}"#),
        format!(r#"{{"messages":["{long}"],"model":"fast","stream":true}}"#),
    ] {
        let expected = outcome(&post(&config, None, body.as_bytes(), Cut::Whole));
        for window in [1, 2, 7, 64] {
            for end in [true, false] {
                let mut exchange = exchange(&config);
                exchange.window = window;
                let length = body.len().to_string();
                let mut headers = headers(CHAT);
                headers.push(("content-length", &length));
                exchange.headers(Direction::Request, &headers, false);
                exchange.body(Direction::Request, body.as_bytes(), end);
                if !end {
                    exchange.body(Direction::Request, b"", true);
                }
                assert_eq!(outcome(&exchange), expected, "{window} {end}");
            }
        }
    }
}

#[test]
fn what_is_wrong_behind_released_headers_ends_the_request_before_its_last_piece() {
    let start = r#"{"model":"m","stream":true,"#;
    for (rest, code) in [
        (r#""model":"n"}"#, "duplicate_model"),
        (r#""MODEL":"n"}"#, "duplicate_model"),
        (r#""stream":true}"#, "invalid_parameter"),
        (r#""messages":[}"#, "invalid_json"),
        (r#""messages":["#, "invalid_json"),
        (r#""messages":[]} {}"#, "invalid_json"),
    ] {
        let mut exchange = exchange(&json!({}));
        exchange.headers(Direction::Request, &headers(CHAT), false);
        exchange.body(Direction::Request, start.as_bytes(), false);
        assert!(exchange.request.released);
        exchange.body(Direction::Request, rest.as_bytes(), true);
        let reply = exchange.reply.as_ref().unwrap();
        assert_eq!(reply.details, format!("tollgate_{code}"), "{rest}");
        assert_eq!(exchange.request.text(), start, "{rest}");
    }
}

#[test]
fn what_comes_to_be_known_behind_released_headers_completes_the_fact() {
    let config = json!({"publish": {"stream": null}});
    let body = br#"{"model":"m","messages":[],"stream":true,"max_tokens":7}"#;
    for cut in [Cut::Whole, Cut::EveryByte, Cut::At(&[20])] {
        let exchange = post(&config, None, body, cut);
        let fact: Value =
            serde_json::from_str(&exchange.state("tollgate.request").unwrap()).unwrap();
        assert_eq!((&fact["stream"], &fact["maxTokens"]), (&json!(true), &json!(7)), "{cut:?}");
    }
}

#[test]
fn a_request_that_is_not_allowed_is_refused_at_the_same_byte_in_any_cut() {
    let config = json!({"models": [{"name": "m"}]});
    // Not read as far as what is wrong behind it.
    let body = br#"{"model":"unknown","stream":true,"messages":[}"#;
    let exchange = post_all_cuts(&config, None, body);
    assert_eq!(exchange.reply.unwrap().status, 404);
}

#[test]
fn with_the_hosts_hold_headers_go_on_at_once_and_facts_are_filter_state() {
    let config = json!({
        "hold": "host",
        "aliases": {"fast": "a-longer-name"},
        "tags": {"body": true},
        "publish": {"baseModel": "x-base", "tags": "x-tags"},
    });
    let body = br#"{"model":"fast","stream":true,"tags":["a","b"]}"#;
    for cut in [Cut::Whole, Cut::EveryByte, Cut::ThenEmpty] {
        let mut exchange = exchange(&config);
        let mut headers = headers(CHAT);
        headers.extend([("content-length", "47"), ("x-gateway-model-name", "spoofed")]);
        exchange.headers(Direction::Request, &headers, false);
        assert!(exchange.request.released);
        assert_eq!(exchange.request.header("content-length"), None);
        assert_eq!(exchange.request.header("x-gateway-model-name"), None);
        for (piece, end) in cut.pieces(body) {
            assert!(exchange.request.body.is_empty(), "{cut:?}");
            exchange.body(Direction::Request, piece, end);
        }
        assert_eq!(exchange.request.text(), r#"{"model":"a-longer-name","stream":true}"#);
        assert!(exchange.route_cache_cleared);
        for (key, value) in [
            ("tollgate.model", Some("a-longer-name")),
            ("tollgate.base_model", Some("a-longer-name")),
            ("tollgate.stream", Some("true")),
            ("tollgate.tags", Some("a,b")),
            ("tollgate.fallbacks", None),
            ("tollgate.prompt_tokens", None),
        ] {
            assert_eq!(exchange.state(key).as_deref(), value, "{key}");
        }
    }
    // A body that cannot change keeps its length.
    let mut exchange = exchange(&json!({"hold": "host"}));
    exchange.headers(
        Direction::Request,
        &[(":method", "POST"), (":path", CHAT), ("content-length", "13")],
        false,
    );
    assert_eq!(exchange.request.header("content-length").as_deref(), Some("13"));
}

#[test]
fn with_the_hosts_hold_a_refusal_comes_at_the_end_of_the_body_too() {
    let config = json!({"hold": "host", "models": [{"name": "m"}]});
    for (body, status) in
        [(r#"{"model":"n"}"#, 404), (r#"{"model":"m","model":"m"}"#, 400), ("", 400)]
    {
        let mut exchange = exchange(&config);
        exchange.request(&headers(CHAT), Some(body.as_bytes()), Cut::ThenEmpty);
        assert_eq!(exchange.reply.as_ref().unwrap().status, status, "{body}");
        assert_eq!(exchange.request.text(), "");
    }
}

/// A held request on a host that hands over no bodies, after some ticks with `size` as `request.total_size`.
fn ticked(config: &Value, ticks: usize, size: u64) -> Exchange<Request> {
    let mut exchange = exchange(config);
    exchange.headers(Direction::Request, &headers(CHAT), false);
    assert!(!exchange.request.released);
    exchange = exchange.property("request.total_size", size.to_le_bytes());
    for _ in 0..ticks {
        exchange.tick();
    }
    exchange
}

#[test]
fn where_bodies_do_not_come_requests_are_answered_or_go_on() {
    // `:method`, `POST`, `:path` and its value: 7 + 4 + 5 + 20.
    let waiting = ticked(&json!({}), 100, 36);
    assert!(waiting.reply.is_none() && waiting.logs.is_empty() && !waiting.request.released);
    let early = ticked(&json!({}), 2, 37);
    assert!(early.reply.is_none());
    let refused = ticked(&json!({}), 3, 37);
    assert_eq!(refused.reply.unwrap().details, "tollgate_header_hold_missing");
    assert_eq!(refused.logs.len(), 1);
    assert!(refused.logs[0].1.contains("allow_on_headers_stop_iteration: true"));
    let passed = ticked(&json!({"holdMissing": {"after": 1, "then": "pass"}}), 2, 37);
    assert!(passed.reply.is_none() && passed.request.released);
    assert_eq!(passed.state("tollgate.request"), None);
}
