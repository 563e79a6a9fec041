//! Which route a request takes, and when it is chosen (E13).

use super::guest::map;
use super::*;

/// Routes by `x-to`, by path, and the default.
const ROUTES: &str = "route: {choices: [{name: one, headers: {x-to: '1'}}, \
    {name: two, headers: {x-to: 2}}, {name: long, pathPrefix: /v1/long}, \
    {name: both, pathPrefix: /v1, headers: {x-to: '3,4', x-too: a}}]}";
/// The same without the default.
const NO_DEFAULT: &str = "route: {default: false, choices: [{name: one, headers: {x-to: '1'}}, \
    {name: two, headers: {x-to: '2'}}]}";

/// Logs the route's name.
const NAME: &str = "(call $state @\"xds\\00route_name\")";
const TO_TWO: &str = "(drop (call $set_header (i32.const 0) @\"x-to\" @\"2\"))";
const TO_NONE: &str = "(drop (call $remove_header (i32.const 0) @\"x-to\"))";
const CLEAR: &str =
    "(drop (call $foreign @\"clear_route_cache\" @\"\" (i32.const 0) (i32.const 0)))";

/// An exchange whose route and reason are reported.
fn exchange(request: &str) -> String {
    format!(
        "{{request: {{{request}}}, upstream: [{{body: fine}}], \
         expect: {{properties: {{xds.route_name: '', response.code_details: '', response.flags: 0}}}}}}"
    )
}

fn route_of(seen: &Observed) -> Option<&str> {
    seen.properties.get("xds.route_name")?.as_str()
}

/// The route in the end, after `change` by a filter in the headers of a request for `one`.
fn after(scenario: &str, change: &str) -> (u16, Option<String>) {
    let body = format!("{change} (i32.const 0)");
    let callbacks = [("on_request_headers", body.as_str())];
    let chain = Chain { filters: vec![("a", &callbacks, "")], scenario };
    let seen = chain.observe(&exchange("path: /, headers: {x-to: 1}"));
    (seen.response.status, route_of(&seen).map(str::to_owned))
}

fn ok(route: &str) -> (u16, Option<String>) {
    (200, Some(route.to_owned()))
}

#[test]
fn the_first_route_whose_conditions_hold_is_taken_else_the_default() {
    let chain = Chain { filters: vec![("a", &[], "")], scenario: ROUTES };
    for (request, route) in [
        ("path: /, headers: {x-to: 1}", "one"),
        ("path: /v1/long/x, headers: {x-to: 2}", "two"),
        ("path: '/v1/longer?q=/'", "long"),
        ("path: '/?/v1/long'", "default"),
        ("path: /v1, headers: {x-to: '3,4', x-too: a}", "both"),
        ("path: /v1, headers: {x-to: '3,4'}", "default"),
        ("path: /, headers: {x-to: '3,4', x-too: a}", "default"),
        ("path: /, headers: {x-to: '11'}", "default"),
        // Of a repeated header any value will do, and they are not joined.
        ("path: /, headers: {x-to: [2, 1]}", "one"),
        ("path: /, headers: {x-to: [7, 2]}", "two"),
        ("path: /v1, headers: {x-to: [3, 4], x-too: a}", "default"),
        ("path: /, headers: {x-to: '1,2'}", "default"),
    ] {
        assert_eq!(route_of(&chain.observe(&exchange(request))), Some(route), "{request}");
    }
}

#[test]
fn without_a_route_there_is_404_and_filters_find_no_name() {
    let body = format!("{NAME} (i32.const 0)");
    let callbacks = [("on_request_headers", body.as_str()), ("on_log", NAME)];
    let chain = Chain { filters: vec![("a", &callbacks, "")], scenario: NO_DEFAULT };
    let seen = chain.observe(&exchange("path: /"));
    assert_eq!(seen.response.status, 404);
    assert!(seen.response.local_reply);
    assert_eq!(seen.response.body.as_deref(), Some(""));
    assert_eq!(seen.upstream.len(), 0);
    assert_eq!(seen.properties["response.code_details"], "route_not_found");
    assert_eq!(seen.properties["response.flags"], 256);
    assert_eq!(route_of(&seen), None);
    assert_eq!(messages(&seen), ["1", "1"]);
    // A filter can still lead it to one.
    let set = format!("{NAME} {TO_TWO} {NAME} (i32.const 0)");
    let callbacks = [("on_request_headers", set.as_str()), ("on_log", NAME)];
    let chain = Chain { filters: vec![("a", &callbacks, "")], scenario: NO_DEFAULT };
    let seen = chain.observe(&exchange("path: /"));
    assert_eq!((seen.response.status, route_of(&seen)), (200, Some("two")));
    assert_eq!(messages(&seen), ["1", "1", "two"]);
}

#[test]
fn e13_every_change_of_request_headers_makes_the_route_be_chosen_again() {
    let pairs = |proto: &str| {
        let headers = [
            (":method", "GET"),
            (":path", "/"),
            (":authority", "gateway.test"),
            (":scheme", "http"),
            (proto, "http"),
            ("x-to", "2"),
        ];
        format!("(drop (call $set_pairs (i32.const 0) {}))", map(&headers))
    };
    assert_eq!(after(ROUTES, ""), ok("one"));
    assert_eq!(after(ROUTES, TO_TWO), ok("two"));
    assert_eq!(after(ROUTES, TO_NONE), ok("default"));
    assert_eq!(after(NO_DEFAULT, TO_NONE), (404, None));
    let path = "(drop (call $set_header (i32.const 0) @\":path\" @\"/v1/long\"))";
    assert_eq!(after(ROUTES, path), ok("one"), "it comes first");
    assert_eq!(after(ROUTES, &format!("{path} {TO_NONE}")), ok("long"));
    let add = "(drop (call $add_header (i32.const 0) @\"x-to\" @\"2\"))";
    assert_eq!(after(ROUTES, add), ok("one"), "either value will do");
    assert_eq!(after(ROUTES, &format!("{TO_NONE} {add}")), ok("two"));
    assert_eq!(after(ROUTES, &pairs("x-forwarded-proto")), ok("two"));
    // A change of something else makes no difference, and a path that is none leads nowhere.
    assert_eq!(after(ROUTES, "(drop (call $set_header (i32.const 0) @\"x\" @\"y\"))"), ok("one"));
    let none = "(drop (call $set_header (i32.const 0) @\":path\" @\"v1/long\"))";
    assert_eq!(after(ROUTES, &format!("{none} {TO_NONE}")), (404, None));
}

#[test]
fn e13_without_the_gateways_x_forwarded_proto_no_route_is_found() {
    let pairs = map(&[
        (":method", "GET"),
        (":path", "/"),
        (":authority", "gateway.test"),
        (":scheme", "http"),
    ]);
    let replaced = format!("(drop (call $set_pairs (i32.const 0) {pairs}))");
    assert_eq!(after(ROUTES, &replaced), (404, None));
    let removed = "(drop (call $remove_header (i32.const 0) @\"x-forwarded-proto\"))";
    assert_eq!(after(ROUTES, removed), (404, None));
    let again = format!(
        "{replaced} (drop (call $set_header (i32.const 0) @\"x-forwarded-proto\" @\"http\"))"
    );
    assert_eq!(after(ROUTES, &again), ok("default"));
}

#[test]
fn e13_filters_see_the_old_name_until_the_router_chooses_again() {
    let first = format!("{NAME} {TO_TWO} {NAME} (i32.const 0)");
    let looks = format!("{NAME} (i32.const 0)");
    let a = [("on_request_headers", first.as_str()), ("on_response_headers", looks.as_str())];
    let b = [("on_request_headers", looks.as_str()), ("on_log", NAME)];
    let u = [("on_request_headers", looks.as_str())];
    let chain = Chain {
        filters: vec![("a", &a, ""), ("b", &b, ""), ("u", &u, ", at: upstream")],
        scenario: ROUTES,
    };
    let seen = chain.observe(&exchange("path: /, headers: {x-to: 1}"));
    assert_eq!(named(&seen), ["a one", "a one", "b one", "u two", "a two", "b two"]);
}

#[test]
fn e13_a_held_request_takes_the_route_that_its_body_led_to() {
    let body = format!("(if (local.get $end) (then {TO_TWO})) (i32.eqz (local.get $end))");
    let holds = [("on_request_headers", "(i32.const 1)"), ("on_request_body", body.as_str())];
    let late = [("on_request_body", body.as_str())];
    let request = "path: /, headers: {x-to: 1}, body: abc, chunks: [1]";
    let seen =
        Chain { filters: vec![("a", &holds, "")], scenario: ROUTES }.observe(&exchange(request));
    assert_eq!(route_of(&seen), Some("two"));
    // Headers that have left are out of reach.
    let seen =
        Chain { filters: vec![("a", &late, "")], scenario: ROUTES }.observe(&exchange(request));
    assert_eq!(route_of(&seen), Some("one"));
}

#[test]
fn e13_the_route_of_an_attempt_stays_whatever_filters_do_behind_it() {
    // The filter of the attempt changes the header and clears; downstream, the answer is cleared.
    let up = format!("{TO_TWO} {CLEAR} {NAME} (i32.const 0)");
    let answer = format!("{CLEAR} {NAME} (i32.const 0)");
    let upstream = [("on_request_headers", up.as_str())];
    let request = exchange("path: /, headers: {x-to: 1}");
    let downstream = [("on_response_headers", answer.as_str()), ("on_log", NAME)];
    let chain = Chain {
        filters: vec![("a", &downstream, ""), ("u", &upstream, ", at: upstream")],
        scenario: ROUTES,
    };
    let seen = chain.observe(&request);
    assert_eq!(named(&seen), ["u one", "a one", "a one"]);
    assert_eq!(route_of(&seen), Some("one"));
    // Nor does it when a filter answers instead, be it before the upstream does.
    let replies = format!("{CLEAR} (call $reply (i32.const 418) @\"no\") (i32.const 0)");
    for (callback, name) in [("on_response_headers", "one"), ("on_request_body", "two")] {
        let downstream = [(callback, replies.as_str()), ("on_log", NAME)];
        let chain = Chain {
            filters: vec![("a", &downstream, ""), ("u", &upstream, ", at: upstream")],
            scenario: ROUTES,
        };
        let seen = chain.observe(&exchange("path: /, headers: {x-to: 1}, body: abc"));
        assert_eq!(seen.response.status, 418);
        assert_eq!(named(&seen), ["u one".to_owned(), format!("a {name}")], "{callback}");
    }
}

#[test]
fn e13_the_route_of_a_reply_is_chosen_again_if_it_was_cleared() {
    let looks = format!("{NAME} (i32.const 0)");
    for (change, route) in [("", Some("one")), (TO_TWO, Some("two")), (TO_NONE, None)] {
        let body = format!("{change} (call $reply (i32.const 418) @\"no\") (i32.const 0)");
        let first = [("on_response_headers", looks.as_str()), ("on_log", NAME)];
        let second = [("on_request_headers", body.as_str())];
        let chain =
            Chain { filters: vec![("a", &first, ""), ("b", &second, "")], scenario: NO_DEFAULT };
        let seen = chain.observe(&exchange("path: /, headers: {x-to: 1}"));
        assert_eq!((seen.response.status, route_of(&seen)), (418, route));
        assert_eq!(messages(&seen), [route.unwrap_or("1"); 2], "{change}");
    }
}

#[test]
fn e13_abi_0_1_0_clears_the_route_by_a_function_of_its_own_and_by_changes() {
    let module = |imports: &str, text: &str| {
        format!(
            r#"(module {imports}
            (import "env" "proxy_send_local_response"
              (func $send (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (data (i32.const 1024) "x-to2")
            (func (export "proxy_abi_version_0_1_0"))
            (func (export "malloc") (param i32) (result i32) (i32.const 32768))
            {text})"#
        )
    };
    let clears = |clear: &str| {
        let text = format!(
            r#"(func (export "proxy_on_request_body") (param i32 i32 i32) (result i32)
              {clear}
              (drop (call $send (i32.const 418) (i32.const 0) (i32.const 0) (i32.const 0)
                (i32.const 0) (i32.const 0) (i32.const 0) (i32.const -1)))
              (i32.const 0))"#
        );
        let imports = r#"(import "env" "proxy_clear_route_cache" (func $clear (result i32)))"#;
        let module = module(imports, &text);
        let up = format!("{TO_TWO} (i32.const 0)");
        let (first, second) =
            ([("module", module.as_str())], [("on_request_headers", up.as_str())]);
        let chain = Chain {
            filters: vec![("a", &first, ""), ("u", &second, ", at: upstream")],
            scenario: ROUTES,
        };
        let seen = chain.observe(&exchange("path: /, headers: {x-to: 1}, body: abc"));
        route_of(&seen).map(str::to_owned)
    };
    // The reply's route is chosen from what the filter of the attempt left.
    assert_eq!(clears("").as_deref(), Some("one"));
    assert_eq!(clears("(drop (call $clear))").as_deref(), Some("two"));
    let imports = r#"(import "env" "proxy_replace_header_map_value"
        (func $set (param i32 i32 i32 i32 i32) (result i32)))"#;
    let text = r#"(func (export "proxy_on_request_headers") (param i32 i32) (result i32)
        (drop (call $set (i32.const 0) (i32.const 1024) (i32.const 4) (i32.const 1028) (i32.const 1)))
        (i32.const 0))"#;
    let module = module(imports, text);
    let callbacks = [("module", module.as_str())];
    let chain = Chain { filters: vec![("a", &callbacks, "")], scenario: ROUTES };
    let seen = chain.observe(&exchange("path: /, headers: {x-to: 1}"));
    assert_eq!(route_of(&seen), Some("two"));
}

#[test]
fn what_filters_set_as_the_name_is_only_filter_state() {
    let set = "(drop (call $set_state @\"xds\\00route_name\" @\"mine\"))";
    let first = format!("{set} {NAME} (i32.const 0)");
    let callbacks = [("on_request_headers", first.as_str()), ("on_log", NAME)];
    let chain = Chain { filters: vec![("a", &callbacks, "")], scenario: ROUTES };
    let seen = chain.observe(&exchange("path: /, headers: {x-to: 1}"));
    assert_eq!(messages(&seen), ["one", "one"]);
    assert_eq!(route_of(&seen), Some("one"));
}
