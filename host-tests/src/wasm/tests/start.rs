//! How modules are loaded, started and ended.

use super::*;

const EXCHANGE: &str = "{request: {path: /}, upstream: [{body: fine}]}";

/// Says what was logged outside of exchanges.
fn outside(report: &Report) -> Vec<String> {
    report.logs.iter().map(|line| format!("{} {}", line.filter, line.message)).collect()
}

#[test]
fn configuration_runs_once_on_trial_and_once_per_thread() {
    let callbacks = &[
        ("on_vm_start", "(call $count @\"started\") (i32.const 1)"),
        ("on_configure", "(call $count @\"configured\") (i32.const 1)"),
        (
            "on_request_headers",
            "(call $counted @\"started\") (call $counted @\"configured\") (call $note (local.get $id)) (i32.const 0)",
        ),
    ];
    // The main thread's, too, though it serves nothing.
    let seen = Chain::one(callbacks).observe(EXCHANGE);
    assert_eq!(messages(&seen), ["3", "3", "2"]);
    let three = Chain { filters: vec![("a", callbacks, "")], scenario: "workers: 3" };
    assert_eq!(messages(&three.observe(EXCHANGE)), ["5", "5", "2"]);
}

#[test]
fn what_the_trial_leaves_in_shared_data_stays_and_its_ticks_do_not() {
    let chain = Chain {
        filters: vec![(
            "a",
            &[
                (
                    "on_configure",
                    "(call $shared @\"k\") (drop (call $set_shared @\"k\" @\"set before\" (i32.const 0)))
                     (drop (call $tick (i32.const 20))) (i32.const 1)",
                ),
                ("on_tick", "(call $count @\"ticks\") (drop (call $tick (i32.const 0)))"),
                ("on_request_headers", "(call $counted @\"ticks\") (i32.const 0)"),
            ],
            "",
        )],
        scenario: "",
    };
    let later = "{advance: 1s, request: {path: /}, upstream: [{}]}";
    let report = chain.run(&[later]).unwrap();
    assert_eq!(outside(&report), ["a 1", "a set before"]);
    // One on the main thread, one on the worker.
    assert_eq!(messages(&report.exchanges[0]), ["2"]);
}

#[test]
fn vms_are_counted_as_envoy_counts_them() {
    let exchange = "{request: {path: /}, upstream: [{}], expect: {metrics: {
        wasm.envoy.wasm.runtime.v8.created: 0, wasm.envoy.wasm.runtime.v8.active: 0}}}"
        .replace('\n', " ");
    let seen = Chain::one(&[]).observe(&exchange);
    // The one to copy from, the trial's, the main thread's and the worker's.
    assert_eq!(seen.metrics["wasm.envoy.wasm.runtime.v8.created"], 4);
    assert_eq!(seen.metrics["wasm.envoy.wasm.runtime.v8.active"], 3);
    let two: &[_] = &[];
    let shared = Chain { filters: vec![("m", two, ""), ("m", two, "")], scenario: "" };
    let seen = shared.observe(&exchange);
    assert_eq!(seen.metrics["wasm.envoy.wasm.runtime.v8.created"], 5);
    assert_eq!(seen.metrics["wasm.envoy.wasm.runtime.v8.active"], 3);
}

#[test]
fn e23_a_refusal_ends_the_load_with_what_the_filter_said() {
    for callback in ["on_vm_start", "on_configure"] {
        let chain = [(callback, "(call $say @\"no such thing\") (i32.const 0)")];
        let error = format!("{:#}", Chain::one(&chain).run(&[EXCHANGE]).unwrap_err());
        assert_eq!(error, "filter `a`: it refused its configuration:\nno such thing");
    }
}

#[test]
fn e23_a_trap_at_the_start_ends_the_load_and_names_the_callback() {
    for callback in ["on_vm_start", "on_configure"] {
        let chain = [(callback, "(call $say @\"here\") (unreachable)")];
        let error = format!("{:#}", Chain::one(&chain).run(&[EXCHANGE]).unwrap_err());
        assert!(error.starts_with("filter `a`: the module trapped while it started:\nhere\n"));
        assert!(error.contains(&format!("Function: proxy_{callback} failed:")), "{error}");
    }
}

#[test]
fn a_refusal_after_the_trial_is_an_error_that_says_what_envoy_would_do() {
    let callbacks = &[(
        "on_configure",
        "(call $count @\"c\") (call $counted @\"c\") (i32.lt_u (i32.load (i32.const 32)) (i32.const 3))",
    )];
    let error = format!("{:#}", Chain::one(callbacks).run(&[EXCHANGE]).unwrap_err());
    assert!(error.contains("a real Envoy starts, and serves without the filter:\n3"), "{error}");
}

#[test]
fn host_functions_are_restricted_while_the_module_starts() {
    let body = "(func (export \"_initialize\") (call $say @\"up to here\")
                  (drop (call $set_shared @\"k\" @\"v\" (i32.const 0))))";
    let error = format!("{:#}", Chain::one(&[("raw", body)]).run(&[EXCHANGE]).unwrap_err());
    let expected = "restricted_callback: proxy_set_shared_data called in _initialize";
    assert!(error.contains(expected) && error.ends_with("up to here"), "{error}");
}

/// Says how its root contexts end; not done at once if `done` is 0.
fn ending(done: &'static str) -> Vec<(&'static str, &'static str)> {
    let on_done = match done {
        "0" => {
            "(call $say @\"done\") (call $note (call $done)) (global.set $kept (i32.const 1)) (i32.const 0)"
        }
        _ => "(call $say @\"done\") (i32.const 1)",
    };
    vec![
        ("on_configure", "(drop (call $tick (i32.const 1000))) (i32.const 1)"),
        (
            "on_tick",
            "(if (global.get $kept) (then (call $say @\"tick\") (call $note (call $done))))",
        ),
        ("on_done", on_done),
        ("on_delete", "(call $say @\"delete\")"),
    ]
}

#[test]
fn plugins_end_on_the_workers_first_and_the_last_one_first() {
    let callbacks = ending("1");
    let filters = vec![("a", callbacks.as_slice(), ""), ("b", callbacks.as_slice(), "")];
    let report = Chain { filters, scenario: "" }.run(&[EXCHANGE]).unwrap();
    let once = ["b done", "b delete", "a done", "a delete"];
    assert_eq!(outside(&report), [once, once].concat());
}

#[test]
fn a_root_context_that_is_not_done_goes_with_its_vm() {
    let callbacks = ending("0");
    let report = Chain::one(&callbacks).run(&[EXCHANGE]).unwrap();
    // `proxy_done` finds nothing to end within `on_done`.
    assert_eq!(outside(&report), ["a done", "a 1", "a done", "a 1"]);
}

#[test]
fn by_the_specification_a_root_context_goes_on_until_it_is_done() {
    let callbacks = ending("0");
    let chain = Chain { filters: vec![("a", &callbacks, "")], scenario: "profile: spec" };
    let report = chain.run(&[EXCHANGE]).unwrap();
    let said = outside(&report);
    assert_eq!(said[4..], ["a tick", "a 0", "a delete", "a tick", "a 0", "a delete"]);
    // One that never says so is left behind after a minute.
    let never: &[_] = &[
        ("on_configure", "(drop (call $tick (i32.const 1000))) (i32.const 1)"),
        ("on_done", "(i32.const 0)"),
        ("on_delete", "(call $say @\"delete\")"),
    ];
    let chain = Chain { filters: vec![("a", never, "")], scenario: "profile: spec" };
    assert_eq!(outside(&chain.run(&[EXCHANGE]).unwrap()), [""; 0]);
}
