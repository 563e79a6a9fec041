//! An offline proxy-wasm host, and the runner of scenarios on it or on a real Envoy.
//!
//! 1. [`plan::Plan::load`] reads a scenario file ([`scenario`] is the format);
//! 2. [`modules::build`] compiles the filters that it names;
//! 3. a host runs the plan and gives a [`report::Report`] ([`run`] does 2 and 3);
//! 4. [`judge::judge`] compares it with what the scenario expects.
//!
//! [`compare`] runs a plan on both hosts and says where they differ.
//!
//! Beside that, [`check`] validates plugin configurations without a host.

pub mod batch;
pub mod check;
pub mod checks;
pub mod compare;
pub mod config_file;
pub mod cost;
pub mod envoy;
pub mod excerpt;
pub mod find;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod judge;
pub mod load;
pub mod modules;
pub mod plan;
pub mod report;
pub mod scenario;
pub mod source;
pub mod trace;
pub mod wasm;

use anyhow::Result;

use plan::Plan;
use report::Report;
use scenario::HostName;

/// Runs `plan` on `host` with filters that are up to date, and judges nothing.
///
/// # Errors
///
/// Why there is no observation: modules that cannot be built or loaded, a host that does not start,
/// an exchange that never ends.
pub fn run(plan: &Plan, host: HostName) -> Result<Report> {
    modules::build([plan])?;
    match host {
        HostName::Wasmtime => wasm::run(plan),
        HostName::Envoy => envoy::run(plan),
    }
}

/// Why `host` cannot run anything on this machine; `None` if it can. `missing:` in a skip tells the
/// runner of the tests that the machine is at fault, not the scenario.
pub fn unavailable(host: HostName) -> Option<String> {
    match host {
        HostName::Wasmtime => None,
        HostName::Envoy => envoy::available().err().map(|why| format!("missing: {why}")),
    }
}
