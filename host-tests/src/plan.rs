//! A scenario made ready to run: files read, bodies cut, names resolved. Both hosts run a [`Plan`].
//!
//! Not here: reading the file ([`crate::load`]) and judging what came of it ([`crate::judge`]).

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use crate::scenario::{
    Expect, ExpectConnection, FailurePolicy, HostName, Position, Profile, Scenario, Side,
};

/// A scenario with nothing left to look up.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The file, for messages.
    pub path: PathBuf,
    /// The file's content.
    pub scenario: Scenario,
    /// The host that the wasmtime host mirrors.
    pub profile: Profile,
    /// Virtual time at the start, in nanoseconds since 1970.
    pub clock_nanos: Option<u64>,
    /// Answers to callouts, per cluster, in order.
    pub callouts: BTreeMap<String, Vec<Callout>>,
    /// The filters, in request order.
    pub chain: Vec<Filter>,
    /// The exchanges, in order.
    pub exchanges: Vec<Exchange>,
    /// TCP connections after them, in order.
    pub connections: Vec<Connection>,
}

/// One TCP connection.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The name, or the number from 1.
    pub name: String,
    /// What the client sends; no piece is empty.
    pub send: Vec<Vec<u8>>,
    /// What the upstream sends then.
    pub upstream_sends: Vec<Vec<u8>>,
    /// Who ends its side first.
    pub closes: Side,
    /// What must come of it.
    pub expect: ExpectConnection,
}

/// One filter of the chain.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Unique in the chain; for logs and as the plugin's name.
    pub name: String,
    /// The compiled module.
    pub wasm: PathBuf,
    /// The plugin configuration as the module gets it.
    pub config: Vec<u8>,
    /// Where it runs.
    pub at: Position,
    /// `vm_id`: what it shares a VM, shared data and queues with.
    pub vm_id: String,
    /// The VM's configuration as the module gets it.
    pub vm_config: Vec<u8>,
    /// `root_id`.
    pub root_id: String,
    /// Environment variables of its VM: the scenario's, and those of its manifest.
    pub env: BTreeMap<String, String>,
    /// Envoy's `allow_on_headers_stop_iteration`.
    pub allow_on_headers_stop_iteration: bool,
    /// What a trap does.
    pub failure_policy: FailurePolicy,
}

/// A header map in order; values are any bytes.
pub type Headers = Vec<(String, Vec<u8>)>;

/// What comes of a callout.
#[derive(Clone, Debug)]
pub struct Callout {
    /// The answer.
    pub answer: CalloutAnswer,
    /// Time until it comes, in nanoseconds.
    pub delay_nanos: u64,
}

/// What a callout is answered with.
#[derive(Clone, Debug)]
pub enum CalloutAnswer {
    /// An HTTP response.
    Http {
        /// HTTP status.
        status: u16,
        /// Headers; no pseudo-headers.
        headers: Headers,
        /// The body.
        body: Vec<u8>,
        /// Trailers; empty is none.
        trailers: Headers,
    },
    /// A gRPC response.
    Grpc {
        /// Status code.
        status: u8,
        /// Status message.
        message: String,
        /// Metadata before the first message.
        initial_metadata: Headers,
        /// Serialized messages.
        messages: Vec<Vec<u8>>,
        /// Metadata after the last message.
        trailing_metadata: Headers,
    },
    /// The connection is cut.
    Reset,
    /// Nothing comes.
    Never,
}

/// One exchange.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The name, or the number from 1.
    pub name: String,
    /// Virtual time to let pass before it, in nanoseconds.
    pub advance_nanos: u64,
    /// Runs interleaved with its concurrent neighbours.
    pub concurrent: bool,
    /// The worker that serves it, if it is not left to its turn.
    pub worker: Option<u32>,
    /// What the client sends.
    pub request: Request,
    /// What upstreams do, one per attempt.
    pub upstream: Vec<Upstream>,
    /// What must come of it.
    pub expect: Expect,
}

/// What the client sends.
#[derive(Clone, Debug)]
pub struct Request {
    /// HTTP method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Value of `:authority`.
    pub authority: String,
    /// Other headers in order; no pseudo-headers. `content-length` only if the scenario names it or
    /// the body comes in one piece; cut bodies go chunked.
    pub headers: Headers,
    /// The body's pieces, none of them empty; `None` is no body, `Some(vec![])` an empty one.
    pub body: Option<Vec<Vec<u8>>>,
    /// Trailers; empty is none.
    pub trailers: Headers,
    /// The client goes away after this many bytes of the response body.
    pub abort_after_bytes: Option<u64>,
    /// The client goes away instead of ending the body.
    pub reset: bool,
}

/// What one upstream attempt does.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// Endpoint metadata: namespace, key, value.
    pub host_metadata: Vec<(String, Vec<(String, String)>)>,
    /// HTTP status.
    pub status: u16,
    /// Response headers, as [`Request::headers`].
    pub headers: Headers,
    /// As [`Request::body`].
    pub body: Option<Vec<Vec<u8>>>,
    /// Trailers; empty is none.
    pub trailers: Headers,
    /// Cuts the connection instead of ending the body.
    pub reset: bool,
    /// Answers once it has the request's headers.
    pub early: bool,
}

/// Whether the headers say how long the body is.
pub(crate) fn has_length(headers: &Headers) -> bool {
    headers.iter().any(|(name, _)| name == "content-length")
}

impl Plan {
    /// Why this scenario cannot run on `host`; `None` if it can. On Envoy: a field that only the
    /// wasmtime host honours, or `hosts` that leaves Envoy out.
    pub fn skip_reason(&self, host: HostName) -> Option<String> {
        let scenario = &self.scenario;
        if host == HostName::Envoy {
            let reasons = [
                (scenario.clock.is_some(), "`clock`: a real Envoy has real time"),
                (
                    self.exchanges.iter().any(|e| e.advance_nanos > 0),
                    "`advance`: a real Envoy has real time",
                ),
                (
                    !scenario.properties.is_empty(),
                    "`properties`: a real Envoy's follow from the exchange",
                ),
                (
                    scenario.workers.is_some_and(|n| n != 1),
                    "`workers`: which worker of a real Envoy serves an exchange is chance",
                ),
                (
                    self.exchanges.iter().any(|e| e.concurrent),
                    "`concurrent`: a real Envoy interleaves as it likes",
                ),
                (
                    self.exchanges.iter().any(|e| e.worker.is_some()),
                    "`worker`: which worker of a real Envoy serves an exchange is chance",
                ),
                (self.profile != Profile::Envoy, "`profile`: this Envoy is what it is"),
                (
                    scenario.limits.memory_bytes.is_some(),
                    "`limits.memoryBytes`: a real Envoy's is fixed",
                ),
            ];
            if let Some((_, reason)) = reasons.iter().find(|(applies, _)| *applies) {
                return Some((*reason).to_owned());
            }
        }
        (!scenario.hosts.contains(&host)).then(|| format!("`hosts` leaves {host} out"))
    }

    /// The pieces of every body, of requests and of upstreams' responses.
    pub(crate) fn bodies_mut(&mut self) -> impl Iterator<Item = &mut Vec<Vec<u8>>> {
        self.exchanges.iter_mut().flat_map(|exchange| {
            let upstream = exchange.upstream.iter_mut().filter_map(|u| u.body.as_mut());
            exchange.request.body.as_mut().into_iter().chain(upstream)
        })
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Envoy => "envoy",
            Self::Wasmtime => "wasmtime",
        })
    }
}
