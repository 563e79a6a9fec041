//! Each kind of difference, and what passes.

use serde_json::json;

use super::*;
use crate::report::Response;

fn observed() -> Observed {
    Observed {
        name: "1".into(),
        upstream: vec![UpstreamRequest {
            method: "POST".into(),
            path: "/v1/x".into(),
            headers: vec![
                ("host".into(), "up".into()),
                ("x-a".into(), "1".into()),
                ("X-A".into(), "2".into()),
            ],
            body: Some(r#"{"model":"m","n":1}"#.into()),
            body_base64: None,
            trailers: vec![],
        }],
        callouts: vec![CalloutRequest {
            cluster: "auth".into(),
            method: "POST".into(),
            path: "/check".into(),
            headers: vec![("host".into(), "auth.test".into())],
            body: Some(r#"{"who":"me"}"#.into()),
            body_base64: None,
        }],
        response: Response {
            status: 200,
            headers: vec![("content-type".into(), "text/event-stream".into())],
            body: Some("event: e\ndata: {\"a\":1,\"b\":2}\n\ndata: [DONE]\n\n".into()),
            ..Response::default()
        },
        properties: [
            ("tollgate.model".to_owned(), json!("m")),
            ("tollgate.usage".to_owned(), json!(r#"{"prompt":3,"total":5}"#)),
        ]
        .into(),
        metrics: [("tollgate_x".to_owned(), 2)].into(),
        logs: vec![LogLine { level: "warn".into(), filter: "f".into(), message: "a line".into() }],
    }
}

/// The differences from [`observed`], as `path: expected / found`.
fn differences(expect: &str) -> Vec<String> {
    let expect: Expect = serde_yaml_ng::from_str(expect).unwrap();
    let mut failures = Vec::new();
    Judge { exchange: "1", failures: &mut failures }.exchange(&expect, &observed());
    failures.iter().map(|f| format!("{}: {} / {}", f.path, f.expected, f.found)).collect()
}

#[test]
fn what_holds_and_what_is_not_named_passes() {
    for expect in [
        "{}",
        "{upstream: [{}], response: {}}",
        "{upstream: [{method: POST, path: /v1/x, headers: {x-a: [1, 2], y: null}}]}",
        "{upstream: [{json: {model: m}, bodyContains: ['\"n\":1'], nowhere: [secret]}]}",
        r#"{upstream: [{body: '{"model":"m","n":1}'}]}"#,
        "{callouts: [{}]}",
        "{callouts: [{cluster: auth, method: POST, path: /check, json: {who: me}}]}",
        "{callouts: [{headers: {host: auth.test, x: null}, bodyContains: [who], nowhere: [secret]}]}",
        "{response: {status: 200, localReply: false, reset: false, nowhere: [secret]}}",
        "{response: {sse: [{b: 2}, '[DONE]']}}",
        "{response: {sse: [{event: e, data: {a: 1}}, {event: message, data: '[DONE]'}]}}",
        "{properties: {tollgate.model: m, tollgate.usage: {total: 5}, tollgate.caller: null}}",
        r#"{properties: {tollgate.usage: '{"prompt":3,"total":5}'}}"#,
        "{metrics: {tollgate_x: 2, tollgate_y: 0}}",
        "{logs: {noneAbove: warn, contain: [line], nowhere: [secret]}}",
    ] {
        assert_eq!(differences(expect), [""; 0], "{expect}");
    }
}

#[test]
fn every_difference_is_told_with_its_place() {
    for (expect, expected) in [
        ("{upstream: []}", vec!["upstream: none / 1 request"]),
        ("{upstream: [{}, {}]}", vec!["upstream: 2 requests / 1 request"]),
        (
            "{upstream: [{method: GET, path: /}]}",
            vec!["upstream[0].method: `GET` / `POST`", "upstream[0].path: `/` / `/v1/x`"],
        ),
        (
            "{upstream: [{headers: {x-a: 1, host: null, y: z}}]}",
            vec![
                "upstream[0].headers.x-a: `1` / `1`, `2`",
                "upstream[0].headers.host: no such header / `up`",
                "upstream[0].headers.y: `z` / no such header",
            ],
        ),
        (
            "{upstream: [{json: {model: x, o: 1}, nowhere: [up, model, POST]}]}",
            vec![
                "upstream[0].json.model: `\"x\"` / `\"m\"`",
                "upstream[0].json.o: `1` / no such member",
                "upstream[0].nowhere: `up` nowhere / it in `host: up`",
                "upstream[0].nowhere: `model` nowhere / it in the body",
                "upstream[0].nowhere: `POST` nowhere / it in `POST /v1/x`",
            ],
        ),
        (
            "{upstream: [{body: x, bodyContains: [y]}]}",
            vec![
                "upstream[0].body: `x` / `{\"model\":\"m\",\"n\":1}`",
                "upstream[0].bodyContains: `y` / `{\"model\":\"m\",\"n\":1}`",
            ],
        ),
        ("{callouts: []}", vec!["callouts: none / POST /check to `auth`"]),
        ("{callouts: [{}, {}]}", vec!["callouts: 2 calls / POST /check to `auth`"]),
        (
            "{callouts: [{cluster: keys, method: GET, path: /, headers: {host: a}, nowhere: [me]}]}",
            vec![
                "callouts[0].cluster: `keys` / `auth`",
                "callouts[0].method: `GET` / `POST`",
                "callouts[0].path: `/` / `/check`",
                "callouts[0].headers.host: `a` / `auth.test`",
                "callouts[0].nowhere: `me` nowhere / it in the body",
            ],
        ),
        (
            "{callouts: [{json: {who: you}, body: x, bodyContains: [y]}]}",
            vec![
                "callouts[0].json.who: `\"you\"` / `\"me\"`",
                "callouts[0].body: `x` / `{\"who\":\"me\"}`",
                "callouts[0].bodyContains: `y` / `{\"who\":\"me\"}`",
            ],
        ),
        (
            "{response: {localReply: true, reset: true}}",
            vec!["response.localReply: `true` / `false`", "response.reset: `true` / `false`"],
        ),
        (
            "{response: {sse: [{event: f, data: {a: 2}}, x]}}",
            vec![
                "response.sse[0].event: `f` / `e`",
                "response.sse[0].a: `2` / `1`",
                "response.sse[1]: `x` / `[DONE]`",
            ],
        ),
        (
            "{properties: {tollgate.model: n, tollgate.caller: {}, tollgate.usage: {total: 6}}}",
            vec![
                "properties.tollgate.caller: {} / none",
                "properties.tollgate.model: `\"n\"` / `\"m\"`",
                "properties.tollgate.usage.total: `6` / `5`",
            ],
        ),
        ("{properties: {tollgate.model: null}}", vec!["properties.tollgate.model: none / \"m\""]),
        (
            "{metrics: {tollgate_x: 1, tollgate_y: 1}}",
            vec!["metrics.tollgate_x: `1` / `2`", "metrics.tollgate_y: `1` / `0`"],
        ),
        (
            "{logs: {noneAbove: info, contain: [b], nowhere: [line]}}",
            vec![
                "logs.noneAbove: none above info / warn f: a line",
                "logs.contain: a line with `b` / warn f: a line",
                "logs.nowhere: `line` nowhere / warn f: a line",
            ],
        ),
    ] {
        assert_eq!(differences(expect), expected, "{expect}");
    }
}

#[test]
fn a_wrong_status_comes_with_the_body_that_explains_it() {
    let found = differences("{response: {status: 401, json: {}}}");
    assert!(
        found[0].starts_with("response.status: `401` / `200` with the body `event: e"),
        "{found:?}"
    );
    assert!(found[1].starts_with("response.json: {} / no JSON: `event: e"), "{found:?}");
}
