//! The host's rules, each on a module of a few instructions. Names start with the rule's number.
//!
//! With `TOLLGATE_RULES_ON_ENVOY=1` (`make rules-envoy`) every test also runs on a real Envoy, and
//! fails where that does otherwise, except for what `known-differences.yaml` says with a reason.

mod abi;
mod bad;
mod bodies;
mod both_hosts;
mod callouts;
mod clusters;
mod failures;
mod foreign;
mod grpc;
pub(crate) mod guest;
mod headers;
mod network;
mod profiles;
mod properties;
mod random_chains;
mod replies;
mod resets;
mod router;
mod routes;
mod sharing;
mod signatures;
mod start;
mod ticks;
mod vms;

use std::sync::atomic::{AtomicU32, Ordering};

use crate::plan::Plan;
use crate::report::{HOST, Observed, Report};
use guest::guest;

/// A filter's name, its callbacks with their instructions, and more of its link as YAML flow.
type Filter<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);

struct Chain<'a> {
    filters: Vec<Filter<'a>>,
    /// Top-level fields of the scenario, as YAML lines.
    scenario: &'a str,
}

impl<'a> Chain<'a> {
    /// One filter, with header-hold.
    fn one(callbacks: &'a [(&'a str, &'a str)]) -> Self {
        Self { filters: vec![("a", callbacks, "")], scenario: "" }
    }

    /// Runs `exchanges` (YAML list items in flow style).
    fn run(&self, exchanges: &[&str]) -> anyhow::Result<Report> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder =
            std::env::temp_dir().join(format!("tollgate-host-{}-{count}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut yaml = format!("description: a rule\n{}\nchain:\n", self.scenario);
        for (name, callbacks, extra) in &self.filters {
            let file = folder.join(format!("{name}.wasm"));
            std::fs::write(file, guest(name, callbacks)).unwrap();
            yaml += &format!("  - {{wasm: ./{name}.wasm, config: '{name}'{extra}}}\n");
        }
        if !exchanges.is_empty() {
            yaml += "exchanges:\n";
        }
        for exchange in exchanges {
            yaml += &format!("  - {exchange}\n");
        }
        let path = folder.join("scenario.yaml");
        std::fs::write(&path, &yaml).unwrap();
        let plan = Plan::load(&path).unwrap_or_else(|error| panic!("{error}\n{yaml}"));
        let report = super::run(&plan);
        let differences = both_hosts::unexpected(&plan, &report);
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(differences.is_empty(), "{yaml}\n{}", differences.join("\n"));
        report
    }

    fn observe(&self, exchange: &str) -> Observed {
        self.run(&[exchange]).unwrap().exchanges.remove(0)
    }
}

/// What the filters logged, in order, without what the host says itself.
fn messages(observed: &Observed) -> Vec<&str> {
    let of_filters = observed.logs.iter().filter(|line| line.filter != HOST);
    of_filters.map(|line| line.message.as_str()).collect()
}

/// The same, with the filters' names in front.
fn named(observed: &Observed) -> Vec<String> {
    observed.logs.iter().map(|line| format!("{} {}", line.filter, line.message)).collect()
}

/// The value of a header in a report.
fn value<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
}

const OK: &str = "upstream: [{body: fine}]";
