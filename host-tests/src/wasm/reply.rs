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
}
