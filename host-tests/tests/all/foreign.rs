//! Modules of other SDKs and languages. Those that are checked in run with all scenarios; here is
//! what is special about them.

use std::path::Path;
use std::process::Command;

use host_tests::judge::judge;
use host_tests::plan::Plan;
use host_tests::scenario::HostName::{Envoy, Wasmtime};
use host_tests::{compare, run, unavailable};

use crate::root;

/// What the scenario in `folder` says behind its description.
fn scenario(folder: &str) -> String {
    let file = root().join("host-tests/foreign").join(folder).join("scenario.yaml");
    let text = std::fs::read_to_string(file).unwrap();
    text.split_once('\n').unwrap().1.to_owned()
}

#[test]
fn all_of_them_do_the_same() {
    let first = scenario("c");
    for folder in ["assemblyscript", "rust-sdk", "zig"] {
        assert_eq!(scenario(folder), first, "{folder}");
    }
}

/// Too large to be checked in, so it is built here, where that can be done.
#[test]
fn a_module_of_gos_compiler_does_the_same() {
    let source = root().join("host-tests/foreign/go");
    let built = root().join("target/foreign/go");
    std::fs::create_dir_all(&built).unwrap();
    if let Err(why) = build(&source, &built.join("greeter.wasm")) {
        eprintln!("skipped: missing: {why}");
        return;
    }
    let path = built.join("scenario.yaml");
    std::fs::write(&path, format!("description: a module from Go\n{}", scenario("c"))).unwrap();
    let plan = Plan::load(&path).unwrap();
    let report = run(&plan, Wasmtime).unwrap();
    let failures = judge(&plan, &report);
    assert!(failures.is_empty(), "{failures:?}");
    match unavailable(Envoy) {
        Some(reason) => eprintln!("skipped: {reason}"),
        None => {
            let differences = compare::both(&plan).unwrap();
            assert!(differences.is_empty(), "{differences:?}");
        }
    }
}

/// Builds the module as `build.sh` does.
fn build(source: &Path, to: &Path) -> Result<(), String> {
    let go = std::env::var_os("GO").unwrap_or_else(|| "go".into());
    let version = Command::new(&go).arg("version").output();
    let version = version.map_err(|_| "no Go: set GO to its path".to_owned())?;
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    let minor = version.split_once("go1.").and_then(|(_, rest)| rest.split(['.', ' ']).next());
    if minor.and_then(|minor| minor.parse::<u32>().ok()).is_none_or(|minor| minor < 24) {
        return Err(format!("found {}, expected Go 1.24 or later", version.trim()));
    }
    let output = Command::new(&go)
        .current_dir(source)
        .envs([("GOOS", "wasip1"), ("GOARCH", "wasm"), ("GOFLAGS", ""), ("GOTOOLCHAIN", "local")])
        .args(["build", "-buildmode=c-shared", "-ldflags=-s -w", "-o"])
        .args([to.as_os_str(), ".".as_ref()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
