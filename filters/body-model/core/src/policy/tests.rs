//! Tests of the policy: what a name stands for, and who may use it.

use serde_json::{Value, json};

use super::*;

fn policy(config: &Value) -> Policy {
    match crate::config::check(config.to_string().as_bytes()) {
        Ok((config, _)) => config.policy,
        Err(problems) => panic!("{problems}"),
    }
}

fn caller(models: &[&str]) -> CallerModels {
    let models = Some(models.iter().map(|model| (*model).to_owned()).collect());
    CallerModels::new(models)
}

/// The model and the one that serves it, or the code of the refusal.
fn resolved(policy: &Policy, requested: &str, caller: Option<&CallerModels>) -> String {
    match policy.resolve(requested, caller) {
        Ok(Resolved { model, base_model }) if model == base_model => model,
        Ok(Resolved { model, base_model }) => format!("{model} on {base_model}"),
        Err(refusal) => refusal.error().code.to_owned(),
    }
}

#[test]
fn a_name_stands_for_a_model() {
    let policy = policy(&json!({
        "models": [{"name": "llama"}, {"name": "openai/gpt-4o"}, {"name": "openai/gpt-4o-mini"}],
        "baseModels": [
            {"baseModel": "llama", "adapters": ["food"]},
            {"baseModel": "qwen", "adapters": "- code\n- \"sql\" # quoted\n"},
        ],
        "aliases": {
            "gpt-4*": "openai/gpt-4*", "gpt-4o": "llama", "meal": "food", "sql-*": "sql",
            "long-*": "*",
        },
    }));
    let long = format!("long-{}", "x".repeat(251));
    let longer = format!("long-{}", "x".repeat(252));
    for (requested, expected) in [
        ("llama", "llama"),
        ("food", "food on llama"),
        ("qwen", "qwen"),
        ("code", "code on qwen"),
        ("sql", "sql on qwen"),
        ("meal", "food on llama"),
        ("sql-2", "sql on qwen"),
        ("gpt-4o", "llama"),
        ("gpt-4o-mini", "openai/gpt-4o-mini"),
        ("gpt-4", "model_not_found"),
        ("openai/gpt-4o", "openai/gpt-4o"),
        ("long-llama", "llama"),
        ("long-", "invalid_model"),
        ("long- llama", "invalid_model"),
        (&long, "model_not_found"),
        (&longer, "model_not_found"),
        ("Llama", "model_not_found"),
        ("none", "model_not_found"),
    ] {
        assert_eq!(resolved(&policy, requested, None), expected, "{requested}");
    }
}

#[test]
fn what_a_star_makes_is_no_longer_than_a_name() {
    let config = json!({"aliases": {"x*": "much-longer-*"}, "limits": {"maxModelBytes": 14}});
    let policy = policy(&config);
    assert_eq!(resolved(&policy, "x12", None), "much-longer-12");
    assert_eq!(resolved(&policy, "x123", None), "invalid_model");
}

#[test]
fn an_unknown_model_is_refused_passes_or_becomes_the_default() {
    let with = |more: &Value| {
        let mut config = json!({
            "models": [{"name": "a"}, {"name": "b"}],
            "baseModels": [{"baseModel": "a", "adapters": ["c"]}],
        });
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        policy(&config)
    };
    let everything = caller(&["*"]);
    let only_b = caller(&["b"]);
    for (more, someone, requested, expected) in [
        (json!({}), None, "x", "model_not_found"),
        (json!({"unknownModel": "reject"}), Some(&everything), "x", "model_not_found"),
        (json!({"unknownModel": "pass"}), None, "x", "x"),
        (json!({"unknownModel": "pass"}), Some(&only_b), "x", "model_not_allowed"),
        (json!({"unknownModel": "default", "defaultModel": "b"}), None, "x", "b"),
        (json!({"unknownModel": "default", "defaultModel": "b"}), None, "a", "a"),
        (json!({"unknownModel": "default", "defaultModel": "b"}), Some(&only_b), "x", "b"),
        (
            json!({"unknownModel": "default", "defaultModel": "a"}),
            Some(&only_b),
            "x",
            "model_not_allowed",
        ),
        (json!({"unknownModel": "default", "defaultModel": "c"}), None, "x", "c on a"),
    ] {
        assert_eq!(resolved(&with(&more), requested, someone), expected, "{more} {requested}");
    }
}

#[test]
fn adapters_alone_make_no_catalogue() {
    let policy = policy(&json!({"baseModels": [{"baseModel": "a", "adapters": ["c"]}]}));
    assert_eq!(resolved(&policy, "c", None), "c on a");
    assert_eq!(resolved(&policy, "other", None), "other");
}

#[test]
fn the_list_is_about_the_model_behind_the_alias_and_before_the_base() {
    let policy = policy(&json!({
        "models": [{"name": "llama"}],
        "baseModels": [{"baseModel": "llama", "adapters": ["food"]}],
        "aliases": {"meal": "food", "any-*": "*"},
    }));
    for (models, requested, expected) in [
        (&["food"][..], "food", "food on llama"),
        (&["food"], "meal", "food on llama"),
        (&["food"], "any-food", "food on llama"),
        (&["food"], "llama", "model_not_allowed"),
        (&["llama"], "food", "model_not_allowed"),
        (&["meal", "any-*"], "meal", "model_not_allowed"),
        (&["meal", "any-*"], "any-food", "model_not_allowed"),
        // Whether it exists comes before whether it is allowed.
        (&[], "none", "model_not_found"),
        (&[], "food", "model_not_allowed"),
    ] {
        assert_eq!(resolved(&policy, requested, Some(&caller(models))), expected, "{requested}");
    }
}

#[test]
fn a_model_to_try_next_is_checked_like_the_first_one() {
    let policy = policy(&json!({
        "models": [{"name": "a"}, {"name": "b"}, {"name": "x,y"}],
        "aliases": {"fast": "a", "odd": "x,y"},
    }));
    let found =
        |name: &str, caller: Option<&CallerModels>| match policy.resolve_fallback(name, caller) {
            Ok(model) => model,
            Err(refusal) => {
                let error = refusal.error();
                assert_eq!(error.param.as_deref(), Some("fallbacks"), "{name}");
                assert!(refusal.metric().ends_with(error.code), "{name}");
                format!("{} {}: {}", error.status, error.code, error.message)
            }
        };
    assert_eq!(found("fast", None), "a");
    assert_eq!(found("b", Some(&caller(&["b"]))), "b");
    let expected = "403 model_not_allowed: this API key may not use the model `fast`";
    assert_eq!(found("fast", Some(&caller(&["b"]))), expected);
    let expected = "404 model_not_found: the model `none` does not exist";
    assert_eq!(found("none", Some(&caller(&["b"]))), expected);
    let expected = "400 invalid_parameter: `fallbacks` must have no commas in its names";
    assert_eq!(found("odd", None), expected);
}

#[test]
fn of_many_aliases_each_is_found() {
    let aliases: serde_json::Map<String, Value> = (0..1000)
        .map(|n| (format!("{}{n}", if n % 2 == 0 { "exact-" } else { "star*-" }), json!("m")))
        .collect();
    let policy = policy(&json!({"models": [{"name": "m"}], "aliases": aliases}));
    for n in 0..1000 {
        let name = if n % 2 == 0 { format!("exact-{n}") } else { format!("starry-{n}") };
        assert_eq!(resolved(&policy, &name, None), "m", "{name}");
    }
    assert_eq!(resolved(&policy, "starry-0", None), "model_not_found");
}
