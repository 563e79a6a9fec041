//! Tests of the list of models.

use std::collections::BTreeMap;

use tollgate_api::Paths;

use serde_json::{Value, json};

use super::*;

fn policy(config: &Value) -> Policy {
    match crate::config::check(config.to_string().as_bytes()) {
        Ok((config, _)) => config.policy,
        Err(problems) => panic!("{problems}"),
    }
}

fn example() -> Policy {
    policy(&json!({
        "models": [
            {"name": "llama", "ownedBy": "meta", "created": 1_721_692_800},
            {"name": "org/claude"},
        ],
        "baseModels": [{"baseModel": "llama", "adapters": ["food"]}, {"baseModel": "qwen"}],
        "aliases": {"fast": "llama", "gpt-*": "org/claude", "meal": "food", "x-*": "org/*"},
    }))
}

/// What is published, and nothing else.
struct Known(BTreeMap<String, Vec<u8>>);

impl tollgate_effects::Properties for Known {
    fn property(&self, path: &[&str]) -> Option<Vec<u8>> {
        self.0.get(path[0]).cloned()
    }
}

/// Status and body of the answer to a `GET` of `path`, by somebody with `models`.
fn get(policy: &Policy, models: Option<&[&str]>, path: &str, anthropic: bool) -> (u16, Value) {
    let mut properties: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    if let Some(models) = models {
        let caller = json!({"keyId": "k", "models": models}).to_string();
        properties.insert("tollgate.caller".into(), caller.into_bytes());
    }
    let known = Known(properties);
    let ctx = Context { now: 0, properties: &known };
    let mut pairs: Vec<(&[u8], &[u8])> = vec![(b":path", path.as_bytes())];
    if anthropic {
        pairs.push((b"anthropic-version", b"2023-06-01"));
    }
    let headers = Headers::new(pairs);
    let listing = Listing::of_path(&Paths::BUILT_IN, path.as_bytes()).unwrap();
    let dialect = dialect(&listing, &headers);
    let effect = answer(policy, ctx, &listing, dialect, path.as_bytes())
        .unwrap_or_else(|refusal| refusal.error().reply(dialect));
    let Effect::Reply(reply) = effect else { panic!("no reply") };
    assert_eq!(reply.headers, [("content-type".into(), b"application/json".to_vec())]);
    (reply.status, serde_json::from_slice(&reply.body).unwrap())
}

fn ids(body: &Value) -> Vec<&str> {
    body["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect()
}

#[test]
fn the_list_is_in_the_order_of_the_configuration() {
    let (status, body) = get(&example(), None, "/v1/models", false);
    assert_eq!(status, 200);
    let expected = json!({"object": "list", "data": [
        {"id": "llama", "object": "model", "created": 1_721_692_800, "owned_by": "meta"},
        {"id": "org/claude", "object": "model", "created": 0, "owned_by": "tollgate"},
        {"id": "food", "object": "model", "created": 0, "owned_by": "tollgate",
            "root": "food", "parent": "llama"},
        {"id": "qwen", "object": "model", "created": 0, "owned_by": "tollgate"},
        {"id": "fast", "object": "model", "created": 1_721_692_800, "owned_by": "meta",
            "root": "llama", "parent": null},
        {"id": "meal", "object": "model", "created": 0, "owned_by": "tollgate",
            "root": "food", "parent": "llama"},
    ]});
    assert_eq!(body, expected);
}

#[test]
fn only_what_the_caller_may_use_is_there() {
    let policy = example();
    for (models, expected) in [
        (&["llama"][..], &["llama", "fast"][..]),
        (&["food"], &["food", "meal"]),
        (&["org/*"], &["org/claude"]),
        (&["fast"], &[]),
        (&[], &[]),
    ] {
        let (status, body) = get(&policy, Some(models), "/v1/models", false);
        assert_eq!((status, ids(&body).as_slice()), (200, expected), "{models:?}");
    }
    let mut strict = example();
    strict.require_caller = true;
    assert_eq!(get(&strict, None, "/v1/models", false).0, 403);
    assert_eq!(get(&strict, None, "/v1/models/none", false).0, 403);
    assert_eq!(get(&strict, Some(&["llama"]), "/v1/models", false).0, 200);
}

#[test]
fn one_model_is_found_by_each_of_its_names() {
    let policy = example();
    for (id, caller, expected) in [
        ("llama", None, Some("llama")),
        ("fast", None, Some("fast")),
        ("food", None, Some("food")),
        ("org/claude", None, Some("org/claude")),
        ("org%2Fclaude", None, Some("org/claude")),
        ("gpt-4o", None, Some("gpt-4o")),
        ("x-claude", None, Some("x-claude")),
        ("x-other", None, None),
        ("other", None, None),
        ("llama", Some(&["food"][..]), None),
        ("gpt-4o", Some(&["gpt-4o"]), None),
        ("gpt-4o", Some(&["org/claude"]), Some("gpt-4o")),
    ] {
        let (status, body) = get(&policy, caller, &format!("/v1/models/{id}"), false);
        let found = body["id"].as_str();
        assert_eq!(found, expected, "{id}");
        assert_eq!(status, if expected.is_some() { 200 } else { 404 }, "{id}");
        if expected.is_none() {
            assert_eq!(body["error"]["code"], "model_not_found", "{id}");
        }
    }
}

#[test]
fn a_model_that_is_hidden_by_an_alias_is_shown_as_what_it_stands_for() {
    let policy = policy(&json!({"models": [{"name": "a"}, {"name": "b"}], "aliases": {"a": "b"}}));
    let (_, body) = get(&policy, None, "/v1/models", false);
    assert_eq!(ids(&body), ["a", "b"]);
    assert_eq!(body["data"][0]["root"], "b");
    assert!(get(&policy, Some(&["a"]), "/v1/models", false).1["data"] == json!([]));
}

#[test]
fn where_unknown_models_pass_only_known_ones_are_listed() {
    for unknown in
        [json!({"unknownModel": "pass"}), json!({"unknownModel": "default", "defaultModel": "a"})]
    {
        let mut config = json!({"models": [{"name": "a"}]});
        config.as_object_mut().unwrap().extend(unknown.as_object().unwrap().clone());
        let policy = policy(&config);
        assert_eq!(ids(&get(&policy, None, "/v1/models", false).1), ["a"]);
        assert_eq!(get(&policy, None, "/v1/models/b", false).0, 404);
    }
}

#[test]
fn anthropic_has_pages_with_cursors() {
    let names: Vec<Value> = (0..25).map(|n| json!({"name": format!("m{n}")})).collect();
    let policy = policy(&json!({"models": names}));
    for (query, first, last, count, more) in [
        ("", "m0", "m19", 20, true),
        ("?limit=1000", "m0", "m24", 25, false),
        ("?limit=5000", "m0", "m24", 25, false),
        ("?limit=25&x=1", "m0", "m24", 25, false),
        ("?limit=2", "m0", "m1", 2, true),
        ("?limit=2&after_id=m1", "m2", "m3", 2, true),
        ("?after_id=m%31&limit=2", "m2", "m3", 2, true),
        ("?limit=2&after_id=m22", "m23", "m24", 2, false),
        ("?limit=2&before_id=m5", "m3", "m4", 2, true),
        ("?limit=5&before_id=m2", "m0", "m1", 2, false),
        ("?limit=5&after_id=m2&before_id=m5", "m3", "m4", 2, false),
        ("?limit=5&after_id=", "m0", "m4", 5, true),
    ] {
        let (status, body) = get(&policy, None, &format!("/v1/models{query}"), true);
        assert_eq!(status, 200, "{query}");
        let found = ids(&body);
        assert_eq!(found.len(), count, "{query}");
        assert_eq!((found[0], found[count - 1]), (first, last), "{query}");
        assert_eq!((&body["first_id"], &body["last_id"]), (&json!(first), &json!(last)), "{query}");
        assert_eq!(body["has_more"], more, "{query}");
    }
    for query in ["?after_id=m24", "?after_id=m5&before_id=m2", "?before_id=m0"] {
        let (_, body) = get(&policy, None, &format!("/v1/models{query}"), true);
        let empty = json!({"first_id": null, "last_id": null, "has_more": false, "data": []});
        assert_eq!(body, empty, "{query}");
    }
    for query in ["?limit=0", "?limit=-1", "?limit=x", "?limit=", "?after_id=none", "?before_id=%"]
    {
        let (status, body) = get(&policy, None, &format!("/v1/models{query}"), true);
        let kind = (&body["type"], &body["error"]["type"]);
        assert_eq!((status, kind), (400, (&json!("error"), &json!("invalid_request_error"))));
    }
}

#[test]
fn anthropic_s_model_has_a_date() {
    let (_, body) = get(&example(), None, "/v1/models/llama", true);
    let expected = json!({"type": "model", "id": "llama", "display_name": "llama",
        "created_at": "2024-07-23T00:00:00Z"});
    assert_eq!(body, expected);
    let (status, body) = get(&example(), None, "/anthropic/v1/models/none", false);
    assert_eq!((status, &body["error"]["type"]), (404, &json!("not_found_error")));
}

#[test]
fn gemini_has_its_own_list() {
    let policy = example();
    let (_, body) = get(&policy, None, "/v1beta/models?pageSize=2", false);
    let expected = json!({
        "models": [
            {"name": "models/llama", "version": "", "displayName": "llama",
                "supportedGenerationMethods": ["generateContent", "countTokens"]},
            {"name": "models/org/claude", "version": "", "displayName": "org/claude",
                "supportedGenerationMethods": ["generateContent", "countTokens"]},
        ],
        "nextPageToken": "org/claude",
    });
    assert_eq!(body, expected);
    for (query, names, next) in [
        (
            "?pageToken=org%2Fclaude&pageSize=3",
            &["models/food", "models/qwen", "models/fast"][..],
            Some("fast"),
        ),
        ("?pageToken=fast", &["models/meal"], None),
        ("?pageToken=meal", &[], None),
    ] {
        let (_, body) = get(&policy, None, &format!("/v1beta/models{query}"), false);
        let models = body["models"].as_array().unwrap();
        let found: Vec<&str> = models.iter().map(|m| m["name"].as_str().unwrap()).collect();
        assert_eq!((found.as_slice(), body["nextPageToken"].as_str()), (names, next), "{query}");
    }
    for query in ["", "?pageSize=0", "?pageSize=2000", "?key=x&pageToken="] {
        let (_, body) = get(&policy, None, &format!("/v1beta/models{query}"), false);
        assert_eq!(body["models"].as_array().unwrap().len(), 6, "{query}");
    }
    for query in ["?pageSize=x", "?pageToken=none"] {
        let (status, body) = get(&policy, None, &format!("/v1beta/models{query}"), false);
        assert_eq!(
            (status, &body["error"]["status"]),
            (400, &json!("INVALID_ARGUMENT")),
            "{query}"
        );
    }
    let (status, body) = get(&policy, None, "/v1beta/models/llama", false);
    assert_eq!((status, &body["name"]), (200, &json!("models/llama")));
    let (status, body) = get(&policy, None, "/v1beta/models/none", false);
    assert_eq!((status, &body["error"]["status"]), (404, &json!("NOT_FOUND")));
}

#[test]
fn seconds_become_dates() {
    for (second, expected) in [
        (0, "1970-01-01T00:00:00Z"),
        (951_782_399, "2000-02-28T23:59:59Z"),
        (951_782_400, "2000-02-29T00:00:00Z"),
        (951_868_800, "2000-03-01T00:00:00Z"),
        (1_735_689_599, "2024-12-31T23:59:59Z"),
        (4_107_542_400, "2100-03-01T00:00:00Z"),
        (253_402_300_799, "9999-12-31T23:59:59Z"),
    ] {
        assert_eq!(time(second), expected);
    }
}

#[test]
fn clients_that_share_a_path_are_told_apart_by_their_headers() {
    for (path, header, expected) in [
        ("/v1/models", "user-agent", Dialect::OpenAi),
        ("/v1/models", "anthropic-version", Dialect::Anthropic),
        ("/v1/models/llama", "x-goog-api-client", Dialect::Gemini),
        // Here the path says it.
        ("/v1beta/models", "anthropic-version", Dialect::Gemini),
        ("/anthropic/v1/models", "x-goog-api-client", Dialect::Anthropic),
    ] {
        let listing = Listing::of_path(&Paths::BUILT_IN, path.as_bytes()).unwrap();
        let headers = Headers::new(vec![(header.as_bytes(), &b"1"[..])]);
        assert_eq!(dialect(&listing, &headers), expected, "{path} {header}");
    }
}
