//! Each check can fail, on a module made for that, and can be opted out of.

use super::check;
use crate::judge::Failure;
use crate::plan::Plan;
use crate::wasm::tests::guest::guest;

/// Runs and checks a scenario of one filter, with a body in each direction; `fields` are more
/// top-level fields.
fn checked(name: &str, callbacks: &[(&str, &str)], fields: &str) -> Vec<Failure> {
    let folder =
        std::env::temp_dir().join(format!("tollgate-checks-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("a.wasm"), guest(name, callbacks)).unwrap();
    let yaml = format!(
        "description: checked\n{fields}\nchain: [{{wasm: ./a.wasm}}]\nexchanges:\n  \
         - {{request: {{path: /, body: request}}, upstream: [{{body: response}}]}}\n"
    );
    std::fs::write(folder.join("scenario.yaml"), yaml).unwrap();
    let plan = Plan::load(&folder.join("scenario.yaml")).unwrap();
    std::fs::remove_file(folder.join("scenario.yaml")).unwrap();
    let report = crate::wasm::run(&plan).unwrap();
    let failures = check(&plan, &report).unwrap();
    std::fs::remove_dir_all(folder).unwrap();
    failures
}

/// Appends a byte to each piece of the response.
const PER_PIECE: [(&str, &str); 2] = [
    (
        "on_response_headers",
        "(drop (call $remove_header (i32.const 2) @\"content-length\")) (i32.const 0)",
    ),
    (
        "on_response_body",
        "(drop (call $set_body (i32.const 1) (local.get $n) (i32.const 0) @\"!\")) (i32.const 0)",
    ),
];

/// Keeps so many bytes per stream for ever: a filter whose map of streams is never cleaned up.
fn leaks(bytes: u32) -> String {
    format!(
        "(i32.store8 (global.get $heap) (i32.const 1))
         (global.set $heap (i32.add (global.get $heap) (i32.const {bytes})))
         (i32.const 0)"
    )
}

#[test]
fn a_filter_that_minds_where_bodies_are_cut_is_found() {
    let failures = checked("pieces", &PER_PIECE, "");
    let [failure] = failures.as_slice() else { panic!("{failures:?}") };
    assert_eq!(failure.exchange, "1");
    assert_eq!(failure.path, "response.body, with bodies in single bytes");
    assert_eq!(failure.expected, "\"response!!\"");
    assert!(failure.found.starts_with("\"r!e!s!p!o!n!s!e!"), "{failure}");
    assert!(failure.found.contains("`unchecked: {cuts: …}`"), "{failure}");
    let reason = "unchecked: {cuts: it counts pieces}";
    assert_eq!(checked("pieces-unchecked", &PER_PIECE, reason), []);
}

#[test]
fn a_filter_that_hangs_with_some_cut_is_found() {
    let waits = "(if (i32.eq (local.get $n) (i32.const 1)) (then (global.set $kept (i32.const 1))))
                 (global.get $kept)";
    let failures = checked("waits", &[("on_response_body", waits)], "");
    let [failure, ..] = failures.as_slice() else { panic!("no failure") };
    assert_eq!(failure.path, "outcome, with bodies in single bytes");
    assert!(failure.found.contains("hangs"), "{failure}");
}

#[test]
fn a_leak_of_any_size_is_found() {
    for bytes in [8, 64, 5000] {
        let leak = leaks(bytes);
        let failures = checked(&format!("leaks-{bytes}"), &[("on_request_headers", &leak)], "");
        let [failure] = failures.as_slice() else { panic!("{bytes}: {failures:?}") };
        assert!(failure.path.starts_with("memory of a,"), "{failure}");
        assert!(failure.found.contains("about"), "{failure}");
        assert!(failure.found.contains("`unchecked: {memory: …}`"), "{failure}");
    }
    let reason = "unchecked: {memory: it has to remember all}";
    let leak = leaks(8);
    assert_eq!(checked("leaks-unchecked", &[("on_request_headers", &leak)], reason), []);
}

#[test]
fn pages_that_grow_are_found_in_memories_too_large_to_watch() {
    let grow = "(drop (memory.grow (i32.const 1))) (i32.const 0)";
    let large = "(drop (memory.grow (i32.const 2000))) (i32.const 1)";
    let failures = checked("pages", &[("on_configure", large), ("on_request_headers", grow)], "");
    let [failure] = failures.as_slice() else { panic!("{failures:?}") };
    assert!(failure.found.contains("whole pages"), "{failure}");
}

#[test]
fn what_is_used_again_and_what_fills_up_is_no_leak() {
    // Writes into a ring of so many bytes, a line at a time.
    let ring = |bytes: u32| {
        format!(
            "(global.set $kept (i32.rem_u (i32.add (global.get $kept) (i32.const 64)) (i32.const {bytes})))
             (i32.store (i32.add (i32.const 200000) (global.get $kept)) (local.get $id))
             (i32.const 0)"
        )
    };
    for bytes in [64, 640, 6400] {
        let callback = ring(bytes);
        let callbacks = [("on_request_headers", callback.as_str())];
        assert_eq!(checked(&format!("ring-{bytes}"), &callbacks, ""), [], "{bytes}");
    }
}

#[test]
fn where_the_client_goes_away_in_mid_body_cuts_are_not_checked() {
    let folder = std::env::temp_dir().join(format!("tollgate-leaves-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("a.wasm"), guest("leaves", &PER_PIECE)).unwrap();
    let yaml = "description: leaves\nchain: [{wasm: ./a.wasm}]\nexchanges:\n  \
                - {request: {path: /, abortAfterBytes: 3}, upstream: [{body: response}]}\n";
    std::fs::write(folder.join("scenario.yaml"), yaml).unwrap();
    let plan = Plan::load(&folder.join("scenario.yaml")).unwrap();
    let report = crate::wasm::run(&plan).unwrap();
    assert_eq!(check(&plan, &report).unwrap(), []);
    std::fs::remove_dir_all(folder).unwrap();
}
