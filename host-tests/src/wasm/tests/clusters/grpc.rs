//! gRPC calls and streams.

use super::*;

/// What the callbacks say, each with its name and the token in front.
const EVENTS: [(&str, &str); 4] = [
    (
        "on_grpc_receive_initial_metadata",
        "(call $say @\"initial\") (call $note (local.get $token))
         (call $header (i32.const 4) @\":status\") (call $header (i32.const 4) @\"x-i\")",
    ),
    (
        "on_grpc_receive",
        "(call $say @\"message\") (call $note (local.get $token)) (call $note (local.get $n))
         (call $body (i32.const 5))",
    ),
    (
        "on_grpc_receive_trailing_metadata",
        "(call $say @\"trailing\") (call $note (local.get $token))
         (call $header (i32.const 5) @\":status\") (call $header (i32.const 5) @\"grpc-status\")
         (call $header (i32.const 5) @\"x-t\")",
    ),
    (
        "on_grpc_close",
        "(call $say @\"close\") (call $note (local.get $token)) (call $note (local.get $status))
         (call $status)",
    ),
];

/// What Envoy says of a stream that was reset.
const RESET: &str = "upstream connect error or disconnect/reset before headers. reset reason: \
    remote reset{upstream_reset_before_response_started{remote_reset}}";

fn metadata() -> String {
    map(&[("X-Md", "v")])
}

fn call() -> String {
    let metadata = metadata();
    format!(
        "(call $grpc @\"auth\" @\"pkg.Service\" @\"Method\" {metadata} @\"hi\" (i32.const 500))"
    )
}

fn stream() -> String {
    format!("(call $stream @\"auth\" @\"pkg.Service\" @\"Method\" {})", metadata())
}

/// The stream's token goes on with this.
fn send(text: &str, end: bool) -> String {
    let end = i32::from(end);
    format!("(call $note (call $grpc_send (global.get $token) @\"{text}\" (i32.const {end})))")
}

/// What comes of `code` while the request is held, until the end of the call or stream.
fn events(code: &str, answer: &str) -> Observed {
    let code = held(code);
    let [initial, (receive, message), trailing, (close, closed)] = EVENTS;
    // Of a call, the message is the end.
    let message =
        format!("{message} (if (i32.and (global.get $token) (i32.const 1)) (then {GO_ON}))");
    let closed = format!("{closed} {GO_ON}");
    let callbacks = [
        ("on_request_headers", &*code),
        initial,
        (receive, &*message),
        trailing,
        (close, &*closed),
    ];
    let seen = observe(&callbacks, &format!("callouts: {{auth: [{answer}]}}"), ONE);
    assert_eq!(seen.response.body.as_deref(), Some("fine"));
    seen
}

/// The same of one call, without its status and token.
fn called(answer: &str) -> Vec<String> {
    let seen = events(&call(), answer);
    assert_eq!(messages(&seen)[..2], ["0", "5"], "status and token");
    messages(&seen)[2..].iter().map(ToString::to_string).collect()
}

/// The same of a stream with two messages.
fn streamed(answer: &str) -> Vec<String> {
    let seen = events(&[stream(), send("one", false), send("two", true)].concat(), answer);
    assert_eq!(messages(&seen)[..4], ["0", "6", "0", "0"], "status and token, statuses");
    assert_eq!(seen.callouts[0].body.as_deref(), Some("onetwo"));
    messages(&seen)[4..].iter().map(ToString::to_string).collect()
}

#[test]
fn e19_a_call_that_cannot_be_made_has_a_status() {
    let call = |cluster: &str, metadata: &str, timeout: &str| {
        format!(
            "(call $grpc @\"{cluster}\" @\"a.B\" @\"C\" {metadata} @\"hi\" (i32.const {timeout}))"
        )
    };
    let (metadata, none) = (metadata(), "(i32.const 0) (i32.const 0)");
    let unknown =
        [call("b", &metadata, "500"), format!("(call $stream @\"b\" @\"a.B\" @\"C\" {metadata})")];
    assert_eq!(said(&unknown.concat(), "callouts: {auth: []}"), ["4", "4"]);
    // Neither metadata that is none nor a negative timeout stops it.
    let fine = [
        call("auth", none, "500"),
        call("auth", "@\"abc\"", "500"),
        call("auth", &metadata, "-1"),
        call("\\0a\\06\\0a\\04auth", &metadata, "500"),
    ];
    let answers = "callouts: {auth: [{never: true}, {never: true}, {never: true}, {never: true}]}";
    assert_eq!(said(&fine.concat(), answers), ["0", "5", "0", "9", "0", "13", "0", "17"]);
}

#[test]
fn e19_a_call_arrives_with_metadata_and_timeout() {
    let seen = events(&call(), "{grpc: {messages: [yes]}}");
    let [call] = seen.callouts.as_slice() else { panic!("{seen:?}") };
    assert_eq!(
        (&*call.cluster, &*call.method, &*call.path),
        ("auth", "POST", "/pkg.Service/Method")
    );
    let headers: Vec<_> = call.headers.iter().map(|(n, v)| (&**n, &**v)).collect();
    let expected = [
        ("host", "auth"),
        ("te", "trailers"),
        ("grpc-timeout", "500m"),
        ("content-type", "application/grpc"),
        ("x-md", "v"),
    ];
    assert_eq!(headers, expected);
    assert_eq!(call.body.as_deref(), Some("hi"));
}

#[test]
fn e19_a_stream_arrives_without_a_timeout() {
    let code = [stream(), send("", true)].concat();
    let seen = events(&code, "{grpc: {}}");
    let headers: Vec<_> = seen.callouts[0].headers.iter().map(|(n, _)| &**n).collect();
    assert_eq!(headers, ["host", "te", "content-type", "x-md"]);
    assert_eq!(seen.callouts[0].body.as_deref(), Some(""));
}

#[test]
fn e19_a_call_ends_in_one_message_or_one_status() {
    for (answer, expected) in [
        ("{grpc: {messages: [yes]}}", &["message", "5", "3", "yes"][..]),
        (
            "{grpc: {messages: [yes], initialMetadata: {x-i: j}, trailingMetadata: {x-t: u}}}",
            &["message", "5", "3", "yes"],
        ),
        ("{grpc: {messages: ['']}}", &["message", "5", "0", ""]),
        ("{grpc: {messages: [yes, no]}}", &["message", "5", "2", "no"]),
        ("{grpc: {}}", &["close", "5", "13", "13", ""]),
        ("{grpc: {initialMetadata: {x-i: j}}}", &["close", "5", "13", "13", ""]),
        (
            "{grpc: {status: 7, message: no entry}}",
            &["close", "5", "7", "7", "no entry{via_upstream}"],
        ),
        ("{grpc: {status: 7}}", &["close", "5", "7", "7", "via_upstream"]),
        (
            "{grpc: {status: 7, message: 100% no, messages: [yes], initialMetadata: {x-i: j}}}",
            &["close", "5", "7", "7", "100%25 no{via_upstream}"],
        ),
        ("{reset: true}", &["close", "5", "14", "14", RESET]),
    ] {
        assert_eq!(called(answer), expected, "{answer}");
    }
}

#[test]
fn e19_a_timeout_is_unavailable() {
    for answer in ["{never: true}", "{grpc: {messages: [yes]}, delayMs: 2000}"] {
        let expected = ["close", "5", "14", "14", "upstream request timeout{response_timeout}"];
        assert_eq!(called(answer), expected, "{answer}");
    }
}

#[test]
fn e19_an_answer_that_is_no_grpc_has_the_status_of_its_http_status() {
    for (answer, status) in [
        ("{status: 400, body: x}", "13"),
        ("{status: 401, body: x}", "16"),
        ("{status: 403, body: x}", "7"),
        ("{status: 404, body: x}", "12"),
        ("{status: 429}", "14"),
        ("{status: 500, body: x}", "2"),
        ("{status: 502}", "14"),
        ("{status: 503, body: x}", "14"),
        ("{status: 504, body: x}", "14"),
        ("{status: 418}", "2"),
        ("{status: 200}", "2"),
        ("{status: 200, body: x}", "13"),
        ("{status: 200, trailers: {x: y}}", "2"),
    ] {
        assert_eq!(called(answer), ["close", "5", status, status, "via_upstream"], "{answer}");
    }
}

#[test]
fn e19_a_message_has_no_metadata_and_the_status_is_ok() {
    let message = format!(
        "(call $map (i32.const 4)) (call $map (i32.const 5))
        (call $body (i32.const 4)) (call $status) {GO_ON}"
    );
    let code = held(&call());
    let callbacks = [("on_request_headers", &*code), ("on_grpc_receive", &*message)];
    let answer = "{messages: [yes], initialMetadata: {x-i: j}, trailingMetadata: {x-t: u}}";
    let seen = observe(&callbacks, &format!("callouts: {{auth: [{{grpc: {answer}}}]}}"), ONE);
    assert_eq!(messages(&seen)[2..], ["1", "0", ""]);
}

#[test]
fn e19_after_the_last_answer_the_service_is_unavailable() {
    let (code, again) = (held(&call()), call());
    let closed = format!("(call $note (local.get $status)) (call $status) {GO_ON}");
    let callbacks =
        [("on_request_headers", &*code), ("on_grpc_receive", &*again), ("on_grpc_close", &*closed)];
    let seen = observe(&callbacks, "callouts: {auth: [{grpc: {messages: [yes]}}]}", ONE);
    let expected = ["0", "5", "0", "9", "14", "14", "no healthy upstream{via_upstream}"];
    assert_eq!(messages(&seen), expected);
    assert_eq!(seen.callouts.len(), 2);
}

#[test]
fn e19_a_call_is_cancelled_silently() {
    for end in ["$grpc_cancel", "$grpc_close"] {
        let code = format!(
            "{} (call $note (call {end} (global.get $token))) (call $note (call {end} (global.get $token)))",
            call()
        );
        let code = format!("{code} (i32.const 0)");
        let callbacks = [("on_request_headers", &*code), EVENTS[1], EVENTS[3]];
        let seen = observe(&callbacks, "callouts: {auth: [{grpc: {messages: [yes]}}]}", ONE);
        assert_eq!(messages(&seen), ["0", "5", "0", "1"], "{end}");
    }
}

#[test]
fn e19_outside_of_the_answer_there_is_none() {
    let code = "(call $map (i32.const 4)) (call $map (i32.const 5))
        (call $header (i32.const 4) @\"x\") (call $header (i32.const 5) @\"x\")
        (call $note (call $map_size (i32.const 4) (i32.const 40))) (call $body (i32.const 5))";
    assert_eq!(said(code, ""), ["2", "2", "2", ""]);
}

#[test]
fn e19_a_stream_is_metadata_messages_metadata_and_a_status() {
    let initial = ["initial", "6", "200", "j"];
    let none = ["initial", "6", "1", "1"];
    let answer =
        "{grpc: {messages: [yes, ''], initialMetadata: {x-i: j}, trailingMetadata: {x-t: u}}}";
    let expected = [
        &initial[..],
        &["message", "6", "3", "yes", "message", "6", "0", ""],
        &["trailing", "6", "1", "0", "u", "close", "6", "0", "0", "via_upstream"],
    ];
    assert_eq!(streamed(answer), expected.concat());
    let expected = [
        &initial[..],
        &["trailing", "6", "1", "7", "1", "close", "6", "7", "7", "no{via_upstream}"],
    ];
    assert_eq!(
        streamed("{grpc: {status: 7, message: no, initialMetadata: {x-i: j}}}"),
        expected.concat()
    );
    // Headers and trailers in one are trailers.
    let expected = [
        &none[..],
        &["trailing", "6", "200", "7", "u", "close", "6", "7", "7", "no{via_upstream}"],
    ];
    assert_eq!(
        streamed("{grpc: {status: 7, message: no, trailingMetadata: {x-t: u}}}"),
        expected.concat()
    );
}

#[test]
fn e19_a_stream_that_fails_has_a_status_too() {
    let none = ["initial", "6", "1", "1"];
    let expected =
        [&none[..], &["trailing", "6", "200", "14", "1", "close", "6", "14", "14", RESET]];
    assert_eq!(streamed("{reset: true}"), expected.concat());
    let expected =
        [&none[..], &["trailing", "6", "1", "1", "1", "close", "6", "12", "12", "via_upstream"]];
    assert_eq!(streamed("{status: 404, body: x}"), expected.concat());
}

#[test]
fn e19_after_its_end_a_stream_takes_messages_and_sends_none() {
    for end in [send("end", true), "(call $note (call $grpc_close (global.get $token)))".into()] {
        let twice = "(call $note (call $grpc_close (global.get $token)))";
        let code = [stream(), end, send("more", false), twice.into()].concat();
        let seen = events(&code, "{grpc: {messages: [yes]}}");
        assert_eq!(messages(&seen)[..7], ["0", "6", "0", "0", "0", "initial", "6"]);
        assert_ne!(seen.callouts[0].body.as_deref(), Some("endmore"));
        assert_ne!(seen.callouts[0].body.as_deref(), Some("more"));
    }
}

#[test]
fn e19_a_stream_is_cancelled_silently() {
    let cancel = "(call $note (call $grpc_cancel (global.get $token)))";
    let code = [&*stream(), cancel, &*send("more", false), cancel, "(i32.const 0)"].concat();
    let mut callbacks = vec![("on_request_headers", &*code)];
    callbacks.extend(EVENTS);
    let seen = observe(&callbacks, "callouts: {auth: [{grpc: {messages: [yes]}}]}", ONE);
    assert_eq!(messages(&seen), ["0", "6", "0", "1", "1"]);
}

#[test]
fn e19_more_open_calls_than_the_breaker_lets_through_overflow() {
    let call = "(drop (call $grpc_call @\"auth\" @\"a.B\" @\"C\" (i32.const 0) (i32.const 0) @\"hi\" (i32.const 500) (i32.const 24)))";
    let code = format!(
        "(global.set $kept (local.get $id))
         (local.set $n (i32.const 1024)) (loop $next {call}
           (local.set $n (i32.sub (local.get $n) (i32.const 1))) (br_if $next (local.get $n)))
         {} (i32.const 1)",
        self::call()
    );
    let closed = format!("(call $note (local.get $status)) (call $status) {GO_ON}");
    let closed = format!("(if (i32.eq (local.get $token) (i32.const 4101)) (then {closed}))");
    let callbacks = [("on_request_headers", &*code), ("on_grpc_close", &*closed)];
    let answers = vec!["{never: true}"; 1024].join(", ");
    let seen = observe(&callbacks, &format!("callouts: {{auth: [{answers}]}}"), ONE);
    let overflow = "upstream connect error or disconnect/reset before headers. reset reason: \
        overflow{upstream_reset_before_response_started{overflow}}";
    assert_eq!(messages(&seen), ["10", "14", "14", overflow]);
    assert_eq!(seen.callouts.len(), 1024);
}
