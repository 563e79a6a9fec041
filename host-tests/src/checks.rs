//! What the runner checks of every scenario on the wasmtime host, beside what the scenario expects:
//!
//! - `cuts`: however bodies are cut, the outcome is the same ([`cuts`]);
//! - `memory`: repeated on the same VMs, the scenario takes no more memory ([`memory`]).
//!
//! A scenario opts out of one with the reason why, in `unchecked`. That nothing stays paused for
//! ever needs no check of its own: such a run has no report, and says who holds what.

mod cuts;
mod memory;

use anyhow::Result;

use crate::judge::Failure;
use crate::plan::Plan;
use crate::report::Report;

/// What does not hold of `plan`, of which `report` was made as it is written; told as failed
/// expectations. The modules must have been built.
///
/// # Errors
///
/// When the scenario cannot be started again.
pub fn check(plan: &Plan, report: &Report) -> Result<Vec<Failure>> {
    let unchecked = &plan.scenario.unchecked;
    let mut failures = Vec::new();
    if unchecked.cuts.is_none() {
        failures.extend(cuts::check(plan, report));
    }
    if unchecked.memory.is_none() {
        failures.extend(memory::check(plan)?);
    }
    Ok(failures)
}

/// How a file opts out of `check`, for the end of a message.
fn opt_out(check: &str) -> String {
    format!("; if that is meant, say why: `unchecked: {{{check}: …}}`")
}

#[cfg(test)]
mod tests;
