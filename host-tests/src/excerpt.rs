//! The part of a [`Trace`] that explains a failed expectation, as lines to read.
//!
//! What an upstream got was made by callbacks of the request, what the client got by those of the
//! response or by a local reply; so those are shown, and of their host calls the ones that change or
//! decide something. Like the trace, the lines name things and count bytes; there are no values in
//! them.

use crate::trace::{Callback, HostCall, Outcome, Trace};

/// More lines than this are shortened in the middle.
const MOST_LINES: usize = 24;
/// Of them at the beginning; the end is nearer to what failed.
const FIRST_LINES: usize = 8;

/// The lines about what is wrong at `path` (`response.json.model`) of an exchange, counted from 0; the
/// lines of host calls are set in. Empty if the filters did nothing there.
pub fn about(trace: &Trace, exchange: usize, path: &str) -> Vec<String> {
    let topic = Topic::of(path);
    let mut lines = start(trace);
    let blocks = |topic: Topic| {
        let concerned = trace.of(Some(exchange)).filter(|callback| topic.concerns(callback));
        once_each(concerned.map(|callback| block(callback, |call| topic.shows(call))))
    };
    let found = blocks(topic);
    lines.extend(match topic {
        // It never came to a response: then the request tells why.
        Topic::Response if found.is_empty() => blocks(Topic::Request),
        _ => found,
    });
    shortened(lines)
}

/// The lines about a run that ended in an error: how the filters started, and what they did last.
pub fn of_error(trace: &Trace) -> Vec<String> {
    let mut lines = start(trace);
    if let Some(last) = trace.callbacks.iter().filter_map(|callback| callback.exchange).max() {
        let of_last =
            trace.of(Some(last)).map(|callback| block(callback, |call| Topic::All.shows(call)));
        lines.extend(once_each(of_last));
    }
    shortened(lines)
}

/// Everything, under headings that name the exchanges.
pub fn whole(trace: &Trace, exchanges: &[String]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut heading = None;
    for callback in &trace.callbacks {
        if heading != Some(callback.exchange) {
            heading = Some(callback.exchange);
            lines.push(match callback.exchange {
                None => "outside of any exchange".to_owned(),
                Some(i) => match exchanges.get(i) {
                    Some(name) => format!("exchange {name}"),
                    None => format!("exchange {}", i + 1),
                },
            });
        }
        lines.extend(block(callback, |_| true).iter().map(|line| format!("  {line}")));
    }
    if trace.dropped > 0 {
        lines.push(format!("{} callbacks and host calls more, which were not kept", trace.dropped));
    }
    lines
}

/// What an expectation is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Topic {
    Request,
    Response,
    Properties,
    Metrics,
    Logs,
    Callouts,
    All,
}

impl Topic {
    fn of(path: &str) -> Self {
        let first = path.split(['.', '[']).next().unwrap_or_default();
        match first {
            "upstream" => Self::Request,
            "response" => Self::Response,
            "properties" => Self::Properties,
            "metrics" => Self::Metrics,
            "logs" => Self::Logs,
            "callouts" => Self::Callouts,
            _ => Self::All,
        }
    }

    fn concerns(self, callback: &Callback) -> bool {
        let name = callback.name;
        let calls = |part: &str| callback.host_calls.iter().any(|call| call.name.contains(part));
        let answer = ["on_http_call", "on_grpc", "on_foreign"].iter().any(|c| name.contains(c));
        let of_topic = match self {
            Self::Request => name.contains("on_request") || answer,
            Self::Response => name.contains("on_response") || answer,
            Self::Callouts => answer || calls("http_call") || calls("grpc"),
            Self::Properties => calls("set_property"),
            Self::Metrics => calls("metric"),
            Self::Logs => calls("proxy_log"),
            Self::All => true,
        };
        // These end everything, on whichever side they are.
        let ends =
            calls("send_local_response") || calls("send_http_response") || calls("close_stream");
        let trapped = matches!(callback.outcome, Outcome::Trapped(_));
        of_topic || trapped || (ends && matches!(self, Self::Request | Self::Response))
    }

    fn shows(self, call: &HostCall) -> bool {
        let name = call.name.strip_prefix("proxy_").unwrap_or(call.name);
        let starts = |parts: &[&str]| parts.iter().any(|part| name.starts_with(part));
        match self {
            Self::Properties => starts(&["set_property"]),
            Self::Metrics => name.contains("metric"),
            Self::Logs => name == "log",
            Self::Callouts => name.contains("http_call") || name.contains("grpc"),
            Self::Request | Self::Response | Self::All => {
                let acts = ["add_", "replace_", "remove_", "set_", "send_", "continue_", "close_"];
                let asks = ["http_call", "grpc_", "dispatch_", "call_foreign"];
                // A header that is not there decides a lot; that a property is not, little.
                let refused = match call.status {
                    Some(0) => false,
                    Some(NOT_FOUND) => name.contains("header_map"),
                    _ => name != "proc_exit",
                };
                starts(&acts) || starts(&asks) || refused
            }
        }
    }
}

const NOT_FOUND: u32 = 1;

/// What went wrong before the first exchange; most often nothing.
fn start(trace: &Trace) -> Vec<String> {
    let refused = |callback: &&Callback| match callback.outcome {
        Outcome::Trapped(_) => true,
        Outcome::Returned(Some(0)) => {
            ["on_configure", "on_vm_start"].iter().any(|name| callback.name.ends_with(name))
        }
        Outcome::Returned(_) => false,
    };
    let blocks = trace.of(None).filter(refused).map(|callback| block(callback, |_| true));
    once_each(blocks)
}

/// A callback, and below it the host calls that `shows` takes.
fn block(callback: &Callback, shows: impl Fn(&HostCall) -> bool) -> Vec<String> {
    let calls = callback.host_calls.iter().filter(|call| shows(call));
    let calls = once_each(calls.map(|call| vec![format!("  {call}")]));
    std::iter::once(callback.to_string()).chain(calls).collect()
}

/// The lines of `blocks`, with those that are the same one after the other only once.
fn once_each(blocks: impl Iterator<Item = Vec<String>>) -> Vec<String> {
    let mut lines = Vec::new();
    let mut last: Option<(Vec<String>, usize)> = None;
    let mut flush = |last: Option<(Vec<String>, usize)>| {
        let Some((mut block, times)) = last else { return };
        if times > 1
            && let Some(first) = block.first_mut()
        {
            first.push_str(&format!(" (×{times})"));
        }
        lines.append(&mut block);
    };
    for block in blocks {
        last = match last {
            Some((same, times)) if same == block => Some((same, times + 1)),
            other => {
                flush(other);
                Some((block, 1))
            }
        };
    }
    flush(last);
    lines
}

fn shortened(mut lines: Vec<String>) -> Vec<String> {
    if lines.len() > MOST_LINES {
        let behind = lines.len() - (MOST_LINES - FIRST_LINES);
        let left_out = behind - FIRST_LINES;
        lines.splice(FIRST_LINES..behind, [format!("… {left_out} lines more")]);
    }
    lines
}

#[cfg(test)]
mod tests;
