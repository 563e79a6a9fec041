//! What a host observed: the output of `tollgate run --json`, and what expectations are judged on.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::Value;

/// Everything observed in one run of a scenario.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// One per exchange of the file, in order.
    pub exchanges: Vec<Observed>,
    /// One per TCP connection of the file, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub connections: Vec<ObservedConnection>,
    /// What filters logged while they started, before the first exchange, each line once.
    pub logs: Vec<LogLine>,
}

/// One exchange as observed from outside.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Observed {
    /// The exchange's name, or its number from 1.
    pub name: String,
    /// The requests that reached upstreams, in order.
    pub upstream: Vec<UpstreamRequest>,
    /// The callouts that filters made, in order.
    pub callouts: Vec<CalloutRequest>,
    /// What the client got.
    pub response: Response,
    /// Filter state that the filters set (`tollgate.*`) and properties that the scenario asks for.
    pub properties: BTreeMap<String, Value>,
    /// Every metric of the filters, after the exchange.
    pub metrics: BTreeMap<String, i64>,
    /// Lines that filters logged during the exchange.
    pub logs: Vec<LogLine>,
}

/// One TCP connection as observed from outside.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObservedConnection {
    /// The connection's name, or its number from 1.
    pub name: String,
    /// Whether an upstream was connected to.
    pub connected: bool,
    /// What reached the upstream; bytes that are no text become U+FFFD.
    pub upstream: String,
    /// What reached the client, likewise.
    pub client: String,
    /// Whether both ends saw the end of the other one.
    pub ended: bool,
    /// Lines that filters logged during the connection.
    pub logs: Vec<LogLine>,
}

/// A request as an upstream got it.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UpstreamRequest {
    /// Method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Headers in order, `host` for `:authority`.
    pub headers: Vec<(String, String)>,
    /// The body, if it is UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The body, if it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_base64: Option<String>,
    /// Trailers in order, if there are any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trailers: Vec<(String, String)>,
}

/// A callout as its cluster got it.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CalloutRequest {
    /// The cluster.
    pub cluster: String,
    /// Method.
    pub method: String,
    /// Path and query; of a gRPC call `/package.Service/Method`.
    pub path: String,
    /// Headers in order, `host` for `:authority`.
    pub headers: Vec<(String, String)>,
    /// The body, if it is UTF-8; of a gRPC call the messages, one after the other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The body, if it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_base64: Option<String>,
}

/// A response as the client got it.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    /// HTTP status; 0 if none came.
    pub status: u16,
    /// Headers in order.
    pub headers: Vec<(String, String)>,
    /// The body, if it is UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The body, if it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_base64: Option<String>,
    /// Trailers in order, if there are any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trailers: Vec<(String, String)>,
    /// Whether the gateway answered itself.
    pub local_reply: bool,
    /// Whether the stream broke off.
    pub reset: bool,
}

/// Stands in for a filter's name in lines of the host itself.
pub const HOST: &str = "host";

/// A line of a filter, or of the host about them.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LogLine {
    /// `trace`, `debug`, `info`, `warn`, `error` or `critical`.
    pub level: String,
    /// The filter's name in the chain.
    pub filter: String,
    /// Its text.
    pub message: String,
}

/// What the host says of call number `call` of a cluster that has fewer answers.
pub(crate) fn used_up(cluster: &str, call: usize, answers: usize) -> String {
    let had = match answers {
        1 => "there is 1 answer".to_owned(),
        n => format!("there are {n} answers"),
    };
    format!("callouts.{cluster}: this is call {call}, but {had}: it gets 503 no healthy upstream")
}

/// Headers as a report has them: bytes that are no text become U+FFFD.
pub(crate) fn header_text<'h>(
    headers: impl Iterator<Item = (&'h [u8], &'h [u8])>,
) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    headers.map(|(name, value)| (text(name), text(value))).collect()
}

/// A body as a report has it: as text if it is UTF-8, else in Base64.
pub(crate) fn text_or_base64(body: Vec<u8>) -> (Option<String>, Option<String>) {
    match String::from_utf8(body) {
        Ok(text) => (Some(text), None),
        Err(error) => (None, Some(STANDARD.encode(error.as_bytes()))),
    }
}

/// The bytes behind [`text_or_base64`].
pub(crate) fn body_bytes(text: Option<&str>, base64: Option<&str>) -> Vec<u8> {
    match (text, base64) {
        (Some(text), _) => text.as_bytes().to_vec(),
        (None, Some(base64)) => STANDARD.decode(base64).unwrap_or_default(),
        (None, None) => Vec::new(),
    }
}
