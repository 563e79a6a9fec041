//! A tool that is killed leaves no Envoy behind.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use host_tests::scenario::HostName;
use host_tests::unavailable;

/// Whether a process has `text` in its command line.
fn runs(text: &str) -> bool {
    let entries = Path::new("/proc").read_dir().unwrap().flatten();
    let lines = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.into_iter().any(|line| String::from_utf8_lossy(&line).contains(text))
}

/// Waits until `holds`, but not for ever.
fn wait(holds: impl Fn() -> bool) -> bool {
    let until = Instant::now() + Duration::from_secs(20);
    while !holds() {
        if Instant::now() > until {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}

#[test]
fn a_killed_tool_leaves_no_envoy_behind() {
    let setpriv = Command::new("setpriv").args(["--pdeathsig", "KILL", "true"]).status();
    if !setpriv.is_ok_and(|status| status.success()) || unavailable(HostName::Envoy).is_some() {
        eprintln!("skipped: no setpriv, or no Envoy");
        return;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("killed");
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("scenario.yaml");
    // Held for ever, so there is time to kill it.
    let module = r#"(module (memory (export "memory") 1)
        (func (export "proxy_abi_version_0_2_1"))
        (func (export "malloc") (param i32) (result i32) (i32.const 0))
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 1)))"#;
    std::fs::write(folder.join("holds.wat"), module).unwrap();
    let yaml = "description: d\nchain: [{wasm: ./holds.wat}]\nexchanges: [{request: {path: /}}]\n";
    std::fs::write(&file, yaml).unwrap();
    let mut tool = Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .args(["run", "--host", "envoy"])
        .arg(&file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let envoys = format!("tollgate-{}-", tool.id());
    assert!(wait(|| runs(&envoys)), "no Envoy came up");
    tool.kill().unwrap();
    tool.wait().unwrap();
    assert!(wait(|| !runs(&envoys)), "an Envoy survived the tool");
}
