use std::collections::BTreeMap;

use serde_json::json;

use super::*;

fn env() -> BTreeMap<String, String> {
    [("KEY".to_owned(), "sk-canary".to_owned()), ("EMPTY".to_owned(), String::new())].into()
}

fn read(config: &serde_json::Value) -> Result<(Config, Vec<String>), Vec<String>> {
    let texts = |list: &[Warning]| list.iter().map(ToString::to_string).collect();
    match Config::read(config.to_string().as_bytes(), &env()) {
        Ok((config, warnings)) => Ok((config, texts(&warnings))),
        Err(problems) => Err(texts(&problems.list)),
    }
}

fn with_credential(credential: &serde_json::Value) -> serde_json::Value {
    json!({"providers": [{"name": "p", "dialect": "openai", "credential": credential}]})
}

#[test]
fn what_is_not_said_has_its_default() {
    let (config, warnings) = read(&json!({"providers": [{"name": "p", "dialect": "anthropic"}]}))
        .unwrap_or_else(|problems| panic!("{problems:?}"));
    assert!(warnings.is_empty());
    let provider = &config.providers[0];
    assert_eq!(provider.path_prefix, "/v1");
    assert_eq!(provider.default_max_tokens, 4096);
    assert_eq!(provider.on_unsupported, OnUnsupported::Reject);
    assert!(matches!(provider.credential, Credential::None));
    assert_eq!(config.default_provider, None);
    assert_eq!(config.limits.max_body_bytes, 1_048_576);
}

#[test]
fn models_and_their_bounds_are_by_the_gateways_name() {
    let (config, _) = read(&json!({"providers": [{"name": "p", "dialect": "anthropic",
        "models": {"a": "b"}, "maxTokens": {"a": 7}, "defaultMaxTokens": 9, "pathPrefix": "/x/"}]}))
    .unwrap();
    let provider = &config.providers[0];
    assert_eq!((provider.wire_model("a"), provider.wire_model("c")), ("b", "c"));
    assert_eq!((provider.max_tokens_for("a"), provider.max_tokens_for("b")), (7, 9));
    assert_eq!(provider.path_prefix, "/x");
}

#[test]
fn a_secret_in_plain_text_is_a_warning_that_does_not_show_it() {
    let (config, warnings) = read(&with_credential(&json!({"value": "sk-plain"}))).unwrap();
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].starts_with("providers[0].credential.value: a secret in plain text"));
    assert!(!format!("{config:?}{warnings:?}").contains("sk-plain"));
}

#[test]
fn a_secret_that_is_not_there_is_a_problem() {
    for (credential, problem) in [
        (
            json!({"env": "NOWHERE"}),
            "providers[0].credential.env: environment variable `NOWHERE` is not set; set it in the plugin's vm_config.environment_variables",
        ),
        (
            json!({"env": "EMPTY"}),
            "providers[0].credential.env: environment variable `EMPTY` is not set; set it in the plugin's vm_config.environment_variables",
        ),
        (json!({}), "providers[0].credential: expected exactly one of `env`, `header` and `value`"),
        (
            json!({"env": "KEY", "header": "x-key"}),
            "providers[0].credential: expected exactly one of `env`, `header` and `value`",
        ),
        (
            json!({"value": "a\nb"}),
            "providers[0].credential: the secret is empty or has characters that a header cannot hold",
        ),
        (json!({"header": "a b"}), "providers[0].credential.header: expected the name of a header"),
    ] {
        assert_eq!(read(&with_credential(&credential)).unwrap_err(), [problem], "{credential}");
    }
}

#[test]
fn nothing_at_all_is_refused() {
    let problems = Config::read(b"", &env()).unwrap_err();
    assert_eq!(problems.list[0].path, "providers");
}
