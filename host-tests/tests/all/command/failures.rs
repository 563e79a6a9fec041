//! What `tollgate test` and `run` say of scenarios that fail, and where they say it.

use std::path::PathBuf;

use serde_json::Value;

use super::{NO_FILTER, file, outcome};

/// Refuses every request, and says so in a log line.
const REFUSES: &str = r#"(module
  (import "env" "proxy_send_local_response"
    (func $send (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "refused")
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 0))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (drop (call $log (i32.const 3) (i32.const 16) (i32.const 7)))
    (drop (call $send (i32.const 403) (i32.const 0) (i32.const 0) (i32.const 16) (i32.const 7)
      (i32.const 0) (i32.const 0) (i32.const -1)))
    (i32.const 1)))"#;

/// A scenario with that module, expecting what `expect` says, with a secret in the request.
fn refuses(name: &str, expect: &str) -> String {
    file(&format!("{name}/refuses.wat"), REFUSES);
    let text = format!(
        "description: refuses\nchain: [{{wasm: refuses.wat}}]\nexchanges:\n  - name: first\n    \
         request: {{path: /, headers: {{x-secret: hidden}}}}\n    expect: {expect}\n"
    );
    file(&format!("{name}/scenario.yaml"), &text)
}

#[test]
fn a_failure_shows_what_the_filters_did_about_it() {
    let path = refuses("trace", "{response: {status: 200}, logs: {contain: [allowed]}}");
    let (status, out, _) = outcome(&["test", &path]);
    assert_eq!(status, 1);
    let send = "send_local_response(code 403, ";
    let expected = format!(
        "FAIL  {path}
      refuses
      exchange first: response.status
        expected `200`
        found    `403` with the body `refused`
          refuses #2 on_request_headers("
    );
    assert!(out.starts_with(&expected), "{out}");
    let lines: Vec<&str> = out.lines().map(str::trim).collect();
    let reply = lines.iter().position(|line| line.starts_with(send)).unwrap();
    assert_eq!(lines[reply + 1], "exchange first: logs.contain", "{out}");
    assert_eq!(lines[reply + 5], "log(warn, 7 bytes) = Ok", "{out}");
    assert!(!out.contains("hidden"), "{out}");
}

#[test]
fn run_traces_everything_and_no_value() {
    let path = refuses("run-trace", "{}");
    let (status, out, err) = outcome(&["run", &path, "--trace"]);
    assert_eq!((status, err.as_str()), (0, ""));
    let lines: Vec<&str> = out.lines().collect();
    let heading = lines.iter().position(|line| *line == "exchange first").unwrap();
    assert!(lines[heading + 1].starts_with("  refuses #2 on_request_headers("), "{out}");
    assert_eq!(lines[heading + 2], "    log(warn, 7 bytes) = Ok");
    assert!(!out.contains("hidden"), "{out}");

    let (status, out, _) = outcome(&["run", &path, "--trace", "--json"]);
    assert_eq!(status, 0);
    let trace: Value = serde_json::from_str(&out).unwrap();
    let callback = &trace["callbacks"][0];
    assert_eq!(callback["filter"], "refuses");
    assert_eq!(callback["hostCalls"][0]["name"], "proxy_log");
    assert_eq!(trace["dropped"], 0);

    let (status, _, err) = outcome(&["run", &path, "--trace", "--host", "envoy"]);
    assert_eq!(status, 2, "{err}");
}

/// Callbacks that led to an end without a report are shown too.
#[test]
fn a_run_that_hangs_shows_what_was_done_last() {
    let hangs = REFUSES
        .replace("(drop (call $send", ";;")
        .replace("(i32.const 0) (i32.const 0) (i32.const -1)))", "");
    file("hangs/hangs.wat", &hangs);
    let text =
        "description: hangs\nchain: [{wasm: hangs.wat}]\nexchanges:\n  - request: {path: /}\n";
    let path = file("hangs/scenario.yaml", text);
    let (status, out, _) = outcome(&["test", &path]);
    assert_eq!(status, 1);
    assert!(out.contains("hangs #2 on_request_headers("), "{out}");
    assert!(out.contains("= Pause"), "{out}");

    let text = "description: hangs\nchain: [{wasm: hangs.wat, allowOnHeadersStopIteration: false}]\n\
                exchanges:\n  - request: {path: /, body: x}\n";
    let (status, out, _) = outcome(&["test", &file("hangs/scenario.yaml", text)]);
    assert_eq!(status, 1);
    let why = "filter `hangs` holds the request headers (a pause in headers stops body callbacks \
               unless allowOnHeadersStopIteration is true, which of the manifests only an EnvoyFilter \
               can set)";
    assert!(out.contains(why), "{out}");
}

/// A `WasmPlugin` cannot let a filter read the body while it holds the headers: with one the filter gets none, as in the
/// cluster, and says so.
#[test]
fn a_wasm_plugin_that_holds_headers_gets_no_body_as_in_a_cluster() {
    let manifest = |kind: &str, spec: &str| {
        format!("apiVersion: e/v1\nkind: {kind}\nmetadata: {{name: body-model}}\nspec:\n{spec}")
    };
    let plugin = manifest("WasmPlugin", "  url: oci://r.test/body-model:1\n");
    let hold = manifest(
        "EnvoyFilter",
        "  configPatches:\n    - patch:\n        value:\n          name: body-model\n          \
         typed_config:\n            config:\n              name: body-model\n              \
         vm_config: {code: {}}\n              allow_on_headers_stop_iteration: true\n",
    );
    file("held/plugin.yaml", &plugin);
    file("held/filter.yaml", &hold);
    let scenario = |manifest: &str| {
        let text = format!(
            "description: names the model\nchain: [{{filter: body-model, configFile: {manifest}}}]\n\
             exchanges:\n  - request: {{path: /v1/chat/completions, json: {{model: m, messages: []}}}}\n    \
             upstream: [{{}}]\n    expect: {{response: {{status: 200}}}}\n"
        );
        file(&format!("held/{manifest}-test.yaml"), &text)
    };
    let (status, out, _) = outcome(&["test", &scenario("plugin.yaml")]);
    assert_eq!(status, 1, "{out}");
    assert!(out.contains(r#""code":"header_hold_missing""#), "{out}");
    let (status, out, _) = outcome(&["test", &scenario("filter.yaml")]);
    assert_eq!(status, 0, "{out}");
}

#[test]
fn a_refused_configuration_is_told_with_its_place() {
    let text = "description: d\nchain:\n  - filter: key-check\n    config:\n      keys:\n        - idd: x\n\
                exchanges:\n  - request: {path: /}\n    expect: {response: {status: 200}}\n";
    let path = file("refused-config/scenario.yaml", text);
    let (status, out, _) = outcome(&["test", &path]);
    assert_eq!(status, 1);
    assert!(out.contains("      a filter refuses its configuration:\n"), "{out}");
    assert!(out.contains(&format!("{path}:6:11: keys[0].idd: unknown field `idd`")), "{out}");
}

#[test]
fn junit_has_a_suite_per_folder_and_a_case_per_scenario() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("junit");
    file("junit/passes/scenario.yaml", NO_FILTER);
    file("junit/fails/scenario.yaml", &NO_FILTER.replace("json: {y: 2}}}", "json: {y: '<3'}}}"));
    file("junit/skips.scenario.yaml", &format!("hosts: [envoy]\n{NO_FILTER}"));
    file("junit/deeper/broken/scenario.yaml", "description: d\nchain: x\n");
    let xml = folder.join("out/results.xml");
    let folder = folder.to_str().unwrap();
    let (status, out, err) = outcome(&["test", folder, "--junit", xml.to_str().unwrap()]);
    assert_eq!(status, 2, "{err}");
    assert!(out.ends_with("\n1 passed, 2 failed, 1 skipped\n"), "{out}");
    let xml = std::fs::read_to_string(xml).unwrap();
    for expected in [
        "<testsuites name=\"tollgate\" tests=\"4\" skipped=\"1\" failures=\"1\" errors=\"1\"".to_owned(),
        format!("<testsuite name=\"{folder}\" tests=\"3\""),
        format!("<testsuite name=\"{folder}/deeper\" tests=\"1\""),
        format!("<testcase name=\"passes\" classname=\"{folder}\" time="),
        format!("file=\"{folder}/passes/scenario.yaml\""),
        "<skipped message=\"`hosts` leaves wasmtime out\"/>".to_owned(),
        "<failure message=\"exchange 1: response.json.y: expected `&quot;&lt;3&quot;`, found `2`\">".to_owned(),
        format!("<error message=\"{folder}/deeper/broken/scenario.yaml:2:8: chain: found the text"),
    ] {
        assert!(xml.contains(&expected), "{expected}\n{xml}");
    }
    // A folder is in the way.
    let (status, _, err) = outcome(&["test", folder, "--junit", folder]);
    assert_eq!(status, 2);
    assert!(err.contains(&format!("error: cannot write `{folder}`")), "{err}");
}

#[test]
fn some_scenarios_can_be_selected_and_the_others_kept_quiet() {
    let one = file("select/one.scenario.yaml", &NO_FILTER.replace("passes", "refuses Strangers"));
    let two = file("select/two.scenario.yaml", NO_FILTER);
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("select");
    let folder = folder.to_str().unwrap();
    for (arguments, expected) in [
        (vec!["-k", "strangers"], format!("pass  {one}\n1 passed, 0 failed, 0 skipped\n")),
        (vec!["--only", "TWO.scen"], format!("pass  {two}\n1 passed, 0 failed, 0 skipped\n")),
        (
            vec!["-k", "strangers", "-k", "two"],
            format!("pass  {one}\npass  {two}\n2 passed, 0 failed, 0 skipped\n"),
        ),
        (vec!["--quiet"], "2 passed, 0 failed, 0 skipped\n".to_owned()),
    ] {
        let (status, out, err) = outcome(&[&["test", folder], arguments.as_slice()].concat());
        assert_eq!((status, out, err), (0, expected, String::new()), "{arguments:?}");
    }
    let (status, out, err) = outcome(&["test", folder, "-k", "three"]);
    assert_eq!((status, out.as_str()), (2, ""));
    assert_eq!(err, "error: none of 2 scenarios has `three` in its path or description\n");
}

#[test]
fn colours_are_there_on_demand_only() {
    let path = file("colour/scenario.yaml", NO_FILTER);
    let (_, out, _) = outcome(&["test", &path]);
    assert!(!out.contains('\x1b'), "{out:?}");
    let (_, out, _) = outcome(&["test", "--color", "always", &path]);
    assert!(out.starts_with("\x1b[32mpass\x1b[0m  "), "{out:?}");
    assert!(out.ends_with("\n1 passed, 0 failed, 0 skipped\n"), "{out:?}");
    let (_, out, _) = outcome(&["--color", "never", "test", &path]);
    assert!(!out.contains('\x1b'), "{out:?}");
}

/// The profile of the command line takes the place of the file's, on both commands.
#[test]
fn the_profile_can_be_chosen() {
    let path = file("profile/scenario.yaml", &format!("profile: spec\n{NO_FILTER}"));
    for profile in ["envoy", "envoy-old", "spec"] {
        let (status, out, err) = outcome(&["test", &path, "--profile", profile]);
        assert_eq!(status, 0, "{out}{err}");
        let (status, _, err) = outcome(&["run", &path, "--profile", profile]);
        assert_eq!(status, 0, "{err}");
    }
    // A real Envoy is what it is, unless the command line says that Envoy is meant.
    let (_, out, _) = outcome(&["test", &path, "--host", "envoy"]);
    assert!(out.contains("skip  ") && out.contains("`profile`"), "{out}");
    let (_, out, _) = outcome(&["test", &path, "--host", "envoy", "--profile", "envoy"]);
    assert!(!out.contains("`profile`"), "{out}");
}

#[test]
fn help_teaches_with_examples_and_says_the_exit_status_once() {
    let (status, out, _) = outcome(&["--help"]);
    assert_eq!(status, 0);
    assert_eq!(out.matches("Exit status:").count(), 1, "{out}");
    for command in ["test", "run", "init"] {
        let (status, out, _) = outcome(&[command, "--help"]);
        assert_eq!(status, 0);
        let examples = out.split("Examples:").nth(1).unwrap_or_else(|| panic!("{out}"));
        // Each is one that can be typed.
        for line in examples.lines().filter(|line| line.starts_with("  tollgate ")) {
            assert!(line.trim_start().starts_with(&format!("tollgate {command} ")), "{line}");
        }
    }
}
