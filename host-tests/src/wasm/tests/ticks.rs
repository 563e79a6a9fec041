//! Ticks, and what time is while they come.

use super::*;

const OK_EXCHANGE: &str = "{request: {path: /}, upstream: [{body: fine}]}";

/// `advance` of a duration, then a plain request.
fn after(advance: &str) -> String {
    format!("{{advance: {advance}, request: {{path: /}}, upstream: [{{body: fine}}]}}")
}

/// Logs the milliseconds since the start of the minute, virtual time.
const NOTE_TIME: &str = "(call $note (i32.wrap_i64 (i64.rem_u (i64.div_u (call $now)
     (i64.const 1000000)) (i64.const 60000))))";

const NOW: (&str, &str) = (
    "raw",
    "(func $now (result i64)
       (drop (call $time (i32.const 24))) (i64.load (i32.const 24)))",
);

fn on_worker(instructions: &str) -> String {
    // The main thread ticks, too; only the worker's VM has seen a stream.
    format!("(if (global.get $kept) (then {instructions}))")
}

#[test]
fn ticks_come_in_their_period_and_time_moves_with_them() {
    let tick = on_worker(NOTE_TIME);
    let callbacks = [
        NOW,
        ("on_configure", "(drop (call $tick (i32.const 400))) (i32.const 1)"),
        ("on_request_headers", "(global.set $kept (local.get $id)) (i32.const 0)"),
        ("on_tick", &*tick),
    ];
    let chain = Chain { filters: vec![("a", &callbacks, "")], scenario: "" };
    let report = chain.run(&[OK_EXCHANGE, &after("1s"), &after("1s")]).unwrap();
    assert_eq!(messages(&report.exchanges[1]), ["400", "800"]);
    assert_eq!(messages(&report.exchanges[2]), ["1200", "1600", "2000"]);
}

#[test]
fn each_root_context_ticks_in_its_own_period() {
    let tick = on_worker(NOTE_TIME);
    let slow = [
        NOW,
        ("on_configure", "(drop (call $tick (i32.const 500))) (i32.const 1)"),
        ("on_request_headers", "(global.set $kept (local.get $id)) (i32.const 0)"),
        ("on_tick", &*tick),
    ];
    let quick = [
        NOW,
        ("on_configure", "(drop (call $tick (i32.const 200))) (i32.const 1)"),
        ("on_request_headers", "(global.set $kept (local.get $id)) (i32.const 0)"),
        ("on_tick", &*tick),
    ];
    let chain = Chain { filters: vec![("slow", &slow, ""), ("quick", &quick, "")], scenario: "" };
    let report = chain.run(&[OK_EXCHANGE, &after("1s")]).unwrap();
    // At 1 s both are due: the slow one's was set earlier.
    assert_eq!(
        named(&report.exchanges[1]),
        ["quick 200", "quick 400", "slow 500", "quick 600", "quick 800", "slow 1000", "quick 1000"]
    );
}

#[test]
fn setting_a_period_again_starts_the_timer_anew_and_zero_stops_it() {
    let tick = on_worker(NOTE_TIME);
    let callbacks = [
        NOW,
        ("on_configure", "(drop (call $tick (i32.const 400))) (i32.const 1)"),
        (
            "on_request_headers",
            "(global.set $kept (i32.add (global.get $kept) (i32.const 1)))
             (drop (call $tick (i32.mul (i32.const 400) (i32.ne (global.get $kept) (i32.const 3)))))
             (i32.const 0)",
        ),
        ("on_tick", &*tick),
    ];
    let chain = Chain { filters: vec![("a", &callbacks, "")], scenario: "" };
    let report =
        chain.run(&[OK_EXCHANGE, &after("300ms"), &after("600ms"), &after("10s")]).unwrap();
    assert_eq!(messages(&report.exchanges[1]), [""; 0]);
    // 300 ms and a whole period.
    assert_eq!(messages(&report.exchanges[2]), ["700"]);
    assert_eq!(messages(&report.exchanges[3]), [""; 0]);
}

#[test]
fn a_period_set_in_a_tick_counts_from_there() {
    let tick = on_worker(&format!("{NOTE_TIME} (drop (call $tick (i32.const 1000)))"));
    let callbacks = [
        NOW,
        ("on_configure", "(drop (call $tick (i32.const 100))) (i32.const 1)"),
        ("on_request_headers", "(global.set $kept (local.get $id)) (i32.const 0)"),
        ("on_tick", &*tick),
    ];
    let chain = Chain { filters: vec![("a", &callbacks, "")], scenario: "" };
    let report = chain.run(&[OK_EXCHANGE, &after("3s")]).unwrap();
    assert_eq!(messages(&report.exchanges[1]), ["100", "1100", "2100"]);
}

#[test]
fn e29_a_tick_releases_one_held_stream_after_the_other() {
    let callbacks = [
        ("on_configure", "(drop (call $tick (i32.const 20))) (i32.const 1)"),
        ("on_request_headers", "(global.set $kept (local.get $id)) (i32.const 1)"),
        (
            "on_tick",
            "(if (global.get $kept) (then
               (drop (call $effective (global.get $kept)))
               (drop (call $continue (i32.const 0)))
               (global.set $kept (i32.const 0))))",
        ),
    ];
    let chain = Chain { filters: vec![("a", &callbacks, "")], scenario: "" };
    let report = chain.run(&[OK_EXCHANGE, OK_EXCHANGE]).unwrap();
    let statuses: Vec<_> = report.exchanges.iter().map(|seen| seen.response.status).collect();
    assert_eq!(statuses, [200, 200]);
}

#[test]
fn e29_one_stream_releases_another() {
    // The first waits until the second comes.
    let callbacks = [(
        "on_request_headers",
        "(if (global.get $kept)
           (then
             (drop (call $effective (global.get $kept)))
             (drop (call $continue (i32.const 0)))
             (call $note (i32.const 7))
             (return (i32.const 0))))
         (global.set $kept (local.get $id)) (i32.const 1)",
    )];
    let chain = Chain { filters: vec![("a", &callbacks, "")], scenario: "" };
    let both = "{concurrent: true, request: {path: /}, upstream: [{body: fine}]}";
    let report = chain.run(&[both, both]).unwrap();
    let statuses: Vec<_> = report.exchanges.iter().map(|seen| seen.response.status).collect();
    assert_eq!(statuses, [200, 200]);
}

#[test]
fn ticks_that_resume_nothing_are_a_hang() {
    let callbacks = [
        ("on_configure", "(drop (call $tick (i32.const 1000))) (i32.const 1)"),
        ("on_request_headers", "(i32.const 1)"),
        ("on_tick", ""),
    ];
    let chain = Chain { filters: vec![("a", &callbacks, "")], scenario: "hosts: [wasmtime]" };
    let error = format!("{:#}", chain.run(&[OK_EXCHANGE]).unwrap_err());
    for what in [
        "filter `a` holds the request headers",
        "filter `a` ticks every 1000 ms",
        "gave up after an hour of virtual time",
    ] {
        assert!(error.contains(what), "{error}");
    }
}
