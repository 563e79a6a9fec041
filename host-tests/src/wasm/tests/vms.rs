//! Modules and VMs: what loads, what is shared, what is limited.

use super::*;

const EXCHANGE: &str = "{request: {path: /}, upstream: [{body: fine}]}";

#[test]
fn an_unknown_import_is_a_link_error_with_its_name() {
    let imports = "(import \"env\" \"proxy_dance\" (func (param i32)))";
    // Imports come first, so the module is made by hand.
    let wat = format!(
        "(module {imports} (memory (export \"memory\") 1) (func (export \"proxy_abi_version_0_2_1\")))"
    );
    let runtime = crate::wasm::Runtime::shared().unwrap();
    let error = runtime.load_bytes(&wat::parse_str(wat).unwrap()).err().unwrap();
    assert!(format!("{error:#}").contains("proxy_dance"), "{error:#}");
}

#[test]
fn an_endless_loop_ends_in_a_trap_that_says_so() {
    let chain = Chain::one(&[("on_request_headers", "(loop $ever (br $ever)) (i32.const 0)")]);
    let seen = chain.observe(EXCHANGE);
    assert_eq!(seen.response.status, 503);
    assert!(messages(&seen)[0].contains("endless loop"), "{:?}", messages(&seen));
}

#[test]
fn e27_filter_state_is_read_by_its_first_part() {
    let chain = Chain::one(&[(
        "on_request_headers",
        "(drop (call $set_state @\"tollgate.x\" @\"one\"))
         (call $state @\"tollgate.x\")
         (drop (call $set_state @\"a\\00b\" @\"two\"))
         (call $state @\"a\\00b\")
         (i32.const 0)",
    )]);
    let seen = chain.observe(EXCHANGE);
    assert_eq!(messages(&seen), ["one", "1"]);
    assert_eq!(seen.properties["tollgate.x"], "one");
}

#[test]
fn e27_a_root_context_has_no_filter_state() {
    let chain = Chain::one(&[(
        "on_configure",
        "(call $note (call $set_state @\"tollgate.x\" @\"one\")) (i32.const 1)",
    )]);
    let report = chain.run(&[EXCHANGE]).unwrap();
    assert_eq!(report.logs[0].message, "1");
}

#[test]
fn e31_a_level_above_critical_is_a_bad_argument() {
    let chain = Chain::one(&[(
        "on_request_headers",
        "(call $note (call $log (i32.const 6) @\"x\")) (i32.const 0)",
    )]);
    assert_eq!(messages(&chain.observe(EXCHANGE)), ["2"]);
}

#[test]
fn e32_memory_grows_to_a_gigabyte_at_most() {
    let chain = Chain::one(&[(
        "on_request_headers",
        "(call $note (i32.eq (memory.grow (i32.const 16384)) (i32.const -1))) (i32.const 0)",
    )]);
    assert_eq!(messages(&chain.observe(EXCHANGE)), ["1"]);
}

#[test]
fn host_functions_in_the_allocator_are_restricted() {
    let chain = Chain::one(&[
        (
            "raw",
            "(func (export \"proxy_on_memory_allocate\") (param i32) (result i32) (i32.const 0))",
        ),
        ("on_request_headers", "(call $header (i32.const 0) @\":path\") (i32.const 0)"),
    ]);
    // `malloc` comes first, as in Envoy.
    assert_eq!(messages(&chain.observe(EXCHANGE)), ["/"]);
}

#[test]
fn concurrent_neighbours_interleave_and_others_do_not() {
    let chain = Chain::one(&[
        (
            "on_request_headers",
            "(global.set $kept (i32.add (global.get $kept) (i32.const 1))) (i32.const 0)",
        ),
        ("on_log", "(call $note (global.get $kept))"),
    ]);
    let together = "{concurrent: true, request: {path: /, body: abc, chunks: [1]}, upstream: [{}]}";
    let report = chain.run(&[EXCHANGE, together, together, EXCHANGE]).unwrap();
    let open: Vec<_> = report.exchanges.iter().map(|seen| messages(seen)[0]).collect();
    assert_eq!(open, ["1", "3", "3", "4"]);
}

#[test]
fn scenario_properties_and_workers() {
    let callbacks = [(
        "on_request_headers",
        "(call $note (local.get $id)) (call $state @\"xds\\00cluster_name\") (i32.const 0)",
    )];
    let chain = Chain {
        filters: vec![("a", &callbacks, "")],
        scenario: "workers: 2\nproperties: {xds.cluster_name: providers}",
    };
    let report = chain.run(&[EXCHANGE, EXCHANGE, EXCHANGE]).unwrap();
    let ids: Vec<_> = report.exchanges.iter().map(|seen| messages(seen)[0]).collect();
    assert_eq!(ids, ["2", "2", "3"]);
    assert_eq!(messages(&report.exchanges[0])[1], "providers");
}
