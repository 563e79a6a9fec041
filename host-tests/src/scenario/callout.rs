//! Scripted answers to the HTTP and gRPC callouts of filters.
//!
//! A cluster is one of `callouts`, or filters cannot call it. Each call takes the next answer of its
//! cluster. With `[]` a cluster has no endpoint: the gateway answers by itself, and no call arrives.
//! After the last answer, calls do arrive, and are answered 503 with `content-type: text/plain` and
//! the body `no healthy upstream`; gRPC calls with status 14 and that as message.

use serde::Deserialize;
use serde_json::Value;

use super::given;
use super::value::{Bytes, HeaderMap};

/// An answer to a callout: an HTTP response, `grpc`, `reset` or `never`.
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
    /// Trailers after the body.
    #[serde(default)]
    pub trailers: HeaderMap,
    /// The answer to a gRPC call or stream.
    pub grpc: Option<GrpcAnswer>,
    /// Resets the call instead of answering.
    #[serde(default)]
    pub reset: bool,
    /// Never answers: only the caller's timeout, or the caller, ends it.
    #[serde(default)]
    pub never: bool,
    /// Time until it comes.
    #[serde(default)]
    pub delay_ms: u64,
}

/// What a gRPC service answers.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GrpcAnswer {
    /// The status code; 0 (OK) if absent.
    #[serde(default)]
    pub status: u8,
    /// The status message.
    #[serde(default)]
    pub message: String,
    /// Metadata before the first message.
    #[serde(default)]
    pub initial_metadata: HeaderMap,
    /// Messages, as they are on the wire (serialized protobuf); one of a call, any number of a
    /// stream.
    #[serde(default)]
    pub messages: Vec<Bytes>,
    /// Metadata after the last message.
    #[serde(default)]
    pub trailing_metadata: HeaderMap,
}
