//! Prebuilt filters: used if they are up to date, refused with a way out if not.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::{file, tollgate_with};

const WITH_FILTER: &str = "description: d
chain: [{filter: key-check}]
exchanges:
  - request: {path: /}
    expect: {response: {status: 401}}
";

#[test]
fn a_stale_module_is_refused_unless_asked_for() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("prebuilt");
    let scenario = file("prebuilt/scenario.yaml", WITH_FILTER);
    let module = folder.join("key_check.wasm");
    let folder = folder.to_str().unwrap();
    let test = |allow: &str| {
        let env = [("TOLLGATE_WASM_DIR", folder), ("TOLLGATE_ALLOW_STALE", allow)];
        let output = tollgate_with(&env, &["test", &scenario], "");
        let text = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(text).unwrap())
    };
    let _ = fs::remove_file(&module);
    let (status, text) = test("");
    assert_eq!(status, 2);
    assert!(text.starts_with("error: TOLLGATE_WASM_DIR ("), "{text}");
    assert!(text.contains("key_check.wasm`: `make build` compiles it"), "{text}");

    // A module from long ago, with a source that has changed since.
    fs::write(&module, "no module").unwrap();
    let source = file("prebuilt/changed.rs", "");
    file("prebuilt/key_check.d", &format!("{}: {source}\n", module.display()));
    let long_ago = SystemTime::now() - Duration::from_secs(86_400);
    for name in ["key_check.wasm", "key_check.d"] {
        let file = File::options().write(true).open(format!("{folder}/{name}")).unwrap();
        file.set_modified(long_ago).unwrap();
    }
    let (status, text) = test("");
    assert_eq!(status, 2);
    let expected = format!(
        "error: `{}` is stale: its source `{source}` is newer. Run `make build`, or unset \
         TOLLGATE_WASM_DIR to have it compiled, or set TOLLGATE_ALLOW_STALE=1 to use it as it is\n",
        module.display()
    );
    assert_eq!(text, expected);

    // Then it is used, and found to be what it is.
    let (status, text) = test("1");
    assert_eq!(status, 1, "{text}");
    assert!(!text.contains("stale"), "{text}");
}
