//! TCP connections through network filters.

use serde::Deserialize;

use super::{Bytes, ExpectLogs};

/// A TCP connection: the client sends its pieces, then the upstream its own, then one of them ends its
/// side, and the other one when it sees that.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Connection {
    /// For messages; the number among the connections if absent.
    pub name: Option<String>,
    /// What the client sends, piece by piece.
    #[serde(default)]
    pub send: Vec<Bytes>,
    /// What the upstream sends then.
    #[serde(default)]
    pub upstream_sends: Vec<Bytes>,
    /// Who ends first; the client if absent.
    #[serde(default)]
    pub closes: Side,
    /// What must come of it.
    #[serde(default)]
    pub expect: ExpectConnection,
}

/// An end of a connection.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Who connected.
    #[default]
    Client,
    /// Who was connected to.
    Upstream,
}

/// What must come of a connection; what is not named is not judged.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExpectConnection {
    /// All bytes that reached the upstream.
    pub upstream: Option<Bytes>,
    /// All bytes that reached the client.
    pub client: Option<Bytes>,
    /// Whether an upstream was connected to at all.
    pub connected: Option<bool>,
    /// Whether both ends saw the end of the other one.
    pub ended: Option<bool>,
    /// What the filters logged.
    pub logs: Option<ExpectLogs>,
}
