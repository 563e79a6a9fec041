//! Versions of the ABI, what modules may import, and WASI.

use super::*;

const GET: &str = "{request: {path: /, headers: {x-a: v}}, upstream: [{body: fine}]}";

/// A module of ABI `version` (`0_2_1`) with `$say` and `$note`, which `text` adds to; imports first.
fn module(version: &str, imports: &str, text: &str) -> String {
    format!(
        r#"(module {imports}
        (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
        (memory (export "memory") 4)
        (func (export "proxy_abi_version_{version}"))
        (func (export "malloc") (param i32) (result i32) (i32.const 32768))
        (func $say (param i32 i32) (drop (call $log (i32.const 2) (local.get 0) (local.get 1))))
        (func $note (param $n i32)
          (local $at i32)
          (local.set $at (i32.const 64))
          (loop $digit
            (local.set $at (i32.sub (local.get $at) (i32.const 1)))
            (i32.store8 (local.get $at) (i32.add (i32.const 48) (i32.rem_u (local.get $n) (i32.const 10))))
            (local.set $n (i32.div_u (local.get $n) (i32.const 10)))
            (br_if $digit (local.get $n)))
          (call $say (local.get $at) (i32.sub (i32.const 64) (local.get $at))))
        {text})"#
    )
}

/// What a module says in one exchange.
fn said(text: &str) -> Vec<String> {
    let callbacks = [("module", text)];
    let chain = Chain { filters: vec![("a", &callbacks, "")], scenario: "" };
    let seen = chain.observe(GET);
    seen.logs.into_iter().map(|line| line.message).collect()
}

/// Why a module is refused.
fn refused(text: &str) -> String {
    let callbacks = [("module", text)];
    let chain = Chain { filters: vec![("a", &callbacks, "")], scenario: "" };
    format!("{:#}", chain.run(&[GET]).unwrap_err())
}

const HEADERS_0_1_0: &str = r#"(func (export "proxy_on_request_headers") (param i32 i32) (result i32)
    (call $note (local.get 1)) (i32.const 0))"#;
const HEADERS: &str = r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (call $note (local.get 2)) (i32.const 0))"#;

#[test]
fn abi_0_1_0_headers_come_without_the_end_and_a_missing_header_is_empty() {
    let imports = r#"(import "env" "proxy_get_header_map_value"
        (func $get (param i32 i32 i32 i32 i32) (result i32)))"#;
    let text = r#"(data (i32.const 1024) "x-none")
      (func (export "proxy_on_request_headers") (param i32 i32) (result i32)
        (i32.store (i32.const 20) (i32.const 77))
        (call $note (call $get (i32.const 0) (i32.const 1024) (i32.const 6) (i32.const 16) (i32.const 20)))
        (call $note (i32.load (i32.const 20)))
        (call $note (call $get (i32.const 2) (i32.const 1024) (i32.const 6) (i32.const 16) (i32.const 20)))
        (i32.const 0))
      (func (export "proxy_on_log") (param i32)
        (call $note (call $get (i32.const 1) (i32.const 1024) (i32.const 6) (i32.const 16) (i32.const 20))))"#;
    assert_eq!(said(&module("0_1_0", imports, text)), ["0", "0", "2", "0"]);
}

#[test]
fn abi_0_1_0_has_its_own_ways_to_resume_and_to_read_its_configuration() {
    let imports = r#"
        (import "env" "proxy_continue_request" (func $go (result i32)))
        (import "env" "proxy_continue_response" (func $back (result i32)))
        (import "env" "proxy_clear_route_cache" (func $clear (result i32)))
        (import "env" "proxy_get_configuration" (func $config (param i32 i32) (result i32)))"#;
    let text = r#"
      (func $read (call $note (call $config (i32.const 16) (i32.const 20)))
        (call $say (i32.load (i32.const 16)) (i32.load (i32.const 20))))
      (func (export "proxy_on_configure") (param i32 i32) (result i32) (call $read) (i32.const 1))
      (func (export "proxy_on_request_headers") (param i32 i32) (result i32)
        (call $read) (call $note (call $clear)) (call $note (call $go)) (i32.const 1))
      (func (export "proxy_on_response_headers") (param i32 i32) (result i32)
        (call $note (call $back)) (i32.const 1))"#;
    let text = module("0_1_0", imports, text);
    let callbacks = [("module", text.as_str())];
    let chain = Chain { filters: vec![("a", &callbacks, "")], scenario: "" };
    let report = chain.run(&[GET]).unwrap();
    let start: Vec<_> = report.logs.iter().map(|line| line.message.as_str()).collect();
    assert_eq!(start, ["0", "a"]);
    assert_eq!(messages(&report.exchanges[0]), ["0", "", "0", "0", "0"]);
    assert_eq!(report.exchanges[0].response.body.as_deref(), Some("fine"));
}

#[test]
fn abi_0_2_0_headers_come_with_the_end() {
    assert_eq!(said(&module("0_2_0", "", HEADERS)), ["1"]);
}

#[test]
fn a_function_of_another_abi_version_is_refused_with_both_versions() {
    let import = |name: &str, params: &str| {
        format!(r#"(import "env" "{name}" (func {params} (result i32)))"#)
    };
    let level = import("proxy_get_log_level", "(param i32)");
    let error = refused(&module("0_2_0", &level, HEADERS));
    let expected =
        "imports `env.proxy_get_log_level`, of ABI 0.2.1, but the module speaks ABI 0.2.0";
    assert!(error.contains(expected), "{error}");
    let clear = import("proxy_clear_route_cache", "");
    let error = refused(&module("0_2_1", &clear, HEADERS));
    assert!(error.contains("of ABI 0.1.0, but the module speaks ABI 0.2.1"), "{error}");
    let resume = import("proxy_continue_stream", "(param i32)");
    let error = refused(&module("0_1_0", &resume, HEADERS_0_1_0));
    assert!(error.contains("of ABI 0.2.0 and 0.2.1, but"), "{error}");
    let unknown = import("proxy_make_coffee", "");
    let error = refused(&module("0_2_1", &unknown, HEADERS));
    assert!(error.contains("imports `env.proxy_make_coffee`, which no host has"), "{error}");
}

#[test]
fn an_unknown_abi_version_is_refused_and_of_several_the_first_known_counts() {
    let error = refused(&module("9_9_9", "", HEADERS));
    assert!(error.contains("speaks proxy-wasm ABI 9.9.9, expected 0.2.1"), "{error}");
    let older = r#"(func (export "proxy_abi_version_0_1_0"))"#;
    let both = module("0_2_1", "", &format!("{HEADERS}{older}"));
    assert_eq!(said(&both), ["1"]);
    let newer = r#"(func (export "proxy_abi_version_0_2_1"))"#;
    let both = module("0_1_0", "", &format!("{HEADERS_0_1_0}{newer}"));
    assert_eq!(said(&both).len(), 1);
    let unknown_first = module("9_9_9", "", &format!("{HEADERS}{newer}"));
    assert_eq!(said(&unknown_first), ["1"]);
}

#[test]
fn a_module_without_an_allocator_or_with_other_signatures_is_refused() {
    let text = module("0_2_1", "", HEADERS).replace("\"malloc\"", "\"other\"");
    let error = refused(&text);
    assert!(error.contains("neither `malloc` nor `proxy_on_memory_allocate`"), "{error}");
    let error = refused(&module("0_2_1", "", HEADERS_0_1_0));
    assert!(error.contains("`proxy_on_request_headers` has another signature"), "{error}");
}

#[test]
fn the_configuration_is_there_only_while_a_plugin_is_made_and_configured() {
    let chain = Chain::one(&[
        ("on_context_create", "(call $body (i32.const 7))"),
        ("on_vm_start", "(call $body (i32.const 7)) (i32.const 1)"),
        ("on_configure", "(call $body (i32.const 7)) (i32.const 1)"),
        ("on_request_headers", "(call $body (i32.const 7)) (i32.const 0)"),
    ]);
    let report = chain.run(&[GET]).unwrap();
    let start: Vec<_> = report.logs.iter().map(|line| line.message.as_str()).collect();
    assert_eq!(start, ["a", "1"], "each line once");
    assert_eq!(messages(&report.exchanges[0]), ["1", "1"]);
}

#[test]
fn a_reactors_main_runs_after_its_initializer_and_a_command_has_start() {
    let main = r#"
      (data (i32.const 1024) "initialize main start")
      (func (export "_initialize") (call $say (i32.const 1024) (i32.const 10)))
      (func (export "_start") (call $say (i32.const 1040) (i32.const 5)))
      (func (export "main") (param i32 i32) (result i32)
        (call $say (i32.const 1035) (i32.const 4)) (i32.const 0))"#;
    let start = |text: &str| {
        let callbacks = [("module", text)];
        let chain = Chain { filters: vec![("a", &callbacks, "")], scenario: "" };
        let report = chain.run(&[GET]).unwrap();
        report.logs.into_iter().map(|line| line.message).collect::<Vec<_>>()
    };
    assert_eq!(start(&module("0_2_1", "", main)), ["initialize", "main"]);
    let command = main.replace("\"_initialize\"", "\"other\"");
    assert_eq!(start(&module("0_2_1", "", &command)), ["start"]);
}

/// Each of WASI's functions on a few descriptors, under both names of the module.
#[test]
fn e31_wasi_answers_as_envoy_does() {
    let call = "(call $note (call $f";
    let cases = [
        ("fd_read", "i32 i32 i32 i32", "(i32.const 0)", 52),
        ("fd_seek", "i32 i64 i32 i32", "(i32.const 7)", 0),
        ("fd_close", "i32", "(i32.const 1)", 0),
        ("fd_tell", "i32 i32", "(i32.const 1)", 0),
        ("fd_tell", "i32 i32", "(i32.const 3)", 8),
        ("fd_renumber", "i32 i32", "(i32.const 1)", 8),
        ("fd_prestat_get", "i32 i32", "(i32.const 3)", 8),
        ("fd_prestat_dir_name", "i32 i32 i32", "(i32.const 3)", 52),
        ("fd_filestat_get", "i32 i32", "(i32.const 1)", 8),
        ("fd_fdstat_set_flags", "i32 i32", "(i32.const 1)", 52),
        ("fd_allocate", "i32 i64 i64", "(i32.const 1)", 0),
        ("fd_allocate", "i32 i64 i64", "(i32.const 9)", 8),
        ("fd_readdir", "i32 i32 i32 i64 i32", "(i32.const 1)", 20),
        ("path_open", "i32 i32 i32 i32 i32 i64 i64 i32 i32", "(i32.const 3)", 44),
        ("path_filestat_get", "i32 i32 i32 i32 i32", "(i32.const 3)", 58),
        ("path_rename", "i32 i32 i32 i32 i32 i32", "(i32.const 3)", 58),
        ("sock_send", "i32 i32 i32 i32 i32", "(i32.const 3)", 58),
        ("clock_res_get", "i32 i32", "(i32.const 2)", 58),
        ("clock_time_get", "i32 i64 i32", "(i32.const 2)", 58),
        ("clock_time_get", "i32 i64 i32", "(i32.const 1)", 0),
        ("poll_oneoff", "i32 i32 i32 i32", "(i32.const 128)", 0),
        ("sched_yield", "", "", 0),
    ];
    for (name, params, first, errno) in cases {
        for from in ["wasi_snapshot_preview1", "wasi_unstable"] {
            let types: Vec<&str> = params.split(' ').filter(|t| !t.is_empty()).collect();
            let rest: Vec<String> =
                types.iter().skip(1).map(|t| format!("({t}.const 128)")).collect();
            let import = match types.len() {
                0 => format!(r#"(import "{from}" "{name}" (func $f (result i32)))"#),
                _ => {
                    format!(r#"(import "{from}" "{name}" (func $f (param {params}) (result i32)))"#)
                }
            };
            let body = format!(
                r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
                {call} {first} {})) (i32.const 0))"#,
                rest.concat()
            );
            let found = said(&module("0_2_1", &import, &body));
            assert_eq!(found, [errno.to_string()], "{from}.{name} {first}");
        }
    }
}

#[test]
fn e31_standard_output_is_the_log_with_one_newline_less() {
    let imports = r#"(import "wasi_snapshot_preview1" "fd_write"
        (func $write (param i32 i32 i32 i32) (result i32)))"#;
    let text = r#"(data (i32.const 1024) "hello\0a\0a")
      (func $print (param $fd i32) (param $at i32) (param $size i32)
        (i32.store (i32.const 2048) (local.get $at))
        (i32.store (i32.const 2052) (local.get $size))
        (call $note (call $write (local.get $fd) (i32.const 2048) (i32.const 1) (i32.const 16)))
        (call $note (i32.load (i32.const 16))))
      (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (call $print (i32.const 1) (i32.const 1024) (i32.const 7))
        (call $print (i32.const 2) (i32.const 1024) (i32.const 6))
        (call $print (i32.const 1) (i32.const 1030) (i32.const 1))
        (call $print (i32.const 1) (i32.const -1) (i32.const 0))
        (call $print (i32.const 3) (i32.const 1024) (i32.const 7))
        (call $print (i32.const 1) (i32.const 1024) (i32.const 0x7fffffff))
        (i32.const 0))"#;
    let callbacks = [("module", module("0_2_1", imports, text))];
    let callbacks = [(callbacks[0].0, callbacks[0].1.as_str())];
    let chain = Chain { filters: vec![("a", &callbacks, "")], scenario: "" };
    let seen = chain.observe(GET);
    let lines: Vec<(&str, &str)> =
        seen.logs.iter().map(|line| (line.level.as_str(), line.message.as_str())).collect();
    let info = |text| ("info", text);
    // What was written stays where a call fails.
    let expected = [
        info("hello\n"),
        info("0"),
        info("7"),
        ("error", "hello"),
        info("0"),
        info("6"),
        info(""),
        info("0"),
        info("1"),
        info("0"),
        info("0"),
        info("8"),
        info("0"),
        info("21"),
        info("0"),
    ];
    assert_eq!(lines, expected);
}

#[test]
fn e32_random_bytes_are_given_up_to_a_limit() {
    let imports = r#"(import "wasi_snapshot_preview1" "random_get"
        (func $random (param i32 i32) (result i32)))"#;
    let text = r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (call $note (call $random (i32.const 4096) (i32.const 65536)))
        (call $note (call $random (i32.const 4096) (i32.const 65537)))
        (call $note (call $random (i32.const -1) (i32.const 1)))
        (i32.const 0))"#;
    assert_eq!(said(&module("0_2_1", imports, text)), ["0", "28", "21"]);
}

#[test]
fn proc_exit_returns_and_a_trap_behind_it_names_the_code() {
    let imports = r#"(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))"#;
    let text = r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (call $exit (i32.const 3)) (call $note (i32.const 5)) (unreachable))"#;
    let text = module("0_2_1", imports, text);
    let callbacks = [("module", text.as_str())];
    let chain = Chain { filters: vec![("a", &callbacks, "")], scenario: "" };
    let seen = chain.observe(GET);
    assert_eq!(messages(&seen)[0], "5");
    assert!(messages(&seen)[1].contains("proc_exit(3), then wasm trap"), "{:?}", messages(&seen));
    assert_eq!(seen.response.status, 503);
    let init = r#"(func (export "_initialize") (call $exit (i32.const 3)))"#;
    let error = refused(&module("0_2_1", imports, init));
    assert!(error.contains("restricted_callback: proc_exit"), "{error}");
}

#[test]
fn e31_a_level_that_is_none_is_a_bad_argument_and_trace_is_below_the_level() {
    let imports = r#"(import "env" "proxy_get_log_level" (func $level (param i32) (result i32)))"#;
    let text = r#"(data (i32.const 1024) "t")
      (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (call $note (call $log (i32.const 6) (i32.const 1024) (i32.const 1)))
        (call $note (call $log (i32.const 3) (i32.const -1) (i32.const 1)))
        (call $note (call $log (i32.const 0) (i32.const 1024) (i32.const 1)))
        (call $note (call $level (i32.const 16)))
        (call $note (i32.load (i32.const 16)))
        (i32.const 0))"#;
    assert_eq!(said(&module("0_2_1", imports, text)), ["2", "6", "0", "0", "1"]);
}

#[test]
fn what_emscripten_imports_is_there() {
    let imports = r#"
        (import "env" "pthread_equal" (func $equal (param i32 i32) (result i32)))
        (import "env" "emscripten_notify_memory_growth" (func $grown (param i32)))"#;
    let text = r#"(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (call $grown (i32.const 0))
        (call $note (call $equal (i32.const 2) (i32.const 2)))
        (i32.const 0))"#;
    assert_eq!(said(&module("0_2_1", imports, text)), ["1"]);
}
