//! The configuration: what an operator writes, and what the filter works with.
//!
//! Keys come as SHA-256 hashes, so the configuration (which every config dump shows) holds no
//! credential. Without a key nothing could ever be allowed, so that is refused as a mistake.

mod key;
mod publish;

use serde::Deserialize;
use serde_json::{Map, Value};
use tollgate_api::Paths;
use tollgate_config::{Problems, Reader, Warning};
use tollgate_effects::UnixNanos;
use tollgate_owned_headers::OwnedHeaders;

use crate::credential::CREDENTIAL_HEADERS;
use crate::keyring::Keyring;

/// Default and upper bound of `maxKeyBytes`.
const MAX_KEY_BYTES: (u32, u32) = (256, 8192);
/// Default and upper bound of `maxKeys`: a search compares every key.
const MAX_KEYS: (u32, u32) = (10_000, 100_000);
/// Most entries of `openPaths`.
const MAX_OPEN_PATHS: usize = 100;

/// Configuration of the key-check filter.
#[derive(Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "key-check", extend("required" = ["keys"])))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Raw {
    /// The keys that are accepted. At least one.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    keys: Vec<RawKey>,
    /// Which headers tell later filters, policies and backends who is calling. None by default;
    /// each is removed when a client sends it, asked for or not.
    publish: RawPublish,
    /// Paths that need no key, exactly as sent but for the query, such as `/healthz`. None by default.
    #[cfg_attr(feature = "schema", schemars(length(max = 100)))]
    open_paths: Vec<String>,
    /// The longest key that is looked at, in bytes; 256 by default.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 8192)))]
    max_key_bytes: Option<u32>,
    /// The most keys that this configuration may have; 10000 by default.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 100_000)))]
    max_keys: Option<u32>,
}

/// A key, known by its hash.
#[derive(Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "Key", extend("required" = ["id", "sha256"])))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct RawKey {
    /// Names the key in logs, headers and counters; unique. Never the key itself.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 256)))]
    id: Option<String>,
    /// SHA-256 of the whole key as 64 hexadecimal digits: `printf %s "$KEY" | sha256sum`.
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^[0-9a-fA-F]{64}$")))]
    sha256: Option<String>,
    /// The user that the key belongs to.
    user: Option<String>,
    /// The team that the key belongs to.
    team: Option<String>,
    /// The groups that the key belongs to.
    groups: Vec<String>,
    /// The models that the key may use, by name or with one `*` at the end. Left out: every model;
    /// an empty list: none.
    models: Option<Vec<String>>,
    /// `false` switches the key off; `true` by default.
    enabled: Option<bool>,
    /// From when on the key is refused, in RFC 3339: `2027-01-31T00:00:00Z`. Left out: never.
    #[cfg_attr(feature = "schema", schemars(extend("format" = "date-time")))]
    expires_at: Option<String>,
    /// Limits by name, passed on to token-count.
    limits: Map<String, Value>,
    /// Free data, passed on for access logs.
    metadata: Map<String, Value>,
}

/// Header names by what they tell.
#[derive(Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "Publish"))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct RawPublish {
    /// For the key's id, such as `x-gateway-key-id`.
    key_id: Option<String>,
    /// For the user, such as `x-gateway-user`.
    user: Option<String>,
    /// For the team, such as `x-gateway-team`.
    team: Option<String>,
    /// For the groups, joined with commas, such as `x-gateway-groups`.
    groups: Option<String>,
}

/// A configuration that was checked.
pub(crate) struct Policy {
    /// The keys.
    pub(crate) keyring: Keyring,
    /// The longest key that is looked at.
    pub(crate) max_key_bytes: usize,
    open_paths: Vec<String>,
    /// Headers to take off: credentials, and what only this filter may write.
    pub(crate) stripped: OwnedHeaders,
}

impl Policy {
    /// Whether `path` needs no key. Only the query is ignored: a path that merely means the same
    /// after decoding is another path, and stays closed.
    pub(crate) fn is_open(&self, path: &[u8]) -> bool {
        let path = path.split(|b| *b == b'?').next().unwrap_or_default();
        self.open_paths.iter().any(|open| open.as_bytes() == path)
    }
}

/// Checks `config` as of `now` (0: not known, so nothing counts as expired).
pub(crate) fn check(config: &[u8], now: UnixNanos) -> Result<(Policy, Vec<Warning>), Problems> {
    let (raw, mut reader) = tollgate_config::read::<Raw>("key-check", config);
    let max_key_bytes = bounded(raw.max_key_bytes, MAX_KEY_BYTES, "maxKeyBytes", &mut reader);
    let max_keys = bounded(raw.max_keys, MAX_KEYS, "maxKeys", &mut reader);
    let headers = publish::check(raw.publish, &mut reader);
    if raw.keys.is_empty() {
        reader.problem("keys", "missing: without a key every request would be refused");
    }
    if raw.keys.len() > max_keys {
        let found = raw.keys.len();
        reader.problem("keys", format!("{found} keys, more than maxKeys allows ({max_keys})"));
    }
    let keyring = key::check_all(raw.keys, &headers, now, &mut reader);
    check_open_paths(&raw.open_paths, &mut reader);
    let stripped = CREDENTIAL_HEADERS
        .into_iter()
        .chain(publish::DEFAULT_HEADERS)
        .chain(headers.names())
        .collect();
    let warnings = reader.finish()?;
    Ok((Policy { keyring, max_key_bytes, open_paths: raw.open_paths, stripped }, warnings))
}

/// JSON Schema of the configuration.
#[cfg(feature = "schema")]
pub fn config_schema() -> schemars::Schema {
    schemars::schema_for!(Raw)
}

fn bounded(
    value: Option<u32>,
    (default, most): (u32, u32),
    path: &str,
    reader: &mut Reader,
) -> usize {
    let value = value.unwrap_or(default);
    if !(1..=most).contains(&value) {
        reader.problem(path, format!("{value} is out of range, expected 1 to {most}"));
    }
    usize::try_from(value).unwrap_or(usize::MAX)
}

fn check_open_paths(paths: &[String], reader: &mut Reader) {
    if paths.len() > MAX_OPEN_PATHS {
        let found = paths.len();
        reader.problem("openPaths", format!("{found} paths, expected at most {MAX_OPEN_PATHS}"));
    }
    for (i, path) in paths.iter().enumerate() {
        let at = format!("openPaths[{i}]");
        if !path.starts_with('/') {
            reader.problem(at, "expected a path that starts with `/`, such as `/healthz`");
        } else if !path.bytes().all(|b| b.is_ascii_graphic() && !b"?#*%".contains(&b)) {
            reader.problem(
                at,
                "expected one exact path of printable ASCII, without query, `*`, `#` and `%`",
            );
        } else if !matches!(Paths::BUILT_IN.call(path.as_bytes()), Ok(None)) {
            reader.warning(at, "this is an endpoint for models, and it will need no key");
        }
    }
}

#[cfg(test)]
mod tests;
