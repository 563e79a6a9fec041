//! What scenarios cost, in numbers that are the same on every machine, and whether that has grown.
//!
//! [`measure`] runs a scenario and counts; [`baseline::Baseline`] is what was counted before, in a
//! file `costs.json` beside the scenarios; [`baseline::Baseline::compare`] says what rose.

pub mod baseline;
pub mod table;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::plan::Plan;
use crate::scenario::HostName;
use crate::trace::{Cost, Trace};
use crate::{batch, find, modules, wasm};
use baseline::Baseline;

/// What a scenario cost: by filter, then by callback.
pub type Costs = BTreeMap<String, BTreeMap<String, Cost>>;

/// What fuel depends on beside the filters' sources: numbers of different toolchains cannot be
/// compared. Host calls and bytes can.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Toolchain {
    /// The version of the compiler that is installed; `unknown` where there is none.
    pub rustc: String,
    /// The version of the runtime, which says what an instruction costs.
    pub wasmtime: String,
}

/// Of the workspace's dependency.
const WASMTIME: &str = "48.0.8";

impl Toolchain {
    /// The toolchain of this machine.
    pub fn current() -> &'static Self {
        static CURRENT: OnceLock<Toolchain> = OnceLock::new();
        CURRENT.get_or_init(|| Self { rustc: rustc(), wasmtime: WASMTIME.to_owned() })
    }
}

/// Runs `plan` on the wasmtime host and counts; nothing is judged.
///
/// # Errors
///
/// As [`wasm::run`], and when a module cannot be built.
pub fn measure(plan: &Plan) -> Result<Costs> {
    modules::build([plan])?;
    let (report, trace) = wasm::record(plan);
    report?;
    Ok(costs(&trace))
}

/// What every scenario below `folder` costs now.
///
/// # Errors
///
/// A folder without scenarios, a file that is none, a scenario that cannot be run.
pub fn measure_all(folder: &Path) -> Result<Baseline> {
    let mut plans = Vec::new();
    for file in find::scenarios(&[folder.to_owned()])? {
        let plan = Plan::load(&file)?;
        // Those for Envoy only are no concern of this host's.
        if plan.skip_reason(HostName::Wasmtime).is_none() {
            plans.push(plan);
        }
    }
    modules::build(&plans)?;
    let mut scenarios = BTreeMap::new();
    batch::each(&plans, measure, |plan, costs| -> Result<()> {
        let costs = costs.with_context(|| plan.path.display().to_string())?;
        scenarios.insert(name(folder, &plan.path), costs);
        Ok(())
    })?;
    Ok(Baseline::new(scenarios))
}

/// The sums of `trace`, by filter and callback.
pub fn costs(trace: &Trace) -> Costs {
    let mut costs = Costs::new();
    for ((filter, callback), cost) in &trace.totals {
        let of_filter = costs.entry(filter.clone()).or_default();
        of_filter.insert((*callback).to_owned(), cost.clone());
    }
    costs
}

/// What scenario `file` below `folder` is called in a baseline: its own folder, or its file where
/// that is not called `scenario.yaml`.
pub fn name(folder: &Path, file: &Path) -> String {
    let below = file.strip_prefix(folder).unwrap_or(file);
    let own = below.file_stem().is_some_and(|stem| stem == "scenario");
    let named = match below.parent().filter(|parent| own && !parent.as_os_str().is_empty()) {
        Some(parent) => parent.to_owned(),
        None => PathBuf::from(below),
    };
    named.to_string_lossy().replace('\\', "/")
}

fn rustc() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    // In the workspace, where rustup may know another version than elsewhere.
    let output = Command::new(rustc).arg("--version").current_dir(modules::workspace()).output();
    let text = output.map(|output| output.stdout).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    text.split_whitespace().nth(1).unwrap_or("unknown").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_wasmtime_is_the_locked_one() {
        let lock = std::fs::read_to_string(modules::workspace().join("Cargo.lock")).unwrap();
        let package = format!("name = \"wasmtime\"\nversion = \"{WASMTIME}\"");
        assert!(lock.contains(&package), "{WASMTIME}");
    }

    #[test]
    fn scenarios_are_called_after_their_folders() {
        for (file, expected) in [
            ("a/forbids/scenario.yaml", "forbids"),
            ("a/forbids/two.scenario.yaml", "forbids/two.scenario.yaml"),
            ("a/scenario.yaml", "scenario.yaml"),
            ("b/c/scenario.yaml", "b/c"),
        ] {
            assert_eq!(name(Path::new("a"), Path::new(file)), expected, "{file}");
        }
    }
}
