//! Streams that end before they should: clients that leave, upstreams that cut, answers that come
//! before the request has ended.

use super::*;

/// `$number` logs an attribute that is a number, or the status if there is none.
pub(super) const NUMBER: (&str, &str) = (
    "raw",
    "(func $number (param i32 i32)
       (local $status i32)
       (local.set $status (call $get_property (local.get 0) (local.get 1) (i32.const 16) (i32.const 20)))
       (if (local.get $status)
         (then (call $note (local.get $status)))
         (else (call $note (i32.wrap_i64 (i64.load (i32.load (i32.const 16))))))))",
);

/// How the stream ended: code, its details, flags.
const LOG: (&str, &str) = (
    "on_log",
    "(call $number @\"response\\00code\")
     (call $state @\"response\\00code_details\")
     (call $number @\"response\\00flags\")",
);
const DONE: (&str, &str) = ("on_done", "(call $say @\"done\") (i32.const 1)");
const DELETE: (&str, &str) = ("on_delete", "(call $say @\"delete\")");

const HOLDS_REQUEST: (&str, &str) =
    ("on_request_headers", "(call $say @\"request\") (i32.const 1)");
const PAUSES_REQUEST: (&str, &str) =
    ("on_request_body", "(call $note (local.get $n)) (i32.eqz (local.get $end))");
const HOLDS_RESPONSE: (&str, &str) =
    ("on_response_headers", "(call $say @\"response\") (i32.const 1)");
const PAUSES_RESPONSE: (&str, &str) =
    ("on_response_body", "(call $note (local.get $n)) (i32.eqz (local.get $end))");
const PASSES_RESPONSE: (&str, &str) =
    ("on_response_body", "(call $note (local.get $n)) (i32.const 0)");

/// What the log says of a client that left before anything came: no code, 0x4000.
const LEFT: [&str; 5] = ["1", "downstream_remote_disconnect", "16384", "done", "delete"];

fn observe(callbacks: &[(&str, &str)], scenario: &str, exchange: &str) -> Observed {
    let mut all = vec![NUMBER, LOG, DONE, DELETE];
    all.extend_from_slice(callbacks);
    Chain { filters: vec![("a", &all, "")], scenario }.observe(exchange)
}

const LEAVES: &str =
    "{request: {path: /, body: abcdef, chunks: [3], reset: true}, upstream: [{body: fine}]}";

#[test]
fn a_client_that_leaves_in_its_body_gets_nothing_and_neither_does_the_upstream() {
    let seen = observe(&[], "", LEAVES);
    assert_eq!((seen.response.status, seen.response.reset), (0, false));
    assert_eq!(seen.upstream.len(), 0);
    assert_eq!(messages(&seen), LEFT);
}

#[test]
fn a_client_may_leave_while_headers_or_the_body_are_held() {
    let seen = observe(&[HOLDS_REQUEST, PAUSES_REQUEST], "", LEAVES);
    assert_eq!(messages(&seen)[..3], ["request", "3", "6"]);
    assert_eq!(messages(&seen)[3..], LEFT);
    let seen = observe(&[PAUSES_REQUEST], "", LEAVES);
    assert_eq!(messages(&seen)[2..], LEFT);
}

#[test]
fn a_client_may_leave_before_the_first_byte_of_its_body() {
    let seen =
        observe(&[HOLDS_REQUEST], "", "{request: {path: /, reset: true}, upstream: [{body: a}]}");
    assert_eq!(messages(&seen)[0], "request");
    assert_eq!(messages(&seen)[1..], LEFT);
}

#[test]
fn a_client_that_leaves_under_a_full_stop_ends_the_stream() {
    let callbacks = [NUMBER, LOG, DONE, DELETE, HOLDS_REQUEST];
    let filters = vec![("a", &callbacks[..], ", allowOnHeadersStopIteration: false")];
    let seen = Chain { filters, scenario: "" }.observe(LEAVES);
    assert_eq!(messages(&seen)[0], "request");
    assert_eq!(messages(&seen)[1..], LEFT);
}

#[test]
fn a_reply_is_sent_before_the_client_leaves() {
    let replies = [("on_request_headers", "(call $reply (i32.const 403) @\"no\") (i32.const 0)")];
    let seen = observe(&replies, "", LEAVES);
    assert_eq!((seen.response.status, seen.response.body.as_deref()), (403, Some("no")));
    assert_eq!(messages(&seen), ["403", "", "0", "done", "delete"]);
}

/// The upstream answers once it has the headers.
const EARLY: &str = "{request: {path: /, body: abcdef, chunks: [3]}, \
                     upstream: [{body: fine, early: true}]}";

#[test]
fn an_early_answer_ends_the_stream_before_the_request_does() {
    let callbacks = [
        ("on_request_headers", "(call $say @\"request\") (i32.const 0)"),
        PAUSES_REQUEST,
        ("on_response_headers", "(call $say @\"response\") (i32.const 0)"),
        PASSES_RESPONSE,
    ];
    let seen = observe(&callbacks, "", EARLY);
    assert_eq!((seen.response.status, seen.response.body.as_deref()), (200, Some("fine")));
    assert_eq!(seen.upstream.len(), 0, "it never got all of the request");
    let expected = ["request", "response", "4", "0", "200", "via_upstream", "0", "done", "delete"];
    assert_eq!(messages(&seen), expected);
}

#[test]
fn a_filter_that_holds_the_headers_puts_off_even_an_early_answer() {
    let seen = observe(&[HOLDS_REQUEST, PAUSES_REQUEST], "", EARLY);
    assert_eq!(seen.response.body.as_deref(), Some("fine"));
    assert_eq!(seen.upstream[0].body.as_deref(), Some("abcdef"));
    assert_eq!(messages(&seen)[..4], ["request", "3", "6", "6"]);
}

#[test]
fn of_two_that_leave_the_one_that_answers_early_is_first() {
    let exchange = "{request: {path: /, body: abcdef, chunks: [3], reset: true}, \
                    upstream: [{body: fine, early: true, reset: true}]}";
    let seen = observe(&[HOLDS_RESPONSE, PAUSES_RESPONSE], "", exchange);
    assert_eq!((seen.response.status, seen.response.local_reply), (502, true));
    let log = ["502", "upstream_reset_after_response_started{protocol_error}", "8388608"];
    assert_eq!(messages(&seen)[2..5], log);
}

#[test]
fn an_early_answer_is_retried_on_with_what_comes_of_the_request() {
    let exchange = "{request: {path: /, body: abcdef, chunks: [3]}, \
                    upstream: [{status: 503, body: busy, early: true}, {body: fine}]}";
    let seen = observe(&[], "route: {retryOn: [503]}", exchange);
    assert_eq!(seen.response.status, 200);
    assert_eq!(seen.upstream.len(), 1);
    assert_eq!(seen.upstream[0].body.as_deref(), Some("abcdef"));
}

#[test]
fn an_early_cut_is_told_to_the_client() {
    let exchange = "{request: {path: /, body: abcdef, chunks: [3]}, \
                    upstream: [{body: part, early: true, reset: true}]}";
    let seen = observe(&[PASSES_RESPONSE], "", exchange);
    assert_eq!((seen.response.status, seen.response.reset), (200, true));
    let seen = observe(&[HOLDS_RESPONSE, PAUSES_RESPONSE], "", exchange);
    assert_eq!((seen.response.status, seen.response.local_reply), (502, true));
}

#[test]
fn an_early_answer_to_a_client_that_leaves_in_the_middle_of_both() {
    let exchange = "{request: {path: /, body: abcdef, chunks: [3], abortAfterBytes: 2}, \
                    upstream: [{body: fine, chunks: [2], early: true}]}";
    let seen = observe(&[PASSES_RESPONSE], "", exchange);
    assert_eq!(seen.response.body.as_deref(), Some("fi"));
    let log = ["200", "downstream_remote_disconnect", "16384", "done", "delete"];
    assert_eq!(messages(&seen)[messages(&seen).len() - 5..], log);
}

#[test]
fn an_answer_that_is_cut_while_it_is_held_is_the_gateways_502_and_no_filter_sees_that() {
    let exchange = "{request: {path: /}, upstream: [{body: part, reset: true}]}";
    let seen = observe(&[HOLDS_RESPONSE, PAUSES_RESPONSE], "", exchange);
    assert_eq!((seen.response.status, seen.response.local_reply), (502, true));
}

/// Logs what comes of both messages.
const SHOWS: [(&str, &str); 6] = [
    ("on_request_headers", "(call $say @\"request\") (call $note (local.get $end)) (i32.const 0)"),
    ("on_request_body", "(call $note (local.get $n)) (call $note (local.get $end)) (i32.const 0)"),
    ("on_request_trailers", "(call $say @\"trailers\") (call $note (local.get $n)) (i32.const 0)"),
    (
        "on_response_headers",
        "(call $say @\"response\") (call $note (local.get $end)) (i32.const 0)",
    ),
    ("on_response_body", "(call $note (local.get $n)) (call $note (local.get $end)) (i32.const 0)"),
    ("on_response_trailers", "(call $say @\"trailers\") (call $note (local.get $n)) (i32.const 0)"),
];

#[test]
fn messages_that_end_with_headers_body_or_trailers() {
    let run = |exchange: &str| {
        let seen = observe(&SHOWS, "", exchange);
        let logs: Vec<String> = messages(&seen).iter().map(ToString::to_string).collect();
        (seen, logs[..logs.len() - 5].join(" "))
    };
    let (_, logs) = run("{request: {path: /}, upstream: [{}]}");
    assert_eq!(logs, "request 1 response 1");
    let (_, logs) = run("{request: {path: /, body: ''}, upstream: [{body: ''}]}");
    assert_eq!(logs, "request 1 response 1");
    let (_, logs) = run("{request: {path: /, body: a}, upstream: [{body: b}]}");
    assert_eq!(logs, "request 0 1 0 0 1 response 0 1 0 0 1");
    let (seen, logs) = run("{request: {path: /, body: a, trailers: {x-t: 1}}, \
                            upstream: [{body: b, trailers: {x-u: [2, 3]}}]}");
    assert_eq!(logs, "request 0 1 0 trailers 1 response 0 1 0 trailers 2");
    assert_eq!(value(&seen.upstream[0].trailers, "x-t"), Some("1"));
    assert_eq!(seen.response.trailers.len(), 2);
    let (_, logs) = run("{request: {path: /, method: POST, trailers: {x-t: 1}}, \
                         upstream: [{trailers: {x-u: 2}}]}");
    assert_eq!(logs, "request 0 trailers 1 response 0 trailers 1");
}

#[test]
fn answers_without_a_body() {
    for (method, status, body) in [
        ("HEAD", 200, "body: abc, "),
        ("HEAD", 200, "body: abc, chunks: [1], "),
        ("HEAD", 404, ""),
        ("GET", 204, ""),
        ("GET", 304, ""),
        ("POST", 204, ""),
    ] {
        let exchange = format!(
            "{{request: {{path: /, method: {method}}}, \
             upstream: [{{{body}status: {status}, headers: {{x-a: b}}}}]}}"
        );
        let seen = observe(&SHOWS, "", &exchange);
        assert_eq!((seen.response.status, seen.response.body.as_deref()), (status, Some("")));
        assert_eq!(messages(&seen)[2..4], ["response", "1"], "{exchange}");
    }
}

#[test]
fn a_reply_to_head_has_no_body() {
    let replies = [("on_request_headers", "(call $reply (i32.const 403) @\"no\") (i32.const 0)")];
    let seen = observe(&replies, "", "{request: {path: /, method: HEAD}, upstream: [{}]}");
    assert_eq!((seen.response.status, seen.response.body.as_deref()), (403, Some("")));
}

/// 100 KB against a limit of 16 KiB.
fn large(what: &str) -> String {
    let body = "x".repeat(100_000);
    match what {
        "request" => format!("{{request: {{path: /, body: {body}}}, upstream: [{{body: fine}}]}}"),
        _ => format!("{{request: {{path: /}}, upstream: [{{body: {body}}}]}}"),
    }
}

#[test]
fn bodies_over_the_limit_pass_if_nothing_holds_them() {
    let callbacks = [("on_request_body", "(i32.const 0)"), ("on_response_body", "(i32.const 0)")];
    let seen = observe(&callbacks, "limits: {bufferBytes: 16384}", &large("request"));
    assert_eq!(seen.upstream[0].body.as_ref().map(String::len), Some(100_000));
    let seen = observe(&callbacks, "limits: {bufferBytes: 16384}", &large("response"));
    assert_eq!(seen.response.body.as_ref().map(String::len), Some(100_000));
}

#[test]
fn bodies_over_the_limit_that_are_held_end_the_stream() {
    let limit = "limits: {bufferBytes: 16384}";
    let holds = [("on_request_body", "(i32.eqz (local.get $end))")];
    let seen = observe(&holds, limit, &large("request"));
    assert_eq!((seen.response.status, seen.response.local_reply), (413, true));
    let holds = [("on_response_body", "(i32.eqz (local.get $end))")];
    let seen = observe(&holds, limit, &large("response"));
    assert_eq!((seen.response.status, seen.response.reset), (200, true));
    let holds = [HOLDS_RESPONSE, ("on_response_body", "(i32.eqz (local.get $end))")];
    let seen = observe(&holds, limit, &large("response"));
    assert_eq!((seen.response.status, seen.response.local_reply), (500, true));
}
