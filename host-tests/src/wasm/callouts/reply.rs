//! What comes of a call, as an HTTP message, and what Envoy's clients make of that.
//!
//! Whatever the script says is a message first, so that an HTTP answer to a gRPC call, and the other
//! way round, comes out as in Envoy: its gRPC client reads the same message.

use std::collections::VecDeque;

use super::{Kind, MOST_BODY_BYTES, Obstacle};
use crate::plan::{Callout, CalloutAnswer, Headers};
use crate::wasm::headers::{HeaderMap, SharedMap};

/// The status of a call that broke: `WasmResult::BrokenConnection`.
const BROKEN: u32 = 11;

/// gRPC status codes that Envoy's client makes up.
/// <https://grpc.io/docs/guides/status-codes/>
const UNKNOWN: u32 = 2;
const INTERNAL: u32 = 13;
const UNAVAILABLE: u32 = 14;

/// With `:status`.
const MOST_HEADERS: usize = 100;
const MOST_HEADER_BYTES: usize = 60 << 10;

const NO_ENDPOINT: &str = "no healthy upstream";
const VIA_UPSTREAM: &str = "via_upstream";

/// One thing that the guest is told of a call.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    /// `on_http_call_response`.
    Http { headers: SharedMap, body: Vec<u8>, trailers: Option<SharedMap> },
    /// `on_http_call_response` without anything, and a status.
    Broken { status: u32, message: &'static str },
    /// `on_grpc_receive_initial_metadata`.
    InitialMetadata(SharedMap),
    /// `on_grpc_receive`.
    Message(Vec<u8>),
    /// `on_grpc_receive_trailing_metadata`.
    TrailingMetadata(SharedMap),
    /// `on_grpc_close`.
    Closed { status: u32, message: String },
}

/// An HTTP response, of the cluster or of Envoy's router.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    headers: HeaderMap,
    body: Vec<u8>,
    trailers: Option<HeaderMap>,
    /// `response.code_details`, which Envoy's gRPC client puts into the status message.
    details: &'static str,
}

impl Reply {
    /// The scripted answer to a request with these headers, which may be complete by now; `None` if
    /// it never comes.
    pub(super) fn scripted(callout: &Callout, request: &HeaderMap, complete: bool) -> Option<Self> {
        let upstream = |mut reply: Self| {
            // The router notes how long the cluster took, from the request's end.
            if complete {
                let millis = callout.delay_nanos / 1_000_000;
                reply.headers.add(b"x-envoy-upstream-service-time", millis.to_string().as_bytes());
            }
            Self { details: VIA_UPSTREAM, ..reply }
        };
        match &callout.answer {
            CalloutAnswer::Never => None,
            CalloutAnswer::Reset => Some(Self::reset(request)),
            CalloutAnswer::Http { headers, .. } if too_large(headers) => Some(Self::reset(request)),
            CalloutAnswer::Http { status, headers, body, trailers } => Some(upstream(Self {
                headers: HeaderMap::response(*status, headers),
                body: body.clone(),
                trailers: (!trailers.is_empty()).then(|| HeaderMap::trailers(trailers)),
                details: VIA_UPSTREAM,
            })),
            CalloutAnswer::Grpc {
                status,
                message,
                initial_metadata,
                messages,
                trailing_metadata,
            } => {
                let mut headers = HeaderMap::response(200, initial_metadata);
                headers.set(b"content-type", b"application/grpc");
                let mut trailers = HeaderMap::default();
                trailers.add(b"grpc-status", status.to_string().as_bytes());
                if !message.is_empty() {
                    trailers.add(b"grpc-message", percent_encoded(message).as_bytes());
                }
                trailers.extend(trailing_metadata);
                if messages.is_empty() && initial_metadata.is_empty() {
                    // Headers and trailers in one, as servers do.
                    trailers.iter().for_each(|(name, value)| headers.add(name, value));
                    return Some(upstream(Self { headers, ..Self::default() }));
                }
                let body = messages.iter().flat_map(|message| framed(message)).collect();
                Some(upstream(Self {
                    headers,
                    body,
                    trailers: Some(trailers),
                    details: VIA_UPSTREAM,
                }))
            }
        }
    }

    /// Behind the last answer: what Envoy says of a cluster without endpoints, from the cluster.
    pub(super) fn used_up(request: &HeaderMap) -> Self {
        Self::local(request, 503, NO_ENDPOINT, VIA_UPSTREAM)
    }

    /// What the router answers when it waited long enough.
    pub(super) fn timed_out(request: &HeaderMap) -> Self {
        Self::local(request, 504, "upstream request timeout", "response_timeout")
    }

    /// What the router answers when the cluster cut the stream before it answered.
    fn reset(request: &HeaderMap) -> Self {
        let text = "upstream connect error or disconnect/reset before headers. reset reason: \
                    remote reset";
        let details = "upstream_reset_before_response_started{remote_reset}";
        Self::local(request, 503, text, details)
    }

    /// The router's own answer, which speaks gRPC to a gRPC request.
    fn local(request: &HeaderMap, status: u16, text: &str, details: &'static str) -> Self {
        let kind = request.get(b"content-type").unwrap_or_default();
        if kind == b"application/grpc" || kind.starts_with(b"application/grpc+") {
            let mut headers = HeaderMap::response(200, &[]);
            headers.add(b"content-type", b"application/grpc");
            headers.add(b"grpc-status", from_http(status).to_string().as_bytes());
            headers.add(b"grpc-message", percent_encoded(text).as_bytes());
            return Self { headers, details, ..Self::default() };
        }
        let mut headers = HeaderMap::response(status, &[]);
        headers.add(b"content-length", text.len().to_string().as_bytes());
        headers.add(b"content-type", b"text/plain");
        let is_head = request.get(b":method") == Some(b"HEAD");
        let body = if is_head { Vec::new() } else { text.as_bytes().to_vec() };
        Self { headers, body, trailers: None, details }
    }

    /// What the guest is told, in order.
    pub(super) fn parts(self, kind: Kind) -> VecDeque<Part> {
        match kind {
            Kind::Http => [self.http()].into(),
            Kind::Grpc => [self.grpc().of_call()].into(),
            Kind::Stream => self.grpc().of_stream(),
        }
    }

    fn http(self) -> Part {
        // Envoy's default for `http.async_response_buffer_limit`, beyond which it breaks off; its
        // codec does where the length is not what was declared.
        let length = self.headers.text("content-length");
        let wrong = length.is_some_and(|length| length != self.body.len().to_string());
        if self.body.len() > MOST_BODY_BYTES || (wrong && !self.body.is_empty()) {
            return Part::Broken { status: BROKEN, message: "reset" };
        }
        Part::Http {
            headers: self.headers.shared(),
            body: self.body,
            trailers: self.trailers.map(HeaderMap::shared),
        }
    }

    /// As Envoy's gRPC client reads it.
    fn grpc(self) -> Grpc {
        let details = self.details;
        let mut read = self.read();
        read.message = match read.message.as_str() {
            "" => details.to_owned(),
            message => format!("{message}{{{details}}}"),
        };
        read
    }

    fn read(self) -> Grpc {
        let http_status = self.headers.text(":status").and_then(|status| status.parse().ok());
        let ends = self.body.is_empty() && self.trailers.is_none();
        if http_status != Some(200) && !(ends && status(&self.headers).is_some()) {
            return Grpc { status: from_http(http_status.unwrap_or(0)), ..Grpc::default() };
        }
        if ends {
            return Grpc::default().ended(self.headers);
        }
        let mut read = Grpc { initial: self.headers, ..Grpc::default() };
        if !unframed(&self.body, &mut read.messages) {
            return Grpc { status: INTERNAL, ..read };
        }
        match self.trailers {
            Some(trailers) => read.ended(trailers),
            None => Grpc { status: UNKNOWN, ..read },
        }
    }
}

/// A gRPC response.
#[derive(Default)]
struct Grpc {
    initial: HeaderMap,
    messages: Vec<Vec<u8>>,
    trailing: HeaderMap,
    status: u32,
    message: String,
}

impl Grpc {
    fn ended(self, trailing: HeaderMap) -> Self {
        let status = status(&trailing).unwrap_or(UNKNOWN);
        let message = trailing.text("grpc-message").unwrap_or_default();
        Self { status, message, trailing, ..self }
    }

    /// A call tells its message, or else why there is none (E19).
    fn of_call(mut self) -> Part {
        match (self.status, self.messages.pop()) {
            (0, Some(message)) => Part::Message(message),
            (0, None) => Part::Closed { status: INTERNAL, message: String::new() },
            (status, _) => Part::Closed { status, message: self.message },
        }
    }

    /// A stream tells everything.
    fn of_stream(self) -> VecDeque<Part> {
        let mut parts: VecDeque<Part> = [Part::InitialMetadata(self.initial.shared())].into();
        parts.extend(self.messages.into_iter().map(Part::Message));
        parts.push_back(Part::TrailingMetadata(self.trailing.shared()));
        parts.push_back(Part::Closed { status: self.status, message: self.message });
        parts
    }
}

/// What a guest is told after a call that could not begin: nothing over HTTP, and over gRPC what the
/// router answers. Of a stream Envoy tells the metadata within the call; here nothing ever comes
/// inside of one.
pub(crate) fn hindered(kind: Kind, obstacle: Obstacle, request: &HeaderMap) -> VecDeque<Part> {
    let reply = match obstacle {
        _ if kind == Kind::Http => return VecDeque::new(),
        // There is no router.
        Obstacle::NoCluster => {
            let message = "Cluster not available".to_owned();
            return [Part::Closed { status: UNAVAILABLE, message }].into();
        }
        Obstacle::NoEndpoint => Reply::local(request, 503, NO_ENDPOINT, "no_healthy_upstream"),
        Obstacle::Overflow => {
            let text = "upstream connect error or disconnect/reset before headers. reset reason: \
                        overflow";
            let details = "upstream_reset_before_response_started{overflow}";
            Reply::local(request, 503, text, details)
        }
    };
    reply.parts(kind)
}

/// More than Envoy's codec takes of an answer's headers: 60 KiB, or 100 of them.
fn too_large(headers: &Headers) -> bool {
    let size: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    headers.len() >= MOST_HEADERS || size > MOST_HEADER_BYTES
}

fn status(headers: &HeaderMap) -> Option<u32> {
    headers.text("grpc-status")?.parse().ok()
}

/// <https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md>
fn from_http(status: u16) -> u32 {
    match status {
        400 => INTERNAL,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502..=504 => UNAVAILABLE,
        _ => UNKNOWN,
    }
}

/// A message with its prefix: a flag and the length.
/// <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>
fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    [&[0][..], &length.to_be_bytes(), message].concat()
}

/// The messages of a body. False: it is compressed, or no gRPC body; a cut message is left out.
fn unframed(mut body: &[u8], messages: &mut Vec<Vec<u8>>) -> bool {
    while let Some(flag) = body.first() {
        if *flag > 1 {
            return false;
        }
        let Some(([_, length @ ..], rest)) = body.split_first_chunk::<5>() else { return true };
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        if *flag == 1 && length > 0 {
            return false;
        }
        let Some((message, rest)) = rest.split_at_checked(length) else { return true };
        messages.push(message.to_vec());
        body = rest;
    }
    true
}

/// A status message in the form of a header.
fn percent_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'%' | ..b' ' | 0x7f.. => out.push_str(&format!("%{byte:02X}")),
            _ => out.push(char::from(byte)),
        }
    }
    out
}
