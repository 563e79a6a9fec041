//! The `tollgate` command as its users meet it: what it prints, and its exit status.

mod check;
mod failures;
mod init;
mod modules;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use crate::{root, yaml_blocks};

/// Runs `tollgate` in the root of the repository.
fn tollgate(arguments: &[&str], stdin: &str) -> Output {
    tollgate_with(&[], arguments, stdin)
}

/// The same with environment variables.
fn tollgate_with(env: &[(&str, &str)], arguments: &[&str], stdin: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .current_dir(root())
        .args(arguments)
        .envs(env.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may have gone already, without reading.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    child.wait_with_output().unwrap()
}

/// Exit status, what it printed, and what it complained of.
pub(super) fn outcome(arguments: &[&str]) -> (i32, String, String) {
    let output = tollgate(arguments, "");
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

/// Writes a file for one test, and gives its path.
pub(super) fn file(name: &str, text: &str) -> String {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Without a filter, so that nothing needs building.
const NO_FILTER: &str = "description: passes
chain: []
exchanges:
  - request: {path: /a, json: {x: 1}}
    upstream: [{json: {y: 2}}]
    expect: {upstream: [{path: /a, json: {x: 1}}], response: {status: 200, json: {y: 2}}}
";

#[test]
fn a_scenario_that_passes_is_one_line_and_the_tally() {
    let path = file("passes/scenario.yaml", NO_FILTER);
    let (status, out, err) = outcome(&["test", &path]);
    assert_eq!(
        (status, out, err),
        (0, format!("pass  {path}\n1 passed, 0 failed, 0 skipped\n"), String::new())
    );
}

#[test]
fn a_difference_is_told_as_path_expected_and_found() {
    let text = NO_FILTER.replace("json: {y: 2}}}", "json: {y: 3}}}");
    let path = file("fails/scenario.yaml", &text);
    let (status, out, _) = outcome(&["test", &path]);
    assert_eq!(status, 1);
    assert_eq!(
        out,
        format!(
            "FAIL  {path}
      passes
      exchange 1: response.json.y
        expected `3`
        found    `2`
0 passed, 1 failed, 0 skipped
"
        )
    );
}

#[test]
fn the_scenario_of_the_readme_passes() {
    let readme = std::fs::read_to_string(root().join("host-tests/README.md")).unwrap();
    let path = file("readme/scenario.yaml", yaml_blocks(&readme).next().unwrap());
    let (_, out, _) = outcome(&["test", &path]);
    assert_eq!(out, format!("pass  {path}\n1 passed, 0 failed, 0 skipped\n"));
}

#[test]
fn a_folder_is_searched_and_a_skip_says_why() {
    let skipped = file("folder/a/scenario.yaml", &format!("hosts: [envoy]\n{NO_FILTER}"));
    let passed = file("folder/b/two.scenario.yaml", NO_FILTER);
    file("folder/b/not-one.yaml", "-");
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("folder");
    let (status, out, _) = outcome(&["test", folder.to_str().unwrap()]);
    assert_eq!(status, 0);
    assert_eq!(
        out,
        format!(
            "skip  {skipped}: `hosts` leaves wasmtime out
pass  {passed}
1 passed, 0 failed, 1 skipped
"
        )
    );
}

#[test]
fn a_malformed_scenario_is_named_and_the_others_run() {
    let bad = file("malformed/a.scenario.yaml", &NO_FILTER.replace("request:", "reqest:"));
    let good = file("malformed/b.scenario.yaml", NO_FILTER);
    let (status, out, _) = outcome(&["test", &bad, &good]);
    assert_eq!(status, 2);
    assert!(
        out.starts_with(&format!(
            "FAIL  {bad}\n      {bad}:4:5: exchanges[0].reqest: unknown field `reqest`"
        )),
        "{out}"
    );
    assert!(out.contains("did you mean `request`?"), "{out}");
    assert!(out.ends_with(&format!("pass  {good}\n1 passed, 1 failed, 0 skipped\n")), "{out}");
}

#[test]
fn run_prints_one_object_of_the_documented_form() {
    let path = file("run/scenario.yaml", NO_FILTER);
    let (status, out, err) = outcome(&["run", &path, "--json"]);
    assert_eq!((status, err.as_str()), (0, ""));
    assert_eq!(out.lines().count(), 1);
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    let names = |value: &serde_json::Value| {
        value.as_object().unwrap().keys().cloned().collect::<Vec<String>>()
    };
    let exchange = &report["exchanges"][0];
    assert_eq!(names(&report), ["exchanges", "logs"]);
    let parts = ["name", "upstream", "callouts", "response", "properties", "metrics", "logs"];
    assert_eq!(names(exchange), parts);
    assert_eq!(names(&exchange["upstream"][0]), ["method", "path", "headers", "body"]);
    assert_eq!(names(&exchange["response"]), ["status", "headers", "body", "localReply", "reset"]);
    assert_eq!(exchange["upstream"][0]["body"], r#"{"x":1}"#);
}

#[test]
fn run_refuses_what_the_host_cannot_honour() {
    let path = file("run-skip/scenario.yaml", &format!("hosts: [envoy]\n{NO_FILTER}"));
    let (status, out, err) = outcome(&["run", &path, "--json"]);
    assert_eq!((status, out.as_str()), (2, ""));
    let expected = format!("error: {path} cannot run on wasmtime: `hosts` leaves wasmtime out\n");
    assert_eq!(err, expected);
}

#[test]
fn schema_is_what_is_checked_in() {
    let (status, out, _) = outcome(&["schema", "--filter", "key-check"]);
    let file = root().join("filters/key-check/config/schema.json");
    assert_eq!(status, 0);
    assert!(out == std::fs::read_to_string(file).unwrap(), "{out}");
}

#[test]
fn wrong_usage_is_status_2_and_one_helpful_line() {
    let empty = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("empty");
    std::fs::create_dir_all(&empty).unwrap();
    let empty = empty.to_str().unwrap();
    for (arguments, words) in [
        (
            vec!["check", "--filter", "key-chek", "x"],
            "error: unknown filter `key-chek`, expected one of key-check, body-model, token-count, \
             provider-rewrite; did you mean `key-check`?\n",
        ),
        (
            vec!["check", "--filter", "key-check", "no-such-file"],
            "error: `no-such-file`: cannot read the file: ",
        ),
        (vec!["test", "no-such-file"], "error: no file or folder `no-such-file`\n"),
        (vec!["test", empty], "error: no scenario in `"),
        (vec!["run", "no-such-file"], "error: no-such-file: cannot read the file: "),
        (vec!["test"], "error: the following required arguments were not provided"),
        (vec!["test", "--host", "nginx", "x"], "error: invalid value 'nginx' for '--host <HOST>'"),
        (vec!["tset"], "error: unrecognized subcommand 'tset'"),
    ] {
        let (status, out, err) = outcome(&arguments);
        assert_eq!((status, out.as_str()), (2, ""), "{arguments:?}");
        assert!(err.starts_with(words), "{arguments:?}: {err}");
    }
}
