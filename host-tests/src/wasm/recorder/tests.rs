//! What a trace of a run shows, and what it does not.

use crate::plan::Plan;
use crate::trace::{Outcome, Trace};
use crate::wasm::tests::guest::guest;

/// Runs one filter `a`, made of `callbacks`, with a request with a secret in it.
fn trace(callbacks: &[(&str, &str)]) -> Trace {
    let folder = tempfile(callbacks);
    let yaml = "description: recorded\nchain: [{wasm: ./a.wasm, config: abc}]\nexchanges:\n  \
                - {request: {path: /, headers: {authorization: secret}, body: hello}, \
                upstream: [{body: fine}]}\n";
    let file = folder.join("scenario.yaml");
    std::fs::write(&file, yaml).unwrap();
    let plan = Plan::load(&file).unwrap();
    // Some hang, which is told in the trace too.
    let (_, trace) = crate::wasm::record(&plan);
    std::fs::remove_dir_all(folder).unwrap();
    trace
}

fn tempfile(callbacks: &[(&str, &str)]) -> std::path::PathBuf {
    let name = std::thread::current().name().unwrap_or_default().replace("::", "-");
    let folder = std::env::temp_dir().join(format!("tollgate-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("a.wasm"), guest("a", callbacks)).unwrap();
    folder
}

#[test]
fn callbacks_and_their_host_calls_are_told_in_order_without_values() {
    let trace = trace(&[
        (
            "on_request_headers",
            "(call $header (i32.const 0) @\"authorization\")
             (drop (call $remove_header (i32.const 0) @\"authorization\"))
             (drop (call $set_state @\"tollgate.x\" @\"hidden\"))
             (call $state @\"no\\00such\")
             (i32.const 0)",
        ),
        ("on_request_body", "(call $body (i32.const 0)) (i32.const 1)"),
        ("on_request_trailers", "(i32.const 0)"),
        ("on_response_headers", "(drop (call $continue (i32.const 9))) (i32.const 0)"),
    ]);
    let lines: Vec<String> = trace
        .of(Some(0))
        .flat_map(|callback| {
            let calls = callback.host_calls.iter().map(|call| format!("  {call}"));
            std::iter::once(callback.to_string()).chain(calls).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(
        lines,
        [
            "a #2 on_request_headers(6 headers) = Continue",
            "  get_header_map_value(request headers, \"authorization\") = Ok",
            "  log(info, 6 bytes) = Ok",
            "  remove_header_map_value(request headers, \"authorization\") = Ok",
            "  set_property(\"tollgate.x\", value 6 bytes) = Ok",
            "  get_property(\"no.such\") = NotFound",
            "  log(info, 1 bytes) = Ok",
            "a #2 on_request_body(5 bytes) = Pause",
            "  get_buffer_bytes(request body) = Ok",
            "  log(info, 5 bytes) = Ok",
            "a #2 on_request_body(5 bytes, end) = Pause",
            "  get_buffer_bytes(request body) = Ok",
            "  log(info, 5 bytes) = Ok",
        ]
    );
    assert!(!format!("{trace:?}").contains("secret"));
}

#[test]
fn costs_are_counted_by_filter_and_callback() {
    let trace = trace(&[
        ("on_configure", "(i32.const 1)"),
        ("on_request_headers", "(call $header (i32.const 0) @\"authorization\") (i32.const 0)"),
    ]);
    let total = &trace.totals[&("a".to_owned(), "proxy_on_request_headers")];
    assert_eq!((total.callbacks, total.allocations, total.all_host_calls()), (1, 1, 2));
    // The value, a pointer and a length; the name, and the value that is logged.
    assert_eq!((total.bytes_to_guest, total.bytes_from_guest), (6 + 8, 13 + 6));
    assert_eq!(total.peak_pages, 64);
    assert!(total.fuel > 10 && total.fuel < 1000, "{}", total.fuel);
    assert_eq!(trace.totals[&("a".to_owned(), "proxy_on_configure")].callbacks, 1);
    assert_eq!(trace.of(None).count(), 1);
}

#[test]
fn a_trap_and_the_host_call_that_caused_it_are_told() {
    let allocator = "(func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
                       unreachable)";
    let trace = trace(&[("raw", allocator)]);
    let callback = trace.of(Some(0)).next().unwrap();
    assert!(matches!(&callback.outcome, Outcome::Trapped(why) if why.contains("unreachable")));
}

#[test]
fn the_same_run_costs_the_same_and_nobody_pays_who_did_not_ask() {
    let callbacks =
        [("on_request_headers", "(call $header (i32.const 0) @\":path\") (i32.const 0)")];
    let (one, two) = (trace(&callbacks), trace(&callbacks));
    assert_eq!(one.totals, two.totals);
    assert_eq!(one.dropped, 0);
}
