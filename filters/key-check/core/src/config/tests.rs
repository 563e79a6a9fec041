//! Tests of the configuration.

use serde_json::json;

use super::*;

const HASH: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

fn problems(config: Value) -> Vec<String> {
    match check(config.to_string().as_bytes(), 0) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.list.iter().map(ToString::to_string).collect(),
    }
}

fn warnings(config: &Value, now: UnixNanos) -> Vec<String> {
    match check(config.to_string().as_bytes(), now) {
        Ok((_, warnings)) => warnings.iter().map(ToString::to_string).collect(),
        Err(problems) => panic!("{problems}"),
    }
}

/// One good key, changed by `change`.
fn with(change: &Value) -> Value {
    let mut key = json!({"id": "a", "sha256": HASH});
    key.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    json!({"keys": [key]})
}

/// The configuration with one good key and the members of `change`.
fn beside(change: &Value) -> Value {
    let mut config = with(&json!({}));
    config.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    config
}

#[test]
fn no_configuration_and_no_keys_are_refused() {
    let expected = ["keys: missing: without a key every request would be refused"];
    for config in ["", "{}", r#"{"keys": []}"#] {
        let Err(problems) = check(config.as_bytes(), 0) else { panic!("accepted {config:?}") };
        let found: Vec<String> = problems.list.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected, "{config:?}");
    }
}

#[test]
fn all_mistakes_are_named_at_once() {
    let found = problems(json!({
        "keys": [
            {"id": "a", "sha256": HASH},
            {"id": "a", "sha256": HASH.to_uppercase(), "expiresAt": "tomorrow"},
            {"sha256": "sk-secret", "user": "", "groups": ["x,y"], "models": ["a*b"]},
            {"id": "b", "sha": HASH},
        ],
        "publish": {"user": "Authorization", "team": "x-a", "groups": "X-A"},
        "openPaths": ["healthz", "/a?b"],
        "maxKeyBytes": 0,
    }));
    let how = r#"make it with `printf %s "$KEY" | sha256sum`"#;
    let expected = [
        "keys[3].sha: unknown field `sha`, expected one of `id`, `sha256`, `user`, `team`, \
         `groups`, `models`, `enabled`, `expiresAt`, `limits`, `metadata`",
        "maxKeyBytes: 0 is out of range, expected 1 to 8192",
        "publish.user: this header carries credentials, which are taken off",
        "publish.groups: the same header as publish.team: one would hide the other",
        "keys[1].id: the same id as keys[0]",
        "keys[1].sha256: the same key as keys[0]",
        "keys[1].expiresAt: expected a time in RFC 3339, such as `2027-01-31T00:00:00Z`",
        &format!("keys[2].sha256: expected 64 hexadecimal digits, found 9 characters; {how}"),
        "keys[2].id: missing: a name for the key, not the key",
        "keys[2].user: must not be empty",
        "keys[2].groups[0]: a comma separates groups in the header, so none may have one",
        "keys[2].models[0]: expected a model's name, or its beginning with one `*` at the end",
        &format!("keys[3].sha256: missing: {how}"),
        "openPaths[0]: expected a path that starts with `/`, such as `/healthz`",
        "openPaths[1]: expected one exact path of printable ASCII, without query, `*`, `#` and `%`",
    ];
    assert_eq!(found, expected);
}

#[test]
fn each_bad_value_is_refused() {
    let long = "x".repeat(257);
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let cases = [
        with(&json!({"user": "a\nx-admin: 1"})),
        with(&json!({"team": " a"})),
        with(&json!({"groups": ["\u{7f}"]})),
        with(&json!({"id": long})),
        with(&json!({"sha256": empty})),
        with(&json!({"models": ["*a"]})),
        with(&json!({"models": [""]})),
        with(&json!({"expiresAt": "2027-01-31"})),
        with(&json!({"expiresAt": "2027-01-31T00:00:00"})),
        with(&json!({"expiresAt": "2027-02-30T00:00:00Z"})),
        with(&json!({"metadata": {"a": "x".repeat(16 * 1024)}})),
        beside(&json!({"maxKeys": 100_001})),
        beside(&json!({"publish": {"user": "x user"}})),
        beside(&json!({"publish": {"user": ":authority"}})),
        beside(&json!({"publish": {"user": "content-length"}})),
        beside(&json!({"publish": {"user": "x-envoy-max-retries"}})),
        beside(&json!({"publish": {"user": "x_api_key"}})),
        beside(&json!({"openPaths": ["/a%62"]})),
        beside(&json!({"openPaths": vec!["/a"; 101]})),
    ];
    for case in cases {
        assert_eq!(problems(case.clone()).len(), 1, "{case}: {:?}", problems(case.clone()));
    }
}

#[test]
fn as_many_keys_as_allowed_and_not_one_more() {
    let key = |n: u32| json!({"id": format!("k{n}"), "sha256": format!("{n:064x}")});
    let config = |n: u32| json!({"maxKeys": 3, "keys": (0..n).map(key).collect::<Vec<_>>()});
    assert!(problems(config(3)).is_empty());
    assert_eq!(problems(config(4)), ["keys: 4 keys, more than maxKeys allows (3)"]);
}

#[test]
fn what_works_but_looks_wrong_is_a_warning() {
    let expired = with(&json!({"expiresAt": "2020-01-01T00:00:00+01:00"}));
    let now = 1_600_000_000_000_000_000;
    let found = warnings(&expired, now);
    assert_eq!(found, ["keys[0].expiresAt: this key has expired: requests with it are refused"]);
    assert!(warnings(&expired, 0).is_empty(), "the time is not known");
    let future = with(&json!({"expiresAt": "9999-12-31T23:59:59Z"}));
    assert!(warnings(&future, now).is_empty());
    assert_eq!(warnings(&with(&json!({"models": []})), now).len(), 1);
    let of_models = ["/v1/messages", "/model/m/converse", "//model/m/invoke", "/V1/ocr/"];
    assert_eq!(warnings(&beside(&json!({"openPaths": of_models})), now).len(), 4);
    assert_eq!(warnings(&beside(&json!({"openPaths": ["/healthz", "/v1/models"]})), now).len(), 0);
}
