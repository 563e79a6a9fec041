//! Answers that the gateway gives itself.

use super::headers::HeaderMap;

/// A local reply: of a filter, or of the router.
#[derive(Clone, Debug, Default)]
pub(crate) struct LocalReply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
    /// For `response.code_details`; no white space.
    pub(crate) details: String,
    /// `response.flags` to add.
    pub(crate) flags: u64,
    /// What a gRPC client is told; if absent, what `status` means there.
    pub(crate) grpc_status: Option<u8>,
}

impl LocalReply {
    pub(crate) fn new(status: u16, body: &str, details: &str) -> Self {
        Self {
            status,
            body: body.as_bytes().to_vec(),
            details: details.to_owned(),
            ..Self::default()
        }
    }

    /// What a filter whose VM failed answers (E21).
    pub(crate) fn failed_vm() -> Self {
        Self::new(503, "", "wasm_fail_stream")
    }

    /// The headers as Envoy completes them: the length, and a type unless the filter gave one.
    pub(crate) fn header_map(&self) -> HeaderMap {
        let mut map = HeaderMap::response(self.status, &[]);
        for (name, value) in &self.headers {
            map.add(name, value);
        }
        if self.body.is_empty() {
            map.remove(b"content-length");
            map.remove(b"content-type");
        } else {
            map.set(b"content-length", self.body.len().to_string().as_bytes());
            if map.get(b"content-type").is_none() {
                map.set(b"content-type", b"text/plain");
            }
        }
        map
    }

    /// The whole answer to a gRPC request: trailers in the place of headers, the body as the message.
    /// <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>
    pub(crate) fn grpc_header_map(&self) -> HeaderMap {
        let mut map = self.header_map();
        map.set(b":status", b"200");
        map.set(b"content-type", b"application/grpc");
        map.remove(b"content-length");
        if map.get(b"grpc-status").is_none() {
            let status = self.grpc_status.unwrap_or_else(|| grpc_status(self.status));
            map.set(b"grpc-status", status.to_string().as_bytes());
        }
        if !self.body.is_empty() {
            map.set(b"grpc-message", percent_encoded(&self.body).as_bytes());
        }
        map
    }
}

/// Whether a request with this content type is one of gRPC.
pub(crate) fn is_grpc(content_type: &[u8]) -> bool {
    content_type
        .strip_prefix(b"application/grpc")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"+"))
}

/// What an HTTP status is in gRPC.
/// <https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md>
fn grpc_status(http: u16) -> u8 {
    match http {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502 | 503 | 504 => 14,
        _ => 2,
    }
}

/// `grpc-message` has printable ASCII only, and `%` for all else.
fn percent_encoded(text: &[u8]) -> String {
    let mut out = String::new();
    for byte in text {
        match byte {
            b' '..=b'~' if *byte != b'%' => out.push(char::from(*byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
