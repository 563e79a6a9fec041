//! Attempts: what survives into the next one, and what leads to it.

use super::*;

/// Appends to a header and to the path, and shows what it got.
const REWRITES: [(&str, &str); 4] = [
    (
        "on_request_headers",
        "(call $header (i32.const 0) @\":path\")
         (call $state @\"tollgate.seen\")
         (drop (call $set_state @\"tollgate.seen\" @\"before\"))
         (drop (call $set_header (i32.const 0) @\":path\" @\"/rewritten\"))
         (i32.const 0)",
    ),
    (
        "on_request_body",
        "(call $body (i32.const 0))
         (drop (call $set_body (i32.const 0) (i32.const 0) (i32.const 3) @\"XYZ\"))
         (i32.const 0)",
    ),
    ("on_log", "(call $say @\"log\")"),
    ("on_done", "(call $say @\"done\") (i32.const 1)"),
];

#[test]
fn an_attempt_gets_headers_as_the_one_before_left_them_and_the_original_body() {
    let chain = Chain {
        filters: vec![("a", &REWRITES, ", at: upstream")],
        scenario: "route: {retryOn: [503]}",
    };
    let seen = chain.observe(
        "{request: {path: /first, body: abc, chunks: [1]}, \
         upstream: [{status: 503, body: busy}, {body: fine}]}",
    );
    let texts: Vec<&str> = messages(&seen).into_iter().filter(|m| !m.is_empty()).collect();
    let expected = ["/first", "1", "a", "bc", "done", "/rewritten", "before", "abc", "done"];
    assert_eq!(texts, expected, "no on_log upstream; filter state is shared");
    assert_eq!(seen.upstream.len(), 2);
    assert_eq!(seen.upstream[1].path, "/rewritten");
    assert_eq!(seen.response.body.as_deref(), Some("fine"));
    assert_eq!(seen.properties["tollgate.seen"], "before");
}

#[test]
fn the_last_upstreams_answer_is_final_and_with_none_there_is_503() {
    let chain = Chain { filters: vec![("a", &[], "")], scenario: "route: {retryOn: [429, 503]}" };
    let seen = chain.observe("{request: {path: /}, upstream: [{status: 503}, {status: 429}]}");
    assert_eq!((seen.response.status, seen.response.local_reply), (429, false));
    let seen = chain.observe("{request: {path: /}}");
    assert_eq!((seen.response.status, seen.response.local_reply), (503, true));
    assert_eq!(seen.response.body.as_deref(), Some("no healthy upstream"));
}

#[test]
fn an_upstream_filter_holds_an_answer_and_asks_for_another_attempt_by_a_header() {
    let callbacks = [
        ("on_response_headers", "(i32.const 1)"),
        (
            "on_response_body",
            "(if (local.get $end) (then
               (call $body (i32.const 1))
               (drop (call $set_header (i32.const 2) @\"x-retry\" @\"1\"))))
             (i32.eqz (local.get $end))",
        ),
    ];
    let chain = Chain {
        filters: vec![("a", &callbacks, ", at: upstream")],
        scenario: "route: {retriableHeaders: [x-retry]}",
    };
    let seen = chain
        .observe("{request: {path: /}, upstream: [{status: 400, body: too long}, {body: fine}]}");
    assert_eq!(seen.upstream.len(), 2);
    assert_eq!((seen.response.status, seen.response.body.as_deref()), (200, Some("fine")));
    assert_eq!(messages(&seen), ["too long", "fine"]);
}

#[test]
fn a_reply_of_an_upstream_filter_is_no_answer_to_retry_on() {
    let callbacks =
        [("on_response_headers", "(call $reply (i32.const 503) @\"own\") (i32.const 0)")];
    let chain = Chain {
        filters: vec![("a", &callbacks, ", at: upstream")],
        scenario: "route: {retryOn: [503]}",
    };
    let seen = chain.observe("{request: {path: /}, upstream: [{status: 200}, {status: 200}]}");
    assert_eq!((seen.response.status, seen.upstream.len()), (503, 1));
    assert_eq!(seen.response.body.as_deref(), Some("own"));
}

#[test]
fn host_metadata_and_the_attempt_are_readable_upstream() {
    let callbacks = [(
        "on_request_headers",
        "(call $state @\"xds\\00upstream_host_metadata\\00filter_metadata\\00tollgate\\00provider\")
         (call $state @\"upstream\\00request_attempt_count\")
         (i32.const 0)",
    )];
    let chain = Chain {
        filters: vec![("a", &callbacks, ", at: upstream")],
        scenario: "route: {retryOn: [503]}",
    };
    let seen = chain.observe(
        "{request: {path: /}, upstream: [\
         {status: 503, hostMetadata: {tollgate: {provider: one}}}, \
         {hostMetadata: {tollgate: {provider: two}}}]}",
    );
    let expected = ["one", "\u{1}\0\0\0\0\0\0\0", "two", "\u{2}\0\0\0\0\0\0\0"];
    assert_eq!(messages(&seen), expected);
}

#[test]
fn a_cut_answer_is_502_when_none_of_it_has_passed_and_a_reset_when_some_has() {
    let exchange = "{request: {path: /}, upstream: [{body: part, reset: true}]}";
    let seen = Chain::one(&[]).observe(exchange);
    assert_eq!((seen.response.status, seen.response.reset), (200, true));
    let holds = [("on_response_headers", "(i32.const 1)"), ("on_response_body", "(i32.const 1)")];
    let chain = Chain { filters: vec![("a", &holds, ", at: upstream")], scenario: "" };
    let seen = chain.observe(exchange);
    assert_eq!((seen.response.status, seen.response.local_reply), (502, true));
}
