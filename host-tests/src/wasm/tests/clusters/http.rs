//! HTTP calls.

use super::*;

fn head() -> String {
    map(&[(":method", "POST"), (":path", "/check?a"), (":authority", "auth.test")])
}

/// A call to `auth`, given up after half a second.
fn call(body: &str) -> String {
    format!("(call $http @\"auth\" {} @\"{body}\" (i32.const 500))", head())
}

/// What a filter sees that holds a request until its call is answered with `answer`: number of
/// headers, size of the body, number of trailers, and what `more` says.
fn answered(answer: &str, more: &str) -> Vec<String> {
    let callback = format!(
        "(call $note (local.get $n)) (call $note (local.get $body)) (call $note (local.get $trailers))
         {more} {GO_ON}"
    );
    let callbacks =
        [("on_request_headers", &*held(&call("hi"))), ("on_http_call_response", &*callback)];
    let seen = observe(&callbacks, &format!("callouts: {{auth: [{answer}]}}"), ONE);
    assert_eq!(seen.response.body.as_deref(), Some("fine"));
    let said: Vec<String> = seen.logs.into_iter().map(|line| line.message).collect();
    assert_eq!(said[..2], ["0", "4"], "status and token");
    said[2..].to_vec()
}

#[test]
fn e17_a_call_that_cannot_be_made_has_a_status() {
    let head = head();
    let without = |name: &str| {
        let all = [(":method", "POST"), (":path", "/"), (":authority", "auth.test")];
        let rest: Vec<_> = all.into_iter().filter(|(n, _)| *n != name).collect();
        format!("(call $http @\"auth\" {} @\"\" (i32.const 500))", map(&rest))
    };
    let cases = [
        ("an unknown cluster", format!("(call $http @\"b\" {head} @\"\" (i32.const 500))"), "2"),
        ("no name", format!("(call $http @\"\" {head} @\"\" (i32.const 500))"), "2"),
        ("no path", without(":path"), "2"),
        ("no method", without(":method"), "2"),
        ("no authority", without(":authority"), "2"),
        (
            "no headers",
            "(call $http @\"auth\" (i32.const 0) (i32.const 0) @\"\" (i32.const 500))".into(),
            "2",
        ),
        ("no map", "(call $http @\"auth\" @\"abc\" @\"\" (i32.const 500))".into(), "2"),
        ("a negative timeout", format!("(call $http @\"auth\" {head} @\"\" (i32.const -1))"), "2"),
        (
            "a body outside of the memory",
            format!("(call $http @\"auth\" {head} (i32.const -1) (i32.const 4) (i32.const 500))"),
            "6",
        ),
        (
            "a token outside of the memory",
            format!(
                "(call $note (call $http_call @\"auth\" {head} @\"\" @\"\" (i32.const 500) (i32.const -1)))"
            ),
            "6",
        ),
    ];
    for (name, code, status) in cases {
        let code = format!("{code} (i32.const 0)");
        let callbacks = [
            ("on_request_headers", &*code),
            ("on_http_call_response", "(call $say @\"answered\")"),
        ];
        let seen = observe(&callbacks, "callouts: {auth: [{}]}", ONE);
        assert_eq!(messages(&seen), [status], "{name}");
        assert!(seen.callouts.is_empty(), "{name}");
    }
}

#[test]
fn e17_a_call_arrives_with_its_headers_and_its_length() {
    let map = map(&[
        (":method", "PUT"),
        (":path", "/check?a"),
        (":authority", "auth.test"),
        ("X-A", "1"),
        ("x-a", "2"),
        ("content-length", "99"),
        ("x-envoy-max-retries", "3"),
        ("x-forwarded-for", "203.0.113.1"),
    ]);
    let code = held(&format!("(call $http @\"auth\" {map} @\"hi\" (i32.const 500))"));
    let callbacks = [("on_request_headers", &*code), ("on_http_call_response", GO_ON)];
    let seen = observe(&callbacks, "callouts: {auth: [{}]}", ONE);
    let [call] = seen.callouts.as_slice() else { panic!("{seen:?}") };
    assert_eq!((&*call.cluster, &*call.method, &*call.path), ("auth", "PUT", "/check?a"));
    let headers: Vec<_> = call.headers.iter().map(|(n, v)| (&**n, &**v)).collect();
    assert_eq!(
        headers,
        [("host", "auth.test"), ("x-a", "1"), ("x-a", "2"), ("content-length", "2")]
    );
    assert_eq!(call.body.as_deref(), Some("hi"));
}

#[test]
fn e17_without_a_body_there_is_no_length_and_what_is_repeated_in_front_is_joined() {
    let map = map(&[
        (":method", "GET"),
        (":path", "/a"),
        (":path", "/b"),
        (":authority", "auth.test"),
        ("host", "b.test"),
    ]);
    let code = held(&format!("(call $http @\"auth\" {map} @\"\" (i32.const 500))"));
    let callbacks = [("on_request_headers", &*code), ("on_http_call_response", GO_ON)];
    let seen = observe(&callbacks, "callouts: {auth: [{}]}", ONE);
    assert_eq!(seen.callouts[0].path, "/a,/b");
    assert_eq!(seen.callouts[0].headers, [("host".to_owned(), "auth.test,b.test".to_owned())]);
    assert_eq!(seen.callouts[0].body.as_deref(), Some(""));
}

#[test]
fn e17_a_timeout_of_nothing_is_none() {
    let code = held(&format!("(call $http @\"auth\" {} @\"\" (i32.const 0))", head()));
    let callback = format!("(call $body (i32.const 4)) {GO_ON}");
    let callbacks = [("on_request_headers", &*code), ("on_http_call_response", &*callback)];
    let seen = observe(&callbacks, "callouts: {auth: [{body: late, delayMs: 100}]}", ONE);
    assert_eq!(messages(&seen), ["0", "4", "late"]);
}

#[test]
fn e18_an_answer_is_headers_body_and_trailers() {
    let seen = answered(
        "{status: 401, headers: {x-b: [c, d]}, body: hello, trailers: {x-t: u}}",
        "(call $header (i32.const 6) @\":status\") (call $header (i32.const 6) @\"X-B\")
         (call $header (i32.const 6) @\"x-no\") (call $body (i32.const 4))
         (call $map (i32.const 7)) (call $header (i32.const 7) @\"x-no\") (call $status)",
    );
    // :status and x-envoy-upstream-service-time make four.
    assert_eq!(seen, ["4", "5", "1", "401", "c", "1", "hello", "x-t=u", "1", "0", ""]);
}

#[test]
fn e18_without_a_body_or_trailers_there_is_nothing_to_read() {
    let more = "(call $body (i32.const 4)) (call $map (i32.const 7))
        (call $header (i32.const 7) @\"x\")";
    assert_eq!(answered("{status: 204}", more), ["2", "0", "0", "", "2"]);
    let trailers = answered("{trailers: {x-t: u}}", "(call $map (i32.const 7))");
    assert_eq!(trailers, ["2", "0", "1", "x-t=u"]);
}

#[test]
fn e18_an_answer_is_read_and_not_changed() {
    let more = "(call $note (call $map_size (i32.const 6) (i32.const 40)))
        (call $note (call $set_header (i32.const 6) @\"x-a\" @\"b\"))
        (call $note (call $add_header (i32.const 6) @\"x-a\" @\"b\"))
        (call $note (call $remove_header (i32.const 6) @\"x-a\"))
        (call $note (call $set_body (i32.const 4) (i32.const 0) (i32.const 0) @\"x\"))
        (call $header (i32.const 0) @\":path\") (call $body (i32.const 4))";
    assert_eq!(answered("{body: a}", more)[3..], ["2", "2", "2", "2", "2", "2", "a"]);
}

#[test]
fn e18_a_large_answer_comes_whole_whatever_the_limit() {
    let body = "x".repeat(100_000);
    let callback = format!("(call $note (local.get $body)) {GO_ON}");
    let callbacks =
        [("on_request_headers", &*held(&call(""))), ("on_http_call_response", &*callback)];
    let scenario = format!("limits: {{bufferBytes: 1024}}\ncallouts: {{auth: [{{body: {body}}}]}}");
    assert_eq!(messages(&observe(&callbacks, &scenario, ONE)), ["0", "4", "100000"]);
}

#[test]
fn e18_a_timeout_is_an_answer_of_504() {
    let more = "(call $status) (call $map (i32.const 6)) (call $body (i32.const 4))";
    for answer in ["{never: true}", "{body: a, delayMs: 2000}"] {
        assert_eq!(
            answered(answer, more),
            [
                "3",
                "24",
                "0",
                "0",
                "",
                ":status=504",
                "content-length=24",
                "content-type=text/plain",
                "upstream request timeout"
            ]
        );
    }
}

#[test]
fn e18_a_reset_is_an_answer_of_503() {
    let more = "(call $status) (call $map (i32.const 6)) (call $body (i32.const 4))";
    assert_eq!(
        answered("{reset: true}", more),
        [
            "3",
            "85",
            "0",
            "0",
            "",
            ":status=503",
            "content-length=85",
            "content-type=text/plain",
            "upstream connect error or disconnect/reset before headers. reset reason: remote reset"
        ]
    );
}

#[test]
fn e18_an_answer_of_the_wrong_length_is_a_failure_without_headers() {
    let more = "(call $status) (call $header (i32.const 6) @\":status\") (call $map (i32.const 6))
        (call $body (i32.const 4))";
    let seen = answered("{headers: {content-length: 9}, body: a}", more);
    assert_eq!(seen, ["0", "0", "0", "11", "reset", "2", "1"]);
}

#[test]
fn after_the_last_answer_there_is_no_healthy_upstream() {
    let again = format!(
        "(call $header (i32.const 6) @\":status\") (call $note (local.get $n)) (call $body (i32.const 4))
         (if (i32.eq (local.get $token) (i32.const 4)) (then {}) (else {GO_ON}))",
        call("2")
    );
    let callbacks =
        [("on_request_headers", &*held(&call("1"))), ("on_http_call_response", &*again)];
    let seen = observe(&callbacks, "callouts: {auth: [{body: a}]}", ONE);
    let said = ["0", "4", "200", "2", "a", "0", "8", "503", "3", "no healthy upstream"];
    assert_eq!(messages(&seen), said);
    let bodies: Vec<_> = seen.callouts.iter().map(|call| call.body.as_deref()).collect();
    assert_eq!(bodies, [Some("1"), Some("2")]);
}

#[test]
fn answers_are_given_in_the_order_of_calls_and_come_when_they_are_due() {
    let code = held(&[call("1"), call("2"), call("3")].concat());
    let callback = format!(
        "(call $note (local.get $token)) (call $body (i32.const 4))
         (if (i32.eq (local.get $token) (i32.const 4)) (then {GO_ON}))"
    );
    let callbacks = [("on_request_headers", &*code), ("on_http_call_response", &*callback)];
    let scenario = "callouts: {auth: [{body: a, delayMs: 160}, {body: b, delayMs: 80}, {body: c}]}";
    let seen = observe(&callbacks, scenario, ONE);
    assert_eq!(messages(&seen)[6..], ["12", "c", "8", "b", "4", "a"]);
    let bodies: Vec<_> = seen.callouts.iter().map(|call| call.body.as_deref()).collect();
    assert_eq!(bodies, [Some("1"), Some("2"), Some("3")]);
}

#[test]
fn e29_the_answer_comes_to_the_root_context() {
    let callback = format!(
        "(call $note (local.get $id)) (call $header (i32.const 0) @\":path\") (call $map (i32.const 0)) {GO_ON}"
    );
    let callbacks =
        [("on_request_headers", &*held(&call(""))), ("on_http_call_response", &*callback)];
    let seen = observe(&callbacks, "callouts: {auth: [{}]}", ONE);
    assert_eq!(messages(&seen), ["0", "4", "1", "2"]);
}

#[test]
fn outside_of_the_answer_there_is_none() {
    let code = "(call $status) (call $map (i32.const 6)) (call $map (i32.const 7))
        (call $header (i32.const 6) @\":status\") (call $note (call $map_size (i32.const 6) (i32.const 40)))
        (call $body (i32.const 4))";
    assert_eq!(said(code, ""), ["0", "", "2", "2", "1"]);
}

#[test]
fn r6_a_late_answer_finds_its_stream_gone() {
    let log = format!("(global.set $kept (local.get $id)) {}", call("x"));
    let callback = "(call $note (call $effective (global.get $kept)))
        (call $note (call $set_header (i32.const 0) @\"x\" @\"y\"))
        (call $note (call $continue (i32.const 0)))";
    let callbacks = [
        ("on_log", &*log),
        ("on_delete", "(call $say @\"deleted\")"),
        ("on_http_call_response", callback),
    ];
    let seen = observe(&callbacks, "callouts: {auth: [{}]}", ONE);
    // It stays the root context, which has no headers and nothing to continue.
    assert_eq!(messages(&seen), ["0", "4", "deleted", "2", "2", "0"]);
}

#[test]
fn a_call_in_on_log_is_answered_after_its_stream() {
    let callbacks = [
        ("on_log", &*call("usage")),
        ("on_delete", "(call $say @\"deleted\")"),
        ("on_http_call_response", "(call $body (i32.const 4))"),
    ];
    let scenario = "callouts: {auth: [{body: a}, {body: b}]}";
    let chain = Chain { filters: vec![("a", &callbacks, "")], scenario };
    let report = chain.run(&[ONE, ONE]).unwrap();
    for (seen, token, body) in [(&report.exchanges[0], "4", "a"), (&report.exchanges[1], "8", "b")]
    {
        assert_eq!(messages(seen), ["0", token, "deleted", body]);
        assert_eq!(seen.callouts.len(), 1);
        assert_eq!(seen.callouts[0].body.as_deref(), Some("usage"));
    }
}

#[test]
fn calls_are_made_in_every_phase() {
    let call = call("");
    let (zero, one) = (format!("{call} (i32.const 0)"), format!("{call} (i32.const 1)"));
    let callbacks = [
        ("on_request_headers", &*zero),
        ("on_request_body", &*zero),
        ("on_response_headers", &*zero),
        ("on_response_body", &*zero),
        ("on_log", &*call),
        ("on_done", &*one),
        ("on_delete", &*call),
    ];
    let exchange = "{request: {path: /, body: a}, upstream: [{body: fine}]}";
    let seen = observe(&callbacks, "callouts: {auth: [{}]}", exchange);
    // The ends of bodies come by themselves.
    let calls = seen.callouts.len();
    assert_eq!(calls, 9);
    let tokens: Vec<_> = (1..=calls).flat_map(|n| ["0".to_owned(), (n * 4).to_string()]).collect();
    assert_eq!(messages(&seen), tokens);
}

#[test]
fn a_reply_from_an_answer_passes_the_filter_itself() {
    let reply = "(drop (call $effective (global.get $kept))) (call $reply (i32.const 403) @\"no\")";
    let callbacks = [
        ("on_request_headers", &*held(&call(""))),
        ("on_http_call_response", reply),
        ("on_response_headers", "(call $header (i32.const 2) @\":status\") (i32.const 0)"),
    ];
    let seen = observe(&callbacks, "callouts: {auth: [{status: 401}]}", ONE);
    assert_eq!((seen.response.status, seen.response.body.as_deref()), (403, Some("no")));
    assert!(seen.response.local_reply && seen.upstream.is_empty());
    assert_eq!(messages(&seen), ["0", "4", "403"]);
}

#[test]
fn what_is_due_when_the_filter_starts_comes_before_the_first_exchange() {
    let configure = format!("{} (i32.const 1)", call("hello"));
    let callback = "(call $body (i32.const 4))";
    let callbacks = [("on_configure", &*configure), ("on_http_call_response", callback)];
    let scenario = "callouts: {auth: [{body: a}, {body: a}]}";
    let chain = Chain { filters: vec![("a", &callbacks, "")], scenario };
    let report = chain.run(&[ONE]).unwrap();
    let said: Vec<_> = report.logs.iter().map(|line| line.message.as_str()).collect();
    assert_eq!(said, ["0", "4", "a"]);
    assert!(!report.exchanges[0].callouts.is_empty());
    assert!(report.exchanges[0].logs.is_empty());
}

#[test]
fn filters_of_upstreams_call_too_and_routes_do_not_retry_calls() {
    let callback = format!("(call $header (i32.const 6) @\":status\") {GO_ON}");
    let callbacks =
        [("on_request_headers", &*held(&call("x"))), ("on_http_call_response", &*callback)];
    let scenario = "route: {retryOn: [503]}\ncallouts: {auth: [{status: 503}, {status: 200}]}";
    let filters = vec![("a", &callbacks[..], ", at: upstream")];
    let exchange = "{request: {path: /}, upstream: [{status: 503}, {body: fine}]}";
    let seen = Chain { filters, scenario }.observe(exchange);
    assert_eq!(messages(&seen), ["0", "4", "503", "0", "8", "200"]);
    assert_eq!((seen.upstream.len(), seen.callouts.len()), (2, 2));
    assert_eq!(seen.response.body.as_deref(), Some("fine"));
}

#[test]
fn filters_of_a_chain_share_the_script_and_nothing_else() {
    let callback = format!("(call $note (local.get $token)) (call $body (i32.const 4)) {GO_ON}");
    let callbacks =
        [("on_request_headers", &*held(&call("x"))), ("on_http_call_response", &*callback)];
    let scenario = "callouts: {auth: [{body: one}, {body: two}]}";
    let filters = vec![("a", &callbacks[..], ""), ("b", &callbacks[..], "")];
    let seen = Chain { filters, scenario }.observe(ONE);
    let said = ["a 0", "a 4", "a 4", "a one", "b 0", "b 4", "b 4", "b two"];
    assert_eq!(named(&seen), said);
    assert_eq!(seen.callouts.len(), 2);
}
