//! From a scenario file to a [`Plan`], or to every problem found on the way.
//!
//! Two stages, as for a filter's configuration: serde checks names and shapes and stops at the first
//! mistake; what follows (files, names of filters, bodies, times) is checked to the end and reported
//! together.

mod body;
mod times;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tollgate_config::{Problem, nearest};

use crate::modules;
use crate::plan::{self, Plan};
use crate::scenario::{self, Chunks, HeaderMap, HeaderValue, Link, Scenario};
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
        Plan { path: path.to_owned(), clock_nanos, callouts, chain, exchanges, scenario }
    }

    fn note(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.problems.push(problem(path, message));
    }

    fn filter(&mut self, at: &str, link: &Link, before: &[plan::Filter]) -> Option<plan::Filter> {
        let (stem, wasm) = match (&link.filter, &link.wasm) {
            (Some(name), None) => match modules::path(name) {
                Ok(path) => (name.clone(), path),
                Err(unknown) => {
                    self.note(format!("{at}.filter"), unknown.to_string());
                    return None;
                }
            },
            (None, Some(file)) => {
                let path = self.folder.join(file);
                if !path.is_file() {
                    self.note(format!("{at}.wasm"), format!("no file `{}`", path.display()));
                    return None;
                }
                let stem = path.file_stem().map(|s| s.to_string_lossy().into_owned());
                (stem.unwrap_or_default(), path)
            }
            (Some(_), Some(_)) => {
                self.note(at, "found both `filter` and `wasm`, expected one of them");
                return None;
            }
            (None, None) => {
                self.note(at, "found neither `filter` nor `wasm`, expected one of them");
                return None;
            }
        };
        let taken = |name: &str| before.iter().any(|other| other.name == name);
        let name = std::iter::once(stem.clone())
            .chain((2..).map(|n: usize| format!("{stem}-{n}")))
            .find(|name| !taken(name))
            .unwrap_or(stem);
        Some(plan::Filter {
            name,
            wasm,
            config: self.config(at, link),
            at: link.at,
            allow_on_headers_stop_iteration: link.allow_on_headers_stop_iteration.unwrap_or(true),
            failure_policy: link.failure_policy,
        })
    }

    fn config(&mut self, at: &str, link: &Link) -> Vec<u8> {
        match (&link.config, &link.config_file) {
            (None, None) => Vec::new(),
            (Some(_), Some(_)) => {
                self.note(at, "found both `config` and `configFile`, expected at most one");
                Vec::new()
            }
            (Some(Value::String(text)), None) => text.clone().into_bytes(),
            (Some(value), None) => {
                if link.filter.is_some() && !value.is_object() {
                    self.note(format!("{at}.config"), "expected an object, or the text to give");
                }
                value.to_string().into_bytes()
            }
            (None, Some(file)) => {
                let at = format!("{at}.configFile");
                let Some(bytes) = self.read(&at, file) else { return Vec::new() };
                match config_json(Path::new(file), bytes) {
                    Ok(json) => json,
                    Err(message) => {
                        self.note(at, message);
                        Vec::new()
                    }
                }
            }
        }
    }

    fn callout(&mut self, at: &str, answer: &scenario::Callout) -> plan::Callout {
        let source = Source {
            json: answer.json.as_ref(),
            text: answer.body.as_deref(),
            base64: answer.body_base64.as_deref(),
            file: answer.body_file.as_deref(),
            sse: None,
        };
        let mut headers = self.headers(&format!("{at}.headers"), &answer.headers);
        let body = self.body(at, &source);
        if let Some((_, content_type)) = &body {
            body::imply(&mut headers, "content-type", *content_type);
        }
        plan::Callout {
            status: self.status(at, answer.status),
            headers,
            body: body.map(|(bytes, _)| bytes).unwrap_or_default(),
            delay_nanos: answer.delay_ms.saturating_mul(1_000_000),
        }
    }

    fn exchange(&mut self, i: usize, exchange: &scenario::Exchange) -> plan::Exchange {
        let at = format!("exchanges[{i}]");
        let advance_nanos = exchange.advance.as_deref().map_or(0, |text| {
            times::duration(text).unwrap_or_else(|| {
                self.note(
                    format!("{at}.advance"),
                    format!("found `{text}`, expected a duration such as `30s`, `5ms` or `1h`"),
                );
                0
            })
        });
        plan::Exchange {
            name: exchange.name.clone().unwrap_or_else(|| (i + 1).to_string()),
            advance_nanos,
            concurrent: exchange.concurrent,
            request: self.request(&format!("{at}.request"), &exchange.request),
            upstream: exchange
                .upstream
                .iter()
                .enumerate()
                .map(|(k, upstream)| self.upstream(&format!("{at}.upstream[{k}]"), upstream))
                .collect(),
            expect: exchange.expect.clone(),
        }
    }

    fn request(&mut self, at: &str, request: &scenario::Request) -> plan::Request {
        let source = Source {
            json: request.json.as_ref(),
            text: request.body.as_deref(),
            base64: request.body_base64.as_deref(),
            file: request.body_file.as_deref(),
            sse: None,
        };
        if request.path.is_empty() {
            self.note(format!("{at}.path"), "found nothing, expected a path such as `/v1/models`");
        }
        let mut headers = self.headers(&format!("{at}.headers"), &request.headers);
        let authority = match headers.iter().position(|(name, _)| name == "host") {
            Some(host) => String::from_utf8_lossy(&headers.remove(host).1).into_owned(),
            None => "gateway.test".to_owned(),
        };
        if headers.iter().any(|(name, _)| name == "host") {
            self.note(format!("{at}.headers.host"), "found several, expected one");
        }
        let trailers = self.headers(&format!("{at}.trailers"), &request.trailers);
        let body = self.pieces(at, &source, &request.chunks, &mut headers, !trailers.is_empty());
        let method = match (&request.method, &body) {
            (Some(method), _) => method.clone(),
            (None, Some(_)) => "POST".to_owned(),
            (None, None) => "GET".to_owned(),
        };
        plan::Request {
            method,
            path: request.path.clone(),
            authority,
            headers,
            body,
            trailers,
            abort_after_bytes: request.abort_after_bytes,
        }
    }

    fn upstream(&mut self, at: &str, upstream: &scenario::Upstream) -> plan::Upstream {
        let source = Source {
            json: upstream.json.as_ref(),
            text: upstream.body.as_deref(),
            base64: upstream.body_base64.as_deref(),
            file: upstream.body_file.as_deref(),
            sse: upstream.sse.as_deref(),
        };
        let status = self.status(at, upstream.status);
        let mut headers = self.headers(&format!("{at}.headers"), &upstream.headers);
        let trailers = self.headers(&format!("{at}.trailers"), &upstream.trailers);
        // With its length announced, a body that came whole would be complete in spite of the cut.
        let open_ended = upstream.reset || !trailers.is_empty();
        let body = self.pieces(at, &source, &upstream.chunks, &mut headers, open_ended);
        if body.is_none() && !open_ended && !matches!(status, 100..=199 | 204 | 304) {
            body::imply_length(&mut headers, 0);
        }
        plan::Upstream {
            host_metadata: upstream
                .host_metadata
                .iter()
                .map(|(namespace, members)| {
                    let members = members.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
                    (namespace.clone(), members)
                })
                .collect(),
            status,
            headers,
            body,
            trailers,
            reset: upstream.reset,
        }
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

/// The plugin configuration that `file` holds, as JSON. Text that is JSON stays as it is, so that a
/// filter sees what its writer wrote; other than YAML or JSON (by name) it is not touched.
///
/// # Errors
///
/// What is wrong with the YAML, and where.
pub fn config_json(file: &Path, bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    let extension = file.extension().and_then(|e| e.to_str()).unwrap_or("yaml");
    let is_yaml = matches!(extension, "yaml" | "yml");
    if !is_yaml || serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).is_ok() {
        return Ok(bytes);
    }
    if bytes.trim_ascii().is_empty() {
        return Ok(Vec::new());
    }
    let value: serde_yaml_ng::Value = serde_yaml_ng::from_slice(&bytes)
        .map_err(|error| format!("not valid YAML or JSON: {error}"))?;
    match value {
        // A file of comments: nothing configured.
        serde_yaml_ng::Value::Null => Ok(Vec::new()),
        value => serde_json::to_vec(&value)
            .map_err(|error| format!("YAML that JSON cannot express: {error}")),
    }
}

#[cfg(test)]
mod tests;
