//! The configuration as it is written: names and shapes only.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Configuration of the provider-rewrite filter.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct RawConfig {
    /// The providers; endpoint or cluster metadata `tollgate: {provider: <name>}` chooses one per
    /// attempt.
    pub(super) providers: Vec<RawProvider>,
    /// Request headers that pass to every provider besides the default ones.
    pub(super) pass_headers: Vec<String>,
    /// The provider for hosts without metadata. Without it such an attempt is refused.
    pub(super) default_provider: Option<String>,
    /// Bytes held at most, per stream.
    pub(super) limits: RawLimits,
}

/// Bytes held at most, per stream. Keep the first two below the host's buffer limit.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct RawLimits {
    /// A longer request body that must be read gets a 413; 1048576 if absent.
    pub(super) max_body_bytes: Option<u64>,
    /// A longer response that must be translated gets a 502; 1048576 if absent.
    pub(super) max_response_bytes: Option<u64>,
    /// A longer server-sent event ends a translated stream with an error; 262144 if absent.
    pub(super) max_event_bytes: Option<u64>,
}

/// One provider.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct RawProvider {
    /// Unique name. Required.
    pub(super) name: Option<String>,
    /// The API that it speaks. Required.
    pub(super) dialect: Option<RawDialect>,
    /// Host header to send; the client's if absent.
    pub(super) authority: Option<String>,
    /// Replaces the `/v1` of the client's path; `/v1` if absent.
    pub(super) path_prefix: Option<String>,
    /// The secret to send; none if absent.
    pub(super) credential: Option<RawCredential>,
    /// The provider's name of a model where it differs from the gateway's.
    pub(super) models: BTreeMap<String, String>,
    /// Completion tokens at most, for a provider that must be told and a client that did not say;
    /// 4096 if absent.
    pub(super) default_max_tokens: Option<u64>,
    /// The same for single models, by the gateway's name.
    pub(super) max_tokens: BTreeMap<String, u64>,
    /// What becomes of a parameter that the provider cannot honour; `reject` if absent.
    pub(super) on_unsupported: Option<RawOnUnsupported>,
    /// Headers to set on every request, such as another `anthropic-version`.
    pub(super) headers: BTreeMap<String, String>,
}

/// The API that a provider speaks.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) enum RawDialect {
    /// Anthropic's Messages API.
    Anthropic,
    /// OpenAI's API and whatever is compatible with it.
    OpenAi,
}

/// What becomes of a parameter that a provider cannot honour.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) enum RawOnUnsupported {
    /// It is left out.
    Drop,
    /// The request gets a 400.
    Reject,
}

/// Where a secret comes from: exactly one of these.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct RawCredential {
    /// Environment variable of the VM that holds it.
    pub(super) env: Option<String>,
    /// Request header that holds it, set by a filter before this one (never passed on).
    pub(super) header: Option<String>,
    /// The secret itself, in plain text: whoever may read the configuration may read it.
    pub(super) value: Option<String>,
}

impl std::fmt::Debug for RawCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(credential)")
    }
}

/// JSON Schema of the configuration.
#[cfg(feature = "schema")]
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(RawConfig)
}
