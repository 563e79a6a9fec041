//! Rules on a real Envoy.

use std::cell::Cell;
use std::path::Path;
use std::sync::OnceLock;

use crate::compare::{self, Known, Subject};
use crate::envoy;
use crate::plan::Plan;
use crate::report::Report;
use crate::scenario::HostName;

/// What all tests look at.
struct Reference {
    version: String,
    known: Known,
}

/// How a real Envoy differs from `report`, what is known left out; nothing unless
/// `TOLLGATE_RULES_ON_ENVOY` asks. What cannot run there is a printed skip.
///
/// # Panics
///
/// It is asked for, and there is no Envoy: nothing is to pass for want of one.
pub(super) fn unexpected(plan: &Plan, report: &anyhow::Result<Report>) -> Vec<String> {
    let Some(Reference { version, known }) = reference() else { return Vec::new() };
    let (test, run) = (test(), run());
    let subject = Subject::Rule(&test, run);
    let reason = plan.skip_reason(HostName::Envoy);
    if let Some(reason) = reason.or_else(|| known.skip_reason(subject, version).map(Into::into)) {
        eprintln!("skip  {test}, run {run}: {reason}");
        return Vec::new();
    }
    let found = known.unexpected(subject, version, &compare::against(plan, report));
    found.into_iter().map(|text| format!("run {run}: {text}")).collect()
}

/// Whether tests are to compare.
pub(super) fn asked() -> bool {
    reference().is_some()
}

fn reference() -> Option<&'static Reference> {
    static REFERENCE: OnceLock<Option<Reference>> = OnceLock::new();
    let load = || {
        std::env::var_os("TOLLGATE_RULES_ON_ENVOY")?;
        let version = envoy::version().expect("TOLLGATE_RULES_ON_ENVOY needs an Envoy");
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(compare::FILE);
        Some(Reference { version, known: Known::load(&file).unwrap() })
    };
    REFERENCE.get_or_init(load).as_ref()
}

/// The name of the running test, as rows know it.
fn test() -> String {
    let thread = std::thread::current();
    let path = thread.name().filter(|name| *name != "main");
    // libtest names the thread, unless it has only one.
    let path = path.expect("TOLLGATE_RULES_ON_ENVOY needs --test-threads=2 or more");
    path.rsplit("::").next().unwrap_or(path).to_owned()
}

/// Which run of the test it is, from 1. Each test has a thread of its own.
fn run() -> usize {
    thread_local!(static RUNS: Cell<usize> = const { Cell::new(0) });
    RUNS.set(RUNS.get() + 1);
    RUNS.get()
}
