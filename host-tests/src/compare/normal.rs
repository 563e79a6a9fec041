//! What of a report cannot be the same on both hosts, taken out.
//!
//! - the order of headers of different names, which means nothing;
//! - the second at which a completion says that it was made: the hosts' clocks differ;
//! - what the engine says of a trap, behind the function that failed, and the filter's name, which
//!   Envoy does not log;
//! - what our host logs of itself, as filter `host`;
//! - filter state that nobody asked for: Envoy can print only what it was asked for beforehand.

use crate::plan::{Exchange, Plan};
use crate::report::{HOST, LogLine, Observed, Report};

/// `report` without all that.
pub(super) fn normal(plan: &Plan, report: &Report) -> Report {
    let mut report = report.clone();
    report.logs.retain(of_filter);
    report.logs.iter_mut().for_each(without_engine);
    for (exchange, observed) in plan.exchanges.iter().zip(&mut report.exchanges) {
        simplify(exchange, observed);
    }
    for connection in &mut report.connections {
        connection.logs.iter_mut().for_each(without_engine);
    }
    report
}

fn simplify(exchange: &Exchange, observed: &mut Observed) {
    let by_name = |headers: &mut Vec<(String, String)>| headers.sort_by(|a, b| a.0.cmp(&b.0));
    observed.upstream.iter_mut().for_each(|upstream| by_name(&mut upstream.headers));
    observed.callouts.iter_mut().for_each(|callout| by_name(&mut callout.headers));
    by_name(&mut observed.response.headers);
    observed.response.body = observed.response.body.as_deref().map(without_times);
    observed.logs.retain(of_filter);
    observed.logs.iter_mut().for_each(without_engine);
    let asked = crate::envoy::reported_properties(exchange);
    observed.properties.retain(|name, _| asked.contains(name.as_str()));
}

fn of_filter(line: &LogLine) -> bool {
    line.filter != HOST
}

fn without_engine(line: &mut LogLine) {
    let failed = " failed";
    if line.message.starts_with("Function: ")
        && let Some(at) = line.message.find(failed)
    {
        line.message.truncate(at + failed.len());
        line.filter.clear();
    }
}

/// `body` without the seconds at which completions say that they were made.
fn without_times(body: &str) -> String {
    const CREATED: &str = "\"created\":";
    let mut parts = body.split(CREATED);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        text + CREATED + part.trim_start_matches(|c: char| c.is_ascii_digit())
    })
}
