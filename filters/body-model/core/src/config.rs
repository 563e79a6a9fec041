//! The configuration: what an operator writes, and what the filter works with.

mod names;

use std::collections::BTreeMap;

use serde::Deserialize;
use tollgate_config::{Problems, Reader, Warning};

use crate::document::Limits;
use crate::policy::Policy;
use crate::publish::{DEFAULT_MODEL_HEADER, DEFAULT_STREAM_HEADER, Publish};

/// Upper bound of `limits.maxModelBytes`: a name is kept per request, escaped.
pub(crate) const MOST_MODEL_BYTES: usize = 1024;

/// Default, lower and upper bound of `limits.maxBodyBytes`. The host holds that much per request.
const MAX_BODY_BYTES: Range = Range { default: 1 << 20, min: 1, max: 256 << 20 };
/// … of `limits.maxModelBytes`.
const MAX_MODEL_BYTES: Range = Range { default: 256, min: 1, max: MOST_MODEL_BYTES as u64 };
/// … of `limits.maxDepth`.
const MAX_DEPTH: Range =
    Range { default: 128, min: 1, max: tollgate_json::Limits::MOST_DEPTH as u64 };

struct Range {
    default: u64,
    min: u64,
    max: u64,
}

/// Configuration of the body-model filter.
#[derive(Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "body-model"))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Raw {
    /// The models there are: any other is answered with 404. Left out: every name is taken.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    models: Option<Vec<RawModel>>,
    /// Other names of models: what clients write, and the model that it stands for, which must not
    /// be an alias itself and must be in `models` if that is given. The name in the body is replaced.
    aliases: BTreeMap<String, String>,
    /// Whether a request without a published caller is refused with 403; `false` by default. Set it
    /// wherever `key-check` runs: a missing or misplaced one must not mean "every model".
    require_caller: Option<bool>,
    /// Which headers tell routes and policies about the request. Each is removed when a client sends
    /// it, asked for or not.
    publish: RawPublish,
    /// What is refused for its size.
    limits: RawLimits,
}

/// A model there is.
#[derive(Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "Model", extend("required" = ["name"])))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct RawModel {
    /// Its name, exactly; unique.
    name: Option<String>,
}

/// Header names by what they tell; `null`: not told by header.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "Publish"))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct RawPublish {
    /// For the model after aliases.
    model: Option<String>,
    /// For the stream flag, `true` or `false`.
    stream: Option<String>,
    /// For the model that serves it, such as `x-gateway-base-model-name`; not told by default.
    base_model: Option<String>,
}

impl Default for RawPublish {
    fn default() -> Self {
        Self {
            model: Some(DEFAULT_MODEL_HEADER.into()),
            stream: Some(DEFAULT_STREAM_HEADER.into()),
            base_model: None,
        }
    }
}

/// What is refused for its size.
#[derive(Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "Limits"))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct RawLimits {
    /// The longest body, in bytes; 1048576 by default. Keep it below the host's own limit, whose
    /// answer is not JSON.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 268_435_456)))]
    max_body_bytes: Option<u64>,
    /// The longest name of a model, in bytes; 256 by default.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1024)))]
    max_model_bytes: Option<u64>,
    /// The most arrays and objects around a value; 128 by default.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1024)))]
    max_depth: Option<u64>,
}

/// A configuration that was checked.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) limits: Limits,
    pub(crate) policy: Policy,
    pub(crate) publish: Publish,
}

/// Checks `config`.
pub(crate) fn check(config: &[u8]) -> Result<(Config, Vec<Warning>), Problems> {
    let (raw, mut reader) = tollgate_config::read::<Raw>("body-model", config);
    let RawLimits { max_body_bytes, max_model_bytes, max_depth } = raw.limits;
    let body = bounded(max_body_bytes, MAX_BODY_BYTES, "limits.maxBodyBytes", &mut reader);
    let model = bounded(max_model_bytes, MAX_MODEL_BYTES, "limits.maxModelBytes", &mut reader);
    let depth = bounded(max_depth, MAX_DEPTH, "limits.maxDepth", &mut reader);
    let limits = Limits {
        body: usize::try_from(body).unwrap_or(usize::MAX),
        model: usize::try_from(model).unwrap_or(MOST_MODEL_BYTES),
        depth: u16::try_from(depth).unwrap_or(u16::MAX),
    };
    let catalogue = raw.models.map(|models| names::catalogue(models, limits.model, &mut reader));
    let aliases = names::aliases(raw.aliases, catalogue.as_ref(), limits.model, &mut reader);
    let publish = names::headers(raw.publish, &mut reader);
    let policy = Policy { aliases, catalogue, require_caller: raw.require_caller.unwrap_or(false) };
    let warnings = reader.finish()?;
    Ok((Config { limits, policy, publish }, warnings))
}

/// The JSON Schema of the configuration.
#[cfg(feature = "schema")]
pub fn config_schema() -> schemars::Schema {
    schemars::schema_for!(Raw)
}

fn bounded(value: Option<u64>, range: Range, path: &str, reader: &mut Reader) -> u64 {
    let Range { default, min, max } = range;
    let value = value.unwrap_or(default);
    if !(min..=max).contains(&value) {
        reader.problem(path, format!("{value} is out of range, expected {min} to {max}"));
    }
    value
}

#[cfg(test)]
mod tests;
