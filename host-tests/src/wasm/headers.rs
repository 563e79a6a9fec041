//! Header maps with Envoy's rules: names in lower case, `host` is `:authority`, repeats kept,
//! well-known names joined instead of repeated (E10, E11).

use std::cell::RefCell;
use std::rc::Rc;

use base64::Engine as _;

/// Names that Envoy keeps at most once: adding one that is there appends to its value (E11).
const INLINE: [&[u8]; 21] = [
    b":authority",
    b":method",
    b":path",
    b":scheme",
    b":status",
    b"connection",
    b"content-length",
    b"content-type",
    b"grpc-message",
    b"grpc-status",
    b"keep-alive",
    b"proxy-connection",
    b"server",
    b"te",
    b"transfer-encoding",
    b"upgrade",
    b"user-agent",
    b"via",
    b"x-envoy-attempt-count",
    b"x-forwarded-proto",
    b"x-request-id",
];

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
    /// Names `host` and `:authority` are one, as in Envoy's request map.
    is_request: bool,
}

impl HeaderMap {
    pub(crate) fn request(pseudo: [(&str, &str); 4], headers: &[(String, Vec<u8>)]) -> Self {
        let mut map = Self { entries: Vec::new(), is_request: true };
        for (name, value) in pseudo {
            map.add(name.as_bytes(), value.as_bytes());
        }
        map.extend(headers);
        map
    }

    pub(crate) fn response(status: u16, headers: &[(String, Vec<u8>)]) -> Self {
        let mut map = Self::default();
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
        let mut map = Self { entries: Vec::new(), is_request: true };
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
        if INLINE.contains(&name.as_slice())
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

    fn key(&self, name: &[u8]) -> Vec<u8> {
        let name = name.to_ascii_lowercase();
        if self.is_request && name == b"host" { b":authority".to_vec() } else { name }
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
