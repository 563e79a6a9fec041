//! Pausing at headers, and who may touch which map when.

use super::*;

/// Sends a POST of two pieces through one filter.
const TWO: &str = "{request: {path: /, body: abcdef, chunks: [3]}, upstream: [{body: fine}]}";

#[test]
fn e1_a_pause_at_headers_hangs_without_the_hold_and_the_error_says_so() {
    let callbacks = [
        ("on_request_headers", "(i32.const 1)"),
        ("on_request_body", "(call $say @\"body\") (i32.const 0)"),
    ];
    let chain = Chain {
        filters: vec![("a", &callbacks, ", allowOnHeadersStopIteration: false")],
        scenario: "",
    };
    let error = format!("{:#}", chain.run(&[TWO]).unwrap_err());
    assert!(error.contains("filter `a` holds the request headers"), "{error}");
    assert!(error.contains("allowOnHeadersStopIteration"), "{error}");
}

#[test]
fn e2_with_the_hold_body_callbacks_come_and_headers_stay_changeable_until_one_continues() {
    let chain = Chain::one(&[
        ("on_request_headers", "(i32.const 1)"),
        (
            "on_request_body",
            "(call $note (call $set_header (i32.const 0) @\"x-late\" @\"yes\"))
             (i32.eqz (local.get $end))",
        ),
    ]);
    let seen = chain.observe(TWO);
    assert_eq!(value(&seen.upstream[0].headers, "x-late"), Some("yes"));
    assert_eq!(seen.upstream[0].body.as_deref(), Some("abcdef"));
    assert_eq!(messages(&seen), ["0", "0", "0"]);
}

#[test]
fn e3_after_a_full_stop_the_same_filter_gets_the_body_first() {
    // At the second tick, when a real client, too, has sent everything.
    let callbacks = [
        ("raw", "(global $ticks (mut i32) (i32.const 0))"),
        ("on_configure", "(drop (call $tick (i32.const 150))) (i32.const 1)"),
        ("on_request_headers", "(global.set $kept (local.get $id)) (i32.const 1)"),
        ("on_request_body", "(call $body (i32.const 0)) (i32.const 0)"),
        (
            "on_tick",
            "(if (global.get $kept) (then
               (global.set $ticks (i32.add (global.get $ticks) (i32.const 1)))
               (if (i32.eq (global.get $ticks) (i32.const 2)) (then
                 (drop (call $effective (global.get $kept)))
                 (drop (call $continue (i32.const 0)))
                 (global.set $kept (i32.const 0))))))",
        ),
    ];
    let chain = Chain {
        filters: vec![("a", &callbacks, ", allowOnHeadersStopIteration: false")],
        scenario: "",
    };
    let seen = chain.observe(TWO);
    assert_eq!(messages(&seen), ["abcdef"]);
    assert_eq!(seen.response.body.as_deref(), Some("fine"));
}

#[test]
fn e6_out_of_phase_a_map_is_a_bad_argument_and_all_pairs_are_empty() {
    let chain = Chain::one(&[(
        "on_request_headers",
        "(call $header (i32.const 2) @\":status\")
         (call $note (call $set_header (i32.const 2) @\"a\" @\"b\"))
         (call $note (call $get_pairs (i32.const 2) (i32.const 16) (i32.const 20)))
         (call $note (i32.load (i32.const 20)))
         (call $note (call $set_header (i32.const 9) @\"a\" @\"b\"))
         (i32.const 0)",
    )]);
    let seen = chain.observe(&format!("{{request: {{path: /}}, {OK}}}"));
    assert_eq!(messages(&seen), ["2", "2", "0", "0", "2"]);
}

#[test]
fn e7_headers_are_out_of_reach_after_continue_but_readable_in_the_log() {
    let chain = Chain::one(&[
        ("on_request_headers", "(i32.const 0)"),
        (
            "on_request_body",
            "(call $header (i32.const 0) @\"x-a\")
             (call $state @\"request\\00path\")
             (i32.const 0)",
        ),
        ("on_response_headers", "(call $header (i32.const 0) @\"x-a\") (i32.const 0)"),
        (
            "on_log",
            "(call $header (i32.const 0) @\"x-a\")
             (call $header (i32.const 2) @\":status\")
             (call $header (i32.const 1) @\"x\")
             (call $state @\"request\\00path\")
             (call $note (call $set_header (i32.const 0) @\"a\" @\"b\"))",
        ),
    ]);
    let seen = chain
        .observe("{request: {path: /p, headers: {x-a: v}, body: b}, upstream: [{body: fine}]}");
    // `x-a` and the path twice (two pieces), then on_response_headers, then the log.
    let log = ["v", "200", "1", "/p", "2"];
    assert_eq!(messages(&seen)[messages(&seen).len() - 5..], log);
    let before = &messages(&seen)[..messages(&seen).len() - 5];
    assert!(before.iter().all(|m| ["2", "1"].contains(m)), "{before:?}");
}

#[test]
fn e8_resuming_takes_the_request_out_of_reach_at_once() {
    let chain = Chain::one(&[
        ("on_request_headers", "(i32.const 1)"),
        (
            "on_request_body",
            "(drop (call $continue (i32.const 0)))
             (call $note (call $set_header (i32.const 0) @\"a\" @\"b\"))
             (i32.const 0)",
        ),
    ]);
    let seen = chain.observe("{request: {path: /, body: abc, chunks: [1]}, upstream: [{}]}");
    assert_eq!(messages(&seen)[0], "2");
    assert_eq!(seen.upstream[0].body.as_deref(), Some("abc"));
}

#[test]
fn e9_trailers_are_made_in_the_last_body_callback() {
    let callbacks = [
        ("on_request_headers", "(i32.const 0)"),
        (
            "on_request_body",
            "(call $note (call $add_header (i32.const 1) @\"t\" @\"v\")) (i32.const 0)",
        ),
    ];
    let behind = [
        ("on_request_body", "(call $note (local.get $end)) (i32.const 0)"),
        ("on_request_trailers", "(call $header (i32.const 1) @\"t\") (i32.const 0)"),
    ];
    let chain = Chain { filters: vec![("a", &callbacks, ""), ("b", &behind, "")], scenario: "" };
    let seen = chain.observe(TWO);
    assert_eq!(named(&seen), ["a 2", "b 0", "a 2", "b 0", "a 0", "b 0", "b v"]);
}

#[test]
fn e10_only_the_first_of_repeated_headers_is_got_and_attributes_join_them() {
    let chain = Chain::one(&[(
        "on_request_headers",
        "(call $header (i32.const 0) @\"X-Many\")
         (call $state @\"request\\00headers\\00x-many\")
         (i32.const 0)",
    )]);
    let seen =
        chain.observe(&format!("{{request: {{path: /, headers: {{x-many: [a, b]}}}}, {OK}}}"));
    assert_eq!(messages(&seen), ["a", "a,b"]);
}

#[test]
fn e12_without_a_path_no_route_matches() {
    let chain = Chain::one(&[(
        "on_request_headers",
        "(call $note (call $remove_header (i32.const 0) @\":path\")) (i32.const 0)",
    )]);
    let seen = chain.observe(&format!("{{request: {{path: /}}, {OK}}}"));
    assert_eq!(seen.response.status, 404);
    assert!(seen.response.local_reply);
    assert_eq!(seen.upstream.len(), 0);
}

#[test]
fn e30_responses_pass_filters_in_reverse_order() {
    let callbacks = [
        ("on_request_headers", "(call $say @\"request\") (i32.const 0)"),
        ("on_response_headers", "(call $say @\"response\") (i32.const 0)"),
    ];
    let chain = Chain { filters: vec![("a", &callbacks, ""), ("b", &callbacks, "")], scenario: "" };
    let seen = chain.observe(&format!("{{request: {{path: /}}, {OK}}}"));
    assert_eq!(named(&seen), ["a request", "b request", "b response", "a response"]);
}

#[test]
fn e11_which_names_are_well_known_depends_on_the_map() {
    // Adds to each, and logs the first value.
    let names = ["accept", "vary", "via", "user-agent", "server", "x-other", "grpc-status"];
    let added = |map: u32| {
        let add = |name: &str| {
            let value = |value: &str| {
                format!("(drop (call $add_header (i32.const {map}) @\"{name}\" @\"{value}\"))")
            };
            format!(
                "(drop (call $remove_header (i32.const {map}) @\"{name}\")) {}{}
                 (call $header (i32.const {map}) @\"{name}\")
                 (drop (call $remove_header (i32.const {map}) @\"{name}\"))",
                value("7"),
                value("8")
            )
        };
        names.map(add).concat() + "(i32.const 0)"
    };
    let (request, response, trailers) = (added(0), added(2), added(3));
    let exchange = "{request: {path: /}, upstream: [{body: fine, trailers: {a: b}}]}";
    let logged = |callback: &str, body: &str| {
        let callbacks = [(callback, body)];
        let seen = Chain::one(&callbacks).observe(exchange);
        seen.logs.into_iter().map(|line| line.message).collect::<Vec<_>>()
    };
    let (once, twice) = ("7,8", "7");
    let requests = [once, twice, once, once, twice, twice, twice];
    assert_eq!(logged("on_request_headers", &request), requests);
    let responses = [twice, once, once, twice, once, twice, once];
    assert_eq!(logged("on_response_headers", &response), responses);
    let trailing = [twice, twice, twice, twice, twice, twice, once];
    assert_eq!(logged("on_response_trailers", &trailers), trailing);
}

#[test]
fn e11_pairs_replace_all_and_a_wrong_serialization_is_none_at_all() {
    // Two pairs: `:status` and `x`.
    let good = "\\02\\00\\00\\00\\07\\00\\00\\00\\03\\00\\00\\00\\01\\00\\00\\00\\01\\00\\00\\00:status\\00201\\00x\\00y\\00";
    let cut = good.strip_suffix("\\00").unwrap();
    let behind = format!("{good}\\00");
    let fewer = good.replacen("\\02", "\\01", 1);
    let no_nul = good.replace("201\\00", "201.");
    let set = |text: &str| {
        let body = format!(
            "(call $note (call $set_pairs (i32.const 2) @\"{text}\"))
             (call $header (i32.const 2) @\"x\")
             (call $note (call $get_pairs (i32.const 2) (i32.const 16) (i32.const 20)))
             (call $note (i32.load (i32.const 20)))
             (drop (call $set_header (i32.const 2) @\":status\" @\"200\"))
             (i32.const 0)"
        );
        let raw = "";
        let callbacks = [("raw", raw), ("on_response_headers", body.as_str())];
        let chain = Chain::one(&callbacks);
        let seen = chain.observe(&format!("{{request: {{path: /}}, {OK}}}"));
        seen.logs.into_iter().map(|line| line.message).collect::<Vec<_>>()
    };
    assert_eq!(set(good), ["0", "y", "0", "36"]);
    for wrong in [cut, &behind, &fewer, &no_nul, "", "\\00\\00\\00"] {
        assert_eq!(set(wrong), ["0", "1", "0", "0"], "{wrong}");
    }
}

#[test]
fn e11_more_than_1024_pairs_are_none_at_all() {
    // The count, then lengths and bytes of pairs without names and values: two NULs each.
    let set = |count: usize| {
        let body = format!(
            "(memory.fill (i32.const 100000) (i32.const 0) (i32.const 40000))
             (i32.store (i32.const 100000) (i32.const {count}))
             (call $note (call $set_pairs (i32.const 2) (i32.const 100000) (i32.const {})))
             (drop (call $get_pairs (i32.const 2) (i32.const 16) (i32.const 20)))
             (call $note (i32.load (i32.const 20)))
             (drop (call $set_pairs (i32.const 2) (i32.const 100000) (i32.const 0)))
             (drop (call $set_header (i32.const 2) @\":status\" @\"200\"))
             (i32.const 0)",
            4 + count * 10
        );
        let callbacks = [("on_response_headers", body.as_str())];
        let chain = Chain::one(&callbacks);
        let seen = chain.observe(&format!("{{request: {{path: /}}, {OK}}}"));
        seen.logs.into_iter().map(|line| line.message).collect::<Vec<_>>()
    };
    assert_eq!(set(1024), ["0", "10244"]);
    assert_eq!(set(1025), ["0", "0"]);
}
