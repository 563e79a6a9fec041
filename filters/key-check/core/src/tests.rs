//! Tests of the filter: what goes on, what is refused, what leaves with the request.

use proptest::prelude::*;
use std::collections::BTreeMap;
use tollgate_effects::testkit::{Cut, Exchange, Values};

use super::*;

/// 2026-01-01T00:00:00Z.
const NOW: u64 = 1_767_225_600_000_000_000;

/// With the hashes of `sk-alice`, `sk-expired` and `sk-disabled` for the words.
const CONFIG: &str = r#"{
    "keys": [
        {"id": "alice-1", "user": "alice", "team": "research", "groups": ["a", "b"],
         "models": ["gpt-4o", "claude-*"], "limits": {"rpm": 3}, "metadata": {"cost": "c1"},
         "expiresAt": "2026-01-01T00:00:01Z",
         "sha256": "ALICE"},
        {"id": "old", "expiresAt": "2026-01-01T00:00:00Z", "sha256": "EXPIRED"},
        {"id": "off", "enabled": false, "sha256": "DISABLED"}
    ],
    "publish": {"keyId": "x-gateway-key-id", "user": "X-User", "groups": "x-gateway-groups"},
    "openPaths": ["/healthz"],
    "maxKeyBytes": 64
}"#;

fn hash(key: &str) -> String {
    use sha2::{Digest as _, Sha256};
    Sha256::digest(key.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn plugin() -> KeyCheck {
    let config = CONFIG
        .replace("ALICE", &hash("sk-alice"))
        .replace("EXPIRED", &hash("sk-expired"))
        .replace("DISABLED", &hash("sk-disabled"));
    match KeyCheck::configure(config.as_bytes(), &BTreeMap::new()) {
        Ok(configured) => configured.plugin,
        Err(problems) => panic!("{problems}"),
    }
}

fn run(path: &str, headers: &[(&str, &str)]) -> Exchange<Check> {
    let mut exchange = Exchange::new(plugin().stream()).at(NOW);
    let headers = [&[(":method", "POST"), (":path", path)], headers].concat();
    exchange.request(&headers, Some(b"{}"), Cut::Whole);
    exchange
}

fn names(exchange: &Exchange<Check>) -> Vec<&str> {
    exchange.request.headers.iter().map(|(name, _)| name.as_str()).collect()
}

/// What goes on, as text.
fn sent(exchange: &Exchange<Check>) -> String {
    let lines = exchange.request.headers.iter();
    lines.map(|(name, value)| format!("{name}: {}\n", String::from_utf8_lossy(value))).collect()
}

#[test]
fn a_good_key_is_taken_off_and_its_owner_published() {
    let found = run(
        "/v1/chat/completions",
        &[("authorization", "Bearer sk-alice"), ("x-user", "root"), ("accept", "*/*")],
    );
    assert!(found.reply.is_none());
    assert_eq!(
        names(&found),
        [":method", ":path", "accept", "x-gateway-key-id", "x-user", "x-gateway-groups"]
    );
    assert_eq!(found.request.header("x-gateway-key-id").as_deref(), Some("alice-1"));
    assert_eq!(found.request.header("x-user").as_deref(), Some("alice"));
    assert_eq!(found.request.header("x-gateway-groups").as_deref(), Some("a,b"));
    let caller = found.state("tollgate.caller").unwrap();
    let expected = r#"{"keyId":"alice-1","user":"alice","team":"research","groups":["a","b"],"models":["gpt-4o","claude-*"],"limits":{"rpm":3},"metadata":{"cost":"c1"}}"#;
    assert_eq!(caller, expected);
    assert_eq!(found.counters, BTreeMap::from([("tollgate_key_check.allowed".into(), 1)]));
    assert_eq!(found.request.text(), "{}");
}

#[test]
fn credentials_and_owned_headers_never_go_on() {
    for path in ["/v1/chat/completions", "/healthz", "/anything"] {
        let found = run(
            path,
            &[
                ("x-api-key", "sk-alice"),
                ("api-key", "sk-alice"),
                ("x-goog-api-key", "sk-alice"),
                ("proxy-authorization", "Basic x"),
                ("x_api_key", "sk-alice"),
                ("x-gateway-team", "root"),
                ("x-gateway-team", "admin"),
                ("x_gateway_user", "root"),
                ("x_user", "root"),
                ("x-gateway-users", "kept"),
            ],
        );
        assert!(found.reply.is_none(), "{path}");
        let all = sent(&found);
        for secret in ["sk-alice", "root", "admin", "Basic"] {
            assert!(!all.contains(secret), "{path}: {all}");
        }
        assert!(names(&found).contains(&"x-gateway-users"), "{path}");
    }
}

#[test]
fn each_refusal_has_its_code_and_its_counter() {
    let long = "x".repeat(65);
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str, &'a str);
    let cases: &[Case<'_>] = &[
        ("none", &[], "invalid_api_key", "missing"),
        ("unknown", &[("x-api-key", "sk-nobody")], "invalid_api_key", "unknown"),
        ("case of the key", &[("x-api-key", "SK-ALICE")], "invalid_api_key", "unknown"),
        ("prefix of a key", &[("x-api-key", "sk-alic")], "invalid_api_key", "unknown"),
        ("disabled", &[("x-api-key", "sk-disabled")], "invalid_api_key", "disabled"),
        ("expired", &[("x-api-key", "sk-expired")], "expired_api_key", "expired"),
        ("basic", &[("authorization", "Basic c2s=")], "invalid_api_key", "malformed"),
        ("empty", &[("authorization", "Bearer ")], "invalid_api_key", "malformed"),
        ("long", &[("x-api-key", &long)], "invalid_api_key", "malformed"),
        ("two words", &[("authorization", "Bearer a b")], "invalid_api_key", "malformed"),
        (
            "two keys",
            &[("authorization", "Bearer sk-alice"), ("x-api-key", "sk-x")],
            "invalid_api_key",
            "ambiguous",
        ),
        ("hash instead of key", &[("x-api-key", &hash("sk-alice"))], "invalid_api_key", "unknown"),
    ];
    for (name, headers, code, counter) in cases {
        let found = run("/v1/chat/completions", headers);
        let reply = found.reply.as_ref().unwrap_or_else(|| panic!("{name}: allowed"));
        let body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(reply.status, 401, "{name}");
        assert_eq!(body["error"]["code"], *code, "{name}");
        let scheme = ("www-authenticate".into(), br#"Bearer realm="tollgate""#.to_vec());
        assert!(reply.headers.contains(&scheme), "{name}");
        let expected = BTreeMap::from([(format!("tollgate_key_check.denied.{counter}"), 1)]);
        assert_eq!(found.counters, expected, "{name}");
        assert!(
            found.state("tollgate.caller").is_none() && found.request.body.is_empty(),
            "{name}"
        );
        let text = String::from_utf8_lossy(&reply.body);
        for (_, value) in *headers {
            let key = value.trim_start_matches("Bearer").trim();
            assert!(key.len() < 4 || !text.contains(key), "{name} is echoed");
        }
    }
}

#[test]
fn an_unknown_and_a_disabled_key_get_the_same_bytes() {
    let unknown = run("/v1/messages", &[("x-api-key", "sk-nobody")]).reply.unwrap();
    let disabled = run("/v1/messages", &[("x-api-key", "sk-disabled")]).reply.unwrap();
    assert_eq!(unknown, disabled);
}

#[test]
fn errors_are_in_the_dialect_of_the_path() {
    for (path, part) in [
        ("/v1/chat/completions", r#""code":"invalid_api_key""#),
        ("/v1/messages", r#""type":"authentication_error""#),
        ("/v1beta/models/m:generateContent", r#""status":"UNAUTHENTICATED""#),
        ("/elsewhere", r#""code":"invalid_api_key""#),
    ] {
        let reply = run(path, &[]).reply.unwrap();
        let body = String::from_utf8(reply.body).unwrap();
        assert!(body.contains(part), "{path}: {body}");
    }
}

#[test]
fn a_key_is_good_until_the_moment_it_expires() {
    for (now, allowed) in [(NOW + 999_999_999, true), (NOW + 1_000_000_000, false)] {
        let mut exchange = Exchange::new(plugin().stream()).at(now);
        exchange.request(&[(":path", "/"), ("x-api-key", "sk-alice")], None, Cut::Whole);
        assert_eq!(exchange.reply.is_none(), allowed, "{now}");
    }
}

#[test]
fn only_the_exact_path_is_open_and_it_has_no_caller() {
    for (path, open) in [
        ("/healthz", true),
        ("/healthz?probe=1", true),
        ("/healthz/", false),
        ("/Healthz", false),
        ("//healthz", false),
        ("/healthz%3f", false),
        ("/%68ealthz", false),
        ("/healthz;x", false),
        ("/healthz#", false),
        ("", false),
    ] {
        let found = run(path, &[]);
        assert_eq!(found.reply.is_none(), open, "{path}");
        assert!(found.state("tollgate.caller").is_none(), "{path}");
    }
}

proptest! {
    /// Whatever bytes come, nobody but the holder of a key gets in, and nothing panics.
    #[test]
    fn no_bytes_are_a_key(
        headers in proptest::collection::vec(
            (
                prop_oneof![
                    Just(&b"authorization"[..]),
                    Just(&b"x-api-key"[..]),
                    Just(&b"api-key"[..]),
                    Just(&b"x-gateway-user"[..]),
                    Just(&b"\xff"[..]),
                ],
                prop_oneof![
                    proptest::collection::vec(any::<u8>(), 0..80),
                    "[Bb]earer [ -~]{0,70}".prop_map(String::into_bytes),
                    Just(b"Bearer sk-disabled".to_vec()),
                ],
            ),
            0..6,
        ),
        path in proptest::collection::vec(any::<u8>(), 0..20),
    ) {
        let mut pairs: Vec<(&[u8], &[u8])> = vec![(b":path", &path)];
        pairs.extend(headers.iter().map(|(name, value)| (*name, value.as_slice())));
        let values = Values::default();
        let mut out = Effects::new();
        let ctx = Context { now: NOW, properties: &values };
        let flow = plugin().stream().on_request_headers(ctx, &Headers::new(pairs), true, &mut out);
        prop_assert_eq!(flow, Flow::Pause);
        prop_assert!(matches!(out.last(), Some(Effect::Reply(reply)) if reply.status == 401));
    }
}
