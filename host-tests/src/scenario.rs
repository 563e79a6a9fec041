//! The scenario file: one test, two hosts.
//!
//! These types *are* the format (README, "The scenario file"); reading them checks names and shapes,
//! [`crate::load`] gives them meaning. A file has no host-specific part: what a real Envoy cannot
//! honour is reported by [`crate::plan::Plan::skip_reason`].

mod value;

pub use value::{Chunks, HeaderMap, HeaderValue, SseItem};

use std::collections::BTreeMap;

use clap::ValueEnum;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// One scenario file.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Scenario {
    /// The behaviour, as a sentence.
    pub description: String,
    /// Where it runs.
    #[serde(default = "both_hosts")]
    pub hosts: Vec<HostName>,
    /// Virtual time at the start, RFC 3339 (wasmtime only).
    pub clock: Option<String>,
    /// Worker threads; exchanges go round.
    pub workers: Option<u32>,
    /// Environment variables of every VM.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// What `get_property` answers beyond what the exchange implies, by dotted path (wasmtime only).
    #[serde(default)]
    pub properties: BTreeMap<String, Value>,
    /// Whether the outcome is the same however bodies are cut; the tests then run it byte by byte too.
    #[serde(default = "yes")]
    pub any_cut: bool,
    /// The host's limits.
    #[serde(default)]
    pub limits: Limits,
    /// The route's retry policy.
    #[serde(default)]
    pub route: Route,
    /// Answers to HTTP and gRPC callouts, per cluster, in order.
    #[serde(default)]
    pub callouts: BTreeMap<String, Vec<Callout>>,
    /// The filters, in request order.
    pub chain: Vec<Link>,
    /// The exchanges, in order.
    pub exchanges: Vec<Exchange>,
}

/// A host that runs scenarios.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum HostName {
    /// Ours: in process, virtual time, offline
    Wasmtime,
    /// A real Envoy with a scripted upstream; `$ENVOY` or the one in `.tools/`
    Envoy,
}

fn yes() -> bool {
    true
}

/// Keeps `json: null` apart from no `json:` at all.
fn given<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(from).map(Some)
}

fn both_hosts() -> Vec<HostName> {
    vec![HostName::Wasmtime, HostName::Envoy]
}

/// Limits of the host.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Limits {
    /// `per_connection_buffer_limit_bytes`; Envoy's default is 1 MiB.
    pub buffer_bytes: Option<u32>,
}

/// The route that the exchanges take.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Route {
    /// Statuses that make the router try the next upstream.
    #[serde(default)]
    pub retry_on: Vec<u16>,
    /// Response headers that do, by name.
    #[serde(default)]
    pub retriable_headers: Vec<String>,
}

/// An answer to a callout.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Callout {
    /// HTTP status; 200 if absent.
    pub status: Option<u16>,
    /// Headers.
    #[serde(default)]
    pub headers: HeaderMap,
    /// A JSON body, with its content type unless the headers name one.
    #[serde(default, deserialize_with = "given")]
    pub json: Option<Value>,
    /// A text body.
    pub body: Option<String>,
    /// A binary body.
    pub body_base64: Option<String>,
    /// A body in a file, relative to the scenario.
    pub body_file: Option<String>,
    /// Virtual time until it comes.
    #[serde(default)]
    pub delay_ms: u64,
}

/// One filter of the chain.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Link {
    /// A filter of this repository, by name.
    pub filter: Option<String>,
    /// Any proxy-wasm module, relative to the file.
    pub wasm: Option<String>,
    /// Its configuration: an object for ours, any string for others.
    pub config: Option<Value>,
    /// The configuration in a file, YAML or JSON, relative to the scenario.
    pub config_file: Option<String>,
    /// Envoy's `allow_on_headers_stop_iteration`; true if absent.
    pub allow_on_headers_stop_iteration: Option<bool>,
    /// Downstream if absent.
    #[serde(default)]
    pub at: Position,
    /// What a trap does; `failReload` if absent.
    #[serde(default)]
    pub failure_policy: FailurePolicy,
}

/// Where a filter runs.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Position {
    /// Once per request.
    #[default]
    Downstream,
    /// Once per attempt.
    Upstream,
}

/// Envoy's `failure_policy`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase")]
pub enum FailurePolicy {
    /// 503 for good.
    FailClosed,
    /// As if the filter were not there.
    FailOpen,
    /// 503 until a new VM has started.
    #[default]
    FailReload,
}

/// A request, what its upstreams do, and what must come of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Exchange {
    /// For messages; the number if absent.
    pub name: Option<String>,
    /// Virtual time to let pass before it, such as `30s` (wasmtime only).
    pub advance: Option<String>,
    /// Runs interleaved with its concurrent neighbours (wasmtime only).
    #[serde(default)]
    pub concurrent: bool,
    /// What the client sends.
    pub request: Request,
    /// What upstreams answer: one per attempt, in order.
    #[serde(default)]
    pub upstream: Vec<Upstream>,
    /// What must come of it.
    #[serde(default)]
    pub expect: Expect,
}

/// What the client sends.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Request {
    /// GET, or POST if there is a body, if absent.
    pub method: Option<String>,
    /// Path and query.
    pub path: String,
    /// Headers besides pseudo-headers; `host` is `gateway.test` if absent.
    #[serde(default)]
    pub headers: HeaderMap,
    /// A JSON body, with its content type unless the headers name one.
    #[serde(default, deserialize_with = "given")]
    pub json: Option<Value>,
    /// A text body.
    pub body: Option<String>,
    /// A binary body.
    pub body_base64: Option<String>,
    /// A body in a file, relative to the scenario.
    pub body_file: Option<String>,
    /// How the body is cut.
    #[serde(default)]
    pub chunks: Chunks,
    /// Trailers after the body.
    #[serde(default)]
    pub trailers: HeaderMap,
    /// The client goes away after this many bytes of the response body.
    pub abort_after_bytes: Option<u64>,
}

/// What one upstream attempt does.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Upstream {
    /// Endpoint metadata by filter namespace, such as `tollgate: {provider: anthropic}`.
    #[serde(default)]
    pub host_metadata: BTreeMap<String, BTreeMap<String, String>>,
    /// 200 if absent.
    pub status: Option<u16>,
    /// Response headers.
    #[serde(default)]
    pub headers: HeaderMap,
    /// A JSON body, with its content type unless the headers name one.
    #[serde(default, deserialize_with = "given")]
    pub json: Option<Value>,
    /// A text body.
    pub body: Option<String>,
    /// A binary body.
    pub body_base64: Option<String>,
    /// A body in a file, relative to the scenario.
    pub body_file: Option<String>,
    /// A server-sent event stream, an event per item: a string or an object is its `data:`, an
    /// object with only `event` and `data` is both.
    pub sse: Option<Vec<SseItem>>,
    /// How the body is cut.
    #[serde(default)]
    pub chunks: Chunks,
    /// Trailers after the body.
    #[serde(default)]
    pub trailers: HeaderMap,
    /// Cuts the connection instead of ending the body.
    #[serde(default)]
    pub reset: bool,
}

/// What must come of an exchange; what is not named is not judged.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Expect {
    /// The requests that reached upstreams, in order; `[]` means none did.
    pub upstream: Option<Vec<ExpectUpstream>>,
    /// What the client got.
    pub response: Option<ExpectResponse>,
    /// Filter state or properties at the end, by dotted path: a string is exact, an object or a list
    /// a subset of the JSON found, `null` means that there is none.
    #[serde(default)]
    pub properties: BTreeMap<String, Value>,
    /// Metrics after the exchange, by the filters' own names; one never touched counts as 0.
    #[serde(default)]
    pub metrics: BTreeMap<String, i64>,
    /// What the filters logged.
    pub logs: Option<ExpectLogs>,
}

/// What must have reached an upstream.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExpectUpstream {
    /// Exact.
    pub method: Option<String>,
    /// Exact.
    pub path: Option<String>,
    /// Exact values; `null`: absent.
    #[serde(default)]
    pub headers: HeaderMap,
    /// A subset of the JSON body.
    #[serde(default, deserialize_with = "given")]
    pub json: Option<Value>,
    /// The exact body.
    pub body: Option<String>,
    /// Texts that occur in the body.
    #[serde(default)]
    pub body_contains: Vec<String>,
    /// Texts that do not occur anywhere in the request, headers included.
    #[serde(default)]
    pub nowhere: Vec<String>,
}

/// What the client must have got.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExpectResponse {
    /// Exact.
    pub status: Option<u16>,
    /// Exact values; `null`: absent.
    #[serde(default)]
    pub headers: HeaderMap,
    /// A subset of the JSON body.
    #[serde(default, deserialize_with = "given")]
    pub json: Option<Value>,
    /// The exact body.
    pub body: Option<String>,
    /// Texts that occur in the body.
    #[serde(default)]
    pub body_contains: Vec<String>,
    /// Texts that do not occur anywhere in the response, headers included.
    #[serde(default)]
    pub nowhere: Vec<String>,
    /// The data of its server-sent events, in order: text exact, JSON a subset.
    pub sse: Option<Vec<SseItem>>,
    /// Whether the answer is the gateway's own.
    pub local_reply: Option<bool>,
    /// Whether the stream was reset.
    pub reset: Option<bool>,
}

/// What must be in the log.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExpectLogs {
    /// No line more severe than this.
    pub none_above: Option<Severity>,
    /// Texts that occur.
    #[serde(default)]
    pub contain: Vec<String>,
    /// Texts that do not.
    #[serde(default)]
    pub nowhere: Vec<String>,
}

/// Severity of a log line, mildest first.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// For whoever develops the filter, in detail.
    Trace,
    /// For whoever develops the filter.
    Debug,
    /// Normal.
    Info,
    /// Works, but the operator should look.
    Warn,
    /// Does not work.
    Error,
    /// The host cannot go on.
    Critical,
}
