//! No filter costs more than is recorded in the `costs.json` of its scenarios.
//!
//! `TOLLGATE_BLESS=1` records what they cost now, as `tollgate costs --record` does.

use host_tests::cost::baseline::{Baseline, FILE};
use host_tests::cost::{measure_all, table};
use host_tests::modules::FILTERS;

use crate::command::{file, outcome};
use crate::root;

#[test]
fn no_filter_costs_more_than_is_recorded() {
    let mut failures = String::new();
    for filter in FILTERS {
        let folder = root().join("filters").join(filter).join("scenarios");
        let now = measure_all(&folder).unwrap();
        if std::env::var_os("TOLLGATE_BLESS").is_some() {
            let before = Baseline::read(&folder).ok().flatten();
            now.write(&folder).unwrap();
            eprint!("{}", table::recorded(&folder, before.as_ref(), &now));
            continue;
        }
        let recorded = Baseline::read(&folder).unwrap();
        let recorded = recorded.unwrap_or_else(|| panic!("no {FILE} in {}", folder.display()));
        let found = recorded.compare(&now);
        let text = table::comparison(&folder, &now, &found);
        match found.passes() {
            // Skips and notes.
            true => eprint!("{text}"),
            false => failures += &text,
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
}

/// A filter that logs so many times per request.
fn logs(times: usize) -> String {
    let log = "(drop (call $log (i32.const 2) (i32.const 0) (i32.const 2)))".repeat(times);
    format!(
        "(module
          (import \"env\" \"proxy_log\" (func $log (param i32 i32 i32) (result i32)))
          (memory (export \"memory\") 1)
          (data (i32.const 0) \"hi\")
          (func (export \"proxy_abi_version_0_2_1\"))
          (func (export \"malloc\") (param i32) (result i32) (i32.const 0))
          (func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
            {log} (i32.const 0)))"
    )
}

const SCENARIO: &str = "description: logs\nchain: [{wasm: ./logs.wat}]\nexchanges:\n  \
                        - {request: {path: /}, upstream: [{}]}\n";

#[test]
fn the_command_records_compares_and_shows_what_rose() {
    let scenario = file("costs/one/scenario.yaml", SCENARIO);
    let folder = scenario.strip_suffix("/one/scenario.yaml").unwrap();
    file("costs/one/logs.wat", &logs(2));
    let _ = std::fs::remove_file(format!("{folder}/{FILE}"));
    let (status, _, err) = outcome(&["costs", folder]);
    assert_eq!(status, 2);
    assert!(err.contains(&format!("tollgate costs --record {folder}")), "{err}");

    let (status, out, _) = outcome(&["costs", "--record", folder]);
    assert_eq!((status, out), (0, format!("{folder}: 1 scenarios recorded for the first time\n")));
    let (status, out, _) = outcome(&["costs", folder]);
    assert_eq!((status, out), (0, format!("pass  {folder}: 1 scenarios cost what is recorded\n")));

    file("costs/one/logs.wat", &logs(3));
    let (status, out, _) = outcome(&["costs", folder]);
    assert_eq!(status, 1);
    let rows: Vec<Vec<&str>> = out
        .lines()
        .map(|line| line.split("  ").filter(|cell| !cell.is_empty()).collect())
        .collect();
    let row = |cells: [&str; 7]| rows.iter().any(|row| row.iter().map(|c| c.trim()).eq(cells));
    assert!(row(["scenario", "filter", "callback", "what", "before", "now", "%"]), "{out}");
    assert!(row(["one", "logs", "on_request_headers", "calls of log", "2", "3", "+50.0"]), "{out}");
    assert!(
        row(["one", "logs", "on_request_headers", "bytes from guest", "4", "6", "+50.0"]),
        "{out}"
    );

    let (status, out, _) = outcome(&["costs", "--record", folder]);
    assert_eq!(status, 0);
    assert!(out.contains("calls of log"), "{out}");
    assert_eq!(outcome(&["costs", folder]).0, 0);

    // Less is fine, and said.
    file("costs/one/logs.wat", &logs(1));
    let (status, out, _) = outcome(&["costs", folder]);
    assert_eq!(status, 0);
    assert!(out.contains("3 numbers moved within the tolerance, 3 of them down"), "{out}");
}

#[test]
fn run_shows_the_costs_of_one_scenario() {
    let scenario = file("costs-run/scenario.yaml", SCENARIO);
    file("costs-run/logs.wat", &logs(2));
    let (status, out, _) = outcome(&["run", &scenario, "--costs", "--json"]);
    assert_eq!(status, 0);
    let found: serde_json::Value = serde_json::from_str(&out).unwrap();
    let cost = &found["filters"]["logs"]["proxy_on_request_headers"];
    assert_eq!((&cost["callbacks"], &cost["hostCalls"]["proxy_log"]), (&1.into(), &2.into()));
    assert!(cost["fuel"].as_u64().is_some_and(|fuel| fuel > 0), "{out}");
    let (status, out, _) = outcome(&["run", &scenario, "--costs"]);
    assert_eq!(status, 0);
    assert!(out.lines().any(|line| line.starts_with("logs    on_request_headers")), "{out}");
    let (status, _, err) = outcome(&["run", &scenario, "--costs", "--host", "envoy"]);
    assert_eq!((status, err.contains("only the wasmtime host")), (2, true));
}
