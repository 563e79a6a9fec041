//! What every filter's `config/` folder promises: the example is accepted, each wrong case is refused
//! with exactly the words beside it, and the schema is current.

use std::path::{Path, PathBuf};

use host_tests::check::Checker;
use host_tests::load::config_json;

use crate::{files, none, root, short, yaml_blocks};

/// The `config/` folders with their filters.
fn folders() -> Vec<(&'static Checker, PathBuf)> {
    let folders = root().join("filters").read_dir().unwrap();
    folders
        .map(|entry| entry.unwrap().path())
        .filter(|folder| folder.join("config").is_dir())
        .map(|folder| {
            let name = folder.file_name().unwrap().to_str().unwrap();
            (Checker::named(name).unwrap_or_else(|e| panic!("{e}")), folder.join("config"))
        })
        .collect()
}

/// What `tollgate check` prints for a refused file, `None` if it is accepted.
fn complaint(checker: &Checker, file: &Path) -> Option<String> {
    let config = config_json(file, std::fs::read(file).unwrap()).unwrap_or_else(|e| panic!("{e}"));
    checker.check(&config).err().map(|problems| format!("{problems}\n"))
}

/// Whether to write expectations instead of comparing them.
fn bless() -> bool {
    std::env::var_os("TOLLGATE_BLESS").is_some()
}

#[test]
fn every_filter_has_an_example_and_refused_cases() {
    for checker in Checker::all() {
        let config = root().join("filters").join(checker.name).join("config");
        assert!(config.join("example.yaml").is_file(), "{}", checker.name);
        assert!(config.join("schema.json").is_file(), "{}", checker.name);
        assert!(!files(&config.join("invalid"), &[".yaml"]).is_empty(), "{}", checker.name);
    }
}

#[test]
fn examples_are_accepted() {
    for (checker, folder) in folders() {
        let complaint = complaint(checker, &folder.join("example.yaml"));
        assert_eq!(complaint, None, "{}", checker.name);
    }
}

/// Editors judge by the schema what the filter judges by its code: both know the same fields.
#[test]
fn examples_are_right_by_the_schema_too() {
    for (checker, folder) in folders() {
        let file = folder.join("example.yaml");
        let config = config_json(&file, std::fs::read(&file).unwrap()).unwrap();
        let schema = serde_json::from_str(&checker.schema().unwrap()).unwrap();
        let config: serde_json::Value = serde_json::from_slice(&config).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(&config)
            .map(|error| format!("{}: {error}", checker.name))
            .collect();
        none(&errors);
    }
}

#[test]
fn wrong_configurations_are_refused_in_exactly_these_words() {
    let mut failures = Vec::new();
    for (checker, folder) in folders() {
        let cases = files(&folder.join("invalid"), &[".yaml"]);
        for case in &cases {
            let Some(found) = complaint(checker, case) else {
                failures.push(format!("{}: accepted, expected to be refused", short(case)));
                continue;
            };
            let words = case.with_extension("txt");
            if bless() {
                std::fs::write(&words, &found).unwrap();
            }
            let expected = std::fs::read_to_string(&words).unwrap_or_default();
            if found != expected {
                failures.push(format!("{}:\n{found}expected:\n{expected}", short(case)));
            }
        }
        for words in files(&folder.join("invalid"), &[".txt"]) {
            if !cases.contains(&words.with_extension("yaml")) {
                failures.push(format!("{}: no case of this name", short(&words)));
            }
        }
    }
    none(&failures);
}

/// The YAML in the filters' READMEs.
#[test]
fn what_the_readmes_show_is_accepted() {
    for (checker, folder) in folders() {
        let Ok(text) = std::fs::read_to_string(folder.with_file_name("README.md")) else {
            continue;
        };
        for block in yaml_blocks(&text) {
            let config = config_json(Path::new("README.yaml"), block.into()).unwrap();
            let complaint = checker.check(&config).err();
            assert!(
                complaint.is_none(),
                "{}/README.md: {}\n{block}",
                checker.name,
                complaint.unwrap()
            );
        }
    }
}

#[test]
fn schemas_are_current() {
    for (checker, folder) in folders() {
        let file = folder.join("schema.json");
        let schema = checker.schema().unwrap();
        if bless() {
            std::fs::write(&file, &schema).unwrap();
        }
        let found = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(found == schema, "{}: run with TOLLGATE_BLESS=1 to write it", short(&file));
    }
}
