//! What host functions see of an exchange.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use serde_json::Value;

use super::headers::{HeaderMap, SharedMap};
use super::routes::RouteCache;

/// One half of an exchange.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Direction {
    Request,
    Response,
}

impl Direction {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Response => "response",
        }
    }
}

/// A value per direction.
#[derive(Clone, Debug, Default)]
pub(crate) struct Both<T> {
    pub(crate) request: T,
    pub(crate) response: T,
}

impl<T> Both<T> {
    pub(crate) fn of(&self, direction: Direction) -> &T {
        match direction {
            Direction::Request => &self.request,
            Direction::Response => &self.response,
        }
    }

    pub(crate) fn of_mut(&mut self, direction: Direction) -> &mut T {
        match direction {
            Direction::Request => &mut self.request,
            Direction::Response => &mut self.response,
        }
    }
}

/// A message on its way through one chain.
#[derive(Default)]
pub(crate) struct Lane {
    pub(crate) headers: Option<SharedMap>,
    pub(crate) trailers: Option<SharedMap>,
    /// The piece of the body that is passing.
    pub(crate) piece: Vec<u8>,
    /// What filters hold of the body: one buffer for the whole chain, as in Envoy.
    pub(crate) held: Option<Vec<u8>>,
}

/// Both messages of one chain.
pub(crate) type Wire = Rc<RefCell<Both<Lane>>>;

/// Which bytes a body buffer stands for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum View {
    #[default]
    None,
    Piece,
    Held,
}

/// What of one direction a filter may touch now (E6–E8).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Access {
    pub(crate) headers: bool,
    pub(crate) trailers: bool,
    pub(crate) body: View,
}

/// A filter's side of an exchange, as its VM's host functions see it.
pub(crate) struct StreamContext {
    pub(crate) wire: Wire,
    pub(crate) info: Rc<RefCell<StreamInfo>>,
    pub(crate) access: Both<Access>,
    /// One flag for both directions (E30).
    pub(crate) end_of_stream: bool,
    /// It is about a TCP connection, whose lanes have only pieces.
    pub(crate) network: bool,
    /// It is about an attempt.
    pub(crate) upstream: bool,
    /// In `on_log` all maps are readable and none is writable.
    pub(crate) logging: bool,
}

/// Endpoint metadata: namespace, key, value.
pub(crate) type Metadata = Vec<(String, Vec<(String, String)>)>;

/// Facts about an exchange that attributes show. One for both chains.
pub(crate) struct StreamInfo {
    /// Index of the exchange, for log lines.
    pub(crate) exchange: usize,
    /// By full name: `wasm.` and the path that the guest gave (E27).
    pub(crate) filter_state: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Keys of it that cannot be set again.
    pub(crate) read_only: BTreeSet<Vec<u8>>,
    /// What the scenario says attributes are, by dotted path.
    pub(crate) overrides: Rc<BTreeMap<String, Value>>,
    pub(crate) request_headers: SharedMap,
    pub(crate) response_headers: Option<SharedMap>,
    pub(crate) response_trailers: Option<SharedMap>,
    pub(crate) request_bytes: u64,
    pub(crate) response_bytes: u64,
    /// Nanoseconds since 1970.
    pub(crate) started: u64,
    pub(crate) attempts: u32,
    /// Scripted upstreams.
    pub(crate) endpoints: u64,
    /// Endpoint metadata of the current attempt.
    pub(crate) host_metadata: Option<Metadata>,
    pub(crate) code: Option<u16>,
    pub(crate) code_details: Option<String>,
    pub(crate) flags: u64,
    pub(crate) route: RouteCache,
}

impl StreamInfo {
    /// Chooses the route if need be. False: there is none.
    pub(crate) fn refresh_route(&mut self) -> bool {
        self.route.refresh(&self.request_headers.borrow())
    }

    /// Of a TCP connection.
    pub(crate) fn of_connection(
        index: usize,
        overrides: &Rc<BTreeMap<String, Value>>,
        now: u64,
    ) -> Self {
        Self {
            exchange: index,
            filter_state: BTreeMap::new(),
            read_only: BTreeSet::new(),
            overrides: Rc::clone(overrides),
            request_headers: SharedMap::default(),
            response_headers: None,
            response_trailers: None,
            request_bytes: 0,
            response_bytes: 0,
            started: now,
            attempts: 0,
            endpoints: 1,
            host_metadata: None,
            code: None,
            code_details: None,
            flags: 0,
            route: RouteCache::new(&Rc::default(), &HeaderMap::trailers(&[])),
        }
    }
}

/// `response.flags`, by Envoy's bits.
pub(crate) mod flags {
    pub(crate) const NO_HEALTHY_UPSTREAM: u64 = 0x2;
    pub(crate) const NO_ROUTE_FOUND: u64 = 0x100;
    pub(crate) const DOWNSTREAM_CONNECTION_TERMINATION: u64 = 0x4000;
    pub(crate) const UPSTREAM_RETRY_LIMIT_EXCEEDED: u64 = 0x8000;
    pub(crate) const UPSTREAM_PROTOCOL_ERROR: u64 = 0x80_0000;
}
