//! From a scenario file to a [`Plan`], or to every problem found on the way.
//!
//! Two stages, as for a filter's configuration: serde checks names and shapes and stops at the first
//! mistake other than a misspelt field; what follows (files, names of filters, bodies, times) is
//! checked to the end and reported together.

mod body;
mod callout;
mod chain;
mod connection;
mod exchange;
mod route;
mod shape;
mod times;

pub use crate::config_file::config_json;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use tollgate_config::Problem;

use crate::plan::{self, Plan};
use crate::scenario::{Chunks, HeaderMap, HeaderValue, Scenario};
use crate::source::{self, Mistake, Source as Text};
use body::Source;
pub(crate) use body::cut;

/// The most bytes of a `bodyFile`.
const MOST_BODY_BYTES: u64 = 64 << 20;

/// Each of a scenario's workers has VMs, and so memory, of its own.
const MOST_WORKERS: u32 = 128;

/// A file that is not a scenario: which, and every mistake known of it and of the configurations that
/// it names.
#[derive(Debug)]
pub struct Invalid {
    /// The file as it was named.
    pub file: PathBuf,
    /// Where, and what was found and expected there; never empty.
    pub mistakes: Vec<Mistake>,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, mistake) in self.mistakes.iter().enumerate() {
            let line = if i == 0 { "" } else { "\n" };
            write!(f, "{line}{mistake}")?;
        }
        Ok(())
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
        Text::read(path)
            .map_err(|mistake| vec![mistake])
            .and_then(|text| read(&text))
            .map_err(|mistakes| Invalid { file: path.to_owned(), mistakes })
    }
}

/// Both stages.
pub(crate) fn read(text: &Text) -> Result<Plan, Vec<Mistake>> {
    let scenario = shape::read(text)?;
    let folder = text.file().parent().map(Path::to_owned).unwrap_or_default();
    let mut loader = Loader { folder, problems: Vec::new() };
    let plan = loader.plan(text.file(), scenario);
    if loader.problems.is_empty() {
        return Ok(plan);
    }
    let mistakes = loader.problems.into_iter().map(|found| match found {
        Found::Here(problem) => text.locate(problem),
        Found::There(mistake) => mistake,
    });
    Err(mistakes.collect())
}

fn problem(path: impl Into<String>, message: impl Into<String>) -> Problem {
    Problem { path: path.into(), message: message.into() }
}

/// Stage two: goes on after a problem with whatever is harmless.
struct Loader {
    folder: PathBuf,
    problems: Vec<Found>,
}

enum Found {
    /// In the scenario.
    Here(Problem),
    /// In a file that it names.
    There(Mistake),
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
        if let Some(workers) = scenario.workers.filter(|workers| *workers > MOST_WORKERS) {
            self.note("workers", format!("found {workers}, expected at most {MOST_WORKERS}"));
        }
        if scenario.exchanges.is_empty() && scenario.connections.is_empty() {
            self.note("exchanges", "found none, expected at least one, or one of `connections`");
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
            let filter = self.filter(&format!("chain[{i}]"), link, &chain, &scenario.env);
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
        route::check(self, &scenario.route);
        let profile = scenario.profile.unwrap_or_default();
        let connections = self.connections(&scenario.connections);
        Plan {
            path: path.to_owned(),
            profile,
            clock_nanos,
            callouts,
            chain,
            exchanges,
            connections,
            scenario,
        }
    }

    fn note(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.problems.push(Found::Here(problem(path, message)));
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
        match cut(&bytes, chunks) {
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
            return self
                .read(&format!("{at}.bodyFile"), file, MOST_BODY_BYTES)
                .map(|bytes| (bytes, None));
        }
        match source.inline() {
            Ok(body) => body,
            Err((field, message)) => {
                self.note(format!("{at}.{field}"), message);
                None
            }
        }
    }

    fn read(&mut self, at: &str, file: &str, most: u64) -> Option<Vec<u8>> {
        let path = self.folder.join(file);
        source::bounded(&path, most).map_err(|why| self.note(at, format!("`{file}`: {why}"))).ok()
    }
}

#[cfg(test)]
mod tests;
