//! One call: what a guest makes, and what there is to report of it.

use super::super::exchange::pairs_with_host;
use super::super::headers::HeaderMap;
use crate::report::{CalloutRequest, text_or_base64};

/// A call: the VM that made it, and its token there.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Id {
    pub(crate) vm: u64,
    pub(crate) token: u32,
}

/// What the host function was.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Http,
    /// One message each way.
    Grpc,
    /// Any number each way.
    Stream,
}

/// A call as a guest makes it.
pub(crate) struct Call {
    pub(crate) kind: Kind,
    pub(crate) root: u32,
    /// The plugin's name.
    pub(crate) filter: String,
    /// The exchange it is made in; none outside of any.
    pub(crate) exchange: Option<usize>,
    pub(crate) cluster: String,
    pub(crate) headers: HeaderMap,
    /// Of gRPC the messages, one after the other.
    pub(crate) body: Vec<u8>,
    /// Nanoseconds; none is no limit.
    pub(crate) timeout: Option<u64>,
}

/// Why a call cannot even begin, which Envoy finds out at once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Obstacle {
    NoCluster,
    NoEndpoint,
    /// As many calls as the circuit breaker lets through are open.
    Overflow,
}

/// Why a call was not made.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Refused(pub(crate) String);

/// A call that arrived.
pub(super) struct Made {
    pub(super) exchange: Option<usize>,
    pub(super) cluster: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Call {
    /// In words, for a hang or the end of a run; `answered`: an answer will come.
    pub(super) fn describe(&self, id: Id, answered: bool) -> String {
        let kind = match self.kind {
            Kind::Http => "HTTP call",
            Kind::Grpc => "gRPC call",
            Kind::Stream => "gRPC stream",
        };
        let text = |name| self.headers.text(name).unwrap_or_default();
        let (method, path) = (text(":method"), text(":path"));
        let fate = match (answered, self.timeout) {
            (true, _) => String::new(),
            (false, None) => ", never answered and without a timeout".to_owned(),
            (false, Some(nanos)) => {
                format!(", never answered, with a timeout of {} ms", nanos / 1_000_000)
            }
        };
        let (filter, cluster, token) = (&self.filter, &self.cluster, id.token);
        format!("{kind} {token} of filter `{filter}` to cluster `{cluster}`, {method} {path}{fate}")
    }
}

/// Whether Envoy takes or makes this header itself on its way out.
fn is_envoys(name: &str) -> bool {
    name.starts_with("x-envoy-")
        || ["x-forwarded-for", "connection", "transfer-encoding"].contains(&name)
}

impl Made {
    pub(super) fn report(self) -> CalloutRequest {
        let (body, body_base64) = text_or_base64(self.body);
        let headers = pairs_with_host(&self.headers);
        CalloutRequest {
            cluster: self.cluster,
            method: self.headers.text(":method").unwrap_or_default(),
            path: self.headers.text(":path").unwrap_or_default(),
            headers: headers.into_iter().filter(|(name, _)| !is_envoys(name)).collect(),
            body,
            body_base64,
        }
    }
}
