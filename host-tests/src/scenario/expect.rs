//! What a scenario expects; what is not named is not judged.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::given;
use super::value::{HeaderMap, SseItem};

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
    /// The callouts that filters made, in order; `[]` means none.
    pub callouts: Option<Vec<ExpectCallout>>,
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

/// A callout that a filter must have made.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExpectCallout {
    /// The cluster, exact.
    pub cluster: Option<String>,
    /// Exact.
    pub method: Option<String>,
    /// Exact; of a gRPC call `/package.Service/Method`.
    pub path: Option<String>,
    /// Exact values; `null`: absent.
    #[serde(default)]
    pub headers: HeaderMap,
    /// A subset of the JSON body.
    #[serde(default, deserialize_with = "given")]
    pub json: Option<Value>,
    /// The exact body; of a gRPC call the messages, one after the other.
    pub body: Option<String>,
    /// Texts that occur in the body.
    #[serde(default)]
    pub body_contains: Vec<String>,
    /// Texts that do not occur anywhere in the request, headers included.
    #[serde(default)]
    pub nowhere: Vec<String>,
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
