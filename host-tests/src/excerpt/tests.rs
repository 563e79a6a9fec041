//! What of a trace is shown for a failure, and how it is cut.

use super::*;
use crate::trace::Cost;

fn callback(
    exchange: usize,
    name: &'static str,
    calls: &[(&'static str, Option<u32>)],
) -> Callback {
    let call = |(name, status): &(&'static str, Option<u32>)| HostCall {
        name,
        arguments: String::new(),
        status: *status,
    };
    Callback {
        exchange: Some(exchange),
        filter: "f".to_owned(),
        name,
        context: 2,
        arguments: vec![1, 0],
        outcome: Outcome::Returned(Some(0)),
        host_calls: calls.iter().map(call).collect(),
        cost: Cost::default(),
    }
}

fn trace(callbacks: Vec<Callback>) -> Trace {
    Trace { callbacks, ..Trace::default() }
}

/// A filter that looks at a request, publishes something, counts, and changes the answer.
fn ordinary() -> Trace {
    trace(vec![
        callback(0, "proxy_on_context_create", &[]),
        callback(
            0,
            "proxy_on_request_headers",
            &[
                ("proxy_get_header_map_value", Some(0)),
                ("proxy_get_header_map_value", Some(1)),
                ("proxy_get_property", Some(1)),
                ("proxy_remove_header_map_value", Some(0)),
                ("proxy_set_property", Some(0)),
                ("proxy_log", Some(0)),
            ],
        ),
        callback(0, "proxy_on_response_headers", &[("proxy_increment_metric", Some(0))]),
        callback(0, "proxy_on_response_body", &[("proxy_set_buffer_bytes", Some(2))]),
        callback(0, "proxy_on_log", &[]),
        callback(1, "proxy_on_request_headers", &[]),
    ])
}

#[test]
fn each_expectation_has_its_callbacks_and_the_calls_that_matter() {
    let request = [
        "f #2 on_request_headers(1 headers) = Continue",
        "  get_header_map_value() = NotFound",
        "  remove_header_map_value() = Ok",
        "  set_property() = Ok",
    ];
    for (path, expected) in [
        ("upstream[0].headers.x", request.as_slice()),
        (
            "response.json.a",
            &[
                "f #2 on_response_headers(1 headers) = Continue",
                "f #2 on_response_body(1 bytes) = Continue",
                "  set_buffer_bytes() = BadArgument",
            ],
        ),
        (
            "properties.tollgate.x",
            &["f #2 on_request_headers(1 headers) = Continue", "  set_property() = Ok"],
        ),
        (
            "metrics.m",
            &["f #2 on_response_headers(1 headers) = Continue", "  increment_metric() = Ok"],
        ),
        ("logs.contain", &["f #2 on_request_headers(1 headers) = Continue", "  log() = Ok"]),
        ("callouts", &[]),
    ] {
        assert_eq!(about(&ordinary(), 0, path), expected, "{path}");
    }
    assert_eq!(about(&ordinary(), 1, "upstream").len(), 1);
    assert_eq!(about(&ordinary(), 2, "upstream"), [""; 0]);
}

#[test]
fn a_local_reply_explains_both_sides() {
    let refused = trace(vec![callback(
        0,
        "proxy_on_request_headers",
        &[("proxy_send_local_response", Some(0))],
    )]);
    let expected =
        ["f #2 on_request_headers(1 headers) = Continue", "  send_local_response() = Ok"];
    assert_eq!(about(&refused, 0, "response.status"), expected);
    assert_eq!(about(&refused, 0, "upstream"), expected);
}

#[test]
fn a_response_that_no_filter_saw_is_explained_by_the_request() {
    let lost = trace(vec![callback(0, "proxy_on_request_headers", &[])]);
    assert_eq!(about(&lost, 0, "response.status").len(), 1);
}

#[test]
fn a_filter_that_did_not_start_is_said_first() {
    let mut refused = callback(0, "proxy_on_configure", &[("proxy_log", Some(0))]);
    refused.exchange = None;
    refused.outcome = Outcome::Returned(Some(0));
    let mut trapped = callback(0, "proxy_on_request_body", &[]);
    trapped.outcome = Outcome::Trapped("unreachable".to_owned());
    let trace = trace(vec![refused, trapped]);
    let expected = [
        "f #2 on_configure(1, 0) = 0",
        "  log() = Ok",
        "f #2 on_request_body(1 bytes) trapped: unreachable",
    ];
    assert_eq!(about(&trace, 0, "response.status"), expected);
    assert_eq!(of_error(&trace), expected);
}

#[test]
fn repetition_and_length_are_cut() {
    let every_byte = (0..500).map(|_| callback(0, "proxy_on_request_body", &[]));
    assert_eq!(
        about(&trace(every_byte.collect()), 0, "upstream"),
        ["f #2 on_request_body(1 bytes) = Continue (×500)"]
    );
    let many = (0..100).map(|size| {
        let mut callback = callback(0, "proxy_on_request_body", &[]);
        callback.arguments = vec![size, 0];
        callback
    });
    let lines = about(&trace(many.collect()), 0, "upstream");
    assert_eq!(lines.len(), MOST_LINES + 1);
    assert_eq!(lines[7], "f #2 on_request_body(7 bytes) = Continue");
    assert_eq!(lines[8], "… 76 lines more");
    assert_eq!(lines[9], "f #2 on_request_body(84 bytes) = Continue");
    assert_eq!(lines[24], "f #2 on_request_body(99 bytes) = Continue");
}

#[test]
fn the_whole_has_headings() {
    let mut start = callback(0, "proxy_on_vm_start", &[]);
    start.exchange = None;
    let mut all = trace(vec![start, callback(1, "proxy_on_log", &[("proxy_log", Some(0))])]);
    all.dropped = 3;
    assert_eq!(
        whole(&all, &["first".to_owned(), "second".to_owned()]),
        [
            "outside of any exchange",
            "  f #2 on_vm_start(1, 0) = 0",
            "exchange second",
            "  f #2 on_log(1, 0) = 0",
            "    log() = Ok",
            "3 callbacks and host calls more, which were not kept",
        ]
    );
}
