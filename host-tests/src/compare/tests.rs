//! Differences are found, known ones pass, and rows that say too much fail.

use std::path::Path;

use serde_json::json;

use super::known::{Known, Subject};
use super::*;

fn found(ours: &Value, real: &Value) -> Vec<String> {
    let mut out = Vec::new();
    differences("1", "", ours, real, &mut out);
    out.into_iter().map(|difference| difference.path).collect()
}

#[test]
fn the_smallest_parts_that_differ_are_named() {
    let ours = json!({"response": {"status": 200, "body": "a"}, "upstream": [{"path": "/"}]});
    let mut real = ours.clone();
    assert!(found(&ours, &real).is_empty());
    real["response"]["body"] = json!("b");
    real["upstream"][0]["path"] = json!("/b");
    real["metrics"] = json!({"m": 1});
    assert_eq!(found(&ours, &real), ["metrics", "response.body", "upstream[0].path"]);
    real["upstream"] = json!([]);
    assert_eq!(found(&ours, &real)[2], "upstream");
}

#[test]
fn failures_are_the_same_if_they_are_of_one_kind() {
    let kind = |text: &str| kind(&anyhow::anyhow!("{text}"));
    assert_eq!(kind("the exchange hangs: a"), kind("no response: the stream hangs"));
    assert_eq!(kind("filter `a` refused"), kind("envoy refused the configuration"));
    assert_ne!(kind("one"), kind("other"));
}

#[test]
fn long_values_lose_their_middle() {
    assert_eq!(shortened("short".into()), "short");
    let long = shortened("x".repeat(5000));
    assert!(long.len() < 700 && long.contains("5000 characters"), "{long}");
}

#[test]
fn lists_are_shown_from_where_they_differ() {
    let list = |text: &str| -> Vec<Value> {
        text.split(' ').map(|m| json!({"filter": "a", "level": "info", "message": m})).collect()
    };
    let (ours, real) = (list("1 2 3 4 5 6"), list("1 2 3 4 7"));
    assert_eq!(cut(&real, &ours), r#"[… 1 the same, a: "2", a: "3", a: "4", a: "7"]"#);
    assert_eq!(cut(&[json!(1)], &[]), "[1]");
}

const ROWS: &str = r#"
- {scenario: scenarios/one, path: response, exchange: a, reason: r}
- {rule: e1_pause, run: 2, path: outcome, versions: ["1.3"], reason: r}
- {rule: e2_hold, path: skip, versions: ["1.36"], reason: not there}
"#;

fn difference(exchange: &str, path: &str) -> Difference {
    let (exchange, path) = (exchange.to_owned(), path.to_owned());
    Difference { exchange, path, wasmtime: "1".into(), envoy: "2".into() }
}

#[test]
fn known_differences_pass_and_rows_that_differ_no_more_fail() {
    let known = Known::parse(ROWS).unwrap();
    let one = Subject::Scenario(Path::new("x/scenarios/one/scenario.yaml"));
    let unexpected = |found: &[Difference]| known.unexpected(one, "1.40.0", found);
    assert!(unexpected(&[difference("a", "response.body")]).is_empty());
    assert!(unexpected(&[difference("a", "response")]).is_empty());
    let gone = unexpected(&[]);
    assert!(gone.len() == 1 && gone[0].contains("none any more"), "{gone:?}");
    assert_eq!(unexpected(&[difference("b", "response")]).len(), 2);
    assert_eq!(unexpected(&[difference("a", "responses")]).len(), 2);
    let other = Subject::Scenario(Path::new("scenarios/other/scenario.yaml"));
    assert!(known.unexpected(other, "1.40.0", &[]).is_empty());
}

#[test]
fn rows_hold_for_their_run_and_version() {
    let known = Known::parse(ROWS).unwrap();
    let outcome = [difference("", "outcome")];
    let unexpected =
        |run, version| known.unexpected(Subject::Rule("e1_pause", run), version, &outcome);
    assert!(unexpected(2, "1.3.1").is_empty());
    assert_eq!(unexpected(1, "1.3.1").len(), 1);
    assert_eq!(unexpected(2, "1.36.4").len(), 1, "1.36 is not of 1.3");
    let skip = |version| known.skip_reason(Subject::Rule("e2_hold", 1), version);
    assert_eq!((skip("1.36.4"), skip("1.40.0")), (Some("not there"), None));
}

#[test]
fn a_row_names_one_subject_that_is_there_and_a_reason() {
    for bad in ["- {path: a, reason: r}", "- {rule: a, path: b, reason: ' '}", "- {rule: a}", "x"] {
        assert!(Known::parse(bad).is_err(), "{bad}");
    }
    assert!(Known::parse("# nothing\n").unwrap().rows().is_empty());
    let known = Known::parse(ROWS).unwrap();
    assert_eq!(known.without_subject([Path::new("scenarios/one/scenario.yaml")]), [""; 0]);
    assert_eq!(known.without_subject([Path::new("b/scenario.yaml")]).len(), 1);
}

/// A rule that was renamed would leave its rows behind.
#[test]
fn rows_about_rules_name_tests_that_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let known = Known::load(&root.join(FILE)).unwrap();
    let (mut source, mut folders) = (String::new(), vec![root.join("src/wasm/tests")]);
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                source += &std::fs::read_to_string(path).unwrap();
            }
        }
    }
    for rule in known.rows().iter().filter_map(|row| row.rule.as_deref()) {
        assert!(source.contains(&format!("fn {rule}(")), "{FILE}: there is no test `{rule}`");
    }
}
