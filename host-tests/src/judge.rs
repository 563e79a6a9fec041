//! What a host observed against what the scenario expects: a list of differences.
//!
//! Pure, and independent of the filters' own crates, so that a mistake there does not hide itself.
//! What a scenario does not name is not judged.

mod sse;
mod subset;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::plan::Plan;
use crate::report::{
    CalloutRequest, LogLine, Observed, ObservedConnection, Report, Response, UpstreamRequest,
};
use crate::scenario::{
    Expect, ExpectCallout, ExpectConnection, ExpectLogs, ExpectResponse, ExpectUpstream, HeaderMap,
    HeaderValue, Severity,
};

/// One difference.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Failure {
    /// The exchange's name, or its number from 1; empty if it belongs to none.
    pub exchange: String,
    /// Where, such as `response.json.error.code`.
    pub path: String,
    /// What the scenario wants there.
    pub expected: String,
    /// What was there.
    pub found: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { exchange, path, expected, found } = self;
        if !exchange.is_empty() {
            write!(f, "exchange {exchange}: ")?;
        }
        write!(f, "{path}: expected {expected}, found {found}")
    }
}

/// Every difference, in the order of the exchanges; none is a pass.
pub fn judge(plan: &Plan, report: &Report) -> Vec<Failure> {
    let mut failures = Vec::new();
    for (i, exchange) in plan.exchanges.iter().enumerate() {
        let mut judge = Judge { exchange: &exchange.name, failures: &mut failures };
        match report.exchanges.get(i) {
            Some(observed) => judge.exchange(&exchange.expect, observed),
            None => judge.differs("", "the exchange to run", "nothing observed"),
        }
    }
    for (i, connection) in plan.connections.iter().enumerate() {
        let mut judge = Judge { exchange: &connection.name, failures: &mut failures };
        match report.connections.get(i) {
            Some(observed) => judge.connection(&connection.expect, observed),
            None => judge.differs("", "the connection to be made", "nothing observed"),
        }
    }
    failures
}

/// Collects the differences of one exchange.
struct Judge<'a> {
    exchange: &'a str,
    failures: &'a mut Vec<Failure>,
}

impl Judge<'_> {
    fn differs(&mut self, path: &str, expected: impl Into<String>, found: impl Into<String>) {
        self.failures.push(Failure {
            exchange: self.exchange.to_owned(),
            path: path.to_owned(),
            expected: expected.into(),
            found: found.into(),
        });
    }

    fn equal<T: PartialEq + fmt::Display>(&mut self, path: &str, expected: Option<&T>, found: &T) {
        if let Some(expected) = expected
            && expected != found
        {
            self.differs(path, format!("`{expected}`"), format!("`{found}`"));
        }
    }

    fn exchange(&mut self, expect: &Expect, observed: &Observed) {
        if let Some(upstream) = &expect.upstream {
            if upstream.len() != observed.upstream.len() {
                self.differs(
                    "upstream",
                    requests(upstream.len()),
                    match (observed.upstream.len(), &observed.response) {
                        // Why nothing got there is most often in the answer.
                        (0, response) => format!("none; the client got {}", answer(response)),
                        (n, _) => requests(n),
                    },
                );
            }
            for (i, (expect, request)) in upstream.iter().zip(&observed.upstream).enumerate() {
                self.request(&format!("upstream[{i}]"), expect, request);
            }
        }
        if let Some(callouts) = &expect.callouts {
            self.callouts(callouts, &observed.callouts);
        }
        if let Some(response) = &expect.response {
            self.response(response, &observed.response);
        }
        for (name, expected) in &expect.properties {
            self.property(&format!("properties.{name}"), expected, observed.properties.get(name));
        }
        for (name, expected) in &expect.metrics {
            let found = observed.metrics.get(name).copied().unwrap_or(0);
            self.equal(&format!("metrics.{name}"), Some(expected), &found);
        }
        if let Some(logs) = &expect.logs {
            self.logs(logs, &observed.logs);
        }
    }

    fn callouts(&mut self, expect: &[ExpectCallout], callouts: &[CalloutRequest]) {
        if expect.len() != callouts.len() {
            let target = |call: &CalloutRequest| {
                format!("{} {} to `{}`", call.method, call.path, call.cluster)
            };
            let found = match callouts {
                [] => "none".to_owned(),
                calls => calls.iter().map(target).collect::<Vec<_>>().join(", "),
            };
            self.differs("callouts", calls(expect.len()), found);
        }
        for (i, (expect, call)) in expect.iter().zip(callouts).enumerate() {
            let at = format!("callouts[{i}]");
            self.equal(&format!("{at}.cluster"), expect.cluster.as_ref(), &call.cluster);
            self.request(&at, &ExpectUpstream::from(expect), &UpstreamRequest::from(call));
        }
    }

    fn connection(&mut self, expect: &ExpectConnection, observed: &ObservedConnection) {
        for (at, expected, found) in [
            ("upstream", &expect.upstream, &observed.upstream),
            ("client", &expect.client, &observed.client),
        ] {
            // A report holds text, so bytes that are none are compared as it shows them.
            let expected = expected.as_ref().map(|bytes| String::from_utf8_lossy(&bytes.0));
            if let Some(expected) = expected
                && expected != *found
            {
                self.differs(at, text(expected.as_bytes()), text(found.as_bytes()));
            }
        }
        self.equal("connected", expect.connected.as_ref(), &observed.connected);
        self.equal("ended", expect.ended.as_ref(), &observed.ended);
        if let Some(logs) = &expect.logs {
            self.logs(logs, &observed.logs);
        }
    }

    fn request(&mut self, at: &str, expect: &ExpectUpstream, request: &UpstreamRequest) {
        self.equal(&format!("{at}.method"), expect.method.as_ref(), &request.method);
        self.equal(&format!("{at}.path"), expect.path.as_ref(), &request.path);
        self.headers(&format!("{at}.headers"), &expect.headers, &request.headers);
        let body = bytes(request.body.as_deref(), request.body_base64.as_deref());
        self.body(at, expect.json.as_ref(), expect.body.as_deref(), &expect.body_contains, &body);
        let lines = [format!("{} {}", request.method, request.path)];
        let lines = lines.into_iter().chain(header_lines(&request.headers)).collect::<Vec<_>>();
        self.nowhere(&format!("{at}.nowhere"), &expect.nowhere, &lines, &body);
    }

    fn response(&mut self, expect: &ExpectResponse, response: &Response) {
        if let Some(status) = expect.status
            && status != response.status
        {
            self.differs("response.status", format!("`{status}`"), answer(response));
        }
        self.equal("response.localReply", expect.local_reply.as_ref(), &response.local_reply);
        self.equal("response.reset", expect.reset.as_ref(), &response.reset);
        self.headers("response.headers", &expect.headers, &response.headers);
        let body = bytes(response.body.as_deref(), response.body_base64.as_deref());
        self.body(
            "response",
            expect.json.as_ref(),
            expect.body.as_deref(),
            &expect.body_contains,
            &body,
        );
        if let Some(expected) = &expect.sse {
            let events = sse::events(&body);
            if expected.len() != events.len() {
                let found = format!("{} in {}", events.len(), text(&body));
                self.differs("response.sse", format!("{} events", expected.len()), found);
            }
            for (i, (expected, event)) in expected.iter().zip(&events).enumerate() {
                let at = format!("response.sse[{i}]");
                if let Some(name) = &expected.event {
                    let found = event.event.as_deref().unwrap_or("message").to_owned();
                    self.equal(&format!("{at}.event"), Some(name), &found);
                }
                match &expected.data {
                    Value::String(data) => self.equal(&at, Some(data), &event.data),
                    json => self.json(&at, json, event.data.as_bytes()),
                }
            }
        }
        let lines: Vec<String> = header_lines(&response.headers).collect();
        self.nowhere("response.nowhere", &expect.nowhere, &lines, &body);
    }

    fn headers(&mut self, at: &str, expect: &HeaderMap, headers: &[(String, String)]) {
        for (name, expected) in &expect.0 {
            let found: Vec<&str> = headers
                .iter()
                .filter(|(n, _)| n.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.as_str())
                .collect();
            // A report holds text, so bytes that are none are compared as it shows them.
            let expected: Vec<String> = match expected {
                HeaderValue::Absent => Vec::new(),
                HeaderValue::Values(values) => {
                    values.iter().map(|v| String::from_utf8_lossy(v).into_owned()).collect()
                }
            };
            if expected != found {
                let shown = |values: &[&str]| match values {
                    [] => "no such header".to_owned(),
                    values => {
                        values.iter().map(|v| format!("`{v}`")).collect::<Vec<_>>().join(", ")
                    }
                };
                let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
                self.differs(&format!("{at}.{name}"), shown(&expected), shown(&found));
            }
        }
    }

    fn body(
        &mut self,
        at: &str,
        json: Option<&Value>,
        exact: Option<&str>,
        contains: &[String],
        body: &[u8],
    ) {
        if let Some(expected) = json {
            self.json(&format!("{at}.json"), expected, body);
        }
        if let Some(expected) = exact
            && expected.as_bytes() != body
        {
            self.differs(&format!("{at}.body"), text(expected.as_bytes()), text(body));
        }
        for part in contains {
            if !occurs(part, body) {
                self.differs(&format!("{at}.bodyContains"), format!("`{part}`"), text(body));
            }
        }
    }

    fn json(&mut self, at: &str, expected: &Value, body: &[u8]) {
        match serde_json::from_slice(body) {
            Ok(found) => self.subset(at, expected, &found),
            Err(_) => self.differs(at, expected.to_string(), format!("no JSON: {}", text(body))),
        }
    }

    fn subset(&mut self, at: &str, expected: &Value, found: &Value) {
        for (path, expected, found) in subset::differences(expected, found) {
            self.differs(&format!("{at}{path}"), expected, found);
        }
    }

    fn property(&mut self, at: &str, expected: &Value, found: Option<&Value>) {
        let Some(found) = found else {
            if !expected.is_null() {
                self.differs(at, expected.to_string(), "none");
            }
            return;
        };
        // What filters publish is text; whether it is meant as JSON the scenario says.
        let parsed = found.as_str().and_then(|text| serde_json::from_str(text).ok());
        match expected {
            Value::Null => self.differs(at, "none", found.to_string()),
            Value::String(_) => self.subset(at, expected, found),
            _ => self.subset(at, expected, parsed.as_ref().unwrap_or(found)),
        }
    }

    fn nowhere(&mut self, at: &str, texts: &[String], lines: &[String], body: &[u8]) {
        for text in texts {
            if let Some(line) = lines.iter().find(|line| line.contains(text.as_str())) {
                self.differs(at, format!("`{text}` nowhere"), format!("it in `{line}`"));
            } else if occurs(text, body) {
                self.differs(at, format!("`{text}` nowhere"), "it in the body");
            }
        }
    }

    fn logs(&mut self, expect: &ExpectLogs, logs: &[LogLine]) {
        let shown = |line: &LogLine| format!("{} {}: {}", line.level, line.filter, line.message);
        if let Some(most) = expect.none_above {
            // A level that no filter has is a host's mistake, and worth a look.
            for line in logs.iter().filter(|l| severity(&l.level).is_none_or(|s| s > most)) {
                let most = format!("{most:?}").to_lowercase();
                self.differs("logs.noneAbove", format!("none above {most}"), shown(line));
            }
        }
        for part in &expect.contain {
            if !logs.iter().any(|line| line.message.contains(part.as_str())) {
                let found = match logs {
                    [] => "no line".to_owned(),
                    lines => lines.iter().map(shown).collect::<Vec<_>>().join("; "),
                };
                self.differs("logs.contain", format!("a line with `{part}`"), found);
            }
        }
        for part in &expect.nowhere {
            if let Some(line) = logs.iter().find(|line| line.message.contains(part.as_str())) {
                self.differs("logs.nowhere", format!("`{part}` nowhere"), shown(line));
            }
        }
    }
}

fn severity(level: &str) -> Option<Severity> {
    Some(match level {
        "trace" => Severity::Trace,
        "debug" => Severity::Debug,
        "info" => Severity::Info,
        "warn" => Severity::Warn,
        "error" => Severity::Error,
        "critical" => Severity::Critical,
        _ => return None,
    })
}

/// A callout is a request like any other.
impl From<&ExpectCallout> for ExpectUpstream {
    fn from(expect: &ExpectCallout) -> Self {
        let ExpectCallout { cluster: _, method, path, headers, json, body, body_contains, nowhere } =
            expect.clone();
        Self { method, path, headers, json, body, body_contains, nowhere }
    }
}

impl From<&CalloutRequest> for UpstreamRequest {
    fn from(call: &CalloutRequest) -> Self {
        let CalloutRequest { cluster: _, method, path, headers, body, body_base64 } = call.clone();
        Self { method, path, headers, body, body_base64, trailers: Vec::new() }
    }
}

fn calls(count: usize) -> String {
    match count {
        0 => "none".to_owned(),
        1 => "1 call".to_owned(),
        n => format!("{n} calls"),
    }
}

fn requests(count: usize) -> String {
    match count {
        0 => "none".to_owned(),
        1 => "1 request".to_owned(),
        n => format!("{n} requests"),
    }
}

/// A response in a few words, for a reader who wonders why.
fn answer(response: &Response) -> String {
    let body = bytes(response.body.as_deref(), response.body_base64.as_deref());
    match (response.status, body.is_empty()) {
        (0, _) => "no response".to_owned(),
        (status, true) => format!("`{status}`"),
        (status, false) => format!("`{status}` with the body {}", text(&body)),
    }
}

fn bytes(body: Option<&str>, base64: Option<&str>) -> Vec<u8> {
    match (body, base64) {
        (Some(body), _) => body.as_bytes().to_vec(),
        (None, Some(base64)) => STANDARD.decode(base64).unwrap_or_default(),
        (None, None) => Vec::new(),
    }
}

fn occurs(part: &str, body: &[u8]) -> bool {
    part.is_empty() || body.windows(part.len()).any(|window| window == part.as_bytes())
}

fn header_lines(headers: &[(String, String)]) -> impl Iterator<Item = String> {
    headers.iter().map(|(name, value)| format!("{name}: {value}"))
}

/// Bytes for a message: quoted, and not more than a reader wants.
fn text(bytes: &[u8]) -> String {
    const MOST: usize = 400;
    let text = String::from_utf8_lossy(bytes.get(..MOST).unwrap_or(bytes));
    let more = bytes.len().saturating_sub(MOST);
    match (bytes.is_empty(), more) {
        (true, _) => "nothing".to_owned(),
        (_, 0) => format!("`{text}`"),
        (_, more) => format!("`{text}` and {more} bytes more"),
    }
}

#[cfg(test)]
mod tests;
