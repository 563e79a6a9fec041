//! The scenario file: one test, two hosts.
//!
//! These types *are* the format (README, "The scenario file"); reading them checks names and shapes,
//! [`crate::load`] gives them meaning. A file has no host-specific part: what a real Envoy cannot
//! honour is reported by [`crate::plan::Plan::skip_reason`].

mod callout;
mod connection;
mod expect;
mod value;

pub use callout::{Callout, GrpcAnswer};
pub use connection::{Connection, ExpectConnection, Piece, Side};
pub use expect::{Expect, ExpectCallout, ExpectLogs, ExpectResponse, ExpectUpstream, Severity};
pub use value::{Bytes, Chunks, HeaderMap, HeaderValue, SseItem};

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
    /// Which host is mirrored (wasmtime only, but for `envoy`).
    pub profile: Option<Profile>,
    /// Checks that the runner makes for every scenario, left out for the reason given.
    #[serde(default)]
    pub unchecked: Unchecked,
    /// The host's limits.
    #[serde(default)]
    pub limits: Limits,
    /// The routes, and their retry policy.
    #[serde(default)]
    pub route: Route,
    /// Answers to HTTP and gRPC callouts, per cluster, in order.
    #[serde(default)]
    pub callouts: BTreeMap<String, Vec<Callout>>,
    /// The filters, in request order.
    pub chain: Vec<Link>,
    /// The exchanges, in order.
    #[serde(default)]
    pub exchanges: Vec<Exchange>,
    /// TCP connections after them, in order.
    #[serde(default)]
    pub connections: Vec<Connection>,
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

/// What the runner checks of every scenario beside what the scenario expects; each field is the
/// reason why not.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Unchecked {
    /// The outcome is the same however bodies are cut.
    pub cuts: Option<String>,
    /// Memory reaches a plateau when the scenario is repeated.
    pub memory: Option<String>,
    /// The outcome is the same on every host that can be mirrored.
    pub profiles: Option<String>,
}

/// A host whose behaviour the wasmtime host mirrors, where hosts differ.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// Envoy 1.35 and later
    #[default]
    Envoy,
    /// Envoy before 1.35: no header-hold
    EnvoyOld,
    /// The proxy-wasm specification, where Envoy differs from it
    Spec,
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
    /// What each VM's memory grows to at most (wasmtime only); Envoy's is 1 GiB.
    pub memory_bytes: Option<u32>,
}

/// The routes that exchanges can take, all to the upstreams of the exchange.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Route {
    /// Statuses that make the router try the next upstream.
    #[serde(default)]
    pub retry_on: Vec<u16>,
    /// Response headers that do, by name.
    #[serde(default)]
    pub retriable_headers: Vec<String>,
    /// Routes with conditions; the first whose conditions hold is taken.
    #[serde(default)]
    pub choices: Vec<RouteChoice>,
    /// Whether there is the route `default` behind them, for all other requests; true if absent.
    pub default: Option<bool>,
}

/// A route for some requests. All of its conditions must hold; it has at least one.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RouteChoice {
    /// What `xds.route_name` says.
    pub name: String,
    /// Request headers that must have exactly these values.
    #[serde(default)]
    pub headers: HeaderMap,
    /// What the path must start with, without its query.
    pub path_prefix: Option<String>,
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
    /// Which plugin, if `config_file` is a manifest with several; by the name of the filter if absent.
    pub plugin: Option<String>,
    /// `vm_id`: plugins with the same id, module and `vmConfig` share a VM; shared data and queues
    /// are those of an id. As the manifest of `config_file` says if absent, as all that follows; empty
    /// without one.
    pub vm_id: Option<String>,
    /// Configuration of the VM, as `config`.
    pub vm_config: Option<Value>,
    /// `root_id`: which of a module's plugins it is; the filter's name in the chain if absent.
    pub root_id: Option<String>,
    /// Envoy's `allow_on_headers_stop_iteration`; true if absent.
    pub allow_on_headers_stop_iteration: Option<bool>,
    /// Downstream if absent.
    pub at: Option<Position>,
    /// What a trap does; `failReload` if absent.
    pub failure_policy: Option<FailurePolicy>,
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
    /// Once per TCP connection.
    Network,
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
    /// The worker that serves it, from 0 (wasmtime only); in turn if absent.
    pub worker: Option<u32>,
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
    /// The client goes away instead of ending the body.
    #[serde(default)]
    pub reset: bool,
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
    /// Answers once it has the request's headers, before the body has come.
    #[serde(default)]
    pub early: bool,
}
