//! Tests of the configuration.

use super::*;
use serde_json::{Value, json};

fn accepted(config: &Value) -> (Config, Vec<String>) {
    match check(config.to_string().as_bytes()) {
        Ok((config, warnings)) => (config, warnings.iter().map(ToString::to_string).collect()),
        Err(problems) => panic!("{problems}"),
    }
}

fn problems(config: &Value) -> Vec<String> {
    match check(config.to_string().as_bytes()) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.list.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn nothing_is_needed() {
    for config in ["", " \n", "{}"] {
        let (config, warnings) = check(config.as_bytes()).unwrap();
        assert!(warnings.is_empty());
        assert_eq!((config.limits.body, config.limits.model), (1_048_576, 256));
        assert_eq!(config.limits.depth, 128);
        assert!(config.policy.unknown == Unknown::Pass && !config.policy.require_caller);
        assert_eq!(config.publish.names.model.as_deref(), Some("x-gateway-model-name"));
        assert_eq!(config.publish.names.stream.as_deref(), Some("x-gateway-stream"));
        assert_eq!(config.publish.names.base_model, None);
    }
}

#[test]
fn a_header_is_renamed_or_left_out() {
    let (config, _) = accepted(&json!({"publish": {"model": "X-LLM", "stream": null}}));
    assert_eq!(config.publish.names.model.as_deref(), Some("x-llm"));
    assert_eq!(config.publish.names.stream, None);
}

#[test]
fn all_mistakes_are_named_at_once() {
    let found = problems(&json!({
        "models": [{"name": "a"}, {"name": "a"}, {}, {"name": " b"}, {"nam": "c"}, "d"],
        "aliases": {"x": "y", "y": "a", "z": "z", "v": "aa", "": "a", "w": "a\n", "n": 1},
        "publish": {
            "model": "content-length",
            "stream": "x-gateway-user",
            "baseModel": "x gateway",
        },
        "limits": {"maxBodyBytes": 0, "maxModelBytes": 1025, "maxDepth": -1, "maxBytes": 1},
        "requireCallers": true,
    }));
    let expected = [
        "models[4].nam: unknown field `nam`, expected one of `name`, `ownedBy`, `created`; did you mean \
         `name`?",
        "models[5]: invalid type: a string, expected struct RawModel",
        "aliases.n: invalid type: integer `1`, expected a string",
        "limits.maxDepth: invalid value: integer `-1`, expected u64",
        "limits.maxBytes: unknown field `maxBytes`, expected one of `maxBodyBytes`, \
         `maxDecompressedBytes`, `maxModelBytes`, `maxDepth`, `maxTags`, `maxFallbacks`; did you mean `maxBodyBytes`?",
        "requireCallers: unknown field `requireCallers`, expected one of `models`, \
         `unknownModel`, `defaultModel`, `aliases`, `baseModels`, `serveModels`, `requireCaller`, \
         `hold`, `holdMissing`, `publish`, `tags`, `fallbacks`, `estimate`, `contextClasses`, \
         `paths`, `pathPrefixes`, `decompress`, `limits`; did you mean `requireCaller`?",
        "limits.maxBodyBytes: 0 is out of range, expected 1 to 268435456",
        "limits.maxModelBytes: 1025 is out of range, expected 1 to 1024",
        "models[1].name: the same name as an earlier model",
        "models[2].name: missing: the model's name, as clients write it",
        "models[3].name: must not begin or end with white space",
        "models[4].name: missing: the model's name, as clients write it",
        "aliases.: the alias must not be empty",
        "aliases.v: stands for a model that is not in `models`; did you mean `a`?",
        "aliases.w: the model must have no control characters",
        "aliases.x: stands for another alias: name the model itself",
        "aliases.z: stands for itself: leave it out",
        "publish.model: this header has a meaning of its own: choose another one",
        "publish.stream: this header tells who is calling: choose another one",
        "publish.baseModel: not a header name: expected letters, digits, `-` and `_`, at most 128, \
         such as `x-gateway-base-model-name`",
    ];
    assert_eq!(found, expected);
}

#[test]
fn each_bad_value_is_refused() {
    for (config, expected) in [
        (
            json!({"models": []}),
            "models: empty: name at least one, or leave it out to take every name",
        ),
        (
            json!({"models": [{"name": "x".repeat(257)}]}),
            "models[0].name: must have at most 256 bytes",
        ),
        (
            json!({"publish": {"model": "x-m", "stream": "x_m"}}),
            "publish.stream: the same header as publish.model: one would hide the other",
        ),
        (
            json!({"publish": {"model": "x-gateway-stream", "stream": null}}),
            "publish.model: this header tells something else: choose `x-gateway-model-name`",
        ),
        (
            json!({"publish": {"model": "x-envoy-retry-on"}}),
            "publish.model: this header has a meaning of its own: choose another one",
        ),
    ] {
        assert_eq!(problems(&config), [expected]);
    }
}

#[test]
fn bounds_are_inclusive() {
    for limits in [
        json!({"maxBodyBytes": 1, "maxModelBytes": 1, "maxDepth": 1}),
        json!({"maxBodyBytes": 268_435_456, "maxModelBytes": 1024, "maxDepth": 1024}),
    ] {
        assert!(problems(&json!({"limits": limits})).is_empty(), "{limits}");
    }
}

#[test]
fn an_alias_over_a_model_is_a_warning() {
    let models = json!([{"name": "a"}, {"name": "b"}]);
    let (_, warnings) = accepted(&json!({"models": models, "aliases": {"a": "b"}}));
    let expected = "aliases.a: hides the model of the same name, which nobody can ask for";
    assert_eq!(warnings, [expected]);
}
