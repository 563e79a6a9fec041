//! TCP connections and their filters.

use super::*;
use crate::report::ObservedConnection;

/// Says everything that happens; the answers to bytes are `down` and `up`.
fn filter(new: &str, down: &str, up: &str) -> Vec<(&'static str, String)> {
    vec![
        ("on_new_connection", format!("(call $say @\"new\") {new}")),
        ("on_downstream_data", format!("(call $say @\"down\") (call $note (local.get $n)) (call $note (local.get $end)) (call $body (i32.const 2)) {down}")),
        ("on_upstream_data", format!("(call $say @\"up\") (call $note (local.get $n)) (call $note (local.get $end)) (call $body (i32.const 3)) {up}")),
        ("on_downstream_connection_close", "(call $say @\"down closed\") (call $note (local.get $peer)) (call $body (i32.const 2))".to_owned()),
        ("on_upstream_connection_close", "(call $say @\"up closed\") (call $note (local.get $peer))".to_owned()),
        ("on_log", "(call $say @\"log\")".to_owned()),
        ("on_done", "(call $say @\"done\") (i32.const 1)".to_owned()),
        ("on_delete", "(call $say @\"delete\")".to_owned()),
    ]
}

const GO: &str = "(i32.const 0)";
/// Stops what is shorter than six bytes.
const SIX: &str = "(i32.lt_u (local.get $n) (i32.const 6))";

const BOTH_WAYS: &str = "send: [abc, def], upstreamSends: [uvw, xyz]";

/// Runs one connection through filters of these callbacks.
fn connection(filters: &[Vec<(&'static str, String)>], connection: &str) -> ObservedConnection {
    let callbacks: Vec<Vec<(&str, &str)>> = filters
        .iter()
        .map(|filter| filter.iter().map(|(name, body)| (*name, body.as_str())).collect())
        .collect();
    let names = ["a", "b"];
    let filters = names
        .iter()
        .zip(&callbacks)
        .map(|(name, callbacks)| {
            (*name, callbacks.as_slice(), ", at: network, failurePolicy: failClosed")
        })
        .collect();
    let scenario = format!("connections: [{{{connection}}}]");
    let report = Chain { filters, scenario: &scenario }.run(&[]).unwrap();
    report.connections.into_iter().next().unwrap()
}

fn said(seen: &ObservedConnection) -> Vec<&str> {
    seen.logs.iter().map(|line| line.message.as_str()).collect()
}

#[test]
fn a_connection_passes_piece_by_piece_and_ends_with_the_client() {
    let seen = connection(&[filter(GO, GO, GO)], BOTH_WAYS);
    assert_eq!((seen.upstream.as_str(), seen.client.as_str()), ("abcdef", "uvwxyz"));
    assert!(seen.connected && seen.ended);
    let expected = [
        "new",
        "down",
        "3",
        "0",
        "abc",
        "down",
        "3",
        "0",
        "def",
        "up",
        "3",
        "0",
        "uvw",
        "up",
        "3",
        "0",
        "xyz",
        "down",
        "0",
        "1",
        "",
        "up",
        "0",
        "1",
        "",
        "up closed",
        "0",
        "down closed",
        "1",
        "",
        "done",
        "log",
        "delete",
    ];
    assert_eq!(said(&seen), expected);
}

#[test]
fn a_connection_may_end_with_the_upstream() {
    let seen = connection(&[filter(GO, GO, GO)], &format!("{BOTH_WAYS}, closes: upstream"));
    assert!(seen.ended);
    let expected = [
        "up",
        "0",
        "1",
        "",
        "up closed",
        "0",
        "down",
        "0",
        "1",
        "",
        "down closed",
        "2",
        "",
        "done",
        "log",
        "delete",
    ];
    assert_eq!(said(&seen)[17..], expected);
}

#[test]
fn bytes_that_are_stopped_pass_all_filters_again() {
    let seen = connection(&[filter(GO, GO, GO), filter(GO, SIX, SIX)], BOTH_WAYS);
    assert_eq!((seen.upstream.as_str(), seen.client.as_str()), ("abcdef", "uvwxyz"));
    // The end is stopped, too: six bytes more never come.
    assert!(!seen.ended);
    let named: Vec<String> =
        seen.logs.iter().map(|line| format!("{} {}", line.filter, line.message)).collect();
    let expected = [
        "a new", "b new", "a down", "a 3", "a 0", "a abc", "b down", "b 3", "b 0", "b abc",
        "a down", "a 6", "a 0", "a abcdef", "b down", "b 6", "b 0", "b abcdef", "b up", "b 3",
        "b 0", "b uvw", "b up", "b 6", "b 0", "b uvwxyz", "a up", "a 6", "a 0", "a uvwxyz",
    ];
    assert_eq!(named[..expected.len()], expected);
}

#[test]
fn a_filter_that_stops_a_new_connection_gets_no_bytes() {
    let seen = connection(&[filter("(i32.const 1)", GO, GO)], BOTH_WAYS);
    assert!(!seen.connected && !seen.ended);
    assert_eq!(said(&seen), ["new"]);
}

#[test]
fn stopped_bytes_go_on_when_the_filter_says_so() {
    let down = "(call $note (call $continue (i32.const 2))) (i32.const 1)";
    let seen = connection(&[filter(GO, down, GO)], BOTH_WAYS);
    assert_eq!(seen.upstream, "abcdef");
    assert!(seen.ended);
}

#[test]
fn filters_that_let_each_other_go_on_for_ever_are_closed() {
    // The second filter lets the first one go on, which calls the second one again.
    let callbacks: &[(&str, &str)] = &[
        (
            "on_new_connection",
            "(if (i32.eqz (global.get $kept)) (then (global.set $kept (local.get $id))))
             (i32.const 0)",
        ),
        (
            "on_downstream_data",
            "(if (i32.ne (local.get $id) (global.get $kept)) (then
               (drop (call $effective (global.get $kept)))
               (drop (call $continue (i32.const 2)))))
             (i32.const 0)",
        ),
    ];
    let filters = vec![("m", callbacks, ", at: network"), ("m", callbacks, ", at: network")];
    let scenario = "hosts: [wasmtime]\nconnections: [{send: [abc]}]";
    let report = Chain { filters, scenario }.run(&[]).unwrap();
    let seen = &report.connections[0];
    assert_eq!(said(seen), ["filters let the connection go on 64 times at once"]);
    assert!(seen.ended && seen.upstream.is_empty());
}

#[test]
fn a_tick_may_let_a_new_connection_go_on() {
    let mut callbacks = filter("(global.set $kept (i32.const 2)) (i32.const 1)", GO, GO);
    callbacks.push(("on_configure", "(drop (call $tick (i32.const 50))) (i32.const 1)".to_owned()));
    callbacks.push((
        "on_tick",
        "(if (global.get $kept) (then
           (drop (call $effective (global.get $kept)))
           (drop (call $continue (i32.const 2)))
           (global.set $kept (i32.const 0))))"
            .to_owned(),
    ));
    let seen = connection(&[callbacks], "send: [abc]");
    assert_eq!(seen.upstream, "abc");
    assert!(seen.connected && seen.ended);
}

#[test]
fn bytes_are_changed_in_their_own_callback_only() {
    let new = "(call $note (call $set_body (i32.const 2) (i32.const 0) (i32.const 0) @\"q\")) (i32.const 0)";
    let down =
        "(call $note (call $set_body (i32.const 2) (i32.const 0) (i32.const 99) @\"CHANGED\"))
        (call $note (call $set_body (i32.const 3) (i32.const 0) (i32.const 99) @\"Q\"))
        (call $body (i32.const 3)) (call $body (i32.const 0)) (i32.const 0)";
    let up = "(call $note (call $set_body (i32.const 3) (i32.const 99) (i32.const 0) @\"+\")) (i32.const 0)";
    let seen = connection(&[filter(new, down, up)], "send: [abc], upstreamSends: [uvw]");
    assert_eq!((seen.upstream.as_str(), seen.client.as_str()), ("CHANGEDCHANGED", "uvw++"));
    assert_eq!(said(&seen)[..10], ["new", "2", "down", "3", "0", "abc", "0", "2", "", ""]);
}

#[test]
fn what_a_connection_has_not_has_a_status() {
    let new = "(call $note (call $continue (i32.const 3))) (call $note (call $continue (i32.const 0)))
        (call $header (i32.const 0) @\"x\") (call $reply (i32.const 200) @\"x\")
        (call $state @\"request\\00path\")
        (drop (call $set_state @\"tollgate.x\" @\"one\")) (call $state @\"tollgate.x\") (i32.const 0)";
    let seen = connection(&[filter(new, GO, GO)], "send: [abc]");
    assert_eq!(said(&seen)[..6], ["new", "12", "0", "2", "1", "one"]);
    assert_eq!(seen.upstream, "abc");
}

#[test]
fn either_close_ends_the_connection_before_the_bytes_pass() {
    for stream in ["2", "3"] {
        let down = format!("(call $note (call $close (i32.const {stream}))) (i32.const 0)");
        let seen = connection(&[filter(GO, &down, GO)], BOTH_WAYS);
        assert_eq!((seen.upstream.as_str(), seen.client.as_str()), ("", ""));
        assert!(seen.ended);
        let expected = [
            "new",
            "down",
            "3",
            "0",
            "abc",
            "0",
            "down closed",
            "1",
            "abc",
            "done",
            "log",
            "delete",
        ];
        assert_eq!(said(&seen), expected);
    }
}

#[test]
fn e21_a_trap_closes_the_connection_and_other_filters_hear_of_it() {
    let seen = connection(&[filter(GO, "(unreachable)", GO)], BOTH_WAYS);
    assert!(seen.ended && seen.upstream.is_empty());
    assert!(said(&seen).last().unwrap().starts_with("Function: proxy_on_downstream_data failed:"));
    let seen = connection(&[filter(GO, GO, GO), filter(GO, "(unreachable)", GO)], BOTH_WAYS);
    let of_a = seen.logs.iter().filter(|line| line.filter == "a");
    let of_a: Vec<&str> = of_a.map(|line| line.message.as_str()).collect();
    assert_eq!(of_a[5..], ["down closed", "1", "", "done", "log", "delete"]);
}

#[test]
fn a_stream_has_nothing_in_the_buffers_of_connections() {
    let chain = Chain::one(&[(
        "on_request_headers",
        "(call $body (i32.const 2)) (call $body (i32.const 3))
         (call $note (call $set_body (i32.const 2) (i32.const 0) (i32.const 0) @\"q\")) (i32.const 0)",
    )]);
    let seen = chain.observe("{request: {path: /}, upstream: [{body: fine}]}");
    assert_eq!(messages(&seen), ["", "", "2"]);
}
