//! Every scenario of the repository on the offline host, with what the runner checks of each. On a
//! real Envoy they run through `make scenarios-envoy`, which prints the skips.

use std::convert::Infallible;

use anyhow::Result;
use host_tests::compare::{self, Known, Subject};
use host_tests::judge::judge;
use host_tests::plan::Plan;
use host_tests::report::{Observed, Report};
use host_tests::scenario::HostName::{Envoy, Wasmtime};
use host_tests::scenario::{FailurePolicy, Profile};
use host_tests::{batch, checks, find, modules, run, unavailable};

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
fn every_scenario_passes_with_the_runners_checks() {
    none(&failures(&plans(), |plan| {
        let report = run(plan, Wasmtime)?;
        let mut failures = judge(plan, &report);
        failures.extend(checks::check(plan, &report)?);
        Ok(failures.iter().map(ToString::to_string).collect())
    }));
}

/// An old Envoy does what a new one does without the settings that the old one does not know.
#[test]
fn all_profiles_agree() {
    let plans: Vec<Plan> = plans()
        .into_iter()
        .filter(|p| p.scenario.profile.is_none() && p.scenario.unchecked.profiles.is_none())
        .collect();
    let outcome = |plan: &Plan, profile: Profile| {
        let mut plan = plan.clone();
        plan.profile = profile;
        run(&plan, Wasmtime).map_err(|error| format!("{error:#}"))
    };
    none(&failures(&plans, |plan| {
        let mut out = Vec::new();
        let mut compare = |name: &str, plan: &Plan, profile: Profile| match (
            outcome(plan, Profile::Envoy),
            outcome(plan, profile),
        ) {
            (Ok(envoy), Ok(other)) => {
                let found = differences(&envoy, &other);
                out.extend(found.into_iter().map(|what| format!("{name}: {what}")));
            }
            (envoy, other) if envoy.is_err() && other.is_err() => {}
            (envoy, other) => out.push(format!(
                "{name}: {:?} instead of {:?}",
                other.map(|_| "a report"),
                envoy.map(|_| "a report")
            )),
        };
        compare("spec", plan, Profile::Spec);
        let mut known = plan.clone();
        for filter in &mut known.chain {
            filter.allow_on_headers_stop_iteration = false;
            if filter.failure_policy == FailurePolicy::FailReload {
                filter.failure_policy = FailurePolicy::FailClosed;
            }
        }
        compare("envoy-old", &known, Profile::EnvoyOld);
        Ok(out)
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

/// Where a run on another host came out otherwise.
fn differences(envoy: &Report, other: &Report) -> Vec<String> {
    let outcome = |o: &Observed| {
        serde_json::json!({
            "upstream": o.upstream, "callouts": o.callouts, "response": o.response,
            "properties": o.properties, "metrics": o.metrics,
        })
    };
    let both = envoy.exchanges.iter().zip(&other.exchanges);
    both.filter_map(|(envoy, other)| {
        let name = &envoy.name;
        let (envoy, other) = (outcome(envoy), outcome(other));
        (envoy != other).then(|| format!("exchange {name}\n  {other}\n  instead of {envoy}"))
    })
    .collect()
}
