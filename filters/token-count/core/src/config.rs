//! The filter's configuration.

use std::ops::RangeInclusive;

use serde::Deserialize;
use tollgate_config::{Problems, Reader, Warning};
use tollgate_effects::Plugin;

use crate::TokenCount;

/// Checked values.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Config {
    pub(crate) ask_for_usage: bool,
    pub(crate) max_request_bytes: usize,
    pub(crate) max_event_bytes: usize,
    pub(crate) max_usage_bytes: usize,
    pub(crate) max_model_labels: usize,
}

/// The most that `maxUsageBytes` can be: what a scanner keeps of a `usage` value before it is looked at.
pub(crate) const MOST_USAGE_BYTES: usize = 64 << 10;

/// Configuration of token-count. Everything has a default; an empty configuration is good.
#[derive(Debug, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(title = "token-count"))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct RawConfig {
    /// Make streams report their usage (`stream_options.include_usage`) when the client did not ask
    /// for it, and take the extra event out of the response. Needs the host's
    /// `allow_on_headers_stop_iteration`. Switch it off for servers that reject the field: their
    /// streams then count as `unknown`, unless the client asks.
    ask_for_usage: bool,
    /// Hold request bodies up to this size to ask for usage; longer ones pass as they are. Must not
    /// exceed the host's buffer limit (Envoy: `per_connection_buffer_limit_bytes`, 1 MiB).
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1_073_741_824)))]
    max_request_bytes: u64,
    /// Hold an incomplete event of a stream up to this size; a longer one passes, and is not counted.
    #[cfg_attr(feature = "schema", schemars(range(min = 1024, max = 1_048_576)))]
    max_event_bytes: u64,
    /// Longer `usage` objects are not read.
    #[cfg_attr(feature = "schema", schemars(range(min = 64, max = 65_536)))]
    max_usage_bytes: u64,
    /// Different models that get counters of their own, per worker; later ones count as `other`.
    #[cfg_attr(feature = "schema", schemars(range(min = 0, max = 800)))]
    max_model_labels: u64,
}

impl Default for RawConfig {
    fn default() -> Self {
        Self {
            ask_for_usage: true,
            max_request_bytes: 1 << 20,
            max_event_bytes: 64 << 10,
            max_usage_bytes: 8 << 10,
            max_model_labels: 100,
        }
    }
}

/// The JSON Schema of the configuration.
#[cfg(feature = "schema")]
pub fn config_schema() -> schemars::Schema {
    schemars::schema_for!(RawConfig)
}

/// Reads and checks `config`.
///
/// # Errors
///
/// All problems at once.
pub(crate) fn check(config: &[u8]) -> Result<(Config, Vec<Warning>), Problems> {
    let (raw, mut reader) = tollgate_config::read::<RawConfig>(TokenCount::NAME, config);
    let mut within = |name: &str, found, allowed| bounded(&mut reader, name, found, allowed);
    let config = Config {
        ask_for_usage: raw.ask_for_usage,
        max_request_bytes: within("maxRequestBytes", raw.max_request_bytes, 1..=1 << 30),
        max_event_bytes: within("maxEventBytes", raw.max_event_bytes, 1024..=1 << 20),
        max_usage_bytes: within(
            "maxUsageBytes",
            raw.max_usage_bytes,
            64..=u64::try_from(MOST_USAGE_BYTES).unwrap_or(u64::MAX),
        ),
        // Five counters each: the shell defines 4096 at most.
        max_model_labels: within("maxModelLabels", raw.max_model_labels, 0..=800),
    };
    Ok((config, reader.finish()?))
}

fn bounded(reader: &mut Reader, path: &str, found: u64, allowed: RangeInclusive<u64>) -> usize {
    if !allowed.contains(&found) {
        let (least, most) = (allowed.start(), allowed.end());
        reader.problem(path, format!("found {found}, expected {least} to {most}"));
    }
    usize::try_from(found).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_the_defaults() {
        let (config, warnings) = check(b"").unwrap();
        assert!(config.ask_for_usage);
        assert_eq!(config.max_event_bytes, 65_536);
        assert_eq!(config.max_model_labels, 100);
        assert!(warnings.is_empty());
    }

    #[test]
    fn every_problem_is_named_at_once() {
        let config = br#"{"askForUsages": true, "maxEventBytes": 10, "maxModelLabels": 801}"#;
        assert_eq!(
            check(config).unwrap_err().to_string(),
            "token-count: invalid configuration (3 problems)\n  \
             askForUsages: unknown field `askForUsages`, expected one of `askForUsage`, \
             `maxRequestBytes`, `maxEventBytes`, `maxUsageBytes`, `maxModelLabels`; \
             did you mean `askForUsage`?\n  \
             maxEventBytes: found 10, expected 1024 to 1048576\n  \
             maxModelLabels: found 801, expected 0 to 800"
        );
    }
}
