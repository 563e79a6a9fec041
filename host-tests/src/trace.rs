//! What filters did in a run, step by step, and what each step cost: the wasmtime host's record,
//! which [`crate::wasm::record`] makes.
//!
//! A trace names things and counts bytes; it never holds the value of a header, a body or a
//! configuration, so that it can be printed into the log of a CI.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The callbacks of a run, in order, and their costs.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// The first callbacks; how many is bounded, as are the host calls in them.
    pub callbacks: Vec<Callback>,
    /// Callbacks and host calls beyond the bounds, which were counted and not kept.
    pub dropped: u64,
    /// What was spent, by filter and callback; complete, whatever was dropped.
    pub totals: BTreeMap<(String, &'static str), Cost>,
}

impl Trace {
    /// The callbacks of one exchange (from 0), or those outside of any: start, ticks.
    pub fn of(&self, exchange: Option<usize>) -> impl Iterator<Item = &Callback> {
        self.callbacks.iter().filter(move |callback| callback.exchange == exchange)
    }
}

/// One call of the host into a filter.
#[derive(Clone, Debug)]
pub struct Callback {
    /// The exchange it is about, from 0; `None` outside of any.
    pub exchange: Option<usize>,
    /// The filter's name in the chain.
    pub filter: String,
    /// The export's name.
    pub name: &'static str,
    /// The context it is about; 0 before there is any.
    pub context: u32,
    /// What else it was given, as numbers of the ABI.
    pub arguments: Vec<u32>,
    /// How it ended.
    pub outcome: Outcome,
    /// The host functions that it called, in order.
    pub host_calls: Vec<HostCall>,
    /// What it cost.
    pub cost: Cost,
}

/// How a callback ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It returned: nothing, or a number of the ABI.
    Returned(Option<u32>),
    /// It trapped, and its VM is gone: why, and in which functions.
    Trapped(String),
}

/// One call of a filter into the host.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HostCall {
    /// The function's name.
    pub name: &'static str,
    /// What it was given: maps, names of headers, ranges and sizes, but no values.
    pub arguments: String,
    /// What it answered, as a number of the ABI (of WASI for its functions); `None`: it ended the
    /// callback instead.
    pub status: Option<u32>,
}

/// What was spent: the same on every machine, for the same module and scenario.
///
/// No single number stands for the time that a filter takes, so there are several, of which none
/// may grow unseen: fuel does not see what the host does for a filter, and bytes cost little until
/// there are many.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cost {
    /// Calls of the callback: 1 for a single one.
    pub callbacks: u64,
    /// Units of wasmtime's fuel, about one per instruction of the module.
    pub fuel: u64,
    /// Calls of the guest's allocator, by the host for what it hands over.
    pub allocations: u64,
    /// Bytes that the host wrote into the guest's memory.
    pub bytes_to_guest: u64,
    /// Bytes that the host was pointed to in the guest's memory.
    pub bytes_from_guest: u64,
    /// The most memory that the VM has had by then, in pages of 64 KiB.
    pub peak_pages: u64,
    /// Calls of host functions, by name.
    pub host_calls: BTreeMap<Cow<'static, str>, u64>,
}

impl Cost {
    /// Spends `other` too.
    pub fn add(&mut self, other: &Self) {
        self.callbacks += other.callbacks;
        self.fuel += other.fuel;
        self.allocations += other.allocations;
        self.bytes_to_guest += other.bytes_to_guest;
        self.bytes_from_guest += other.bytes_from_guest;
        self.peak_pages = self.peak_pages.max(other.peak_pages);
        for (name, count) in &other.host_calls {
            *self.host_calls.entry(name.clone()).or_default() += count;
        }
    }

    /// How often host functions were called, all together.
    pub fn all_host_calls(&self) -> u64 {
        self.host_calls.values().sum()
    }
}

impl fmt::Display for Callback {
    /// One line, such as `key-check #2 on_request_headers(5 headers, end) = Pause`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name.strip_prefix("proxy_").unwrap_or(self.name);
        write!(f, "{} #{} {name}(", self.filter, self.context)?;
        let what = match name {
            "on_request_headers" | "on_response_headers" => "headers",
            "on_request_body" | "on_response_body" => "bytes",
            "on_request_trailers" | "on_response_trailers" => "trailers",
            _ => "",
        };
        match (what, self.arguments.as_slice()) {
            ("", arguments) => {
                let numbers: Vec<String> = arguments.iter().map(ToString::to_string).collect();
                f.write_str(&numbers.join(", "))?;
            }
            (what, [count, end, ..]) => {
                write!(f, "{count} {what}{}", if *end == 0 { "" } else { ", end" })?;
            }
            (what, [count]) => write!(f, "{count} {what}")?,
            (_, []) => {}
        }
        f.write_str(")")?;
        match &self.outcome {
            Outcome::Returned(None) => Ok(()),
            Outcome::Returned(Some(number)) => match (what, number) {
                ("", number) => write!(f, " = {number}"),
                (_, 0) => f.write_str(" = Continue"),
                (_, 1) => f.write_str(" = Pause"),
                (_, number) => write!(f, " = action {number}"),
            },
            Outcome::Trapped(why) => write!(f, " trapped: {why}"),
        }
    }
}

impl fmt::Display for HostCall {
    /// One line, such as `get_header_map_value(request headers, "authorization") = Ok`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of_proxy = self.name.strip_prefix("proxy_");
        write!(f, "{}({})", of_proxy.unwrap_or(self.name), self.arguments)?;
        match (self.status, of_proxy) {
            (None, _) => f.write_str(" ended the call"),
            (Some(status), Some(_)) => write!(f, " = {}", status_name(status)),
            (Some(0), None) => f.write_str(" = success"),
            (Some(errno), None) => write!(f, " = errno {errno}"),
        }
    }
}

/// The ABI's names of statuses.
fn status_name(status: u32) -> Cow<'static, str> {
    const NAMES: [&str; 13] = [
        "Ok",
        "NotFound",
        "BadArgument",
        "SerializationFailure",
        "ParseFailure",
        "BadExpression",
        "InvalidMemoryAccess",
        "Empty",
        "CasMismatch",
        "ResultMismatch",
        "InternalFailure",
        "BrokenConnection",
        "Unimplemented",
    ];
    match NAMES.get(status as usize) {
        Some(name) => Cow::Borrowed(name),
        None => Cow::Owned(format!("status {status}")),
    }
}
