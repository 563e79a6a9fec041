//! Chains of filters that do things at random, on both hosts: the same report.
//!
//! A seed makes a chain of one to four modules and some exchanges with them ([`generator`]).
//! `make test` runs a few; `TOLLGATE_SEEDS=1000` runs so many, `TOLLGATE_SEEDS=17..18` only that one.
//! What a module does must not depend on how pieces arrive, which on a real Envoy is in part chance.

mod generator;

use std::convert::Infallible;
use std::fmt::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::both_hosts;
use super::guest::guest;
use crate::batch;
use crate::compare::{self, Difference};
use crate::plan::Plan;
use crate::report::Report;
use generator::Generated;

/// How many seeds without `TOLLGATE_SEEDS`.
const FEW: u64 = 24;

/// More chains than one in so many that end in an error on both hosts would say that they test
/// nothing.
const MOST_ERRORS: usize = 4;

/// How often a chain is run on Envoy before a difference counts.
const TIMES: usize = 3;

#[test]
fn random_chains_give_the_same_report_on_both_hosts() {
    let seeds: Vec<u64> = seeds().collect();
    let errors = AtomicUsize::new(0);
    let run = |seed: &u64| {
        let folder =
            std::env::temp_dir().join(format!("tollgate-random-{}-{seed}", std::process::id()));
        let plan = written(&generator::generate(*seed), &folder);
        let report = crate::wasm::run(&plan);
        errors.fetch_add(usize::from(report.is_err()), Ordering::Relaxed);
        let found = match both_hosts::asked() {
            true => differences(&plan, &report),
            false => Vec::new(),
        };
        if found.is_empty() {
            std::fs::remove_dir_all(&folder).unwrap();
        }
        (folder, found)
    };
    let mut failures = String::new();
    let Ok(()) = batch::each(&seeds, run, |seed, (folder, found)| {
        for difference in found {
            let _ = writeln!(failures, "seed {seed} ({}): {difference}", folder.display());
        }
        Ok::<(), Infallible>(())
    });
    assert!(failures.is_empty(), "{failures}");
    let errors = errors.into_inner();
    assert!(errors * MOST_ERRORS <= seeds.len().max(MOST_ERRORS), "{errors} ended in an error");
}

/// What differs each time. On a busy machine a request that is answered while it goes on may reach the upstream of a real
/// Envoy, or not.
fn differences(plan: &Plan, report: &anyhow::Result<Report>) -> Vec<Difference> {
    let mut found = Vec::new();
    for _ in 0..TIMES {
        found = compare::against(plan, report);
        if found.is_empty() {
            break;
        }
    }
    found
}

#[test]
fn a_seed_always_gives_the_same_chain() {
    assert_eq!(generator::generate(7), generator::generate(7));
    assert_ne!(generator::generate(7), generator::generate(8));
}

fn seeds() -> Range<u64> {
    let Ok(asked) = std::env::var("TOLLGATE_SEEDS") else { return 0..FEW };
    let number = |text: &str| text.parse().expect("TOLLGATE_SEEDS is a number or first..end");
    match asked.split_once("..") {
        Some((first, end)) => number(first)..number(end),
        None => 0..number(&asked),
    }
}

/// The scenario in a folder of its own, which stays there if it fails.
fn written(generated: &Generated, folder: &Path) -> Plan {
    std::fs::create_dir_all(folder).unwrap();
    for (name, callbacks) in &generated.filters {
        let callbacks: Vec<(&str, &str)> =
            callbacks.iter().map(|(callback, body)| (*callback, body.as_str())).collect();
        std::fs::write(folder.join(format!("{name}.wasm")), guest(name, &callbacks)).unwrap();
        // For whoever looks into a failure.
        std::fs::write(folder.join(format!("{name}.callbacks")), format!("{callbacks:#?}"))
            .unwrap();
    }
    let path: PathBuf = folder.join("scenario.yaml");
    std::fs::write(&path, &generated.yaml).unwrap();
    Plan::load(&path).unwrap_or_else(|error| panic!("{error}\n{}", generated.yaml))
}
