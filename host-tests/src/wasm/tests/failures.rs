//! VMs that fail, and what that means for streams, later streams and other VMs.

use super::*;

const EXCHANGE: &str = "{request: {path: /}, upstream: [{body: fine}]}";
const TRAP: &str = "{request: {path: /, headers: {x-trap: '1'}}, upstream: [{body: fine}]}";
const LATER: &str = "{advance: 2s, request: {path: /}, upstream: [{body: fine}]}";

/// Traps at the request header `x-trap`; says what is called.
const TRAPS: &[(&str, &str)] = &[
    (
        "on_request_headers",
        "(if (i32.eqz (call $get_header (i32.const 0) @\"x-trap\" (i32.const 16) (i32.const 20))) (then unreachable))
         (call $say @\"headers\") (i32.const 0)",
    ),
    ("on_response_headers", "(call $say @\"response\") (i32.const 0)"),
    ("on_log", "(call $say @\"log\")"),
    ("on_done", "(call $say @\"done\") (i32.const 1)"),
    ("on_delete", "(call $say @\"delete\")"),
];

fn statuses(report: &Report) -> Vec<u16> {
    report.exchanges.iter().map(|seen| seen.response.status).collect()
}

fn failing<'a>(policy: &'a str) -> Chain<'a> {
    Chain { filters: vec![("a", TRAPS, policy)], scenario: "" }
}

#[test]
fn e21_a_failed_vm_is_never_called_again() {
    let report = failing(", failurePolicy: failClosed").run(&[TRAP, EXCHANGE]).unwrap();
    assert_eq!(statuses(&report), [503, 503]);
    let failed = messages(&report.exchanges[0]);
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert!(failed[0].starts_with("Function: proxy_on_request_headers failed:"), "{failed:?}");
    assert_eq!(messages(&report.exchanges[1]), [""; 0]);
}

#[test]
fn e21_fail_open_is_for_later_streams_only() {
    let report = failing(", failurePolicy: failOpen").run(&[TRAP, EXCHANGE, LATER]).unwrap();
    assert_eq!(statuses(&report), [503, 200, 200]);
}

#[test]
fn e21_open_streams_fail_with_their_vm_even_if_the_policy_is_open() {
    let held =
        "{concurrent: true, request: {path: /, body: ab, chunks: [1]}, upstream: [{body: x}]}";
    let trap =
        "{concurrent: true, request: {path: /, headers: {x-trap: '1'}}, upstream: [{body: x}]}";
    let body = ("on_request_body", "(i32.eqz (local.get $end))");
    let callbacks = [TRAPS, &[body]].concat();
    let chain =
        Chain { filters: vec![("a", &callbacks, ", failurePolicy: failOpen")], scenario: "" };
    assert_eq!(statuses(&chain.run(&[held, trap, EXCHANGE]).unwrap()), [503, 503, 200]);
}

#[test]
fn e22_a_failed_vm_is_made_anew_a_second_after_it_was_loaded_at_the_earliest() {
    let expect = "upstream: [{body: fine}], expect: {metrics: {wasm.a.vm_reload_backoff: 0, \
                  wasm.a.vm_reload_success: 0, wasm.a.vm_reload_failure: 0}}";
    let well = format!("{{request: {{path: /}}, {expect}}}");
    let trap = format!("{{request: {{path: /, headers: {{x-trap: '1'}}}}, {expect}}}");
    let later = format!("{{advance: 2s, request: {{path: /}}, {expect}}}");
    let report = failing("").run(&[&trap, &well, &later, &trap, &well]).unwrap();
    assert_eq!(statuses(&report), [503, 503, 200, 503, 503]);
    let stat = |i: usize, name: &str| {
        report.exchanges[i].metrics.get(&format!("wasm.a.vm_reload_{name}")).copied().unwrap_or(0)
    };
    assert_eq!((stat(1, "backoff"), stat(1, "success")), (1, 0));
    assert_eq!((stat(2, "backoff"), stat(2, "success")), (1, 1));
    assert_eq!((stat(4, "backoff"), stat(4, "success"), stat(4, "failure")), (2, 1, 0));
}

#[test]
fn e22_the_wait_counts_from_the_load_so_an_old_vm_is_replaced_at_once() {
    let trap = TRAP.replacen('{', "{advance: 2s, ", 1);
    let report = failing("").run(&[EXCHANGE, &trap, EXCHANGE]).unwrap();
    assert_eq!(statuses(&report), [200, 503, 200]);
}

#[test]
fn e22_an_attempt_that_fails_makes_the_next_one_wait() {
    // The fourth configuration is refused: after trial, main thread and worker that is the reload.
    let configure = "(call $count @\"c\") (call $counted @\"c\") (i32.ne (i32.load (i32.const 32)) (i32.const 4))";
    let callbacks = [TRAPS, &[("on_configure", configure)]].concat();
    let chain = Chain { filters: vec![("a", &callbacks, "")], scenario: "" };
    let report = chain.run(&[TRAP, LATER, EXCHANGE, LATER]).unwrap();
    assert_eq!(statuses(&report), [503, 503, 503, 200]);
    let said = named(&report.exchanges[1]);
    assert!(said.iter().any(|l| l.contains("cannot load the plugin anew")), "{said:?}");
}

#[test]
fn e22_plugins_of_a_failed_vm_are_loaded_anew_one_by_one() {
    let chain = Chain { filters: vec![("m", TRAPS, ""), ("m", TRAPS, "")], scenario: "" };
    let report = chain.run(&[TRAP, LATER]).unwrap();
    assert_eq!(statuses(&report), [503, 200]);
    let called = named(&report.exchanges[1]);
    assert_eq!(called[..4], ["m headers", "m-2 headers", "m-2 response", "m response"]);
}

#[test]
fn other_vms_go_on_when_one_fails() {
    let counts: &[_] = &[("on_log", "(call $say @\"still here\")")];
    let filters = vec![("well", counts, ""), ("a", TRAPS, ", failurePolicy: failClosed")];
    let report = Chain { filters, scenario: "" }.run(&[TRAP, EXCHANGE]).unwrap();
    assert_eq!(statuses(&report), [503, 503]);
    assert_eq!(named(&report.exchanges[1]), ["well still here"]);
}

#[test]
fn other_workers_go_on_when_one_fails() {
    let chain = Chain {
        filters: vec![("a", TRAPS, ", failurePolicy: failClosed")],
        scenario: "workers: 2",
    };
    let first = TRAP.replacen('{', "{worker: 0, ", 1);
    let report = chain.run(&[&first, EXCHANGE, EXCHANGE]).unwrap();
    // In turn: exchange 1 is the second worker's, 2 the first one's again.
    assert_eq!(statuses(&report), [503, 200, 503]);
}

#[test]
fn a_trap_in_any_callback_is_reported_and_ends_the_vm() {
    let full = "{request: {path: /, body: abc, trailers: {t: v}}, upstream: [{body: fine, trailers: {t: v}}]}";
    let next = "{request: {path: /}, upstream: [{body: fine}]}";
    for (callback, status) in [
        ("on_context_create", 503),
        ("on_request_headers", 503),
        ("on_request_body", 503),
        ("on_request_trailers", 503),
        ("on_response_headers", 503),
        // The headers are on their way.
        ("on_response_body", 200),
        ("on_response_trailers", 200),
        ("on_log", 200),
        ("on_done", 200),
        ("on_delete", 200),
    ] {
        let body = match callback {
            // Not at the start, which would be an error.
            "on_context_create" => "(if (local.get $parent) (then unreachable))",
            _ => "(unreachable)",
        };
        let callbacks = &[(callback, body)];
        let filters = vec![("a", callbacks.as_slice(), ", failurePolicy: failClosed")];
        let report = Chain { filters, scenario: "" }.run(&[full, next]).unwrap();
        assert_eq!(statuses(&report), [status, 503], "{callback}");
        let said = messages(&report.exchanges[0]);
        assert!(
            said.iter().any(|l| l.starts_with(&format!("Function: proxy_{callback} failed:"))),
            "{callback}: {said:?}"
        );
    }
}

#[test]
fn a_trap_in_a_tick_ends_the_vm() {
    let callbacks = &[
        ("on_configure", "(drop (call $tick (i32.const 100))) (i32.const 1)"),
        ("on_tick", "(unreachable)"),
    ];
    let filters = vec![("a", callbacks.as_slice(), ", failurePolicy: failClosed")];
    let later = "{advance: 150ms, request: {path: /}, upstream: [{body: fine}]}";
    let report = Chain { filters, scenario: "" }.run(&[EXCHANGE, later, later]).unwrap();
    assert_eq!(statuses(&report), [200, 503, 503]);
    let failed = messages(&report.exchanges[1]);
    // On the main thread and on the worker, once each.
    assert_eq!(failed.len(), 2, "{failed:?}");
    assert!(failed[0].starts_with("Function: proxy_on_tick failed:"), "{failed:?}");
    assert_eq!(messages(&report.exchanges[2]), [""; 0]);
}
