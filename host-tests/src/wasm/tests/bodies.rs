//! Bodies: accumulating, changing, limits, trailers.

use super::*;

const THREE: &str = "{request: {path: /, body: abcdef, chunks: [2, 4]}, upstream: [{body: fine}]}";

#[test]
fn e4_a_paused_body_accumulates_and_after_continue_only_new_bytes_come() {
    let chain = Chain::one(&[(
        "on_request_body",
        "(call $body (i32.const 0))
         (i32.and (i32.lt_u (local.get $n) (i32.const 4)) (i32.eqz (local.get $end)))",
    )]);
    let seen = chain.observe(THREE);
    assert_eq!(messages(&seen), ["ab", "abcd", "ef", "ef"]);
    assert_eq!(seen.upstream[0].body.as_deref(), Some("abcdef"));
}

#[test]
fn e4_what_was_held_is_replaced_at_the_end() {
    let chain = Chain::one(&[(
        "on_response_body",
        "(if (local.get $end) (then
           (call $note (call $set_body (i32.const 1) (i32.const 0) (i32.const 0x7fffffff) @\"new\"))))
         (i32.eqz (local.get $end))",
    )]);
    let seen = chain.observe(
        "{request: {path: /}, upstream: [{body: abcdef, chunks: [2], headers: {x-a: b}}]}",
    );
    assert_eq!(seen.response.body.as_deref(), Some("new"));
}

#[test]
fn buffers_are_replaced_at_the_front_or_appended_to_and_nothing_else() {
    let chain = Chain::one(&[(
        "on_request_body",
        "(if (local.get $n) (then
           (call $note (call $set_body (i32.const 0) (i32.const 1) (i32.const 1) @\"x\"))
           (call $note (call $set_body (i32.const 0) (i32.const 0) (i32.const 2) @\"AB\"))
           (call $note (call $set_body (i32.const 0) (i32.const 99) (i32.const 0) @\"+\"))
           (call $note (call $set_body (i32.const 1) (i32.const 0) (i32.const 0) @\"x\"))))
         (i32.const 0)",
    )]);
    let seen =
        chain.observe("{request: {path: /, body: abc, chunks: [2]}, upstream: [{body: fine}]}");
    assert_eq!(messages(&seen)[..4], ["2", "0", "0", "2"]);
}

#[test]
fn e5_a_paused_request_over_the_limit_is_413_after_the_filter_has_seen_it() {
    let callbacks = [("on_request_body", "(call $note (local.get $n)) (i32.const 1)")];
    let chain =
        Chain { filters: vec![("a", &callbacks, "")], scenario: "limits: {bufferBytes: 4}" };
    let seen = chain.observe(THREE);
    assert_eq!(seen.response.status, 413);
    assert_eq!(seen.response.body.as_deref(), Some("Payload Too Large"));
    assert_eq!(messages(&seen), ["2", "4", "6"]);
    assert_eq!(seen.upstream.len(), 0);
}

#[test]
fn e5_a_paused_response_over_the_limit_is_500_or_a_reset_when_headers_are_out() {
    let exchange = "{request: {path: /}, upstream: [{body: abcdef, chunks: [2, 4]}]}";
    let scenario = "limits: {bufferBytes: 4}";
    let held = [("on_response_headers", "(i32.const 1)"), ("on_response_body", "(i32.const 1)")];
    let seen = Chain { filters: vec![("a", &held, "")], scenario }.observe(exchange);
    assert_eq!((seen.response.status, seen.response.reset), (500, false));
    let out = [("on_response_body", "(i32.const 1)")];
    let seen = Chain { filters: vec![("a", &out, "")], scenario }.observe(exchange);
    assert_eq!((seen.response.status, seen.response.reset), (200, true));
}

#[test]
fn e5_under_a_full_stop_the_limit_is_back_pressure() {
    let callbacks = [
        ("on_configure", "(drop (call $tick (i32.const 10))) (i32.const 1)"),
        ("on_request_headers", "(global.set $kept (local.get $id)) (i32.const 4)"),
        (
            "on_tick",
            "(if (global.get $kept) (then
               (drop (call $effective (global.get $kept)))
               (drop (call $continue (i32.const 0)))
               (global.set $kept (i32.const 0))))",
        ),
    ];
    let chain =
        Chain { filters: vec![("a", &callbacks, "")], scenario: "limits: {bufferBytes: 4}" };
    assert_eq!(chain.observe(THREE).response.status, 200);
}

#[test]
fn a_body_held_to_its_trailers_goes_on_with_them() {
    let chain = Chain::one(&[
        ("on_request_body", "(i32.const 1)"),
        ("on_request_trailers", "(call $body (i32.const 0)) (i32.const 0)"),
    ]);
    let seen = chain.observe(
        "{request: {path: /, body: abc, chunks: [1], trailers: {t: v}}, upstream: [{body: fine}]}",
    );
    assert_eq!(messages(&seen), ["abc"]);
    assert_eq!(seen.upstream[0].body.as_deref(), Some("abc"));
}

#[test]
fn two_filters_that_hold_one_body_pass_it_on_in_turn() {
    let callbacks = [("on_request_body", "(call $note (local.get $n)) (i32.eqz (local.get $end))")];
    let chain = Chain { filters: vec![("a", &callbacks, ""), ("b", &callbacks, "")], scenario: "" };
    let seen = chain.observe(THREE);
    assert_eq!(named(&seen), ["a 2", "a 4", "a 6", "a 6", "b 6"]);
    assert_eq!(seen.upstream[0].body.as_deref(), Some("abcdef"));
}

#[test]
fn a_wrong_content_length_is_an_error_of_the_run() {
    let chain = Chain::one(&[(
        "on_request_body",
        "(drop (call $set_body (i32.const 0) (i32.const 99) (i32.const 0) @\"+\")) (i32.const 0)",
    )]);
    let exchange = "{request: {path: /, body: abc}, upstream: [{body: fine}]}";
    let error = format!("{:#}", chain.run(&[exchange]).unwrap_err());
    assert!(error.contains("content-length 3, but its body has"), "{error}");
}

#[test]
fn e8_resuming_in_the_headers_callback_lets_them_go_although_it_pauses() {
    let callbacks = [
        ("on_request_headers", "(drop (call $continue (i32.const 0))) (i32.const 1)"),
        ("on_request_body", "(call $say @\"body\") (i32.const 0)"),
    ];
    let behind = [("on_request_headers", "(call $say @\"headers\") (i32.const 0)")];
    let chain = Chain { filters: vec![("a", &callbacks, ""), ("b", &behind, "")], scenario: "" };
    let seen = chain.observe("{request: {path: /, body: abc}, upstream: [{}]}");
    assert_eq!(named(&seen), ["b headers", "a body", "a body"]);
    assert_eq!(seen.upstream[0].body.as_deref(), Some("abc"));
    // Envoy passes them on twice.
    let callbacks = [("on_request_headers", "(drop (call $continue (i32.const 0))) (i32.const 0)")];
    let error = Chain::one(&callbacks).run(&["{request: {path: /}, upstream: [{}]}"]).unwrap_err();
    assert!(format!("{error:#}").contains("passes the headers on twice"), "{error:#}");
}
