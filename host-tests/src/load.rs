//! From a scenario file to a [`Plan`], or to every problem found on the way.
//!
//! Two stages, as for a filter's configuration: serde checks names and shapes and stops at the first
//! mistake; what follows (files, names of filters, bodies, times) is checked to the end and reported
//! together.

mod body;
mod callout;
mod chain;
mod exchange;
mod times;

pub use chain::config_json;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use tollgate_config::{Problem, nearest};

use crate::plan::{self, Plan};
use crate::scenario::{Chunks, HeaderMap, HeaderValue, Scenario};
use body::Source;

/// A file that is not a scenario: which, and every problem known of it.
#[derive(Debug)]
pub struct Invalid {
    /// The file as it was named.
    pub file: PathBuf,
    /// Where in it, and what was found and expected there; never empty.
    pub problems: Vec<Problem>,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.display();
        match self.problems.as_slice() {
            [only] => write!(f, "{file}: {only}"),
            problems => {
                write!(f, "{file}: {} problems", problems.len())?;
                problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
            }
        }
    }
}

impl std::error::Error for Invalid {}

impl Plan {
    /// Reads the scenario at `path`, and the files that it names.
    ///
    /// # Errors
    ///
    /// Every problem, if the file cannot be read or is not a scenario.
    pub fn load(path: &Path) -> Result<Self, Invalid> {
        match std::fs::read_to_string(path) {
            Ok(text) => read(path, &text),
            Err(error) => Err(vec![problem("", format!("cannot read the file: {error}"))]),
        }
        .map_err(|problems| Invalid { file: path.to_owned(), problems })
    }
}

/// Both stages, on the text of the file at `path`.
fn read(path: &Path, text: &str) -> Result<Plan, Vec<Problem>> {
    let scenario = parse(text).map_err(|problem| vec![problem])?;
    let folder = path.parent().map(Path::to_owned).unwrap_or_default();
    let mut loader = Loader { folder, problems: Vec::new() };
    let plan = loader.plan(path, scenario);
    if loader.problems.is_empty() { Ok(plan) } else { Err(loader.problems) }
}

fn problem(path: impl Into<String>, message: impl Into<String>) -> Problem {
    Problem { path: path.into(), message: message.into() }
}

/// Stage one.
fn parse(text: &str) -> Result<Scenario, Problem> {
    // Into `Value` first: only there does a duplicate key in a free-form part (`json:`) not pass.
    serde_yaml_ng::from_str::<serde_yaml_ng::Value>(text)
        .map_err(|error| problem("", format!("not valid YAML: {error}")))?;
    let yaml = serde_yaml_ng::Deserializer::from_str(text);
    serde_path_to_error::deserialize(yaml).map_err(|error| {
        let path = match error.path().to_string() {
            dot if dot == "." => String::new(),
            path => path,
        };
        problem(&path, reworded(&path, &error.inner().to_string()))
    })
}

/// The YAML reader's message without the path that we print ourselves, and with the nearest right
/// word for a misspelt one.
fn reworded(path: &str, message: &str) -> String {
    let message = match message.strip_prefix(path).and_then(|rest| rest.strip_prefix(": ")) {
        Some(rest) if !path.is_empty() => rest,
        _ => message,
    };
    // It names the parent for an unknown field.
    let message = message
        .find("unknown ")
        .filter(|&at| message.get(..at).is_some_and(|before| before.ends_with(": ")))
        .and_then(|at| message.get(at..))
        .unwrap_or(message);
    if message.starts_with("unknown ") {
        let mut words = message.split('`').skip(1).step_by(2);
        if let Some(near) = words.next().and_then(|found| nearest(found, words)) {
            return format!("{message}; did you mean `{near}`?");
        }
    }
    message.to_owned()
}

/// Stage two: goes on after a problem with whatever is harmless.
struct Loader {
    folder: PathBuf,
    problems: Vec<Problem>,
}

impl Loader {
    fn plan(&mut self, path: &Path, scenario: Scenario) -> Plan {
        if scenario.description.trim().is_empty() {
            self.note("description", "found nothing, expected the behaviour as a sentence");
        }
        if scenario.hosts.is_empty() {
            self.note("hosts", "found none, expected `wasmtime`, `envoy` or both");
        }
        if scenario.workers == Some(0) {
            self.note("workers", "found 0, expected at least 1");
        }
        if scenario.exchanges.is_empty() {
            self.note("exchanges", "found none, expected at least one");
        }
        let clock_nanos = scenario.clock.as_deref().and_then(|text| {
            let nanos = times::instant(text);
            if nanos.is_none() {
                self.note(
                    "clock",
                    format!(
                        "found `{text}`, expected a time from 1970 on, such as 2026-01-01T00:00:00Z"
                    ),
                );
            }
            nanos
        });
        let mut chain: Vec<plan::Filter> = Vec::new();
        for (i, link) in scenario.chain.iter().enumerate() {
            let filter = self.filter(&format!("chain[{i}]"), link, &chain);
            chain.extend(filter);
        }
        let mut callouts = BTreeMap::new();
        for (cluster, answers) in &scenario.callouts {
            callout::check_name(self, cluster);
            let answers = answers
                .iter()
                .enumerate()
                .map(|(i, answer)| self.callout(&format!("callouts.{cluster}[{i}]"), answer))
                .collect();
            callouts.insert(cluster.clone(), answers);
        }
        let exchanges = scenario
            .exchanges
            .iter()
            .enumerate()
            .map(|(i, exchange)| self.exchange(i, exchange))
            .collect();
        let workers = scenario.workers.unwrap_or(1).max(1);
        for (i, exchange) in scenario.exchanges.iter().enumerate() {
            if let Some(worker) = exchange.worker.filter(|worker| *worker >= workers) {
                let text =
                    format!("found {worker}, expected less than `workers`, which is {workers}");
                self.note(format!("exchanges[{i}].worker"), text);
            }
        }
        let profile = scenario.profile.unwrap_or_default();
        Plan { path: path.to_owned(), profile, clock_nanos, callouts, chain, exchanges, scenario }
    }

    fn note(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.problems.push(problem(path, message));
    }

    fn status(&mut self, at: &str, status: Option<u16>) -> u16 {
        let status = status.unwrap_or(200);
        if !(200..=599).contains(&status) {
            self.note(format!("{at}.status"), format!("found {status}, expected 200 to 599"));
        }
        status
    }

    fn headers(&mut self, at: &str, map: &HeaderMap) -> plan::Headers {
        let mut headers = Vec::new();
        for (name, value) in &map.0 {
            match value {
                HeaderValue::Values(values) => {
                    headers.extend(values.iter().map(|value| (name.clone(), value.clone())));
                }
                HeaderValue::Absent => self.note(
                    format!("{at}.{name}"),
                    "found null, expected a value (leave the line out to send no such header)",
                ),
            }
        }
        headers
    }

    /// The body's pieces, with the headers that go with them.
    fn pieces(
        &mut self,
        at: &str,
        source: &Source<'_>,
        chunks: &Chunks,
        headers: &mut plan::Headers,
        open_ended: bool,
    ) -> Option<Vec<Vec<u8>>> {
        let Some((bytes, content_type)) = self.body(at, source) else {
            if *chunks != Chunks::Whole {
                self.note(format!("{at}.chunks"), "found cuts but no body to cut");
            }
            return None;
        };
        body::imply(headers, "content-type", content_type);
        if *chunks == Chunks::Whole && !open_ended {
            body::imply_length(headers, bytes.len());
        }
        match body::cut(&bytes, chunks) {
            Ok(pieces) => Some(pieces),
            Err(message) => {
                self.note(format!("{at}.chunks"), message);
                None
            }
        }
    }

    /// The body in full with its content type, if the file gives one.
    fn body(&mut self, at: &str, source: &Source<'_>) -> Option<(Vec<u8>, Option<&'static str>)> {
        match source.given().as_slice() {
            [] | [_] => {}
            fields => {
                self.note(
                    at,
                    format!("found the fields {}, expected one body", fields.join(" and ")),
                );
                return None;
            }
        }
        if let Some(file) = source.file {
            return self.read(&format!("{at}.bodyFile"), file).map(|bytes| (bytes, None));
        }
        match source.inline() {
            Ok(body) => body,
            Err((field, message)) => {
                self.note(format!("{at}.{field}"), message);
                None
            }
        }
    }

    fn read(&mut self, at: &str, file: &str) -> Option<Vec<u8>> {
        let path = self.folder.join(file);
        std::fs::read(&path)
            .map_err(|error| self.note(at, format!("cannot read `{}`: {error}", path.display())))
            .ok()
    }
}

#[cfg(test)]
mod tests;
