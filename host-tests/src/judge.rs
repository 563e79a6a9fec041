//! What a host observed against what the scenario expects: a list of differences.
//!
//! Pure, and independent of the filters' own crates, so that a mistake there does not hide itself.
//! What a scenario does not name is not judged.

mod message;
mod sse;
mod subset;

use std::fmt;

use serde_json::Value;

use crate::plan::Plan;
use crate::report::{
    CalloutRequest, LogLine, Observed, ObservedConnection, Report, UpstreamRequest,
};
use crate::scenario::{
    Expect, ExpectCallout, ExpectConnection, ExpectLogs, ExpectUpstream, Severity,
};
use message::answer;

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
