//! The page for policy authors, as somebody who follows it: each YAML block is written to the file that
//! its first line names, each command is run, and prints what the page says.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use host_tests::{modules, scenario};
use serde::de::DeserializeOwned;

use crate::root;

/// A fenced block: what is behind the fence, and its lines.
struct Block<'a> {
    kind: &'a str,
    text: &'a str,
}

fn blocks(markdown: &str) -> Vec<Block<'_>> {
    let fenced = markdown.split("```").skip(1).step_by(2);
    fenced
        .map(|block| block.split_once('\n').unwrap())
        .map(|(kind, text)| Block { kind, text })
        .collect()
}

/// An empty folder, with a module as it would be somebody's.
fn folder() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("policy-authors");
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    fs::create_dir_all(&folder).unwrap();
    let text = root().join("host-tests/scenarios/text-modules-are-assembled/answers.wat");
    fs::write(folder.join("plugin.wasm"), modules::read(&text).unwrap()).unwrap();
    folder
}

/// Runs `line` as a shell would, with `tollgate` being the one under test.
fn run(folder: &Path, line: &str) -> Output {
    let tollgate = env!("CARGO_BIN_EXE_tollgate");
    let line = line.replacen("tollgate ", &format!("'{tollgate}' "), 1);
    Command::new("sh").current_dir(folder).args(["-c", &line]).output().unwrap()
}

/// Runs what must go well.
fn run_well(folder: &Path, line: &str) {
    let output = run(folder, line);
    let printed = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{line}\n{}", String::from_utf8_lossy(&printed));
}

#[test]
fn everything_on_the_page_for_policy_authors_works() {
    let page = fs::read_to_string(root().join("host-tests/docs/policy-authors.md")).unwrap();
    let folder = folder();
    let blocks = blocks(&page);
    let mut commands = 0;
    for (i, Block { kind, text }) in blocks.iter().enumerate() {
        match *kind {
            "yaml" => {
                let name = text.lines().next().and_then(|line| line.strip_prefix("# ")).unwrap();
                let file = folder.join(name);
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(&file, text).unwrap();
                let parsed = serde_yaml_ng::from_str::<serde_yaml_ng::Value>(text);
                assert!(parsed.is_ok(), "{name}: {parsed:?}");
                // What a CI runs.
                for line in text.lines().map(|line| line.trim_start_matches([' ', '-'])) {
                    let line = line.strip_prefix("run: ").unwrap_or(line);
                    if line.starts_with("tollgate ") {
                        commands += 1;
                        run_well(&folder, line);
                    }
                }
            }
            "sh" => {
                let expected = blocks.get(i + 1).filter(|block| block.kind == "text");
                for line in text.lines() {
                    commands += 1;
                    let Some(expected) = expected else {
                        run_well(&folder, line);
                        continue;
                    };
                    let out = String::from_utf8(run(&folder, line).stdout).unwrap();
                    assert_eq!(out, expected.text, "{line}");
                }
            }
            // Compiles for minutes, and needs a network: only its names are looked at.
            "sh install" => {
                let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
                assert!(manifest.contains("[profile.tool]"));
                assert!(text.contains("--profile tool --path host-tests"));
                assert!(root().join("host-tests/Cargo.toml").is_file());
            }
            "sh envoy" => {
                let (_, line) = text.trim().split_once(' ').unwrap();
                let out = String::from_utf8(run(&folder, line).stdout).unwrap();
                assert!(out.contains(" 0 failed, "), "{out}");
            }
            "text" => {}
            other => panic!("what is a block of `{other}`?"),
        }
    }
    assert!(commands >= 12, "{commands} commands found");
    let report = fs::read_to_string(folder.join("results/tollgate.xml")).unwrap();
    assert!(report.contains("<testcase name=\"keys\""), "{report}");
}

/// The names of a struct's fields, as serde tells them to those who misspell one.
fn fields<T: DeserializeOwned>() -> Vec<String> {
    let Err(error) = serde_json::from_str::<T>(r#"{"no such field": 0}"#) else { panic!() };
    let error = error.to_string();
    let fields: Vec<String> = error.split('`').skip(3).step_by(2).map(str::to_owned).collect();
    assert!(!fields.is_empty(), "{error}");
    fields
}

#[test]
fn every_field_of_a_scenario_is_in_the_readme() {
    let readme = fs::read_to_string(root().join("host-tests/README.md")).unwrap();
    let format = readme.split("## The scenario file").nth(1).unwrap();
    let format = format.split("## What `run` prints").next().unwrap();
    // In code, alone or with an example of its value.
    let code: Vec<&str> = format.split('`').skip(1).step_by(2).collect();
    let named = |field: &str| {
        code.iter().any(|code| {
            let words = code.split(|c: char| !c.is_ascii_alphanumeric());
            words.into_iter().any(|word| word == field)
        })
    };
    let all = [
        fields::<scenario::Scenario>(),
        fields::<scenario::Unchecked>(),
        fields::<scenario::Limits>(),
        fields::<scenario::Route>(),
        fields::<scenario::Link>(),
        fields::<scenario::Exchange>(),
        fields::<scenario::Request>(),
        fields::<scenario::Upstream>(),
        fields::<scenario::Callout>(),
        fields::<scenario::GrpcAnswer>(),
        fields::<scenario::Expect>(),
        fields::<scenario::ExpectUpstream>(),
        fields::<scenario::ExpectResponse>(),
        fields::<scenario::ExpectCallout>(),
        fields::<scenario::ExpectLogs>(),
    ];
    let missing: Vec<String> = all.concat().into_iter().filter(|field| !named(field)).collect();
    assert_eq!(missing, [""; 0]);
}

/// Whoever starts at the front door finds it.
#[test]
fn the_page_is_linked() {
    for (readme, link) in [
        ("host-tests/README.md", "(docs/policy-authors.md)"),
        ("README.md", "(host-tests/docs/policy-authors.md)"),
    ] {
        let text = fs::read_to_string(root().join(readme)).unwrap();
        assert!(text.contains(link), "{readme}");
    }
}
