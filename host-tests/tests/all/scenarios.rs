//! Every scenario of the repository on the offline host, as written and with its bodies cut into
//! single bytes. On a real Envoy they run through `make scenarios-envoy`, which prints the skips.

use host_tests::judge::judge;
use host_tests::plan::Plan;
use host_tests::report::{Observed, Report};
use host_tests::scenario::HostName::{Envoy, Wasmtime};
use host_tests::{find, run, unavailable};

use crate::{none, root, short};

/// Every scenario that runs on wasmtime.
fn plans() -> Vec<Plan> {
    let files = find::scenarios(&[root().join("filters")]).unwrap();
    let plans = files.iter().map(|file| Plan::load(file).unwrap_or_else(|e| panic!("{e}")));
    plans.filter(|plan| plan.skip_reason(Wasmtime).is_none()).collect()
}

#[test]
fn every_scenario_passes() {
    let mut failures = Vec::new();
    for plan in plans() {
        let name = short(&plan.path);
        match run(&plan, Wasmtime) {
            Ok(report) => {
                failures.extend(judge(&plan, &report).iter().map(|f| format!("{name}: {f}")));
            }
            Err(error) => failures.push(format!("{name}: {error:#}")),
        }
    }
    none(&failures);
}

#[test]
fn how_bodies_are_cut_changes_nothing() {
    let mut failures = Vec::new();
    for plan in plans().into_iter().filter(|plan| plan.scenario.any_cut) {
        let name = short(&plan.path);
        match (run(&plan, Wasmtime), run(&plan.every_byte(), Wasmtime)) {
            (Ok(written), Ok(cut)) => compare(&name, &plan, &written, &cut, &mut failures),
            (Err(error), _) | (_, Err(error)) => failures.push(format!("{name}: {error:#}")),
        }
    }
    none(&failures);
}

/// Whatever a scenario leaves open is compared too. Without an Envoy there is nothing to compare:
/// `make test` fetches one and prints the skips.
#[test]
fn the_hosts_agree() {
    if let Some(reason) = unavailable(Envoy) {
        eprintln!("skipped: {reason}");
        return;
    }
    let mut failures = Vec::new();
    for plan in plans().into_iter().filter(|plan| plan.skip_reason(Envoy).is_none()) {
        let name = short(&plan.path);
        match (run(&plan, Wasmtime), run(&plan, Envoy)) {
            (Ok(ours), Ok(real)) => {
                for (ours, real) in ours.exchanges.iter().zip(&real.exchanges) {
                    failures.extend(disagreement(ours, real).map(|what| format!("{name}: {what}")));
                }
            }
            (Err(error), _) | (_, Err(error)) => failures.push(format!("{name}: {error:#}")),
        }
    }
    none(&failures);
}

fn disagreement(ours: &Observed, real: &Observed) -> Option<String> {
    // The order of headers of different names means nothing.
    let sorted = |observed: &Observed| {
        let mut observed = observed.clone();
        observed.upstream.iter_mut().for_each(|u| u.headers.sort_by(|a, b| a.0.cmp(&b.0)));
        observed.response.headers.sort_by(|a, b| a.0.cmp(&b.0));
        serde_json::to_string_pretty(&observed).unwrap()
    };
    let (ours, real) = (sorted(ours), sorted(real));
    (ours != real).then(|| format!("\n  wasmtime: {ours}\n  envoy: {real}"))
}

fn compare(name: &str, plan: &Plan, written: &Report, cut: &Report, failures: &mut Vec<String>) {
    assert_eq!(written.exchanges.len(), cut.exchanges.len(), "{name}");
    for ((exchange, written), cut) in
        plan.exchanges.iter().zip(&written.exchanges).zip(&cut.exchanges)
    {
        // Where a client goes away in mid-body, what it had got by then depends on the cuts.
        if exchange.request.abort_after_bytes.is_some() {
            continue;
        }
        let outcome = |o: &Observed| {
            serde_json::json!({
                "upstream": o.upstream, "response": o.response, "properties": o.properties,
            })
        };
        let (written, cut) = (outcome(written), outcome(cut));
        if written != cut {
            failures.push(format!(
                "{name}: exchange {}: byte by byte it is another\n  as written: {written}\n  cut: {cut}",
                exchange.name
            ));
        }
    }
}
