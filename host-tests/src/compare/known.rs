//! Known differences: a file of rows, each with its reason.
//!
//! ```yaml
//! - scenario: token-count/scenarios/counts-a-stream   # or `rule:`, a test of this host's rules
//!   exchange: second                                   # any exchange if absent
//!   path: response.headers                             # this or anything below it
//!   versions: ["1.36"]                                 # of Envoy; all if absent
//!   reason: why it is so, and why that is right
//! ```
//!
//! `path: skip` leaves the scenario out instead: Envoy cannot run it at all.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::Difference;

/// The path of a row whose subject Envoy cannot run.
const SKIP: &str = "skip";

/// What is compared, as rows name it.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'s> {
    /// A scenario, by its file.
    Scenario(&'s Path),
    /// A test of this host's rules by its name, and which of its runs, from 1.
    Rule(&'s str, usize),
}

/// The rows of a file.
#[derive(Clone, Debug, Default)]
pub struct Known {
    rows: Vec<Row>,
}

/// One known difference.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Row {
    /// The end of the path of a scenario's file or folder.
    pub scenario: Option<String>,
    /// The name of a test of this host's rules.
    pub rule: Option<String>,
    /// Which run of that test, from 1; every run if absent.
    pub run: Option<usize>,
    /// The exchange's name; any if absent.
    pub exchange: Option<String>,
    /// What differs: the place itself, or what it is in. `skip`: it cannot run on Envoy.
    pub path: String,
    /// Versions of Envoy, or the first parts of them, such as `1.36`; all if absent.
    #[serde(default)]
    pub versions: Vec<String>,
    /// Why.
    pub reason: String,
}

impl Known {
    /// Reads the file at `path`.
    ///
    /// # Errors
    ///
    /// It cannot be read, is no list of rows, or a row names not exactly one of `scenario` and `rule`
    /// or has no reason.
    pub fn load(path: &Path) -> Result<Self> {
        let name = path.display();
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
        Self::parse(&text).with_context(|| name.to_string())
    }

    pub(super) fn parse(text: &str) -> Result<Self> {
        let rows: Vec<Row> = serde_yaml_ng::from_str::<Option<_>>(text)?.unwrap_or_default();
        for (i, row) in rows.iter().enumerate() {
            if row.scenario.is_some() == row.rule.is_some() {
                bail!("[{i}]: found neither or both of `scenario` and `rule`, expected one");
            }
            if row.reason.trim().is_empty() {
                bail!("[{i}].reason: found nothing, expected why the hosts differ");
            }
            if row.path.is_empty() {
                bail!("[{i}].path: found nothing, expected what differs, such as `response.body`");
            }
        }
        Ok(Self { rows })
    }

    /// All rows, in order.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Why `subject` cannot run on an Envoy of this version, if it cannot.
    pub fn skip_reason(&self, subject: Subject<'_>, version: &str) -> Option<&str> {
        let mut rows = self.rows.iter().filter(|row| row.is_about(subject, version));
        rows.find(|row| row.path == SKIP).map(|row| row.reason.as_str())
    }

    /// What is wrong with `differences`: those that are not known, and rows about `subject` that no
    /// longer differ.
    pub fn unexpected(
        &self,
        subject: Subject<'_>,
        version: &str,
        differences: &[Difference],
    ) -> Vec<String> {
        let rows: Vec<&Row> =
            self.rows.iter().filter(|row| row.is_about(subject, version)).collect();
        let mut out: Vec<String> = differences
            .iter()
            .filter(|difference| !rows.iter().any(|row| row.covers(difference)))
            .map(ToString::to_string)
            .collect();
        for row in rows.iter().filter(|row| row.path != SKIP) {
            if !differences.iter().any(|difference| row.covers(difference)) {
                let exchange = row.exchange.as_deref().unwrap_or("any");
                out.push(format!(
                    "known difference at `{}` of exchange {exchange} is none any more: remove its \
                     row ({})",
                    row.path, row.reason
                ));
            }
        }
        out
    }

    /// Rows about scenarios that are not among `files`.
    pub fn without_subject<'f>(&self, files: impl IntoIterator<Item = &'f Path>) -> Vec<String> {
        let files: BTreeSet<&Path> = files.into_iter().collect();
        let named = self.rows.iter().filter_map(|row| row.scenario.as_deref());
        named
            .filter(|name| !files.iter().any(|file| is_named(file, name)))
            .map(|name| format!("known difference of `{name}`: there is no such scenario"))
            .collect()
    }
}

impl Row {
    fn is_about(&self, subject: Subject<'_>, version: &str) -> bool {
        let named = match subject {
            Subject::Scenario(file) => {
                self.scenario.as_deref().is_some_and(|name| is_named(file, name))
            }
            Subject::Rule(rule, run) => {
                self.rule.as_deref() == Some(rule) && self.run.is_none_or(|only| only == run)
            }
        };
        named && (self.versions.is_empty() || self.versions.iter().any(|v| is_of(version, v)))
    }

    fn covers(&self, difference: &Difference) -> bool {
        let below = |rest: &str| rest.is_empty() || rest.starts_with(['.', '[']);
        self.exchange.as_ref().is_none_or(|name| *name == difference.exchange)
            && difference.path.strip_prefix(&self.path).is_some_and(below)
    }
}

fn is_named(file: &Path, name: &str) -> bool {
    file.ends_with(name) || file.parent().is_some_and(|folder| folder.ends_with(name))
}

/// Whether `version` is `wanted` or begins with its parts: 1.36.4 is of 1.36, 1.3 is not.
fn is_of(version: &str, wanted: &str) -> bool {
    let rest = version.strip_prefix(wanted);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
