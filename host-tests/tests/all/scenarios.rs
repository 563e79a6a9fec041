//! Every scenario of the repository on the offline host, as written and with its bodies cut into
//! single bytes. On a real Envoy they run through `make scenarios-envoy`, which prints the skips.

use std::convert::Infallible;

use anyhow::Result;
use host_tests::judge::judge;
use host_tests::plan::Plan;
use host_tests::report::{Observed, Report};
use host_tests::scenario::HostName::{Envoy, Wasmtime};
use host_tests::{batch, find, modules, run, unavailable};

use crate::{none, root, short};

/// Every scenario that runs on wasmtime.
fn plans() -> Vec<Plan> {
    let files =
        find::scenarios(&[root().join("filters"), root().join("host-tests/scenarios")]).unwrap();
    let plans = files.iter().map(|file| Plan::load(file).unwrap_or_else(|e| panic!("{e}")));
    plans.filter(|plan| plan.skip_reason(Wasmtime).is_none()).collect()
}

/// What goes wrong with any of `plans`, by the name of the scenario.
fn failures(plans: &[Plan], of: impl Fn(&Plan) -> Result<Vec<String>> + Sync) -> Vec<String> {
    modules::build(plans).unwrap();
    let mut failures = Vec::new();
    let note = |plan: &Plan, result: Result<Vec<String>>| -> Result<(), Infallible> {
        let found = result.unwrap_or_else(|error| vec![format!("{error:#}")]);
        failures.extend(found.iter().map(|what| format!("{}: {what}", short(&plan.path))));
        Ok(())
    };
    let Ok(()) = batch::each(plans, of, note);
    failures
}

#[test]
fn every_scenario_passes() {
    none(&failures(&plans(), |plan| {
        let report = run(plan, Wasmtime)?;
        Ok(judge(plan, &report).iter().map(ToString::to_string).collect())
    }));
}

#[test]
fn how_bodies_are_cut_changes_nothing() {
    let plans: Vec<Plan> =
        plans().into_iter().filter(|plan| plan.scenario.unchecked.cuts.is_none()).collect();
    none(&failures(&plans, |plan| {
        let (written, cut) = (run(plan, Wasmtime)?, run(&plan.every_byte(), Wasmtime)?);
        Ok(differences(plan, &written, &cut))
    }));
}

/// Whatever a scenario leaves open is compared too. Without an Envoy there is nothing to compare:
/// `make test` fetches one and prints the skips.
#[test]
fn the_hosts_agree() {
    if let Some(reason) = unavailable(Envoy) {
        eprintln!("skipped: {reason}");
        return;
    }
    let both: Vec<Plan> = plans().into_iter().filter(|p| p.skip_reason(Envoy).is_none()).collect();
    none(&failures(&both, |plan| {
        let (ours, real) = (run(plan, Wasmtime)?, run(plan, Envoy)?);
        let exchanges = ours.exchanges.iter().zip(&real.exchanges);
        Ok(exchanges.filter_map(|(ours, real)| disagreement(ours, real)).collect())
    }));
}

/// The parts of a report that differ.
fn disagreement(ours: &Observed, real: &Observed) -> Option<String> {
    // The order of headers of different names means nothing, and the hosts' clocks differ.
    let sorted = |observed: &Observed| {
        let mut observed = observed.clone();
        observed.upstream.iter_mut().for_each(|u| u.headers.sort_by(|a, b| a.0.cmp(&b.0)));
        observed.response.headers.sort_by(|a, b| a.0.cmp(&b.0));
        observed.response.body = observed.response.body.as_deref().map(without_times);
        serde_json::to_value(&observed).unwrap()
    };
    let (ours, real) = (sorted(ours), sorted(real));
    let parts: Vec<String> = ["upstream", "response", "properties", "metrics", "logs"]
        .into_iter()
        .filter(|part| ours[part] != real[part])
        .map(|part| format!("\n  {part}\n    wasmtime {}\n    envoy    {}", ours[part], real[part]))
        .collect();
    (!parts.is_empty()).then(|| format!("exchange {}{}", ours["name"], parts.concat()))
}

/// Where the run with cut bodies came out otherwise.
fn differences(plan: &Plan, written: &Report, cut: &Report) -> Vec<String> {
    let mut out = Vec::new();
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
            out.push(format!("exchange {}\n  as written: {written}\n  cut: {cut}", exchange.name));
        }
    }
    out
}

/// `body` without the seconds at which completions say that they were made.
fn without_times(body: &str) -> String {
    const CREATED: &str = "\"created\":";
    let mut parts = body.split(CREATED);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        text + CREATED + part.trim_start_matches(|c: char| c.is_ascii_digit())
    })
}
