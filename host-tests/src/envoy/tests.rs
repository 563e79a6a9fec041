//! The runner on a real Envoy without filters: what it sends, what it sees.

use serde_json::json;

use super::*;
use crate::plan::{Request, Upstream};
use crate::scenario::{Expect, Scenario};

fn exchange(request: Request, upstream: Vec<Upstream>) -> Exchange {
    Exchange {
        name: "1".into(),
        advance_nanos: 0,
        concurrent: false,
        worker: None,
        request,
        upstream,
        expect: Expect::default(),
    }
}

fn get() -> Request {
    Request {
        method: "GET".into(),
        path: "/a?b".into(),
        authority: "gateway.test".into(),
        headers: vec![],
        body: None,
        trailers: vec![],
        abort_after_bytes: None,
        reset: false,
    }
}

fn answer(status: u16, body: &[&[u8]]) -> Upstream {
    Upstream {
        host_metadata: vec![],
        status,
        headers: vec![],
        body: Some(body.iter().map(|piece| piece.to_vec()).collect()),
        trailers: vec![],
        reset: false,
        early: false,
    }
}

fn plan(scenario: Scenario, chain: Vec<crate::plan::Filter>, exchanges: Vec<Exchange>) -> Plan {
    let (path, callouts) = (PathBuf::from("s.yaml"), BTreeMap::new());
    Plan {
        connections: Vec::new(),
        path,
        scenario,
        profile: crate::scenario::Profile::Envoy,
        clock_nanos: None,
        callouts,
        chain,
        exchanges,
    }
}

/// Runs `exchanges` on the Envoy that is there; `None` is a printed skip.
fn run_on_envoy(scenario: serde_json::Value, exchanges: Vec<Exchange>) -> Option<Report> {
    if let Err(why) = available() {
        eprintln!("skipped: {why}");
        return None;
    }
    let scenario: Scenario = serde_json::from_value(scenario).unwrap();
    Some(run(&plan(scenario, vec![], exchanges)).unwrap())
}

fn header<'h>(headers: &'h [(String, String)], name: &str) -> Option<&'h str> {
    headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
}

fn nothing() -> serde_json::Value {
    json!({"description": "d", "chain": [], "exchanges": []})
}

#[test]
fn what_is_sent_arrives_and_nothing_else() {
    let mut post = get();
    post.method = "POST".into();
    post.headers = vec![("x-a".into(), b"1".to_vec()), ("x-a".into(), b"2".to_vec())];
    post.body = Some(vec![b"hel".to_vec(), b"lo".to_vec()]);
    post.trailers = vec![("x-t".into(), b"t".to_vec())];
    let mut upstream = answer(201, &[b"\xff", b"\xfe"]);
    upstream.headers = vec![("x-b".into(), b"3".to_vec())];
    upstream.trailers = vec![("x-u".into(), b"u".to_vec())];
    let Some(report) = run_on_envoy(nothing(), vec![exchange(post, vec![upstream])]) else {
        return;
    };
    let observed = &report.exchanges[0];
    let [request] = observed.upstream.as_slice() else { panic!("{observed:?}") };
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/a?b"));
    let headers: Vec<(&str, &str)> =
        request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(headers, [("host", "gateway.test"), ("x-a", "1"), ("x-a", "2")]);
    assert_eq!(request.body.as_deref(), Some("hello"));
    let response = &observed.response;
    assert_eq!((response.status, response.local_reply, response.reset), (201, false, false));
    assert_eq!(response.headers, [("x-b".to_owned(), "3".to_owned())]);
    assert_eq!(response.body_base64.as_deref(), Some("//4="));
    assert!(observed.metrics.is_empty() && observed.logs.is_empty(), "{observed:?}");
}

#[test]
fn attempts_take_the_upstreams_in_order() {
    let scenario = json!({"description": "d", "chain": [], "exchanges": [],
        "route": {"retryOn": [503], "retriableHeaders": ["x-retry"]}});
    let mut second = answer(400, &[b"b"]);
    second.headers = vec![("x-retry".into(), b"1".to_vec())];
    let upstream = vec![answer(503, &[b"a"]), second, answer(200, &[b"c"])];
    let enough = vec![answer(200, &[b"first"]), answer(200, &[b"unused"])];
    let exchanges = vec![exchange(get(), upstream), exchange(get(), enough)];
    let Some(report) = run_on_envoy(scenario, exchanges) else { return };
    assert_eq!(report.exchanges[0].upstream.len(), 3);
    assert_eq!(report.exchanges[0].response.body.as_deref(), Some("c"));
    assert_eq!(report.exchanges[1].upstream.len(), 1);
    assert_eq!(report.exchanges[1].response.body.as_deref(), Some("first"));
}

#[test]
fn no_upstream_is_a_local_503() {
    let Some(report) = run_on_envoy(nothing(), vec![exchange(get(), vec![])]) else { return };
    let response = &report.exchanges[0].response;
    assert_eq!((response.status, response.local_reply), (503, true));
    assert_eq!(header(&response.headers, "content-type"), Some("text/plain"));
    assert!(report.exchanges[0].upstream.is_empty());
}

#[test]
fn a_broken_response_and_a_client_that_leaves() {
    let mut cut = answer(200, &[b"ab"]);
    cut.reset = true;
    let mut leaving = get();
    leaving.abort_after_bytes = Some(3);
    let exchanges = vec![
        exchange(get(), vec![cut]),
        exchange(leaving, vec![answer(200, &[b"abc", b"def", b"ghi"])]),
    ];
    let Some(report) = run_on_envoy(nothing(), exchanges) else { return };
    let cut = &report.exchanges[0].response;
    assert_eq!((cut.status, cut.body.as_deref(), cut.reset), (200, Some("ab"), true));
    assert!(!cut.local_reply);
    let left = &report.exchanges[1].response;
    assert_eq!((left.status, left.body.as_deref(), left.reset), (200, Some("abc"), false));
    assert!(!left.local_reply);
}

#[test]
fn a_large_body_passes_a_small_buffer() {
    // Without a filter nothing is held, so the limit is only back-pressure.
    let scenario = json!({"description": "d", "chain": [], "exchanges": [],
        "limits": {"bufferBytes": 4096}});
    let mut post = get();
    post.method = "POST".into();
    let body = vec![b'x'; 100_000];
    post.body = Some(body.chunks(1000).map(<[u8]>::to_vec).collect());
    let answers = vec![answer(200, &[b"ok"])];
    let Some(report) = run_on_envoy(scenario, vec![exchange(post, answers)]) else { return };
    let observed = &report.exchanges[0];
    assert_eq!(observed.response.status, 200);
    assert_eq!(observed.upstream[0].body.as_ref().map(String::len), Some(100_000));
}

#[test]
fn a_bad_configuration_is_told_with_the_reason() {
    let Ok(binary) = available() else { return };
    let scenario: Scenario = serde_json::from_value(nothing()).unwrap();
    let missing = crate::plan::Filter {
        name: "absent".into(),
        wasm: PathBuf::from("absent.wasm"),
        config: vec![],
        vm_id: String::new(),
        vm_config: vec![],
        env: BTreeMap::new(),
        root_id: "absent".into(),
        at: crate::scenario::Position::Downstream,
        allow_on_headers_stop_iteration: true,
        failure_policy: crate::scenario::FailurePolicy::FailReload,
    };
    let plan = plan(scenario, vec![missing], vec![exchange(get(), vec![])]);
    let error = Gateway::start(&binary, &plan, Patience::Full).err().unwrap().to_string();
    assert!(error.starts_with("envoy refused the configuration"), "{error}");
    assert!(error.contains("absent.wasm"), "{error}");
}

#[test]
fn attributes_are_typed() {
    let mut asks = exchange(get(), vec![answer(200, &[b"a"])]);
    for name in ["response.code_details", "upstream.request_attempt_count", "tollgate.absent"] {
        asks.expect.properties.insert(name.into(), json!(null));
    }
    let Some(report) = run_on_envoy(nothing(), vec![asks]) else { return };
    let expected: BTreeMap<String, serde_json::Value> = [
        ("response.code_details".to_owned(), json!("via_upstream")),
        ("upstream.request_attempt_count".to_owned(), json!(1)),
    ]
    .into();
    assert_eq!(report.exchanges[0].properties, expected);
}
