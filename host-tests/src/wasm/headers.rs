//! Header maps with Envoy's rules: names in lower case, `host` is `:authority`, repeats kept,
//! well-known names joined instead of repeated (E10, E11).

use std::cell::RefCell;
use std::rc::Rc;

use base64::Engine as _;

/// Names that Envoy 1.40 keeps at most once in requests and in responses: adding one that is there
/// appends to its value (E11). Measured; trailers of responses have two of their own.
const INLINE: [&[u8]; 13] = [
    b"connection",
    b"content-encoding",
    b"content-length",
    b"content-type",
    b"keep-alive",
    b"proxy-connection",
    b"proxy-status",
    b"transfer-encoding",
    b"upgrade",
    b"via",
    b"x-envoy-attempt-count",
    b"x-envoy-decorator-operation",
    b"x-request-id",
];

/// The same in requests only.
const INLINE_IN_REQUESTS: [&[u8]; 51] = [
    b":authority",
    b":method",
    b":path",
    b":protocol",
    b":scheme",
    b"accept",
    b"accept-encoding",
    b"access-control-request-headers",
    b"access-control-request-method",
    b"access-control-request-private-network",
    b"authorization",
    b"cache-control",
    b"expect",
    b"grpc-accept-encoding",
    b"grpc-timeout",
    b"if-match",
    b"if-modified-since",
    b"if-none-match",
    b"if-range",
    b"if-unmodified-since",
    b"origin",
    b"pragma",
    b"referer",
    b"te",
    b"user-agent",
    b"x-client-trace-id",
    b"x-envoy-downstream-service-cluster",
    b"x-envoy-downstream-service-node",
    b"x-envoy-expected-rq-timeout-ms",
    b"x-envoy-external-address",
    b"x-envoy-force-trace",
    b"x-envoy-hedge-on-per-try-timeout",
    b"x-envoy-internal",
    b"x-envoy-ip-tags",
    b"x-envoy-is-timeout-retry",
    b"x-envoy-max-retries",
    b"x-envoy-original-host",
    b"x-envoy-original-path",
    b"x-envoy-retriable-header-names",
    b"x-envoy-retriable-status-codes",
    b"x-envoy-retry-grpc-on",
    b"x-envoy-retry-on",
    b"x-envoy-upstream-alt-stat-name",
    b"x-envoy-upstream-rq-per-try-timeout-ms",
    b"x-envoy-upstream-rq-timeout-ms",
    b"x-envoy-upstream-stream-duration-ms",
    b"x-forwarded-client-cert",
    b"x-forwarded-for",
    b"x-forwarded-host",
    b"x-forwarded-port",
    b"x-forwarded-proto",
];

/// The same in responses only.
const INLINE_IN_RESPONSES: [&[u8]; 25] = [
    b":status",
    b"access-control-allow-credentials",
    b"access-control-allow-headers",
    b"access-control-allow-methods",
    b"access-control-allow-origin",
    b"access-control-allow-private-network",
    b"access-control-expose-headers",
    b"access-control-max-age",
    b"age",
    b"cache-control",
    b"date",
    b"etag",
    b"expires",
    b"grpc-message",
    b"grpc-status",
    b"last-modified",
    b"location",
    b"server",
    b"vary",
    b"x-envoy-degraded",
    b"x-envoy-immediate-health-check-fail",
    b"x-envoy-ratelimited",
    b"x-envoy-upstream-canary",
    b"x-envoy-upstream-healthchecked-cluster",
    b"x-envoy-upstream-service-time",
];

/// What a map is of, on which its well-known names depend.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Kind {
    Request,
    Response,
    ResponseTrailers,
    /// Trailers of requests, and maps of callouts.
    #[default]
    Other,
}

/// About the connection, not the message.
const CONNECTION: [&[u8]; 5] =
    [b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"];

/// What Envoy takes from a guest at most: more is an empty list, silently.
const MOST_WIRE_BYTES: usize = 1 << 20;
const MOST_WIRE_PAIRS: usize = 1024;

/// A header map that several chains may hold.
pub(crate) type SharedMap = Rc<RefCell<HeaderMap>>;

/// Headers or trailers of one message.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct HeaderMap {
    entries: Vec<(Vec<u8>, Vec<u8>)>,
    /// In requests, names `host` and `:authority` are one.
    kind: Kind,
}

impl HeaderMap {
    pub(crate) fn request(pseudo: [(&str, &str); 4], headers: &[(String, Vec<u8>)]) -> Self {
        let mut map = Self { entries: Vec::new(), kind: Kind::Request };
        for (name, value) in pseudo {
            map.add(name.as_bytes(), value.as_bytes());
        }
        map.extend(headers);
        map
    }

    pub(crate) fn response(status: u16, headers: &[(String, Vec<u8>)]) -> Self {
        let mut map = Self { entries: Vec::new(), kind: Kind::Response };
        map.add(b":status", status.to_string().as_bytes());
        map.extend(headers);
        map
    }

    pub(crate) fn trailers(headers: &[(String, Vec<u8>)]) -> Self {
        let mut map = Self::default();
        map.extend(headers);
        map
    }

    /// Request headers as a filter gives them for a call.
    pub(crate) fn of_call(pairs: &[(Vec<u8>, Vec<u8>)]) -> Self {
        let mut map = Self { entries: Vec::new(), kind: Kind::Request };
        pairs.iter().for_each(|(name, value)| map.add(name, value));
        map
    }

    /// Adds a gRPC call's metadata; binary values travel in base64.
    pub(crate) fn add_call_metadata(&mut self, pairs: &[(Vec<u8>, Vec<u8>)]) {
        for (name, value) in pairs {
            if name.to_ascii_lowercase().ends_with(b"-bin") {
                self.add(name, base64::engine::general_purpose::STANDARD.encode(value).as_bytes());
            } else {
                self.add(name, value);
            }
        }
    }

    pub(crate) fn response_trailers(headers: &[(String, Vec<u8>)]) -> Self {
        let mut map = Self { entries: Vec::new(), kind: Kind::ResponseTrailers };
        map.extend(headers);
        map
    }

    pub(crate) fn shared(self) -> SharedMap {
        Rc::new(RefCell::new(self))
    }

    pub(crate) fn extend(&mut self, headers: &[(String, Vec<u8>)]) {
        for (name, value) in headers {
            self.add(name.as_bytes(), value);
        }
    }

    /// The first value of `name`.
    pub(crate) fn get(&self, name: &[u8]) -> Option<&[u8]> {
        let name = self.key(name);
        self.entries.iter().find(|(n, _)| *n == name).map(|(_, v)| v.as_slice())
    }

    /// All values of `name`, joined with commas, as attributes show them.
    pub(crate) fn joined(&self, name: &[u8]) -> Option<Vec<u8>> {
        let name = self.key(name);
        let values: Vec<&[u8]> =
            self.entries.iter().filter(|(n, _)| *n == name).map(|(_, v)| v.as_slice()).collect();
        (!values.is_empty()).then(|| values.join(&b","[..]))
    }

    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.get(name.as_bytes()).map(|v| String::from_utf8_lossy(v).into_owned())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
        self.entries.iter().map(|(n, v)| (n.as_slice(), v.as_slice()))
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Envoy's `byteSize`: names and values without separators.
    pub(crate) fn byte_size(&self) -> usize {
        self.entries.iter().map(|(n, v)| n.len() + v.len()).sum()
    }

    /// Adds a value; to a well-known name that is there, appends with a comma.
    pub(crate) fn add(&mut self, name: &[u8], value: &[u8]) {
        let name = self.key(name);
        if self.joins(&name)
            && let Some((_, old)) = self.entries.iter_mut().find(|(n, _)| *n == name)
        {
            old.push(b',');
            old.extend_from_slice(value);
            return;
        }
        // Pseudo-headers stay in front of the others.
        let at = if name.starts_with(b":") {
            self.entries.iter().take_while(|(n, _)| n.starts_with(b":")).count()
        } else {
            self.entries.len()
        };
        self.entries.insert(at, (name, value.to_vec()));
    }

    /// Removes all of this name, then adds.
    pub(crate) fn set(&mut self, name: &[u8], value: &[u8]) {
        self.remove(name);
        self.add(name, value);
    }

    pub(crate) fn remove(&mut self, name: &[u8]) {
        let name = self.key(name);
        self.entries.retain(|(n, _)| *n != name);
    }

    /// Removes what is about the connection, as Envoy does with what a client sends, before the
    /// filters, and with what it gets, after them.
    pub(crate) fn remove_connection_headers(&mut self) {
        for name in CONNECTION {
            self.remove(name);
        }
    }

    /// What Envoy's HTTP/1.1 codec says of a response that ends with its headers.
    pub(crate) fn imply_no_body(&mut self) {
        let by_status = matches!(self.text(":status").as_deref(), Some("204" | "304"));
        if !by_status && self.text("content-length").is_none() {
            self.add(b"content-length", b"0");
        }
    }

    pub(crate) fn replace_all(&mut self, pairs: &[(Vec<u8>, Vec<u8>)]) {
        self.entries.clear();
        for (name, value) in pairs {
            self.add(name, value);
        }
    }

    pub(crate) fn wire(&self) -> Vec<u8> {
        to_wire(self.iter())
    }

    /// Whether another value of `name`, in lower case, is appended to the one that is there.
    fn joins(&self, name: &[u8]) -> bool {
        match self.kind {
            Kind::Request => INLINE.contains(&name) || INLINE_IN_REQUESTS.contains(&name),
            Kind::Response => INLINE.contains(&name) || INLINE_IN_RESPONSES.contains(&name),
            Kind::ResponseTrailers => [&b"grpc-message"[..], b"grpc-status"].contains(&name),
            Kind::Other => false,
        }
    }

    fn key(&self, name: &[u8]) -> Vec<u8> {
        let name = name.to_ascii_lowercase();
        if self.kind == Kind::Request && name == b"host" { b":authority".to_vec() } else { name }
    }
}

/// The ABI's serialization: a count, lengths, then names and values, each with NUL behind it.
pub(crate) fn to_wire<'a>(pairs: impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone) -> Vec<u8> {
    let length = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes();
    let mut out = length(pairs.clone().count()).to_vec();
    for (name, value) in pairs.clone() {
        out.extend(length(name.len()));
        out.extend(length(value.len()));
    }
    for (name, value) in pairs {
        for part in [name, value] {
            out.extend_from_slice(part);
            out.push(0);
        }
    }
    out
}

/// Reads the serialization as Envoy does: whatever is wrong with it, the result is an empty list.
pub(crate) fn from_wire(bytes: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    read_wire(bytes).unwrap_or_default()
}

fn read_wire(bytes: &[u8]) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    let number = |at: usize| -> Option<usize> {
        let four = bytes.get(at..at.checked_add(4)?)?;
        usize::try_from(u32::from_le_bytes(four.try_into().ok()?)).ok()
    };
    let count = number(0)?;
    if bytes.len() > MOST_WIRE_BYTES || count > MOST_WIRE_PAIRS {
        return None;
    }
    let mut at = 4 + count * 8;
    let mut take = |len: usize| -> Option<Vec<u8>> {
        let end = at.checked_add(len)?;
        let part = bytes.get(at..end)?.to_vec();
        (bytes.get(end) == Some(&0)).then_some(())?;
        at = end + 1;
        Some(part)
    };
    let mut pairs = Vec::with_capacity(count);
    for i in 0..count {
        let name = take(number(4 + i * 8)?)?;
        let value = take(number(8 + i * 8)?)?;
        pairs.push((name, value));
    }
    (at == bytes.len()).then_some(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> HeaderMap {
        let pseudo =
            [(":method", "GET"), (":path", "/"), (":authority", "a.test"), (":scheme", "http")];
        HeaderMap::request(pseudo, &[("X-One".into(), b"1".to_vec())])
    }

    #[test]
    fn e10_names_are_lower_cased_and_get_returns_the_first() {
        let mut map = request();
        map.add(b"X-ONE", b"2");
        assert_eq!(map.get(b"x-one"), Some(&b"1"[..]));
        assert_eq!(map.joined(b"X-One"), Some(b"1,2".to_vec()));
        map.set(b"X-one", b"3");
        assert_eq!(map.joined(b"x-one"), Some(b"3".to_vec()));
    }

    #[test]
    fn e11_adding_a_well_known_header_appends_to_its_value() {
        let mut map = request();
        map.add(b"content-type", b"a");
        map.add(b"content-type", b"b");
        assert_eq!(map.get(b"content-type"), Some(&b"a,b"[..]));
        map.add(b":path", b"/x");
        assert_eq!(map.get(b":path"), Some(&b"/,/x"[..]));
    }

    #[test]
    fn host_is_the_authority_of_requests_only() {
        let mut map = request();
        map.set(b"Host", b"b.test");
        assert_eq!(map.get(b":authority"), Some(&b"b.test"[..]));
        let mut response = HeaderMap::response(200, &[]);
        response.add(b"host", b"x");
        assert_eq!(response.get(b":authority"), None);
    }

    #[test]
    fn pseudo_headers_stay_in_front() {
        let mut map = request();
        map.set(b":path", b"/new");
        let names: Vec<_> = map.iter().map(|(n, _)| n.to_vec()).collect();
        assert_eq!(names[3], b":path");
        assert_eq!(names[4], b"x-one");
    }

    #[test]
    fn the_serialization_survives_a_round_trip_and_every_cut_is_an_empty_list() {
        let map = request();
        let wire = map.wire();
        let pairs: Vec<_> = map.iter().map(|(n, v)| (n.to_vec(), v.to_vec())).collect();
        assert_eq!(from_wire(&wire), pairs);
        for cut in 0..wire.len() {
            assert_eq!(from_wire(&wire[..cut]), [], "cut at {cut}");
        }
        assert_eq!(from_wire(&[wire, vec![0]].concat()), []);
    }
}
