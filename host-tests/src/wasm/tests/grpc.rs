//! gRPC callouts (E19).

use super::callouts::{RESUME, observe};
use super::guest::map;
use super::*;

/// A serialized `GrpcService` with `envoy_grpc.cluster_name`.
fn service(cluster: &str) -> String {
    let name = [&[0x0a, u8::try_from(cluster.len()).unwrap()][..], cluster.as_bytes()].concat();
    let message = [&[0x0a, u8::try_from(name.len()).unwrap()][..], &name].concat();
    message.iter().map(|byte| format!("\\{byte:02x}")).collect()
}

/// A call of `pkg.Svc/Method` with one header, and a timeout in milliseconds.
fn call(upstream: &str, message: &str, timeout: i32) -> String {
    let metadata = map(&[("x-a", "b")]);
    format!(
        "(call $grpc @\"{upstream}\" @\"pkg.Svc\" @\"Method\" {metadata} @\"{message}\"
           (i32.const {timeout}))"
    )
}

fn stream(upstream: &str) -> String {
    let metadata = map(&[("x-a", "b")]);
    format!("(call $stream @\"{upstream}\" @\"pkg.Svc\" @\"Method\" {metadata})")
}

/// A filter that does `instructions` in a request, holds it, shows all that comes of it, and
/// resumes it at `last`.
fn asks(instructions: &str, last: &str) -> Vec<(&'static str, String)> {
    let show = |name: &'static str, what: &str| {
        let resume = if name == last { RESUME } else { "" };
        (name, format!("(call $say @\"{name}\") (call $note (local.get $token)) {what} {resume}"))
    };
    vec![
        (
            "on_request_headers",
            format!("(global.set $kept (local.get $id)) {instructions} (i32.const 1)"),
        ),
        show("on_grpc_receive_initial_metadata", "(call $header (i32.const 4) @\"x-i\")"),
        show("on_grpc_receive", "(call $note (local.get $n)) (call $body (i32.const 5))"),
        show("on_grpc_receive_trailing_metadata", "(call $map (i32.const 5))"),
        show("on_grpc_close", "(call $note (local.get $status)) (call $status)"),
    ]
}

#[test]
fn e19_a_call_that_succeeds_tells_its_message_only() {
    for upstream in ["auth", &service("auth")] {
        let seen = observe(
            &asks(&call(upstream, "who", 1000), "on_grpc_receive"),
            "{auth: [{grpc: {messages: [yes], initialMetadata: {x-i: j}, trailingMetadata: {x-t: u}}}]}",
        );
        assert_eq!(messages(&seen), ["0", "5", "on_grpc_receive", "5", "3", "yes"]);
        let made = &seen.callouts[0];
        assert_eq!((&*made.method, &*made.path), ("POST", "/pkg.Svc/Method"));
        assert_eq!(made.body.as_deref(), Some("who"));
        for (name, expected) in [
            ("host", "auth"),
            ("x-a", "b"),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
            ("grpc-timeout", "1000m"),
        ] {
            assert_eq!(value(&made.headers, name), Some(expected), "{name}");
        }
    }
}

#[test]
fn e19_a_call_that_fails_tells_its_status_only() {
    for (answer, expected) in [
        ("{grpc: {status: 7, message: not you}}", ["7", "7", "not you{via_upstream}"]),
        ("{grpc: {status: 7, messages: [no]}}", ["7", "7", "via_upstream"]),
        ("{grpc: {}}", ["13", "13", ""]),
        ("{status: 403}", ["7", "7", "via_upstream"]),
        ("{status: 200, body: hello}", ["13", "13", "via_upstream"]),
        (
            "{reset: true}",
            [
                "14",
                "14",
                "upstream connect error or disconnect/reset before headers. reset reason: remote reset{upstream_reset_before_response_started{remote_reset}}",
            ],
        ),
        ("{never: true}", ["14", "14", "upstream request timeout{response_timeout}"]),
    ] {
        let seen = observe(
            &asks(&call("auth", "who", 500), "on_grpc_close"),
            &format!("{{auth: [{answer}]}}"),
        );
        let lines = messages(&seen);
        assert_eq!(lines[..4], ["0", "5", "on_grpc_close", "5"], "{answer}");
        assert_eq!(lines[4..], expected, "{answer}");
    }
}

#[test]
fn e19_whom_a_call_may_be_to() {
    for (upstream, callouts, expected) in [
        ("nobody", "{auth: [{}]}", vec!["4"]),
        (
            &*service("nobody"),
            "{auth: [{}]}",
            vec!["10", "on_grpc_close", "5", "14", "14", "Cluster not available"],
        ),
        (
            "auth",
            "{auth: []}",
            vec![
                "10",
                "on_grpc_close",
                "5",
                "14",
                "14",
                "no healthy upstream{no_healthy_upstream}",
            ],
        ),
    ] {
        let mut callbacks = asks(&call(upstream, "who", 60), "");
        callbacks[0].1 = callbacks[0].1.replace("(i32.const 1)", "(i32.const 0)");
        let seen = observe(&callbacks, callouts);
        assert_eq!(messages(&seen), expected, "{upstream}");
    }
}

#[test]
fn e19_a_stream_to_a_cluster_without_endpoints_fails_at_once_and_tells_why() {
    let mut callbacks = asks(&stream("auth"), "");
    callbacks[0].1 = callbacks[0].1.replace("(i32.const 1)", "(i32.const 0)");
    let seen = observe(&callbacks, "{auth: []}");
    assert_eq!(
        messages(&seen),
        [
            "10",
            "on_grpc_receive_initial_metadata",
            "6",
            "1",
            "on_grpc_receive_trailing_metadata",
            "6",
            ":status=200",
            "content-type=application/grpc",
            "grpc-status=14",
            "grpc-message=no healthy upstream",
            "on_grpc_close",
            "6",
            "14",
            "14",
            "no healthy upstream{no_healthy_upstream}"
        ]
    );
}

#[test]
fn e19_a_stream_tells_everything_in_order() {
    let instructions = format!(
        "{} (call $note (call $grpc_send (global.get $token) @\"one\" (i32.const 0)))
         (call $note (call $grpc_send (global.get $token) @\"two\" (i32.const 1)))",
        stream("auth")
    );
    let seen = observe(
        &asks(&instructions, "on_grpc_close"),
        "{auth: [{grpc: {messages: [a, bc], initialMetadata: {x-i: j}, trailingMetadata: {x-t: u}, status: 3, message: odd}}]}",
    );
    assert_eq!(
        messages(&seen),
        [
            "0",
            "6",
            "0",
            "0",
            "on_grpc_receive_initial_metadata",
            "6",
            "j",
            "on_grpc_receive",
            "6",
            "1",
            "a",
            "on_grpc_receive",
            "6",
            "2",
            "bc",
            "on_grpc_receive_trailing_metadata",
            "6",
            "grpc-status=3",
            "grpc-message=odd",
            "x-t=u",
            "on_grpc_close",
            "6",
            "3",
            "3",
            "odd{via_upstream}"
        ]
    );
    assert_eq!(seen.callouts[0].body.as_deref(), Some("onetwo"));
}

#[test]
fn e19_a_stream_that_says_nothing_is_answered_too() {
    let seen =
        observe(&asks(&stream("auth"), "on_grpc_close"), "{auth: [{grpc: {messages: [a]}}]}");
    assert_eq!(messages(&seen)[..2], ["0", "6"]);
    assert_eq!(messages(&seen)[messages(&seen).len() - 3..], ["0", "0", "via_upstream"]);
}

#[test]
fn e19_a_status_alone_is_trailing_metadata() {
    let seen = observe(
        &asks(&stream("auth"), "on_grpc_close"),
        "{auth: [{grpc: {status: 5, message: gone}}]}",
    );
    let lines = messages(&seen);
    assert_eq!(
        lines[2..6],
        ["on_grpc_receive_initial_metadata", "6", "1", "on_grpc_receive_trailing_metadata"]
    );
    assert_eq!(lines[lines.len() - 5..], ["on_grpc_close", "6", "5", "5", "gone{via_upstream}"]);
}

#[test]
fn e19_what_is_cancelled_tells_nothing_more() {
    let cancel = "(call $note (call $grpc_cancel (global.get $token)))";
    let call = call("auth", "who", 0);
    let stream = stream("auth");
    let callbacks = [
        (
            "on_request_headers",
            format!("{call} {cancel} {cancel} {stream} {cancel} {cancel} (i32.const 0)"),
        ),
        ("on_grpc_close", "(call $note (i32.const 99))".into()),
    ];
    let seen = observe(&callbacks, "{auth: [{grpc: {status: 1}}]}");
    assert_eq!(messages(&seen), ["0", "5", "0", "1", "0", "6", "0", "1"]);
}

#[test]
fn e19_a_stream_cancelled_in_its_callback_tells_nothing_more() {
    let mut callbacks = asks(&stream("auth"), "on_grpc_receive");
    callbacks[2].1 += " (call $note (call $grpc_cancel (local.get $token)))";
    let seen = observe(&callbacks, "{auth: [{grpc: {messages: [a, b]}}]}");
    assert_eq!(messages(&seen)[5..], ["on_grpc_receive", "6", "1", "a", "0"]);
}

#[test]
fn e19_a_closed_stream_hears_the_rest_and_then_its_token_is_gone() {
    let close = "(call $note (call $grpc_close (global.get $token)))";
    let mut callbacks = asks(&format!("{} {close} {close}", stream("auth")), "on_grpc_close");
    callbacks.push(("on_response_headers", format!("{close} (i32.const 0)")));
    let seen = observe(&callbacks, "{auth: [{grpc: {messages: [a]}}]}");
    let lines = messages(&seen);
    assert_eq!(lines[..4], ["0", "6", "0", "0"]);
    assert_eq!(lines[lines.len() - 6..], ["on_grpc_close", "6", "0", "0", "via_upstream", "1"]);
}

#[test]
fn e19_a_stream_that_the_other_side_closed_can_be_closed_once() {
    let close = "(call $note (call $grpc_close (global.get $token)))";
    let mut callbacks = asks(&stream("auth"), "on_grpc_close");
    callbacks.push(("on_response_headers", format!("{close} {close} (i32.const 0)")));
    let seen = observe(&callbacks, "{auth: [{grpc: {messages: [a]}}]}");
    let lines = messages(&seen);
    assert_eq!(lines[lines.len() - 2..], ["0", "1"]);
}

#[test]
fn e19_tokens_of_the_wrong_kind_are_bad_arguments() {
    let callbacks = [(
        "on_request_headers",
        "(call $note (call $grpc_send (i32.const 5) @\"a\" (i32.const 0)))
         (call $note (call $grpc_send (i32.const 6) @\"a\" (i32.const 0)))
         (call $note (call $grpc_close (i32.const 4)))
         (call $note (call $grpc_close (i32.const 5)))
         (call $note (call $grpc_cancel (i32.const 7)))
         (call $note (call $grpc_cancel (i32.const 6)))
         (call $body (i32.const 5)) (call $note (i32.const 77))
         (i32.const 0)"
            .to_owned(),
    )];
    let seen = observe(&callbacks, "{auth: [{}]}");
    assert_eq!(messages(&seen), ["2", "1", "2", "1", "2", "1", "", "77"]);
}
