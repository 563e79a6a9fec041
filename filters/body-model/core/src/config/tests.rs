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
        "aliases.x: stands for another alias: name the model itself",
        "aliases.z: stands for itself: leave it out",
        "aliases.v: stands for a model that is not in `models`; did you mean `a`?",
        "aliases.: the alias must not be empty",
        "aliases.w: the model must have no control characters",
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

/// What a filter in front of somebody else's cluster looks like, all at once.
#[test]
fn every_field_arrives() {
    let (config, warnings) = accepted(&json!({
        "models": [{"name": "a", "ownedBy": "o", "created": 7}],
        "unknownModel": "default",
        "defaultModel": "a",
        "serveModels": true,
        "requireCaller": true,
        "hold": "headers",
        "holdMissing": {"after": 60, "then": "error"},
        "publish": {"model": null, "tags": "x-t", "fallbacks": "x-f", "promptTokens": "x-p",
            "context": "x-c"},
        "tags": {"body": true, "header": "X-Tags"},
        "fallbacks": {"body": true},
        "contextClasses": [{"name": "small", "maxTokens": 8}, {"name": "large"}],
        "paths": [{"path": "/ask", "endpoint": "responses"}],
        "pathPrefixes": ["/below/*"],
        "decompress": ["deflate"],
        "limits": {"maxBodyBytes": 10, "maxDecompressedBytes": 20, "maxModelBytes": 30,
            "maxDepth": 40, "maxTags": 50, "maxFallbacks": 6},
    }));
    assert!(warnings.is_empty(), "{warnings:?}");
    let limits = config.limits;
    assert_eq!((limits.body, limits.decompressed, limits.model, limits.depth), (10, 20, 30, 40));
    let entry = config.policy.catalogue.get("a").unwrap();
    assert_eq!((entry.owned_by.as_deref(), entry.created), (Some("o"), 7));
    assert_eq!(config.policy.unknown, Unknown::Default("a".into()));
    assert!(config.serve_models && config.policy.require_caller);
    assert_eq!(config.hold, Hold::Headers);
    assert_eq!(config.hold_missing, HoldMissing { after: 60, pass: false });
    assert_eq!(config.tags, Tags { body: true, header: Some("x-tags".into()), most: 50 });
    assert_eq!(config.fallbacks, Fallbacks { body: true, most: 6 });
    assert_eq!(config.publish.names.model, None);
    assert_eq!(config.publish.names.context.as_deref(), Some("x-c"));
    assert!(config.publish.owns(b"x_tags"), "a header that is read goes no further");
    assert_eq!(config.decompress, Decompress { gzip: false, deflate: true });
    assert_eq!(config.paths.call(b"/ask").unwrap().unwrap().endpoint.name(), "responses");
    assert!(config.paths.call(b"/below/x/v1/messages").unwrap().is_some());
}

#[test]
fn what_is_left_out_is_off() {
    let (config, _) = accepted(&json!({}));
    assert_eq!(config.hold_missing, HoldMissing { after: 2, pass: false });
    assert_eq!(config.tags, Tags { body: false, header: None, most: 16 });
    assert_eq!(config.fallbacks, Fallbacks { body: false, most: 5 });
    assert_eq!(config.decompress, Decompress::default());
    assert!(config.estimate.is_none() && !config.serve_models);
    assert_eq!(config.limits.decompressed, config.limits.body);
    for (given, estimated) in [
        (json!({"estimate": {}}), true),
        (json!({"publish": {"promptTokens": "x-p"}}), true),
        (json!({"publish": {"context": "x-c"}, "contextClasses": [{"name": "all"}]}), true),
        (json!({"contextClasses": [{"name": "all"}]}), false),
    ] {
        assert_eq!(accepted(&given).0.estimate.is_some(), estimated, "{given}");
    }
    assert_eq!(accepted(&json!({"limits": {"maxBodyBytes": 9}})).0.limits.decompressed, 9);
}

#[test]
fn what_works_but_looks_wrong_is_a_warning() {
    let pass = json!({"then": "pass"});
    let unread = "holdMissing.then: requests that go on unread are not checked against `models` and the \
                  caller's list";
    let hides = |alias: &str| {
        vec![format!("aliases.{alias}: hides the model of the same name, which nobody can ask for")]
    };
    let models = json!([{"name": "a-1"}, {"name": "b"}]);
    for (config, expected) in [
        (json!({"holdMissing": pass}), vec![]),
        (json!({"holdMissing": pass, "requireCaller": true}), vec![unread.to_owned()]),
        (json!({"holdMissing": pass, "models": models}), vec![unread.to_owned()]),
        (json!({"models": models, "aliases": {"a-*": "b"}}), hides("a-*")),
        (json!({"models": models, "aliases": {"*": "b"}}), hides("*")),
        (json!({"models": models, "aliases": {"a-*": "a-*x"}}), hides("a-*")),
        (json!({"models": models, "aliases": {"b*": "b"}}), vec![]),
        (
            json!({"contextClasses": [{"name": "all"}]}),
            vec![
                "contextClasses: has no effect: no header `publish.context` tells them".to_owned(),
            ],
        ),
    ] {
        assert_eq!(accepted(&config).1, expected, "{config}");
    }
}

#[test]
fn as_many_as_allowed_and_not_one_more() {
    let names = |n: usize| (0..n).map(|n| format!("m{n}")).collect::<Vec<_>>();
    let models =
        |n: usize| names(n).into_iter().map(|name| json!({"name": name})).collect::<Value>();
    let aliases = |n: usize| {
        names(n).into_iter().map(|name| (name, json!("x"))).collect::<serde_json::Map<_, _>>()
    };
    let families = |n: usize| {
        let family = |name| json!({"models": name, "factor": 2});
        json!({"families": names(n).into_iter().map(family).collect::<Vec<_>>()})
    };
    let classes = |n: usize| {
        (0..n).map(|n| json!({"name": format!("c{n}"), "maxTokens": n + 1})).collect::<Value>()
    };
    let adapters = |n: usize| json!([{"baseModel": "base", "adapters": names(n)}]);
    let publish = json!({"context": "x-c"});
    for (config, expected) in [
        (json!({"models": models(1000)}), None),
        (
            json!({"models": models(1001)}),
            Some("models: 1001 names with those of `baseModels`, expected at most 1000"),
        ),
        (json!({"baseModels": adapters(999)}), None),
        (
            json!({"baseModels": adapters(1000)}),
            Some("models: 1001 names with those of `baseModels`, expected at most 1000"),
        ),
        (json!({"aliases": aliases(1000)}), None),
        (json!({"aliases": aliases(1001)}), Some("aliases: 1001 aliases, expected at most 1000")),
        (json!({"estimate": families(100)}), None),
        (
            json!({"estimate": families(101)}),
            Some("estimate.families: 101 families, expected at most 100"),
        ),
        (json!({"publish": publish, "contextClasses": classes(16)}), None),
        (
            json!({"publish": publish, "contextClasses": classes(17)}),
            Some("contextClasses: 17, expected at most 16"),
        ),
        (json!({"models": [{"name": "a", "created": 253_402_300_799_u64}]}), None),
        (
            json!({"models": [{"name": "a", "created": 253_402_300_800_u64}]}),
            Some("models[0].created: expected seconds since 1970, before 10000"),
        ),
        (
            json!({"models": [{"name": "a", "ownedBy": ""}]}),
            Some("models[0].ownedBy: must not be empty"),
        ),
        (json!({"models": [{"name": ".."}]}), Some("models[0].name: must not be `.` or `..`")),
    ] {
        assert_eq!(problems(&config), expected.into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn an_adapter_may_be_named_again_by_the_same_model() {
    let (config, warnings) = accepted(&json!({
        "models": [{"name": "base", "ownedBy": "o"}, {"name": "one", "created": 1}],
        "baseModels": [
            {"baseModel": " base ", "adapters": ["one", "two"]},
            {"baseModel": "base", "adapters": "- one\n- base\n- three\n"},
            {"baseModel": "base"},
        ],
    }));
    assert!(warnings.is_empty());
    let catalogue = config.policy.catalogue;
    let found: Vec<_> =
        catalogue.iter().map(|e| (e.name.as_str(), e.base_model.as_deref())).collect();
    let base = Some("base");
    assert_eq!(found, [("base", None), ("one", base), ("two", base), ("three", base)]);
    assert_eq!(catalogue.get("one").unwrap().created, 1);
}

#[test]
fn a_prompt_s_estimate_takes_the_factor_of_its_model_and_a_class() {
    use crate::policy::Resolved;
    let (config, _) = accepted(&json!({
        "publish": {"context": "x-c"},
        "estimate": {"families": [
            {"models": "claude-*", "factor": 1.15},
            {"models": "claude-3", "factor": 2},
            {"models": "llama", "factor": 0.1},
            {"models": "*-exact", "factor": 1.2344},
        ]},
        "contextClasses": [{"name": "s", "maxTokens": 10}, {"name": "m", "maxTokens": 100}],
    }));
    let factors = config.estimate.unwrap();
    for (model, base_model, tokens, expected) in [
        ("claude-4", "claude-4", 100, 115),
        ("claude-3", "claude-3", 100, 200),
        ("llama", "llama", 100, 10),
        ("food", "llama", 1, 1),
        ("food", "other", 7, 7),
        ("an-exact", "llama", 10_000, 12_340),
        ("claude-4", "x", u64::MAX, u64::MAX / 1000 + 1),
        ("claude-4", "x", 0, 0),
    ] {
        let (model, base_model) = (model.to_owned(), base_model.to_owned());
        let found = factors.apply(tokens, &Resolved { model: model.clone(), base_model });
        assert_eq!(found, expected, "{model} {tokens}");
    }
    let classes = config.context_classes;
    for (tokens, class) in
        [(0, Some("s")), (10, Some("s")), (11, Some("m")), (100, Some("m")), (101, None)]
    {
        assert_eq!(classes.of(tokens), class, "{tokens}");
    }
    let all = json!({"publish": {"context": "x-c"}, "contextClasses": [{"name": "all"}]});
    assert_eq!(accepted(&all).0.context_classes.of(u64::MAX), Some("all"));
}
