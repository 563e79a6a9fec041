//! Modules that do harm: each ends in a status, a trap or an error with a readable text, and soon.

use std::sync::OnceLock;

use super::*;
use crate::wasm::{Budget, Gateway, Runtime};

const EXCHANGE: &str = "{request: {path: /}, upstream: [{body: fine}]}";

/// Less fuel than usual, so that an endless loop takes no second.
fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new(Budget::Fuel(20_000_000), None).unwrap())
}

/// Runs modules as one chain; `scenario` has top-level fields as YAML lines.
fn run(modules: &[Vec<u8>], scenario: &str, exchanges: &[&str]) -> anyhow::Result<Report> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("tollgate-bad-{}-{count}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut yaml = format!("description: harm\nhosts: [wasmtime]\n{scenario}\nchain:\n");
    for (i, module) in modules.iter().enumerate() {
        std::fs::write(folder.join(format!("m{i}.wasm")), module).unwrap();
        yaml += &format!("  - {{wasm: ./m{i}.wasm, failurePolicy: failClosed}}\n");
    }
    yaml += &format!("exchanges:\n  - {}\n", exchanges.join("\n  - "));
    std::fs::write(folder.join("scenario.yaml"), yaml).unwrap();
    let plan = Plan::load(&folder.join("scenario.yaml")).unwrap();
    let report = Gateway::start(runtime(), &plan).and_then(|mut gateway| {
        let mut report = gateway.run(&plan)?;
        report.logs.extend(gateway.end());
        Ok(report)
    });
    std::fs::remove_dir_all(&folder).unwrap();
    report
}

fn error(module: Vec<u8>) -> String {
    format!("{:#}", run(&[module], "", &[EXCHANGE]).unwrap_err())
}

/// What one exchange through the module came to.
fn observed(callbacks: &[(&str, &str)]) -> Observed {
    run(&[guest("a", callbacks)], "", &[EXCHANGE]).unwrap().exchanges.remove(0)
}

const LOOP: &str = "(loop $ever (br $ever))";
const TOO_LONG: &str = "the call ran too long (fuel used up)";

/// What is logged follows the error, if anything is.
#[test]
fn a_module_with_more_memory_than_there_is_is_told_in_one_line() {
    let error = run(&[guest("a", &[])], "limits: {memoryBytes: 1}", &[EXCHANGE]).unwrap_err();
    let error = format!("{error:#}");
    assert!(error.contains("exceeds memory limits"), "{error}");
    assert!(!error.contains('\n') && !error.ends_with(':'), "{error}");
}

#[test]
fn an_endless_loop_while_the_module_starts_is_an_error() {
    let initialize = format!("(func (export \"_initialize\") {LOOP})");
    for (body, name) in [
        (initialize, "_initialize failed: "),
        (format!("(func (export \"_start\") {LOOP})"), "_start failed: "),
        (format!("(func $begin {LOOP}) (start $begin)"), "filter `m0`: "),
    ] {
        let said = error(guest("a", &[("raw", &body)]));
        assert!(said.contains(&format!("{name}{TOO_LONG}")), "{said}");
    }
    for callback in ["on_context_create", "on_vm_start", "on_configure"] {
        let body = format!("{LOOP} (unreachable)");
        let said = error(guest("a", &[(callback, &body)]));
        assert!(said.contains(&format!("Function: proxy_{callback} failed: {TOO_LONG}")), "{said}");
    }
}

#[test]
fn an_endless_loop_in_a_callback_fails_the_vm() {
    let tick = ("on_configure", "(drop (call $tick (i32.const 10))) (i32.const 1)");
    for (callback, status) in [("on_request_headers", 503), ("on_log", 200), ("on_delete", 200)] {
        let body = format!("{LOOP} (unreachable)");
        let seen = observed(&[(callback, &body)]);
        assert_eq!(seen.response.status, status, "{callback}");
        let expected = format!("Function: proxy_{callback} failed: {TOO_LONG}");
        assert!(messages(&seen)[0].starts_with(&expected), "{:?}", messages(&seen));
    }
    let module = guest("a", &[tick, ("on_tick", LOOP)]);
    let later = "{advance: 10ms, request: {path: /}, upstream: [{body: fine}]}";
    let report = run(&[module], "", &[later]).unwrap();
    assert_eq!(report.exchanges[0].response.status, 503);
    assert!(messages(&report.exchanges[0])[0].contains(TOO_LONG));
}

#[test]
fn an_endless_loop_in_on_done_of_a_root_context_ends_with_the_run() {
    let body = format!("(if (i32.eq (local.get $id) (i32.const 1)) (then {LOOP})) (i32.const 1)");
    let report = run(&[guest("a", &[("on_done", &body)])], "", &[EXCHANGE]).unwrap();
    let last = &report.logs.last().unwrap().message;
    assert!(last.starts_with(&format!("Function: proxy_on_done failed: {TOO_LONG}")), "{last}");
}

#[test]
fn many_slow_calls_end_together() {
    // Each call is within its limit, and the exchange is not: a call may use 20 million.
    let slow = "(local $k i32)
        (loop $slow
          (local.set $k (i32.add (local.get $k) (i32.const 1)))
          (br_if $slow (i32.lt_u (local.get $k) (i32.const 1500000))))
        (call $say @\"slow\") (i32.const 0)";
    let exchange =
        "{request: {path: /, body: abcdefghijklmnop, chunks: every-byte}, upstream: [{}]}";
    let report = run(&[guest("a", &[("on_request_body", slow)])], "", &[exchange, exchange]);
    let seen = report.unwrap().exchanges;
    assert_eq!(seen[0].response.status, 503);
    let said = messages(&seen[0]);
    assert!((4..15).contains(&said.len()), "{said:?}");
    assert!(said.last().unwrap().contains(TOO_LONG), "{said:?}");
}

#[test]
fn host_calls_without_end_are_an_endless_loop() {
    // With fuel for as many host calls as may be.
    let far = Runtime::new(Budget::Fuel(5_000_000_000), None).unwrap();
    let far: &'static Runtime = Box::leak(Box::new(far));
    let body = "(loop $ever (drop (call $get_metric (i32.const 99) (i32.const 16))) (br $ever)) (i32.const 0)";
    let folder = std::env::temp_dir().join(format!("tollgate-calls-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("m.wasm"), guest("m", &[("on_request_headers", body)])).unwrap();
    let yaml = format!("description: calls\nchain: [{{wasm: ./m.wasm}}]\nexchanges: [{EXCHANGE}]");
    std::fs::write(folder.join("scenario.yaml"), yaml).unwrap();
    let plan = Plan::load(&folder.join("scenario.yaml")).unwrap();
    let report = crate::wasm::run_on(far, &plan).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let said = messages(&report.exchanges[0]);
    assert!(said[0].contains("too many host calls, or bytes moved"), "{said:?}");
}

#[test]
fn recursion_without_end_is_a_trap() {
    let seen = observed(&[
        (
            "raw",
            "(func $down (param i32) (call $down (i32.add (local.get 0) (i32.const 1))) (call $note (local.get 0)))",
        ),
        ("on_request_headers", "(call $down (i32.const 0)) (i32.const 0)"),
    ]);
    assert_eq!(seen.response.status, 503);
    assert!(messages(&seen)[0].contains("call stack exhausted"), "{:?}", messages(&seen));
}

/// A module whose allocator is `body`, and which asks for the path.
fn allocator(body: &str) -> Vec<u8> {
    let wat = format!(
        "(module
           (import \"env\" \"proxy_log\" (func $log (param i32 i32 i32) (result i32)))
           (import \"env\" \"proxy_set_shared_data\" (func $set_shared (param i32 i32 i32 i32 i32) (result i32)))
           (import \"env\" \"proxy_get_header_map_value\" (func $get (param i32 i32 i32 i32 i32) (result i32)))
           (memory (export \"memory\") 1)
           (data (i32.const 8) \":path0123456789\")
           (func (export \"proxy_abi_version_0_2_1\"))
           (func (export \"malloc\") (param i32) (result i32) {body})
           (func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
             (drop (call $log (i32.const 2)
               (i32.add (i32.const 13) (call $get (i32.const 0) (i32.const 8) (i32.const 5) (i32.const 64) (i32.const 68)))
               (i32.const 1)))
             (i32.const 0)))"
    );
    wat::parse_str(&wat).unwrap()
}

#[test]
fn what_an_allocator_answers_is_checked() {
    let cases = [
        ("(i32.const 0)", 200, "6"),
        ("(i32.const 0x7ffffff0)", 200, "6"),
        ("(i32.const -1)", 200, "6"),
        ("(i32.const 65535)", 200, "0"),
        ("(i32.const 65536)", 200, "6"),
        ("(i32.const 101)", 200, "0"),
        ("(unreachable)", 503, "unreachable"),
        ("(loop $ever (br $ever)) (i32.const 0)", 503, TOO_LONG),
        (
            "(call $set_shared (i32.const 8) (i32.const 1) (i32.const 8) (i32.const 1) (i32.const 0))",
            503,
            "restricted_callback: proxy_set_shared_data called in the allocator",
        ),
    ];
    for (body, status, expected) in cases {
        let seen = run(&[allocator(body)], "", &[EXCHANGE]).unwrap().exchanges.remove(0);
        assert_eq!(seen.response.status, status, "{body}");
        assert!(messages(&seen)[0].contains(expected), "{body}: {:?}", messages(&seen));
    }
}

#[test]
fn an_allocator_may_log_and_speaks_for_the_vm() {
    let body = "(drop (call $log (i32.const 2) (i32.const 8) (i32.const 5))) (i32.const 128)";
    let seen = run(&[allocator(body)], "", &[EXCHANGE]).unwrap().exchanges.remove(0);
    assert_eq!(named(&seen), ["vm :path", "m0 0"]);
}

/// Every host function with its parameters: `p` is 32 bits, `l` is 64.
const FUNCTIONS: [(&str, &str); 39] = [
    ("proxy_log", "ppp"),
    ("proxy_get_log_level", "p"),
    ("proxy_get_current_time_nanoseconds", "p"),
    ("proxy_set_tick_period_milliseconds", "p"),
    ("proxy_set_effective_context", "p"),
    ("proxy_done", ""),
    ("proxy_continue_stream", "p"),
    ("proxy_close_stream", "p"),
    ("proxy_get_status", "ppp"),
    ("proxy_send_local_response", "pppppppp"),
    ("proxy_get_buffer_bytes", "ppppp"),
    ("proxy_set_buffer_bytes", "ppppp"),
    ("proxy_get_buffer_status", "ppp"),
    ("proxy_get_header_map_size", "pp"),
    ("proxy_get_header_map_pairs", "ppp"),
    ("proxy_set_header_map_pairs", "ppp"),
    ("proxy_get_header_map_value", "ppppp"),
    ("proxy_add_header_map_value", "ppppp"),
    ("proxy_replace_header_map_value", "ppppp"),
    ("proxy_remove_header_map_value", "ppp"),
    ("proxy_http_call", "pppppppppp"),
    ("proxy_grpc_call", "pppppppppppp"),
    ("proxy_grpc_stream", "ppppppppp"),
    ("proxy_grpc_send", "pppp"),
    ("proxy_grpc_cancel", "p"),
    ("proxy_grpc_close", "p"),
    ("proxy_get_shared_data", "ppppp"),
    ("proxy_set_shared_data", "ppppp"),
    ("proxy_register_shared_queue", "ppp"),
    ("proxy_resolve_shared_queue", "ppppp"),
    ("proxy_enqueue_shared_queue", "ppp"),
    ("proxy_dequeue_shared_queue", "ppp"),
    ("proxy_define_metric", "pppp"),
    ("proxy_increment_metric", "pl"),
    ("proxy_record_metric", "pl"),
    ("proxy_get_metric", "pp"),
    ("proxy_get_property", "pppp"),
    ("proxy_set_property", "pppp"),
    ("proxy_call_foreign_function", "pppppp"),
];

/// Functions whose arguments are no pointers, so that some numbers are right for them.
const WITHOUT_POINTERS: [&str; 2] = ["proxy_done", "proxy_set_tick_period_milliseconds"];

#[test]
fn every_host_function_checks_its_pointers_and_lengths() {
    // Beyond all memory; at its end, with more behind; within, but so long that the sum wraps round.
    for value in ["-1", "65535", "0x80000000"] {
        let mut imports = String::new();
        let mut calls = String::new();
        for (i, (name, parameters)) in FUNCTIONS.iter().enumerate() {
            let types: String =
                parameters.chars().map(|p| if p == 'l' { " i64" } else { " i32" }).collect();
            imports +=
                &format!("(import \"env\" \"{name}\" (func $f{i} (param{types}) (result i32)))\n");
            let arguments: String = parameters
                .chars()
                .map(|p| {
                    if p == 'l' {
                        format!("(i64.const {value})")
                    } else {
                        format!("(i32.const {value})")
                    }
                })
                .collect();
            calls += &format!(
                "(i32.store8 (i32.const {}) (i32.add (i32.const 65) (call $f{i} {arguments})))\n",
                100 + i
            );
        }
        let count = FUNCTIONS.len();
        let wat = format!(
            "(module {imports} (memory (export \"memory\") 1)
               (func (export \"proxy_abi_version_0_2_1\"))
               (func (export \"malloc\") (param i32) (result i32) (i32.const 1024))
               (func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
                 {calls}
                 (drop (call $f0 (i32.const 2) (i32.const 100) (i32.const {count})))
                 (i32.const 0)))"
        );
        let module = wat::parse_str(&wat).unwrap();
        let seen = run(&[module], "", &[EXCHANGE]).unwrap().exchanges.remove(0);
        let said = messages(&seen);
        let statuses =
            said.iter().find(|line| line.len() == count).unwrap_or_else(|| panic!("{said:?}"));
        for ((name, _), status) in FUNCTIONS.iter().zip(statuses.bytes()) {
            let done = status == b'A';
            assert_eq!(done, done && WITHOUT_POINTERS.contains(name), "{name}({value}): Ok");
        }
    }
}

#[test]
fn e32_memory_ends_at_the_limit_of_the_scenario() {
    // 64 pages to begin with; the allocator's own end is the trap behind it.
    let body = "(local $k i32)
        (loop $more
          (local.set $k (i32.add (local.get $k) (i32.const 1)))
          (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
        (call $note (local.get $k)) (i32.const 0)";
    let limit = "limits: {memoryBytes: 5242880}";
    let report = run(&[guest("a", &[("on_request_headers", body)])], limit, &[EXCHANGE]).unwrap();
    // 16 pages more, and one that is refused.
    assert_eq!(messages(&report.exchanges[0]), ["17"]);
}

#[test]
fn e32_a_module_that_begins_with_more_memory_than_allowed_is_an_error() {
    let limit = "limits: {memoryBytes: 1048576}";
    let said = format!("{:#}", run(&[guest("a", &[])], limit, &[EXCHANGE]).unwrap_err());
    assert!(said.contains("filter `m0`") && said.contains("memory"), "{said}");
}

#[test]
fn a_module_without_allocator_or_with_other_signatures_is_an_error() {
    let wat = "(module (memory (export \"memory\") 1) (func (export \"proxy_abi_version_0_2_1\")))";
    let said = error(wat::parse_str(wat).unwrap());
    assert!(said.contains("exports neither `malloc` nor `proxy_on_memory_allocate`"), "{said}");
    let other = "(func (export \"proxy_on_tick\") (param i64))";
    let said = error(guest("a", &[("raw", other)]));
    assert!(said.contains("export `proxy_on_tick` has another signature than the ABI"), "{said}");
}

#[test]
fn a_module_that_exports_no_memory_traps_at_its_first_host_call() {
    let wat = "(module
        (import \"env\" \"proxy_log\" (func $log (param i32 i32 i32) (result i32)))
        (memory 1) (func (export \"proxy_abi_version_0_2_1\"))
        (func (export \"malloc\") (param i32) (result i32) (i32.const 0))
        (func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
          (call $log (i32.const 2) (i32.const 0) (i32.const 1))))";
    let seen = run(&[wat::parse_str(wat).unwrap()], "", &[EXCHANGE]).unwrap().exchanges.remove(0);
    assert_eq!(seen.response.status, 503);
    assert!(messages(&seen)[0].contains("the module exports no memory"), "{:?}", messages(&seen));
}

#[test]
fn what_a_guest_leaves_with_the_host_is_bounded() {
    // Each repeats with a mebibyte until it is refused, and says how often it went well.
    let mebibyte = "(i32.const 1024) (i32.const 1048576)";
    for (call, most) in [
        (format!("(call $add_header (i32.const 0) (i32.const 64) (i32.const 1) {mebibyte})"), 512),
        (format!("(call $set_header (i32.const 0) (i32.const 64) (i32.const 1) {mebibyte})"), 512),
        (format!("(call $set_state (i32.const 64) (i32.const 1) {mebibyte})"), 512),
        (format!("(call $enqueue (i32.const 1) {mebibyte})"), 256),
        (
            format!("(call $reply_status (i32.const 200) (i32.const 0) (i32.const 0) {mebibyte} (i32.const 0) (i32.const 0) (i32.const -1))")
                .replace("$reply_status", "$send"),
            512,
        ),
    ] {
        let body = format!(
            "(local $k i32)
             (loop $more
               (local.set $k (i32.add (local.get $k) (i32.const 1)))
               (br_if $more (i32.eqz {call})))
             (call $note (local.get $k)) (i32.const 0)"
        );
        let register = ("on_configure", "(drop (call $register @\"q\" (i32.const 40))) (i32.const 1)");
        let seen = observed(&[register, ("on_request_headers", &body)]);
        let times: u32 = messages(&seen)[0].parse().unwrap();
        assert!((most / 2..=most).contains(&times), "{call}: {times}");
    }
}

#[test]
fn a_flood_of_log_lines_is_cut_off() {
    let body = "(loop $ever (call $say @\"again\") (br $ever)) (i32.const 0)";
    let seen = observed(&[("on_request_headers", body)]);
    assert_eq!(seen.response.status, 503);
    let last = *messages(&seen).last().unwrap();
    assert!(last.starts_with("the log is full") || last.contains("too long"), "{last}");
}

#[test]
fn ticks_of_a_millisecond_over_a_day_are_too_many_and_over_a_minute_all_come() {
    let tick = ("on_configure", "(drop (call $tick (i32.const 1))) (i32.const 1)");
    let module = guest("a", &[tick, ("on_tick", "(call $count @\"ticks\")")]);
    let later = |time| format!("{{advance: {time}, request: {{path: /}}, upstream: [{{}}]}}");
    let report = run(std::slice::from_ref(&module), "", &[&later("1m")]).unwrap();
    // The main thread's and the worker's.
    assert_eq!(report.exchanges[0].metrics["ticks"], 120_000);
    let error = format!("{:#}", run(&[module], "", &[&later("24h")]).unwrap_err());
    assert!(error.contains("more than 1000000 ticks and answers are due"), "{error}");
}

#[test]
fn a_map_or_a_path_that_lies_about_its_lengths_is_no_trap() {
    // Counts and lengths of all ones, in front of nothing.
    let seen = observed(&[(
        "on_request_headers",
        "(i64.store (i32.const 128) (i64.const -1)) (i64.store (i32.const 136) (i64.const -1))
         (call $note (call $send (i32.const 200) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
           (i32.const 128) (i32.const 16) (i32.const -1)))
         (call $note (call $get_property (i32.const 128) (i32.const 16) (i32.const 16) (i32.const 20)))
         (i32.const 0)",
    )]);
    assert_eq!(seen.response.status, 200);
    assert_eq!(messages(&seen), ["0", "1"]);
}
