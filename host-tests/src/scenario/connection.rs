//! TCP connections through network filters.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::ExpectLogs;

/// A TCP connection: the client sends its pieces, then the upstream its own, then one of them ends its
/// side, and the other one when it sees that.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Connection {
    /// For messages; the number among the connections if absent.
    pub name: Option<String>,
    /// What the client sends, piece by piece.
    #[serde(default)]
    pub send: Vec<Piece>,
    /// What the upstream sends then.
    #[serde(default)]
    pub upstream_sends: Vec<Piece>,
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
    pub upstream: Option<Piece>,
    /// All bytes that reached the client.
    pub client: Option<Piece>,
    /// Whether an upstream was connected to at all.
    pub connected: Option<bool>,
    /// Whether both ends saw the end of the other one.
    pub ended: Option<bool>,
    /// What the filters logged.
    pub logs: Option<ExpectLogs>,
}

/// Bytes of a connection: a text, or `{base64: …}`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Piece(pub Vec<u8>);

impl<'de> Deserialize<'de> for Piece {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected a text, or `{base64: …}`")]
        enum Given {
            Text(String),
            Encoded(Encoded),
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Encoded {
            base64: String,
        }
        match Given::deserialize(from)? {
            Given::Text(text) => Ok(Self(text.into_bytes())),
            Given::Encoded(Encoded { base64 }) => {
                let bytes = STANDARD.decode(&base64);
                bytes.map(Self).map_err(|error| D::Error::custom(format!("base64: {error}")))
            }
        }
    }
}
