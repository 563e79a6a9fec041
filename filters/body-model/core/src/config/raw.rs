//! What an operator writes: the shape of the configuration, every field optional.
//!
//! Words with a fixed choice are text here and checked by hand: an enumeration would be ten times as much
//! code in the filter. Values are checked in [`super::check`].

use tollgate_config::{ByName, Thousandths, fields};

use super::adapters::Adapters;
use crate::publish::{DEFAULT_MODEL_HEADER, DEFAULT_STREAM_HEADER};

/// Configuration of the body-model filter.
#[derive(Default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "body-model"))]
#[cfg_attr(feature = "schema", schemars(rename_all = "camelCase", deny_unknown_fields, default))]
pub(super) struct Raw {
    /// The models there are, by exact names. `unknownModel` says what happens to any other. Left out: every
    /// name is taken.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 1000)))]
    pub(super) models: Option<Vec<RawModel>>,
    /// What happens to a model that is not in `models`: `reject` (the default) answers 404, `pass` takes it as
    /// it is, `default` takes `defaultModel` in its place.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = ["reject", "pass", "default", null])))]
    pub(super) unknown_model: Option<String>,
    /// The model for requests that ask for an unknown one; in `models`, and only with `unknownModel: default`.
    pub(super) default_model: Option<String>,
    /// Other names of models: what clients write, and the model that it stands for, which must be in `models`
    /// if that is given. The name in the request is replaced, once. A name may have one `*`, which stands for
    /// any characters, none included; a `*` in the model is what that matched. An exact name wins over one
    /// with `*`, then the one with more characters besides it, then the one with more before it.
    #[cfg_attr(feature = "schema", schemars(with = "std::collections::BTreeMap<String, String>"))]
    pub(super) aliases: ByName<String>,
    /// LoRA adapters by the model that serves them, as in the `data` of the body-based router's ConfigMaps.
    /// These names count as models too.
    #[cfg_attr(feature = "schema", schemars(length(max = 1000)))]
    pub(super) base_models: Vec<RawBaseModel>,
    /// Whether `GET /v1/models` and `/v1/models/{id}` are answered here, with what the caller may use; `false`
    /// by default. Needs `models` or `baseModels`.
    pub(super) serve_models: Option<bool>,
    /// Whether a request without a published caller is refused with 403; `false` by default. Set it
    /// wherever `key-check` runs: a missing or misplaced one must not mean "every model".
    pub(super) require_caller: Option<bool>,
    /// Who holds a request's headers until its body was read: `headers` (the default), this filter, for which
    /// the host must allow it (`allow_on_headers_stop_iteration`); `host`, the host's own buffer filter behind.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = ["headers", "host", null])))]
    pub(super) hold: Option<String>,
    /// What happens to held requests where the host turns out not to allow it; only with `hold: headers`.
    pub(super) hold_missing: Option<RawHoldMissing>,
    /// Which headers tell routes and policies about the request. Each is removed when a client sends
    /// it, asked for or not.
    pub(super) publish: RawPublish,
    /// Where tags for routing and accounting are read. Left out: nowhere.
    pub(super) tags: Option<RawTags>,
    /// Where the models to try when the first one fails are read. Left out: nowhere.
    pub(super) fallbacks: Option<RawFallbacks>,
    /// How the prompt's tokens are estimated. They are if this is given, or a header tells them or their class.
    pub(super) estimate: Option<RawEstimate>,
    /// Size classes of prompts by their estimated tokens, smallest first; the last one may have no bound.
    #[cfg_attr(feature = "schema", schemars(length(max = 16)))]
    pub(super) context_classes: Vec<RawContextClass>,
    /// More paths of operations. They are matched as a whole; `*` stands for one segment.
    #[cfg_attr(feature = "schema", schemars(length(max = 64)))]
    pub(super) paths: Vec<RawPath>,
    /// Below each of these paths, every operation is found too. `*` stands for one segment.
    #[cfg_attr(feature = "schema", schemars(length(max = 64)))]
    pub(super) path_prefixes: Vec<String>,
    /// Content codings that are decoded, so that the body goes on without; any other is answered with 415. None
    /// by default.
    #[cfg_attr(feature = "schema", schemars(extend("items" = {"type": "string", "enum": ["gzip", "deflate"]})))]
    pub(super) decompress: Vec<String>,
    /// What is refused for its size.
    pub(super) limits: RawLimits,
}

/// A model there is.
#[derive(Default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "Model", extend("required" = ["name"])))]
#[cfg_attr(feature = "schema", schemars(rename_all = "camelCase", deny_unknown_fields, default))]
pub(super) struct RawModel {
    /// Its name, exactly; unique.
    pub(super) name: Option<String>,
    /// Who it is from, for the list of models.
    pub(super) owned_by: Option<String>,
    /// When it was made, for the list of models: seconds since 1970.
    #[cfg_attr(feature = "schema", schemars(range(max = 253_402_300_799_u64)))]
    pub(super) created: Option<u64>,
}

/// A model with the LoRA adapters it serves. Several entries may name the same model.
#[derive(Default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "BaseModel", extend("required" = ["baseModel"])))]
#[cfg_attr(feature = "schema", schemars(rename_all = "camelCase", deny_unknown_fields, default))]
pub(super) struct RawBaseModel {
    /// The model's name.
    pub(super) base_model: Option<String>,
    /// The adapters' names: a list, or a text that holds a YAML list, as in a ConfigMap.
    pub(super) adapters: Adapters,
}

/// What happens to held requests where the host turns out not to allow it.
#[derive(Default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "HoldMissing"))]
#[cfg_attr(feature = "schema", schemars(rename_all = "camelCase", deny_unknown_fields, default))]
pub(super) struct RawHoldMissing {
    /// How many seconds a request waits for the first piece of its body before the host is taken not to allow
    /// it; 2 by default. No longer looked at once any request got one.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 60)))]
    pub(super) after: Option<u64>,
    /// `error` (the default) answers 500; `pass` lets the request go on as it is, without any of the rules here.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = ["error", "pass", null])))]
    pub(super) then: Option<String>,
}

/// Header names by what they tell; `null`: not told by header.
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "Publish"))]
#[cfg_attr(feature = "schema", schemars(rename_all = "camelCase", deny_unknown_fields, default))]
pub(super) struct RawPublish {
    /// For the model after aliases.
    pub(super) model: Option<String>,
    /// For the stream flag, `true` or `false`.
    pub(super) stream: Option<String>,
    /// For the model that serves it, such as `x-gateway-base-model-name`; not told by default.
    pub(super) base_model: Option<String>,
    /// For the tags, separated by commas, such as `x-gateway-tags`; not told by default. Needs `tags`.
    pub(super) tags: Option<String>,
    /// For the models to try next, separated by commas, such as `x-gateway-fallbacks`; not told by default. Needs
    /// `fallbacks`.
    pub(super) fallbacks: Option<String>,
    /// For the estimated tokens of the prompt, such as `x-gateway-prompt-tokens`; not told by default.
    pub(super) prompt_tokens: Option<String>,
    /// For the size class, such as `x-gateway-context`; not told by default. Needs `contextClasses`.
    pub(super) context: Option<String>,
}

impl Default for RawPublish {
    fn default() -> Self {
        Self {
            model: Some(DEFAULT_MODEL_HEADER.into()),
            stream: Some(DEFAULT_STREAM_HEADER.into()),
            base_model: None,
            tags: None,
            fallbacks: None,
            prompt_tokens: None,
            context: None,
        }
    }
}

/// Where tags are read. All that are found count.
#[derive(Default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "Tags"))]
#[cfg_attr(feature = "schema", schemars(rename_all = "camelCase", deny_unknown_fields, default))]
pub(super) struct RawTags {
    /// Whether the lists `tags` and `metadata.tags` of a JSON body are read, and taken out of it.
    pub(super) body: Option<bool>,
    /// A header of the client's with tags, separated by commas, which is read and removed.
    pub(super) header: Option<String>,
}

/// Where the models to try next are read.
#[derive(Default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "Fallbacks"))]
#[cfg_attr(feature = "schema", schemars(rename_all = "camelCase", deny_unknown_fields, default))]
pub(super) struct RawFallbacks {
    /// Whether the list `fallbacks` of a JSON body is read, and taken out of it.
    pub(super) body: Option<bool>,
}

/// How the prompt's tokens are estimated.
#[derive(Default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "Estimate"))]
#[cfg_attr(feature = "schema", schemars(rename_all = "camelCase", deny_unknown_fields, default))]
pub(super) struct RawEstimate {
    /// Families of models whose tokenizers differ from the usual.
    #[cfg_attr(feature = "schema", schemars(length(max = 100)))]
    pub(super) families: Vec<RawFamily>,
}

/// A family of models with one tokenizer.
#[derive(Default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "Family", extend("required" = ["models", "factor"])))]
#[cfg_attr(feature = "schema", schemars(rename_all = "camelCase", deny_unknown_fields, default))]
pub(super) struct RawFamily {
    /// A model after aliases or one that serves it: an exact name, or one with a `*` for any characters.
    pub(super) models: Option<String>,
    /// What the estimate is multiplied by, to three decimals.
    #[cfg_attr(feature = "schema", schemars(range(min = 0.1, max = 10.0)))]
    pub(super) factor: Option<Thousandths>,
}

/// A size class of prompts.
#[derive(Default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "ContextClass", extend("required" = ["name"])))]
#[cfg_attr(feature = "schema", schemars(rename_all = "camelCase", deny_unknown_fields, default))]
pub(super) struct RawContextClass {
    /// Its name, the header's value.
    pub(super) name: Option<String>,
    /// The most tokens of a prompt in it.
    #[cfg_attr(feature = "schema", schemars(range(min = 1)))]
    pub(super) max_tokens: Option<u64>,
}

/// One more path of an operation.
#[derive(Default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "Path", extend("required" = ["path", "endpoint"])))]
#[cfg_attr(feature = "schema", schemars(rename_all = "camelCase", deny_unknown_fields, default))]
pub(super) struct RawPath {
    /// The whole path, without query; `*` stands for one segment.
    pub(super) path: Option<String>,
    /// The operation, such as `chat_completions`.
    #[cfg_attr(feature = "schema", schemars(extend("enum" = super::paths::endpoints())))]
    pub(super) endpoint: Option<String>,
}

/// What is refused for its size.
#[derive(Default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "Limits"))]
#[cfg_attr(feature = "schema", schemars(rename_all = "camelCase", deny_unknown_fields, default))]
pub(super) struct RawLimits {
    /// The longest body, in bytes; 1048576 by default. Keep it below the host's own limit, whose
    /// answer is not JSON.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 268_435_456)))]
    pub(super) max_body_bytes: Option<u64>,
    /// The longest body after decoding, in bytes; as `maxBodyBytes` by default.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 268_435_456)))]
    pub(super) max_decompressed_bytes: Option<u64>,
    /// The longest name of a model, in bytes; 256 by default.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1024)))]
    pub(super) max_model_bytes: Option<u64>,
    /// The most arrays and objects around a value; 128 by default.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1024)))]
    pub(super) max_depth: Option<u64>,
    /// The most tags of a request; 16 by default.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 64)))]
    pub(super) max_tags: Option<u64>,
    /// The most models to try next; 5 by default.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 16)))]
    pub(super) max_fallbacks: Option<u64>,
}

// The keys are checked against the schema's by the example, which has all of them.
fields!(Raw {
    models: "models",
    unknown_model: "unknownModel",
    default_model: "defaultModel",
    aliases: "aliases",
    base_models: "baseModels",
    serve_models: "serveModels",
    require_caller: "requireCaller",
    hold: "hold",
    hold_missing: "holdMissing",
    publish: "publish",
    tags: "tags",
    fallbacks: "fallbacks",
    estimate: "estimate",
    context_classes: "contextClasses",
    paths: "paths",
    path_prefixes: "pathPrefixes",
    decompress: "decompress",
    limits: "limits",
});

fields!(RawModel { name: "name", owned_by: "ownedBy", created: "created" });

fields!(RawBaseModel { base_model: "baseModel", adapters: "adapters" });

fields!(RawHoldMissing { after: "after", then: "then" });

fields!(RawPublish {
    model: "model",
    stream: "stream",
    base_model: "baseModel",
    tags: "tags",
    fallbacks: "fallbacks",
    prompt_tokens: "promptTokens",
    context: "context",
});

fields!(RawTags { body: "body", header: "header" });

fields!(RawFallbacks { body: "body" });

fields!(RawEstimate { families: "families" });

fields!(RawFamily { models: "models", factor: "factor" });

fields!(RawContextClass { name: "name", max_tokens: "maxTokens" });

fields!(RawPath { path: "path", endpoint: "endpoint" });

fields!(RawLimits {
    max_body_bytes: "maxBodyBytes",
    max_decompressed_bytes: "maxDecompressedBytes",
    max_model_bytes: "maxModelBytes",
    max_depth: "maxDepth",
    max_tags: "maxTags",
    max_fallbacks: "maxFallbacks",
});
