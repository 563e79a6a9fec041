//! Header maps with Envoy's rules: names in lower case, `host` is `:authority`, repeats kept,
//! well-known names joined instead of repeated (E10, E11).

mod inline;
mod wire;

use std::cell::RefCell;
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use inline::joins;
pub(crate) use wire::{from_wire, to_wire};

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
                self.add(name, STANDARD.encode(value).as_bytes());
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
        if joins(self.kind, &name)
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
        if self.kind == Kind::Request && name == b"host" { b":authority".to_vec() } else { name }
    }
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
}
