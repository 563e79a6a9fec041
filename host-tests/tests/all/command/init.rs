//! `tollgate init`: what it writes passes, and it writes over nothing.

use std::fs;
use std::path::PathBuf;

use super::{file, outcome};
use crate::{root, short};

/// A folder that is not there yet.
fn folder(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("init").join(name);
    if path.exists() {
        fs::remove_dir_all(&path).unwrap();
    }
    path.to_str().unwrap().to_owned()
}

fn passes(folder: &str) {
    let (_, out, err) = outcome(&["test", folder]);
    assert!(out.ends_with("\n1 passed, 0 failed, 0 skipped\n"), "{out}{err}");
}

#[test]
fn the_example_passes_and_is_not_written_over() {
    let folder = folder("example/deeper");
    let (status, out, err) = outcome(&["init", &folder]);
    assert_eq!((status, err.as_str()), (0, ""));
    let start = format!("wrote {folder}/scenario.yaml\nwrote {folder}/config.yaml\n\nNext:\n");
    assert!(out.starts_with(&start), "{out}");
    assert!(out.contains(&format!("  tollgate test {folder}\n")), "{out}");
    passes(&folder);
    let config = format!("{folder}/config.yaml");
    let (status, out, _) = outcome(&["check", "--filter", "key-check", &config]);
    assert_eq!((status, out.as_str()), (0, "ok\n"));

    fs::write(&config, "mine").unwrap();
    fs::remove_file(format!("{folder}/scenario.yaml")).unwrap();
    let (status, out, err) = outcome(&["init", &folder]);
    assert_eq!((status, out.as_str()), (2, ""));
    assert_eq!(err, format!("error: `{config}` is there already, so nothing was written\n"));
    assert_eq!(fs::read_to_string(&config).unwrap(), "mine");
    assert!(!PathBuf::from(format!("{folder}/scenario.yaml")).exists());
}

/// It would teach nothing if what it expects could not fail.
#[test]
fn each_expectation_of_the_example_can_fail() {
    let folder = folder("fails");
    assert_eq!(outcome(&["init", &folder]).0, 0);
    let scenario = format!("{folder}/scenario.yaml");
    let text = fs::read_to_string(&scenario).unwrap();
    for (from, to, path) in [
        ("status: 401", "status: 403", "exchange without a key: response.status"),
        (
            "code: invalid_api_key",
            "code: other",
            "exchange without a key: response.json.error.code",
        ),
        ("authorization: null", "authorization: x", "upstream[0].headers.authorization"),
        ("nowhere: [sk-test]", "nowhere: [gpt-4o]", "upstream[0].nowhere"),
        ("bodyContains: [Hi!]", "bodyContains: [Bye]", "response.bodyContains"),
    ] {
        assert!(text.contains(from), "{from}");
        fs::write(&scenario, text.replace(from, to)).unwrap();
        let (status, out, _) = outcome(&["test", &folder]);
        assert_eq!(status, 1, "{out}");
        assert!(out.contains(path), "{path}: {out}");
    }
}

#[test]
fn a_module_of_the_users_gets_a_scenario_that_passes() {
    let module = root().join("host-tests/scenarios/text-modules-are-assembled/answers.wat");
    let manifest = "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {name: mine}\n\
                    spec: {url: 'oci://registry.test/mine:1', pluginConfig: {a: 1}}\n";
    let manifest = file("init-manifest/wasm plugin.yaml", manifest);
    let folder = folder("module");
    let (status, out, err) =
        outcome(&["init", &folder, "--wasm", &short(&module), "--config", &manifest]);
    assert_eq!(status, 0, "{err}");
    assert!(out.contains("what came of a first run"), "{out}");
    let text = fs::read_to_string(format!("{folder}/scenario.yaml")).unwrap();
    assert!(
        text.contains("/answers.wat\n    configFile: \"../../init-manifest/wasm plugin.yaml\"\n"),
        "{text}"
    );
    assert!(
        text.contains("upstream: []\n      response: {status: 200, localReply: true}\n"),
        "{text}"
    );
    passes(&folder);
}

/// What the runner checks of every scenario may not hold of a module: the scenario then says so.
#[test]
fn a_module_that_leaks_gets_a_scenario_that_says_so() {
    let leaks = r#"(module
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 0))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (drop (memory.grow (i32.const 1)))
    (i32.const 0)))"#;
    let leaks = file("init-leaks/leaks.wat", leaks);
    let folder = folder("leaks");
    let (status, out, err) = outcome(&["init", &folder, "--wasm", &leaks]);
    assert_eq!(status, 0, "{err}");
    assert!(out.contains("A check that every scenario is put to does not hold"), "{out}");
    let text = fs::read_to_string(format!("{folder}/scenario.yaml")).unwrap();
    assert!(text.contains("unchecked:\n  memory: \"found growth "), "{text}");
    passes(&folder);
}

#[test]
fn a_filter_with_a_manifest_gets_a_scenario_that_passes() {
    let folder = folder("filter");
    let manifest = "kuadrant/wasmplugin-only/wasmplugin.yaml";
    let arguments = ["init", &folder, "--filter", "token-count", "--config", manifest];
    let (status, _, err) = outcome(&arguments);
    assert_eq!(status, 0, "{err}");
    let text = fs::read_to_string(format!("{folder}/scenario.yaml")).unwrap();
    assert!(text.contains("upstream: [{method: POST, path: /v1/chat/completions}]"), "{text}");
    passes(&folder);
}

/// A folder that tells why is better than a scenario that never ran.
#[test]
fn what_does_not_run_is_not_written() {
    let broken = file("init-broken/x.wasm", "no module");
    let refused = file("init-broken/config.yaml", "keys: 7\n");
    for (name, arguments, words) in [
        ("broken", ["--wasm", &broken], "the module does not run with this configuration"),
        ("nothing", ["--wasm", "no-such.wasm"], "cannot find `no-such.wasm`"),
        ("filter", ["--filter", "key-chek"], "did you mean `key-check`?"),
        ("of-what", ["--config", &refused], "Give `--wasm FILE` or `--filter NAME` too"),
    ] {
        let folder = folder(name);
        let (status, _, err) = outcome(&[&["init", &folder], arguments.as_slice()].concat());
        assert_eq!(status, 2, "{name}: {err}");
        assert!(err.contains(words), "{name}: {err}");
        assert!(!PathBuf::from(format!("{folder}/scenario.yaml")).exists(), "{name}");
    }
}

/// A credential that the gateway has in its environment is not known here.
#[test]
fn a_variable_of_the_proxy_gets_a_value_in_the_scenario() {
    let folder = file("init-env/.keep", "").replace("/.keep", "");
    let _ = fs::remove_file(format!("{folder}/scenario.yaml"));
    let manifest = "kuadrant/quickstart/provider-rewrite.yaml";
    let arguments = ["init", &folder, "--filter", "provider-rewrite", "--config", manifest];
    let (status, _, err) = outcome(&arguments);
    assert_eq!((status, err.as_str()), (0, ""));
    let text = fs::read_to_string(format!("{folder}/scenario.yaml")).unwrap();
    assert!(text.contains("\nenv:\n  ANTHROPIC_API_KEY: test\n"), "{text}");
    let (status, out, _) = outcome(&["test", &folder]);
    assert_eq!(status, 0, "{out}");
}
