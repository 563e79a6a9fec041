//! Recorded costs, and what has become of them.
//!
//! A cost may fall, and may rise by [`TOLERANCE_PERCENT`]. Fuel is compared between equal toolchains
//! only; everything else always is.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::{Costs, Toolchain};
use crate::trace::Cost;

/// The file's name.
pub const FILE: &str = "costs.json";

/// How much a cost may rise before somebody has to say that it may.
pub const TOLERANCE_PERCENT: u64 = 2;

/// Costs of scenarios by their names, and the toolchain that they were recorded with.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Baseline {
    /// What fuel was counted with.
    pub toolchain: Toolchain,
    /// By scenario.
    pub scenarios: BTreeMap<String, Costs>,
}

/// What a comparison found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Comparison {
    /// What rose more than it may, and costs that are not recorded.
    pub risen: Vec<Change>,
    /// What fell, or rose a little.
    pub moved: Vec<Change>,
    /// Scenarios without a record.
    pub unrecorded: Vec<String>,
    /// Scenarios with a record that are no more.
    pub gone: Vec<String>,
    /// Why fuel was not compared, if it was not.
    pub no_fuel: Option<String>,
}

/// A number that is not what it was.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Change {
    /// The scenario's name.
    pub scenario: String,
    /// The filter's, in the chain.
    pub filter: String,
    /// The callback, without `proxy_`.
    pub callback: String,
    /// What was counted.
    pub what: String,
    /// In the record.
    pub before: u64,
    /// Now.
    pub now: u64,
}

impl Change {
    /// By how many tenths of a per cent it rose (negative: fell); `None` from nothing.
    pub fn permille(&self) -> Option<i64> {
        let (before, now) = (i64::try_from(self.before).ok()?, i64::try_from(self.now).ok()?);
        (now.saturating_sub(before)).checked_mul(1000)?.checked_div(before)
    }
}

impl Comparison {
    /// Whether nothing rose more than it may, and nothing lacks a record.
    pub fn passes(&self) -> bool {
        self.risen.is_empty() && self.unrecorded.is_empty()
    }
}

impl Baseline {
    /// A record of `scenarios` made now.
    pub fn new(scenarios: BTreeMap<String, Costs>) -> Self {
        Self { toolchain: Toolchain::current().clone(), scenarios }
    }

    /// What is recorded in `folder`; `None` if nothing is.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, or is no such record.
    pub fn read(folder: &Path) -> Result<Option<Self>> {
        let file = folder.join(FILE);
        let bytes = match fs::read(&file) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            read => read.with_context(|| format!("cannot read `{}`", file.display()))?,
        };
        let baseline = serde_json::from_slice(&bytes).with_context(|| {
            format!(
                "`{}` is no record of costs; `tollgate costs --record` writes one",
                file.display()
            )
        })?;
        Ok(Some(baseline))
    }

    /// Records it in `folder`.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let file = folder.join(FILE);
        fs::write(&file, self.to_json()?)
            .with_context(|| format!("cannot write `{}`", file.display()))
    }

    /// Compares what is `now` with this record.
    pub fn compare(&self, now: &Self) -> Comparison {
        let mut found = Comparison::default();
        if self.toolchain != now.toolchain {
            let name = |t: &Toolchain| format!("rustc {} and wasmtime {}", t.rustc, t.wasmtime);
            let (then, now) = (name(&self.toolchain), name(&now.toolchain));
            found.no_fuel = Some(format!("recorded with {then}, this is {now}"));
        }
        for (scenario, costs) in &now.scenarios {
            let Some(recorded) = self.scenarios.get(scenario) else {
                found.unrecorded.push(scenario.clone());
                continue;
            };
            for (filter, callback) in places(recorded, costs) {
                let none = Cost::default();
                let of = |costs: &'_ Costs| costs.get(filter)?.get(callback).cloned();
                let before = of(recorded).unwrap_or_else(|| none.clone());
                let now = of(costs).unwrap_or(none);
                for (what, before, now) in numbers(&before, &now) {
                    if before == now || (what == "fuel" && found.no_fuel.is_some()) {
                        continue;
                    }
                    let change = Change {
                        scenario: scenario.clone(),
                        filter: filter.to_owned(),
                        callback: callback.trim_start_matches("proxy_").to_owned(),
                        what,
                        before,
                        now,
                    };
                    let most =
                        before.saturating_add(before.saturating_mul(TOLERANCE_PERCENT) / 100);
                    if now > most { found.risen.push(change) } else { found.moved.push(change) }
                }
            }
        }
        let gone = self.scenarios.keys().filter(|name| !now.scenarios.contains_key(*name));
        found.gone = gone.cloned().collect();
        found
    }

    /// A line per callback, so that a review shows which one changed.
    fn to_json(&self) -> Result<String> {
        let mut out = format!(
            "{{\n  \"toolchain\": {},\n  \"scenarios\": {{",
            serde_json::to_string(&self.toolchain)?
        );
        for (i, (scenario, costs)) in self.scenarios.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            write!(out, "{comma}\n    {}: {{", serde_json::to_string(scenario)?)?;
            for (i, (filter, callbacks)) in costs.iter().enumerate() {
                let comma = if i == 0 { "" } else { "," };
                write!(out, "{comma}\n      {}: {{", serde_json::to_string(filter)?)?;
                for (i, (callback, cost)) in callbacks.iter().enumerate() {
                    let comma = if i == 0 { "" } else { "," };
                    let callback = serde_json::to_string(callback)?;
                    let cost = serde_json::to_string(cost)?;
                    write!(out, "{comma}\n        {callback}: {cost}")?;
                }
                out += "\n      }";
            }
            out += "\n    }";
        }
        out += "\n  }\n}\n";
        Ok(out)
    }
}

/// Every filter and callback of either.
fn places<'a>(one: &'a Costs, other: &'a Costs) -> BTreeSet<(&'a str, &'a str)> {
    let of = |costs: &'a Costs| {
        costs.iter().flat_map(|(filter, callbacks)| {
            callbacks.keys().map(|callback| (filter.as_str(), callback.as_str()))
        })
    };
    of(one).chain(of(other)).collect()
}

/// The numbers of two costs, side by side. How often a callback came says nothing by itself.
fn numbers(before: &Cost, now: &Cost) -> Vec<(String, u64, u64)> {
    let mut numbers = vec![
        ("fuel".to_owned(), before.fuel, now.fuel),
        ("allocations".to_owned(), before.allocations, now.allocations),
        ("bytes to guest".to_owned(), before.bytes_to_guest, now.bytes_to_guest),
        ("bytes from guest".to_owned(), before.bytes_from_guest, now.bytes_from_guest),
        ("peak pages".to_owned(), before.peak_pages, now.peak_pages),
    ];
    let names: BTreeSet<_> = before.host_calls.keys().chain(now.host_calls.keys()).collect();
    for name in names {
        let count = |cost: &Cost| cost.host_calls.get(name).copied().unwrap_or(0);
        let what = format!("calls of {}", name.trim_start_matches("proxy_"));
        numbers.push((what, count(before), count(now)));
    }
    numbers
}

#[cfg(test)]
mod tests;
