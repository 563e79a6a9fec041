//! The checked configuration: what streams read.
//!
//! Not here: the types that JSON is read into ([`raw`]) and the checks on the way ([`check`]).

mod check;
mod raw;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use tollgate_config::{Problems, Warning};
use tollgate_effects::Environment;

use crate::providers::Dialect;

#[cfg(feature = "schema")]
pub use raw::schema;

/// The filter's name, for messages.
pub(crate) const NAME: &str = "provider-rewrite";

/// The configuration of one plugin.
#[derive(Debug)]
pub(crate) struct Config {
    /// At least one; names are unique.
    pub(crate) providers: Vec<Provider>,
    /// Headers that pass to every provider besides the default ones; lower-case.
    pub(crate) pass_headers: Vec<String>,
    /// Where `credential: {header: …}` secrets come from; lower-case, without repeats.
    pub(crate) credential_headers: Vec<String>,
    /// Index of the provider for hosts without metadata.
    pub(crate) default_provider: Option<usize>,
    pub(crate) limits: Limits,
}

impl Config {
    /// Reads and checks `config`.
    ///
    /// # Errors
    ///
    /// All problems at once.
    pub(crate) fn read(
        config: &[u8],
        env: &dyn Environment,
    ) -> Result<(Self, Vec<Warning>), Problems> {
        check::config(config, env)
    }

    /// The provider called `name`, and its index.
    pub(crate) fn provider_named(&self, name: &str) -> Option<usize> {
        self.providers.iter().position(|provider| provider.name == name)
    }
}

/// Bytes held at most, per stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) max_body_bytes: usize,
    pub(crate) max_response_bytes: usize,
    pub(crate) max_event_bytes: usize,
}

/// One provider.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) name: String,
    pub(crate) dialect: Dialect,
    /// Value of `:authority`; the client's if absent.
    pub(crate) authority: Option<String>,
    /// What stands for the client's `/v1`; no slash at the end.
    pub(crate) path_prefix: String,
    pub(crate) credential: Credential,
    /// Names at the provider that differ from the gateway's.
    pub(crate) models: BTreeMap<String, String>,
    /// Bound on completion tokens where the provider needs one and the client gave none.
    pub(crate) default_max_tokens: u64,
    /// The same, per model.
    pub(crate) max_tokens: BTreeMap<String, u64>,
    pub(crate) on_unsupported: OnUnsupported,
    /// Headers set on every request; lower-case names.
    pub(crate) headers: Vec<(String, String)>,
}

impl Provider {
    /// The provider's name for the gateway's `model`.
    pub(crate) fn wire_model<'a>(&'a self, model: &'a str) -> &'a str {
        self.models.get(model).map_or(model, String::as_str)
    }

    /// The bound on completion tokens for `model` if the client gave none.
    pub(crate) fn max_tokens_for(&self, model: &str) -> u64 {
        self.max_tokens.get(model).copied().unwrap_or(self.default_max_tokens)
    }
}

/// What becomes of a parameter that a provider cannot honour.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum OnUnsupported {
    Drop,
    #[default]
    Reject,
}

/// Where the provider's credential comes from.
#[derive(Debug)]
pub(crate) enum Credential {
    /// A request header (lower-case), set by a filter before this one.
    Header(String),
    /// The provider needs none, or a filter behind this one adds it.
    None,
    Secret(Secret),
}

/// A secret: never printed, whatever formats it.
#[derive(Clone)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn new(value: String) -> Self {
        Self(value)
    }

    /// The secret, to put into a request or to keep out of a message.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}
