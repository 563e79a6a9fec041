//! Calls and the streams that wait for them, or are gone (E20, E29).

use super::*;

#[test]
fn e29_an_answer_may_reply_in_the_name_of_a_held_stream() {
    let callbacks = [
        ("on_request_headers", hold(&call("/", "", 0))),
        (
            "on_http_call_response",
            "(drop (call $effective (global.get $kept)))
             (call $reply (i32.const 403) @\"no\")"
                .to_owned(),
        ),
    ];
    let seen = observe(&callbacks, "{auth: [{status: 401}]}");
    assert_eq!((seen.response.status, seen.response.local_reply), (403, true));
    assert_eq!(seen.upstream.len(), 0);
}

#[test]
fn e29_a_stream_may_be_held_for_a_second_call_that_the_first_answer_makes() {
    let second = call("/second", "", 0);
    let callbacks = [
        ("on_request_headers", hold(&call("/first", "", 0))),
        (
            "on_http_call_response",
            format!(
                "(if (i32.eq (local.get $token) (i32.const 4))
                   (then {second}) (else {RESUME}))"
            ),
        ),
    ];
    let seen = observe(&callbacks, "{auth: [{}, {}]}");
    assert_eq!(seen.response.status, 200);
    let paths: Vec<_> = seen.callouts.iter().map(|call| call.path.as_str()).collect();
    assert_eq!(paths, ["/first", "/second"]);
}

#[test]
fn e29_a_late_answer_finds_no_stream_but_the_root_context() {
    let callbacks = [
        (
            "on_request_headers",
            format!("(global.set $kept (local.get $id)) {} (i32.const 0)", call("/", "", 0)),
        ),
        (
            "on_http_call_response",
            "(call $note (local.get $token)) (call $note (call $effective (global.get $kept)))"
                .to_owned(),
        ),
    ];
    let callbacks: Vec<_> = callbacks.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let scenario = "callouts: {auth: [{delayMs: 100}, {delayMs: 100}]}";
    let chain = Chain { filters: vec![("a", &callbacks, "")], scenario };
    let second = "{advance: 1s, request: {path: /}, upstream: [{body: fine}]}";
    let report = chain.run(&[ONE, second]).unwrap();
    assert_eq!(messages(&report.exchanges[0]), ["0", "4"]);
    // Between the exchanges: the first's answer. The second call is open to the end.
    assert_eq!(messages(&report.exchanges[1]), ["4", "2", "0", "8"]);
}

#[test]
fn e20_calls_open_at_the_end_are_dropped_silently() {
    let callbacks = [
        ("on_request_headers", format!("{} (i32.const 0)", call("/x", "", 0))),
        ("on_http_call_response", "(call $note (i32.const 99))".to_owned()),
    ];
    let callbacks: Vec<_> = callbacks.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let scenario = "callouts: {auth: [{never: true}]}";
    let report = Chain { filters: vec![("a", &callbacks, "")], scenario }.run(&[ONE]).unwrap();
    assert_eq!(messages(&report.exchanges[0]), ["0", "4"]);
    let line = &report.logs[0];
    assert_eq!((&*line.level, &*line.filter), ("info", "host"));
    assert_eq!(
        line.message,
        "still open at the end: HTTP call 4 of filter `a` to cluster `auth`, GET /x, never \
         answered and without a timeout"
    );
}

#[test]
fn a_call_from_on_log_is_answered_when_the_stream_is_gone() {
    let callbacks = [
        ("on_log", format!("{} (global.set $kept (local.get $id))", call("/usage", "5", 0))),
        (
            "on_http_call_response",
            "(call $note (call $effective (global.get $kept))) (call $body (i32.const 4))"
                .to_owned(),
        ),
    ];
    let seen = observe(&callbacks, "{auth: [{body: noted}]}");
    assert_eq!(messages(&seen), ["0", "4", "2", "noted"]);
    assert_eq!(seen.callouts[0].path, "/usage");
}

#[test]
fn a_call_from_on_configure_is_made_on_every_thread_but_not_on_trial() {
    let callbacks = [
        ("on_configure", format!("{} (i32.const 1)", call("/keys", "", 0))),
        ("on_http_call_response", "(call $body (i32.const 4))".to_owned()),
    ];
    let callbacks: Vec<_> = callbacks.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let scenario = "callouts: {auth: [{body: keys}, {body: keys}]}";
    let report = Chain { filters: vec![("a", &callbacks, "")], scenario }.run(&[ONE]).unwrap();
    let lines: Vec<_> = report.logs.iter().map(|line| line.message.as_str()).collect();
    assert_eq!(lines, ["0", "4", "keys"]);
    assert_eq!(report.exchanges[0].callouts.len(), 2);
}

#[test]
fn a_stream_that_waits_for_nothing_is_a_hang_that_says_who_holds_it() {
    let callbacks = [("on_request_headers", hold(&call("/x", "", 0)))];
    let callbacks: Vec<_> = callbacks.iter().map(|(name, text)| (*name, text.as_str())).collect();
    for (callouts, what) in [
        ("{auth: [{}]}", "filter `a` holds the request headers"),
        (
            "{auth: [{never: true}]}",
            "open: HTTP call 4 of filter `a` to cluster `auth`, GET /x, never answered and \
             without a timeout",
        ),
        ("{auth: [{delayMs: 7200000}]}", "gave up after an hour of virtual time"),
    ] {
        let scenario = format!("callouts: {callouts}\nhosts: [wasmtime]");
        let chain = Chain { filters: vec![("a", &callbacks, "")], scenario: &scenario };
        let error = format!("{:#}", chain.run(&[ONE]).unwrap_err());
        assert!(error.contains(what), "{error}");
    }
}

#[test]
fn open_calls_of_a_cluster_are_bounded() {
    let callbacks = [(
        "on_request_headers",
        format!(
            "(local $i i32) (local $ok i32)
             (loop $again
               (if (i32.eqz (call $http_call @\"auth\" {} @\"\" (i32.const 0) (i32.const 0)
                     (i32.const 0) (i32.const 24)))
                 (then (local.set $ok (i32.add (local.get $ok) (i32.const 1)))))
               (local.set $i (i32.add (local.get $i) (i32.const 1)))
               (br_if $again (i32.lt_u (local.get $i) (i32.const 1026))))
             (call $note (local.get $ok)) (i32.const 0)",
            get("/")
        ),
    )];
    let seen = observe(&callbacks, "{auth: [{}]}\nhosts: [wasmtime]");
    assert_eq!(messages(&seen), ["1024"]);
    assert_eq!(seen.callouts.len(), 1024);
}

#[test]
fn a_callout_that_traps_the_vm_ends_its_streams() {
    let callbacks = [
        ("on_request_headers", hold(&call("/", "", 0))),
        ("on_http_call_response", "unreachable".to_owned()),
    ];
    let callbacks: Vec<_> = callbacks.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let scenario = "callouts: {auth: [{}]}";
    let error = Chain { filters: vec![("a", &callbacks, "")], scenario }.run(&[ONE]).unwrap_err();
    assert!(format!("{error:#}").contains("holds the request headers"), "{error:#}");
}

#[test]
fn e29_a_root_context_has_nothing_to_continue_and_nothing_to_answer_which_is_well() {
    let callbacks = [
        ("on_request_headers", hold(&call("/", "", 0))),
        (
            "on_http_call_response",
            format!(
                "(call $note (call $continue (i32.const 0)))
                 (call $note (call $send (i32.const 403) (i32.const 0) (i32.const 0) @\"no\"
                   (i32.const 0) (i32.const 0) (i32.const -1)))
                 {RESUME}"
            ),
        ),
    ];
    let seen = observe(&callbacks, "{auth: [{}]}");
    assert_eq!(messages(&seen), ["0", "4", "0", "0"]);
    assert_eq!(seen.response.status, 200);
}
