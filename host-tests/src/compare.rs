//! One scenario on both hosts, and where they differ.
//!
//! Whole reports are compared: what a scenario leaves open, too. Left out is only what cannot be the
//! same, see [`mod@normal`]. A difference that is known and has a reason is a row of a [`Known`] file; a
//! row that no longer differs is an error, so that the file never says more than is true.
//!
//! Not here: which of both is right. Envoy is.

mod known;
mod normal;

pub use known::{Known, Row, Subject};

use std::fmt;

use anyhow::Result;
use serde_json::Value;

use crate::plan::Plan;
use crate::report::Report;
use crate::{envoy, modules, wasm};
use normal::normal;

/// This repository's file of known differences, beside the package's manifest.
pub const FILE: &str = "known-differences.yaml";

/// The most of a value that a difference shows, in characters.
const MOST_SHOWN: usize = 600;

/// How an error of [`crate::wasm::run`] says that nothing moves any more.
const HANGS: &str = "hangs";

/// One place where the hosts differ.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Difference {
    /// The exchange's name; empty if it belongs to none.
    pub exchange: String,
    /// Where in the exchange's report, such as `upstream[0].body`; `logs` of no exchange are those
    /// of the start; `outcome` is whether there is a report at all.
    pub path: String,
    /// What wasmtime has there, as JSON.
    pub wasmtime: String,
    /// What Envoy has there.
    pub envoy: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.exchange.is_empty() {
            write!(f, "exchange {}: ", self.exchange)?;
        }
        let Self { path, wasmtime, envoy, .. } = self;
        write!(f, "{path}\n  wasmtime {wasmtime}\n  envoy    {envoy}")
    }
}

/// Runs `plan` on both hosts, with filters that are up to date. Empty: they agree.
///
/// Where wasmtime shows that the scenario hangs, Envoy is not given its full time limit.
///
/// # Errors
///
/// Modules that cannot be built. That a host cannot run the plan is no error: if only one of them
/// cannot, or each for another reason, that is a difference.
pub fn both(plan: &Plan) -> Result<Vec<Difference>> {
    modules::build([plan])?;
    let ours = wasm::run(plan);
    Ok(against(plan, &ours))
}

/// As [`both`], for a run on wasmtime that was made already.
pub fn against(plan: &Plan, ours: &Result<Report>) -> Vec<Difference> {
    let hangs = ours.as_ref().is_err_and(|error| format!("{error:#}").contains(HANGS));
    let patience = if hangs { envoy::Patience::Short } else { envoy::Patience::Full };
    let real = envoy::run_with(plan, patience);
    match (ours, &real) {
        (Ok(ours), Ok(real)) => reports(plan, ours, real),
        (Err(one), Err(other)) if kind(one) == kind(other) => Vec::new(),
        (ours, real) => {
            let outcome = |result: &Result<Report>| match result {
                Ok(report) => {
                    let statuses = report.exchanges.iter().map(|e| e.response.status.to_string());
                    let statuses: Vec<String> = statuses.collect();
                    format!("a report, statuses {}", statuses.join(", "))
                }
                Err(error) => shortened(format!("error: {error:#}")),
            };
            vec![Difference {
                exchange: String::new(),
                path: "outcome".into(),
                wasmtime: outcome(ours),
                envoy: outcome(real),
            }]
        }
    }
}

/// Where two reports of `plan` differ.
pub fn reports(plan: &Plan, ours: &Report, real: &Report) -> Vec<Difference> {
    let mut out = Vec::new();
    let (ours, real) = (normal(plan, ours), normal(plan, real));
    let start = (logs(&ours.logs), logs(&real.logs));
    differences("", "logs", &start.0, &start.1, &mut out);
    for (ours, real) in ours.connections.iter().zip(&real.connections) {
        let name = format!("connection {}", ours.name);
        let value = |seen| serde_json::to_value(seen).unwrap_or_default();
        differences(&name, "", &value(ours), &value(real), &mut out);
    }
    for (ours, real) in ours.exchanges.iter().zip(&real.exchanges) {
        let (a, b) = (serde_json::to_value(ours), serde_json::to_value(real));
        let (a, b) = (a.unwrap_or_default(), b.unwrap_or_default());
        differences(&ours.name, "", &a, &b, &mut out);
    }
    out
}

fn logs(lines: &[crate::report::LogLine]) -> Value {
    serde_json::to_value(lines).unwrap_or_default()
}

/// What sort of failure it is: a hang, a refused start, or its own text.
fn kind(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    let hangs = [HANGS, "does not end the stream"];
    if hangs.iter().any(|hang| text.contains(hang)) {
        HANGS.into()
    } else if text.contains("refused") || text.starts_with("filter `") {
        // What is wrong with a filter before the first exchange.
        "refused".into()
    } else {
        text
    }
}

/// Walks both values and notes the smallest parts that differ.
fn differences(exchange: &str, path: &str, ours: &Value, real: &Value, out: &mut Vec<Difference>) {
    if ours == real {
        return;
    }
    match (ours, real) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: std::collections::BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let at = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                let none = Value::Null;
                let (a, b) = (a.get(key).unwrap_or(&none), b.get(key).unwrap_or(&none));
                differences(exchange, &at, a, b, out);
            }
        }
        // Of lists of pairs, which headers and log lines are, the whole says more.
        (Value::Array(a), Value::Array(b))
            if a.len() == b.len() && path.split('.').next_back() == Some("upstream") =>
        {
            for (i, (a, b)) in a.iter().zip(b).enumerate() {
                differences(exchange, &format!("{path}[{i}]"), a, b, out);
            }
        }
        _ => {
            let (wasmtime, envoy) = match (ours, real) {
                (Value::Array(ours), Value::Array(real)) => (cut(ours, real), cut(real, ours)),
                (ours, real) => (ours.to_string(), real.to_string()),
            };
            out.push(Difference {
                exchange: exchange.to_owned(),
                path: path.to_owned(),
                wasmtime: shortened(wasmtime),
                envoy: shortened(envoy),
            });
        }
    }
}

/// A list from where it differs from `other`, with a little in front; log lines in short.
fn cut(list: &[Value], other: &[Value]) -> String {
    const IN_FRONT: usize = 3;
    let same = list.iter().zip(other).take_while(|(a, b)| a == b).count();
    let from = same.saturating_sub(IN_FRONT);
    let short = |item: &Value| match (item.get("filter"), item.get("message")) {
        (Some(Value::String(filter)), Some(Value::String(message))) => {
            format!("{filter}: {message:?}")
        }
        _ => item.to_string(),
    };
    let rest: Vec<String> = list.iter().skip(from).map(short).collect();
    match from {
        0 => format!("[{}]", rest.join(", ")),
        _ => format!("[… {from} the same, {}]", rest.join(", ")),
    }
}

/// A long text with its middle left out.
fn shortened(text: String) -> String {
    let count = text.chars().count();
    if count <= MOST_SHOWN {
        return text;
    }
    let front: String = text.chars().take(MOST_SHOWN / 2).collect();
    let back: String = text.chars().skip(count - MOST_SHOWN / 2).collect();
    format!("{front} … ({count} characters) … {back}")
}

#[cfg(test)]
mod tests;
