//! Local replies, traps, and the end of a stream.

use super::*;

const EXCHANGE: &str = "{request: {path: /, body: abcdef, chunks: [3]}, upstream: [{body: fine}]}";

#[test]
fn e14_a_reply_overrides_what_the_callback_returns() {
    let chain = Chain::one(&[(
        "on_request_headers",
        "(call $reply (i32.const 403) @\"no\") (i32.const 0)",
    )]);
    let seen = chain.observe(EXCHANGE);
    assert_eq!((seen.response.status, seen.response.local_reply), (403, true));
    assert_eq!(seen.response.body.as_deref(), Some("no"));
    assert_eq!(value(&seen.response.headers, "content-length"), Some("2"));
    assert_eq!(value(&seen.response.headers, "content-type"), Some("text/plain"));
    assert_eq!(seen.upstream.len(), 0);
}

/// Logs its response callbacks.
const RESPONSES: [(&str, &str); 3] = [
    ("on_request_headers", "(i32.const 0)"),
    ("on_response_headers", "(call $say @\"headers\") (i32.const 0)"),
    ("on_response_body", "(call $say @\"body\") (i32.const 0)"),
];

#[test]
fn e15_a_reply_passes_the_responses_of_filters_that_saw_the_request_and_of_no_other() {
    let replies = [
        ("on_request_headers", "(call $reply (i32.const 403) @\"no\") (i32.const 0)"),
        ("on_response_headers", "(call $say @\"headers\") (i32.const 0)"),
    ];
    let chain = Chain {
        filters: vec![("a", &RESPONSES, ""), ("b", &replies, ""), ("c", &RESPONSES, "")],
        scenario: "",
    };
    let seen = chain.observe(EXCHANGE);
    assert_eq!(named(&seen), ["b headers", "a headers", "a body"]);
}

#[test]
fn e15_a_reply_from_the_body_passes_later_filters_that_have_seen_the_headers() {
    let replies = [("on_request_body", "(call $reply (i32.const 400) @\"no\") (i32.const 0)")];
    let chain = Chain { filters: vec![("a", &replies, ""), ("b", &RESPONSES, "")], scenario: "" };
    let seen = chain.observe(EXCHANGE);
    assert_eq!(seen.response.status, 400);
    assert_eq!(named(&seen), ["b headers", "b body"]);
}

#[test]
fn e15_a_reply_to_response_headers_goes_straight_to_the_client() {
    let replies = [("on_response_headers", "(call $reply (i32.const 502) @\"bad\") (i32.const 0)")];
    let chain = Chain { filters: vec![("a", &RESPONSES, ""), ("b", &replies, "")], scenario: "" };
    let seen = chain.observe(EXCHANGE);
    assert_eq!((seen.response.status, seen.response.local_reply), (502, true));
    assert_eq!(named(&seen), [""; 0]);
}

#[test]
fn e15_a_reply_after_the_headers_left_is_a_reset() {
    let chain =
        Chain::one(&[("on_response_body", "(call $reply (i32.const 502) @\"bad\") (i32.const 0)")]);
    let seen = chain.observe(EXCHANGE);
    assert_eq!((seen.response.status, seen.response.reset), (200, true));
}

/// A gRPC client understands neither a status nor a body.
#[test]
fn a_reply_to_a_grpc_request_is_in_trailers_only() {
    let reply = |http: u32, grpc: i32| {
        format!(
            "(drop (call $send (i32.const {http}) (i32.const 0) (i32.const 0) @\"50% = n\\c3\\b6\"
               (i32.const 0) (i32.const 0) (i32.const {grpc})))
             (i32.const 1)"
        )
    };
    let exchange = |kind: &str| {
        format!(
            "{{request: {{method: POST, path: /p.S/M, headers: {{content-type: {kind}}}, body: x}}, \
             expect: {{properties: {{response.code: null}}}}}}"
        )
    };
    for (http, grpc, expected) in [
        (403, -1, "7"),
        (401, -1, "16"),
        (503, -1, "14"),
        (418, -1, "2"),
        (403, 9, "9"),
        (400, 99, "13"),
    ] {
        let instructions = reply(http, grpc);
        let callbacks = [("on_request_headers", instructions.as_str())];
        let chain = Chain::one(&callbacks);
        for kind in ["application/grpc", "application/grpc+proto"] {
            let seen = chain.observe(&exchange(kind));
            assert_eq!((seen.response.status, seen.response.local_reply), (200, true));
            assert_eq!(
                value(&seen.response.headers, "grpc-status"),
                Some(expected),
                "{http} {grpc}"
            );
            assert_eq!(value(&seen.response.headers, "grpc-message"), Some("50%25 = n%C3%B6"));
            assert_eq!(value(&seen.response.headers, "content-type"), Some("application/grpc"));
            assert_eq!(seen.response.body.as_deref(), Some(""));
        }
        let seen = chain.observe(&exchange("application/grpc-web"));
        assert_eq!(u32::from(seen.response.status), http);
    }
}

#[test]
fn the_gateways_own_replies_to_grpc_requests_are_in_kind() {
    let chain = Chain::one(&[("on_request_headers", "(i32.const 0)")]);
    let seen = chain.observe(
        "{request: {method: POST, path: /p.S/M, headers: {content-type: application/grpc}, body: x}}",
    );
    assert_eq!(seen.response.status, 200);
    assert_eq!(value(&seen.response.headers, "grpc-status"), Some("14"));
    assert_eq!(value(&seen.response.headers, "grpc-message"), Some("no healthy upstream"));
}

#[test]
fn e16_continue_after_a_reply_does_nothing() {
    let chain = Chain::one(&[(
        "on_request_headers",
        "(call $reply (i32.const 403) @\"no\") (drop (call $continue (i32.const 0))) (i32.const 1)",
    )]);
    let seen = chain.observe(EXCHANGE);
    assert_eq!((seen.response.status, seen.upstream.len()), (403, 0));
}

#[test]
fn e28_filters_that_never_ran_get_a_context_for_the_log() {
    let replies = [("on_request_headers", "(call $reply (i32.const 403) @\"no\") (i32.const 0)")];
    let logs = [
        ("on_context_create", "(if (local.get $parent) (then (call $say @\"create\")))"),
        ("on_request_headers", "(call $say @\"headers\") (i32.const 0)"),
        ("on_log", "(call $say @\"log\")"),
        ("on_done", "(call $say @\"done\") (i32.const 1)"),
        ("on_delete", "(call $say @\"delete\")"),
    ];
    let chain = Chain { filters: vec![("a", &replies, ""), ("b", &logs, "")], scenario: "" };
    let seen = chain.observe(EXCHANGE);
    assert_eq!(named(&seen), ["b create", "b log", "b done", "b delete"]);
}

#[test]
fn the_log_comes_before_done_and_after_the_client_went_away() {
    let chain = Chain::one(&[
        ("on_request_headers", "(i32.const 0)"),
        ("on_response_body", "(call $body (i32.const 1)) (i32.const 0)"),
        ("on_log", "(call $state @\"response\\00code_details\")"),
        ("on_done", "(call $say @\"done\") (i32.const 1)"),
    ]);
    let seen = chain.observe(
        "{request: {path: /, abortAfterBytes: 4}, upstream: [{body: abcdefgh, chunks: [3, 5]}]}",
    );
    assert_eq!(messages(&seen), ["abc", "de", "downstream_remote_disconnect", "done"]);
    assert_eq!(seen.response.body.as_deref(), Some("abcd"));
}

#[test]
fn e21_a_trap_is_503_and_the_vm_is_never_called_again() {
    let chain = Chain::one(&[
        ("on_request_body", "unreachable"),
        ("on_response_headers", "(call $say @\"response\") (i32.const 0)"),
        ("on_log", "(call $say @\"log\")"),
    ]);
    let report = chain.run(&[EXCHANGE, EXCHANGE]).unwrap();
    for seen in &report.exchanges {
        assert_eq!((seen.response.status, seen.response.local_reply), (503, true));
        assert_eq!(seen.response.body.as_deref(), Some(""));
    }
    assert_eq!(messages(&report.exchanges[0]).len(), 1);
    assert!(
        messages(&report.exchanges[0])[0].starts_with("Function: proxy_on_request_body failed")
    );
}

#[test]
fn e21_fail_open_is_503_once_then_as_if_nothing_had_been() {
    let callbacks = [("on_request_body", "unreachable")];
    let chain =
        Chain { filters: vec![("a", &callbacks, ", failurePolicy: failOpen")], scenario: "" };
    let report = chain.run(&[EXCHANGE, EXCHANGE]).unwrap();
    assert_eq!(report.exchanges[0].response.status, 503);
    assert_eq!(report.exchanges[1].response.status, 200);
    assert_eq!(report.exchanges[1].upstream[0].body.as_deref(), Some("abcdef"));
}

#[test]
fn e22_fail_reload_recovers_after_a_second_and_fail_closed_never() {
    // The second stream of a VM traps: its id is 3.
    let callbacks = [(
        "on_request_headers",
        "(if (i32.eq (local.get $id) (i32.const 3)) (then unreachable)) (i32.const 0)",
    )];
    let later = format!("{{advance: 2s, {}", EXCHANGE.trim_start_matches('{'));
    let statuses = |policy: &str| {
        let chain = Chain { filters: vec![("a", &callbacks, policy)], scenario: "" };
        let report = chain.run(&[EXCHANGE, EXCHANGE, EXCHANGE, &later]).unwrap();
        report.exchanges.iter().map(|seen| seen.response.status).collect::<Vec<_>>()
    };
    assert_eq!(statuses(", failurePolicy: failReload"), [200, 503, 503, 200]);
    assert_eq!(statuses(", failurePolicy: failClosed"), [200, 503, 503, 503]);
}

#[test]
fn e23_a_refused_configuration_is_an_error_with_the_filters_lines() {
    let chain = Chain::one(&[("on_configure", "(call $say @\"mistake in line 1\") (i32.const 0)")]);
    let error = format!("{:#}", chain.run(&[EXCHANGE]).unwrap_err());
    assert!(error.contains("filter `a`") && error.contains("mistake in line 1"), "{error}");
}
