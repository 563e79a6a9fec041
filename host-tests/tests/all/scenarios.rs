//! Every scenario of the repository on the offline host, as written and with its bodies cut into
//! single bytes. On a real Envoy they run through `make scenarios-envoy`, which prints the skips.

use std::convert::Infallible;

use anyhow::Result;
use host_tests::compare::{self, Known, Subject};
use host_tests::judge::judge;
use host_tests::plan::Plan;
use host_tests::report::{Observed, Report};
use host_tests::scenario::HostName::{Envoy, Wasmtime};
use host_tests::{batch, find, modules, run, unavailable};

use crate::{none, root, short};

/// Every scenario that runs on wasmtime.
fn plans() -> Vec<Plan> {
    let folders = ["filters", "host-tests/scenarios", "host-tests/foreign"];
    let files = find::scenarios(&folders.map(|folder| root().join(folder))).unwrap();
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

/// Whatever a scenario leaves open is compared too; what is known to differ is a row of
/// `known-differences.yaml`, and a row that does not differ any more fails. Without an Envoy there is
/// nothing to compare: `make test` fetches one and prints the skips.
#[test]
fn the_hosts_agree() {
    if let Some(reason) = unavailable(Envoy) {
        eprintln!("skipped: {reason}");
        return;
    }
    let version = host_tests::envoy::version().unwrap();
    let known = Known::load(&root().join("host-tests").join(compare::FILE)).unwrap();
    let plans = plans();
    let mut failures = known.without_subject(plans.iter().map(|plan| plan.path.as_path()));
    let runs = |plan: &Plan| {
        plan.skip_reason(Envoy).is_none()
            && known.skip_reason(Subject::Scenario(&plan.path), &version).is_none()
    };
    let both: Vec<Plan> = plans.into_iter().filter(runs).collect();
    failures.extend(self::failures(&both, |plan| {
        let found = compare::both(plan)?;
        Ok(known.unexpected(Subject::Scenario(&plan.path), &version, &found))
    }));
    none(&failures);
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
