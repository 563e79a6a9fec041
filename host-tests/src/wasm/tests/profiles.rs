//! Host profiles: each switch, in every profile.

use super::*;

const PROFILES: [&str; 3] = ["profile: envoy", "profile: envoy-old", "profile: spec"];

/// What one filter logs in `exchange`, in each profile.
fn logged(callbacks: &[(&str, &str)], exchange: &str) -> [Vec<String>; 3] {
    PROFILES.map(|profile| {
        let chain = Chain { filters: vec![("a", callbacks, "")], scenario: profile };
        let seen = chain.observe(exchange);
        seen.logs.into_iter().map(|line| line.message).collect()
    })
}

const GET: &str = "{request: {path: /}, upstream: [{body: fine}]}";
const POST: &str = "{request: {path: /, body: abcdef}, upstream: [{body: fine}]}";

#[test]
fn header_hold_and_reload_are_unknown_to_old_envoys() {
    let holds = [("on_request_headers", "(i32.const 1)"), ("on_request_body", "(i32.const 0)")];
    let outcome = PROFILES.map(|profile| {
        let chain = Chain { filters: vec![("a", &holds, "")], scenario: profile };
        chain.run(&[POST]).is_ok()
    });
    assert_eq!(outcome, [true, false, true]);
    let traps = [(
        "on_request_headers",
        "(call $header (i32.const 0) @\"x\") (if (i32.eqz (i32.const 1)) (then)) (unreachable)",
    )];
    let logged = PROFILES.map(|profile| {
        let chain = Chain { filters: vec![("a", &traps, "")], scenario: profile };
        let later = "{request: {path: /}, advance: 10s, upstream: [{body: fine}]}";
        let report = chain.run(&[GET, later]).unwrap();
        !report.exchanges[1].logs.is_empty()
    });
    assert_eq!(logged, [true, false, true], "whether a new VM was made");
}

#[test]
fn on_vm_start_comes_once_for_each_vm_or_for_each_plugin() {
    let start = [("on_vm_start", "(call $note (local.get $id)) (i32.const 1)")];
    let starts = PROFILES.map(|profile| {
        let folder = std::env::temp_dir().join(format!(
            "tollgate-starts-{}-{}",
            std::process::id(),
            profile.len()
        ));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("m.wasm"), guest("m", &start)).unwrap();
        let link = "{wasm: ./m.wasm}";
        let yaml = format!(
            "description: starts\nhosts: [wasmtime]\n{profile}\nchain: [{link}, {link}]\n\
             exchanges:\n  - {GET}\n"
        );
        std::fs::write(folder.join("scenario.yaml"), yaml).unwrap();
        let plan = Plan::load(&folder.join("scenario.yaml")).unwrap();
        let report = crate::wasm::run(&plan).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        report.logs.iter().any(|line| line.message == "2")
    });
    // The second plugin's root context is the second one of the workers' VM.
    assert_eq!(starts, [true, true, false]);
}

#[test]
fn what_of_a_body_can_be_replaced() {
    // At 2 of 6 bytes; 2 at the front of 6; all of it from 1 on.
    let body = |set: &str| {
        let callback =
            format!("(if (i32.eqz (local.get $end)) (then (call $note {set}))) (i32.const 0)");
        let callbacks = [
            (
                "on_request_headers",
                "(drop (call $remove_header (i32.const 0) @\"content-length\")) (i32.const 0)",
            ),
            ("on_request_body", callback.as_str()),
        ];
        PROFILES.map(|profile| {
            let chain = Chain { filters: vec![("a", &callbacks, "")], scenario: profile };
            let seen = chain.observe(POST);
            (messages(&seen).concat(), seen.upstream[0].body.clone().unwrap())
        })
    };
    let ok = |body: &str| ("0".to_owned(), body.to_owned());
    let bad = || ("2".to_owned(), "abcdef".to_owned());
    let middle = body("(call $set_body (i32.const 0) (i32.const 2) (i32.const 2) @\"X\")");
    assert_eq!(middle, [bad(), bad(), ok("abXef")]);
    let front = body("(call $set_body (i32.const 0) (i32.const 0) (i32.const 2) @\"X\")");
    assert_eq!(front, [ok("Xcdef"), bad(), ok("Xcdef")]);
    let all = body("(call $set_body (i32.const 0) (i32.const 0) (i32.const 9) @\"X\")");
    assert_eq!(all, [ok("X"), ok("X"), ok("X")]);
    let behind = body("(call $set_body (i32.const 0) (i32.const 6) (i32.const 0) @\"X\")");
    assert_eq!(behind, [ok("abcdefX"), ok("abcdefX"), ok("abcdefX")]);
}

#[test]
fn a_body_outside_of_its_callbacks_is_empty_or_not_found() {
    let callbacks = [(
        "on_request_headers",
        "(call $note (call $get_body (i32.const 1) (i32.const 0) (i32.const 9) (i32.const 16) (i32.const 20)))
         (call $note (call $set_body (i32.const 1) (i32.const 0) (i32.const 9) @\"X\"))
         (i32.const 0)",
    )];
    let [envoy, old, spec] = logged(&callbacks, GET);
    assert_eq!((envoy, old), (vec!["0".into(), "2".into()], vec!["0".into(), "2".into()]));
    assert_eq!(spec, ["1", "1"]);
}

#[test]
fn reading_from_behind_the_end_gives_nothing_or_is_a_bad_argument() {
    let callbacks = [(
        "on_request_body",
        "(if (i32.eqz (local.get $end)) (then
           (call $note (call $get_body (i32.const 0) (i32.const 7) (i32.const 1) (i32.const 16) (i32.const 20)))
           (call $note (call $get_body (i32.const 0) (i32.const 6) (i32.const 1) (i32.const 16) (i32.const 20)))
           (call $note (call $get_body (i32.const 0) (i32.const 4) (i32.const -1) (i32.const 16) (i32.const 20)))
           (call $note (i32.load (i32.const 20)))))
         (i32.const 0)",
    )];
    let [envoy, old, spec] = logged(&callbacks, POST);
    assert_eq!(envoy, ["0", "0", "0", "2"]);
    assert_eq!(old, envoy);
    assert_eq!(spec, ["2", "0", "0", "2"]);
}

#[test]
fn the_log_comes_first_or_between_done_and_delete() {
    let callbacks = [
        ("on_log", "(call $say @\"log\")"),
        ("on_done", "(call $say @\"done\") (i32.const 1)"),
        ("on_delete", "(call $say @\"delete\")"),
    ];
    let [envoy, old, spec] = logged(&callbacks, GET);
    assert_eq!(envoy, ["log", "done", "delete"]);
    assert_eq!(old, ["done", "log", "delete"]);
    assert_eq!(spec, ["done", "log", "delete"]);
}

#[test]
fn a_stream_may_wait_for_proxy_done_or_not() {
    // The second exchange ends the first one's stream.
    let callbacks = [
        (
            "raw",
            "(func $finish (param $id i32) (local $status i32)
               (drop (call $effective (global.get $kept)))
               (local.set $status (call $done))
               (drop (call $effective (local.get $id)))
               (call $note (local.get $status)))",
        ),
        ("on_done", "(global.set $kept (local.get $id)) (i32.const 0)"),
        (
            "on_request_headers",
            "(if (global.get $kept) (then
               (call $finish (local.get $id)) (call $finish (local.get $id))))
             (i32.const 0)",
        ),
        (
            "on_response_headers",
            "(if (global.get $kept) (then (call $note (call $effective (global.get $kept)))))
             (i32.const 0)",
        ),
    ];
    let second = PROFILES.map(|profile| {
        let chain = Chain { filters: vec![("a", &callbacks, "")], scenario: profile };
        let report = chain.run(&[GET, GET]).unwrap();
        messages(&report.exchanges[1]).join(" ")
    });
    // Done twice, then whether the context is still there: not found, not found, gone.
    assert_eq!(second, ["1 1 2", "1 1 2", "0 1 2"]);
}

#[test]
fn the_size_of_a_map_counts_names_and_values_or_all_of_its_serialization() {
    let callbacks = [(
        "on_response_headers",
        "(call $note (call $map_size (i32.const 2) (i32.const 16)))
             (call $note (i32.load (i32.const 16)))
             (call $note (call $get_pairs (i32.const 2) (i32.const 16) (i32.const 20)))
             (call $note (i32.load (i32.const 20)))
             (call $note (call $map_size (i32.const 0) (i32.const 16)))
             (i32.const 0)",
    )];
    let [envoy, old, spec] = logged(&callbacks, GET);
    assert_eq!(spec[0], "0");
    assert_eq!(spec[1], spec[3], "size of the pairs as handed over");
    assert_eq!(spec[4], "1");
    for other in [envoy, old] {
        assert_ne!(other[1], other[3]);
        assert_eq!(other[4], "2");
    }
}

#[test]
fn attributes_of_xds_stand_alone_in_old_envoys() {
    let callbacks = [(
        "on_request_headers",
        "(call $state @\"route_name\") (call $state @\"xds\\00route_name\") (i32.const 0)",
    )];
    let [envoy, old, spec] = logged(&callbacks, GET);
    assert_eq!(envoy, ["1", "default"]);
    assert_eq!(old, ["default", "default"]);
    assert_eq!(spec, envoy);
}
