//! Tests of tags and models to try next.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;

const WANTED: &[Wanted] = &[
    Wanted { key: "fallbacks", keep: MOST_RAW_BYTES },
    Wanted { key: "tags", keep: MOST_RAW_BYTES },
    Wanted { key: "metadata", keep: MOST_RAW_BYTES },
];
const PLACES: Places = Places { tags: 1, metadata: 2, fallbacks: 0 };

fn config(config: &Value) -> Config {
    match crate::config::check(config.to_string().as_bytes()) {
        Ok((config, _)) => config,
        Err(problems) => panic!("{problems}"),
    }
}

fn both() -> Config {
    config(&json!({"tags": {"body": true, "header": "x-tags"}, "fallbacks": {"body": true}}))
}

fn read(config: &Config, header: &[&str], body: &str) -> Result<Options, Refusal> {
    let mut scanner = Scanner::new(WANTED, tollgate_json::Limits::default());
    scanner.push(body.as_bytes()).unwrap();
    scanner.finish().unwrap();
    let header = header.iter().map(|tag| (*tag).to_owned()).collect();
    Options::read(config, &scanner, PLACES, header)
}

/// `body` without what is to be taken out.
fn without(body: &str, removals: &[Range<usize>]) -> String {
    let mut left = String::new();
    let mut at = 0;
    for range in removals {
        assert!(at <= range.start && range.start < range.end, "{removals:?} of {body}");
        left.push_str(&body[at..range.start]);
        at = range.end;
    }
    left + &body[at..]
}

#[test]
fn lists_are_read_and_taken_out() {
    let config = both();
    for (body, tags, fallbacks, left) in [
        (r#"{"model":"m"}"#, &[][..], &[][..], r#"{"model":"m"}"#),
        (r#"{"tags":["a"],"model":"m"}"#, &["a"], &[], r#"{"model":"m"}"#),
        (r#"{"model":"m", "tags" : [ "a" , "b" ] }"#, &["a", "b"], &[], r#"{"model":"m" }"#),
        (r#"{"model":"m","tags":[],"fallbacks":[]}"#, &[], &[], r#"{"model":"m"}"#),
        (r#"{"tags":null,"model":"m","fallbacks":null}"#, &[], &[], r#"{"model":"m"}"#),
        (r#"{"fallbacks":["x","y","x"]}"#, &[], &["x", "y"], "{}"),
        (r#"{"fallbacks":["x y","é"],"n":1.0}"#, &[], &["x y", "é"], r#"{"n":1.0}"#),
        (r#"{"t\u0061gs":["\u0061"],"n":1}"#, &["a"], &[], r#"{"n":1}"#),
        // In `metadata`.
        (r#"{"n":1,"metadata":{"tags":["a"]}}"#, &["a"], &[], r#"{"n":1}"#),
        (r#"{"n":1,"metadata":{ "tags" : ["a"] } }"#, &["a"], &[], r#"{"n":1 }"#),
        (
            r#"{"metadata":{"tags":["a"],"u":1},"n":1}"#,
            &["a"],
            &[],
            r#"{"metadata":{"u":1},"n":1}"#,
        ),
        (r#"{"metadata":{"u":"{}","tags":["a"]}}"#, &["a"], &[], r#"{"metadata":{"u":"{}"}}"#),
        (
            r#"{"metadata":{"u":{"tags":1},"tags":null}}"#,
            &[],
            &[],
            r#"{"metadata":{"u":{"tags":1}}}"#,
        ),
        (r#"{"metadata":{"Tags":"mine"}}"#, &[], &[], r#"{"metadata":{"Tags":"mine"}}"#),
        (r#"{"metadata":{}}"#, &[], &[], r#"{"metadata":{}}"#),
        (r#"{"metadata":null}"#, &[], &[], r#"{"metadata":null}"#),
        (r#"{"metadata":"tags"}"#, &[], &[], r#"{"metadata":"tags"}"#),
        (r#"{"metadata":[{"tags":["a"]}]}"#, &[], &[], r#"{"metadata":[{"tags":["a"]}]}"#),
        // All of them, in every order.
        (
            r#"{"tags":["b","a"],"metadata":{"k":1,"tags":["a","c"]},"fallbacks":["x"],"n":1}"#,
            &["b", "a", "c"],
            &["x"],
            r#"{"metadata":{"k":1},"n":1}"#,
        ),
        (
            r#"{"n":1,"fallbacks":["x"],"metadata":{"tags":["a","c"],"k":1},"tags":["b","a"]}"#,
            &["b", "a", "c"],
            &["x"],
            r#"{"n":1,"metadata":{"k":1}}"#,
        ),
        (
            r#"{"metadata":{"tags":["a"]},"tags":["b"],"fallbacks":["x"]}"#,
            &["b", "a"],
            &["x"],
            "{}",
        ),
    ] {
        let found = read(&config, &[], body).unwrap();
        assert_eq!(found.tags, tags, "{body}");
        assert_eq!(found.fallbacks, fallbacks, "{body}");
        assert_eq!(without(body, &found.removals), left, "{body}");
    }
}

#[test]
fn what_is_not_asked_for_stays() {
    let body = r#"{"tags":7,"metadata":{"tags":7},"fallbacks":[7],"Tags":1}"#;
    for asked in [json!({}), json!({"tags": {"header": "x-tags"}, "fallbacks": {"body": false}})] {
        let found = read(&config(&asked), &["h"], body).unwrap();
        assert!(found.removals.is_empty() && found.fallbacks.is_empty(), "{asked}");
        assert_eq!(found.tags, ["h"], "{asked}");
    }
    let tags = config(&json!({"tags": {"body": true}}));
    let body = r#"{"tags":["a"],"fallbacks":7}"#;
    let found = read(&tags, &[], body).unwrap();
    assert_eq!(without(body, &found.removals), r#"{"fallbacks":7}"#);
    let fallbacks = config(&json!({"fallbacks": {"body": true}}));
    let found = read(&fallbacks, &[], r#"{"tags":7,"fallbacks":["x"]}"#).unwrap();
    assert_eq!((found.tags.len(), found.fallbacks), (0, vec!["x".to_owned()]));
}

#[test]
fn what_is_not_fit_is_refused() {
    let config = both();
    let long = "x".repeat(65);
    let huge = "x".repeat(MOST_RAW_BYTES);
    for (body, param, message) in [
        (r#"{"tags":"a"}"#, "tags", "`tags` must be a list of strings"),
        (r#"{"tags":{}}"#, "tags", "`tags` must be a list of strings"),
        (r#"{"tags":["a",1]}"#, "tags", "`tags` must be a list of strings"),
        (r#"{"tags":[["a"]]}"#, "tags", "`tags` must be a list of strings"),
        (r#"{"tags":[null]}"#, "tags", "`tags` must be a list of strings"),
        (
            r#"{"metadata":{"tags":"a"}}"#,
            "metadata.tags",
            "`metadata.tags` must be a list of strings",
        ),
        (r#"{"fallbacks":[{"model":"x"}]}"#, "fallbacks", "`fallbacks` must be a list of strings"),
        (r#"{"fallbacks":true}"#, "fallbacks", "`fallbacks` must be a list of strings"),
        (r#"{"Tags":["a"]}"#, "tags", "`tags` must be written in lower case"),
        (r#"{"FALLBACKS":["a"]}"#, "fallbacks", "`fallbacks` must be written in lower case"),
        (r#"{"Metadata":{}}"#, "metadata", "`metadata` must be written in lower case"),
        (&format!(r#"{{"tags":["{huge}"]}}"#), "tags", "`tags` must have at most 16384 bytes"),
        (
            &format!(r#"{{"metadata":{{"x":"{huge}"}}}}"#),
            "metadata",
            "`metadata` must have at most 16384 bytes",
        ),
        (
            &format!(r#"{{"fallbacks":["{huge}"]}}"#),
            "fallbacks",
            "`fallbacks` must have at most 16384 bytes",
        ),
    ] {
        let error = read(&config, &[], body).unwrap_err().error();
        assert_eq!((error.status, error.code), (400, "invalid_parameter"), "{message}");
        assert_eq!((error.param.as_deref(), error.message.as_str()), (Some(param), message));
    }
    for (body, param) in [
        (r#"{"tags":["a"],"tags":["b"]}"#, "tags"),
        (r#"{"tags":["a"],"TAGS":["b"]}"#, "tags"),
        (r#"{"metadata":{},"metadata":{}}"#, "metadata"),
        (r#"{"metadata":{"tags":["a"],"Tags":["b"]}}"#, "metadata.tags"),
        (r#"{"metadata":{"tags":["a"],"t\u0061gs":["b"]}}"#, "metadata.tags"),
        (r#"{"fallbacks":[],"fallbacks":[]}"#, "fallbacks"),
    ] {
        assert_eq!(read(&config, &[], body), Err(Refusal::Duplicate(param)), "{body}");
    }
    for tag in ["", "a b", "a,b", " a", "é", "a\\n", "\\u0000", &long] {
        for body in
            [format!(r#"{{"tags":["{tag}"]}}"#), format!(r#"{{"metadata":{{"tags":["{tag}"]}}}}"#)]
        {
            let refusal = read(&config, &[], &body).unwrap_err();
            assert!(matches!(refusal, Refusal::Option(_, InvalidOption::Tag)), "{body}");
        }
    }
    let fit = "x".repeat(64);
    assert_eq!(read(&config, &[], &format!(r#"{{"tags":["{fit}","!~"]}}"#)).unwrap().tags.len(), 2);
    for (name, message) in [
        ("", "a name in `fallbacks` must not be empty"),
        (" a", "a name in `fallbacks` must not begin or end with white space"),
        ("a\\u0000", "a name in `fallbacks` must have no control characters"),
        (&"x".repeat(257), "a name in `fallbacks` must have at most 256 bytes"),
        ("a,b", "`fallbacks` must have no commas in its names"),
    ] {
        let error =
            read(&config, &[], &format!(r#"{{"fallbacks":["{name}"]}}"#)).unwrap_err().error();
        assert_eq!((error.param.as_deref(), error.message.as_str()), (Some("fallbacks"), message));
    }
}

#[test]
fn as_many_as_allowed_and_not_one_more() {
    let config = config(&json!({
        "tags": {"body": true, "header": "x-tags"},
        "fallbacks": {"body": true},
        "limits": {"maxTags": 3, "maxFallbacks": 2},
    }));
    for (header, body, expected) in [
        (&["h"][..], r#"{"tags":["a"],"metadata":{"tags":["b"]}}"#, Ok(3)),
        // The same again does not count.
        (&["h", "a"], r#"{"tags":["a","a","b"],"metadata":{"tags":["b"]}}"#, Ok(3)),
        (&["h", "i"], r#"{"tags":["a"],"metadata":{"tags":["b"]}}"#, Err("tags")),
        (&[], r#"{"tags":["a","b","c","d"]}"#, Err("tags")),
        (&[], r#"{"tags":["a","b","c"],"metadata":{"tags":["d"]}}"#, Err("metadata.tags")),
        (&[], r#"{"fallbacks":["a","b","a"]}"#, Ok(0)),
        (&[], r#"{"fallbacks":["a","b","c"]}"#, Err("fallbacks")),
    ] {
        let found = read(&config, header, body).map(|options| options.tags.len());
        let found = found.map_err(|refusal| refusal.error().param.unwrap());
        assert_eq!(
            found.as_ref().map_err(AsRef::as_ref),
            expected.as_ref().map_err(|e| *e),
            "{body}"
        );
    }
}

#[test]
fn tags_in_the_header_are_a_list_over_all_its_lines() {
    let config = both();
    let headers = |values: &[&'static str]| {
        Headers::new(values.iter().map(|value| (&b"x-tags"[..], value.as_bytes())).collect())
    };
    for (values, expected) in [
        (&[][..], &[][..]),
        (&["a"], &["a"]),
        (&["a, b ,,c,"], &["a", "b", "c"]),
        (&["a,b", "b,d"], &["a", "b", "d"]),
        (&["", " "], &[]),
    ] {
        assert_eq!(header_tags(&config.tags, &headers(values)).unwrap(), expected, "{values:?}");
    }
    for value in ["a b", "é"] {
        let refusal = header_tags(&config.tags, &headers(&[value])).unwrap_err();
        assert_eq!(refusal, Refusal::Option("tags", InvalidOption::Tag), "{value}");
    }
    let bytes = Headers::new(vec![(&b"x-tags"[..], &b"a,\xff"[..])]);
    assert!(header_tags(&config.tags, &bytes).is_err());
    let many: Vec<String> = (0..17).map(|n| n.to_string()).collect();
    let many = many.join(",");
    let many = Headers::new(vec![(&b"x-tags"[..], many.as_bytes())]);
    let expected = Refusal::Option("tags", InvalidOption::TooMany { limit: 16 });
    assert_eq!(header_tags(&config.tags, &many).unwrap_err(), expected);
    let unasked = Tags::default();
    assert!(header_tags(&unasked, &headers(&["a b"])).unwrap().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    /// Whatever stands around: what is left is the object without these members, byte for byte else.
    #[test]
    fn what_is_left_is_the_rest(
        keys in Just(vec!["tags", "metadata", "fallbacks", "model", "n"]).prop_shuffle(),
        take in 0_usize..=5,
        inner in Just(vec!["tags", "user", "k"]).prop_shuffle(),
        inner_take in 0_usize..=3,
        space in prop::sample::select(vec!["", " ", "\n\t "]),
    ) {
        let object = |keys: &[&str], value: &dyn Fn(&str) -> String| {
            let members = keys.iter().map(|key| {
                let value = value(key);
                format!("{space}\"{key}\"{space}:{space}{value}{space}")
            });
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        };
        let inside = |key: &str| match key {
            "tags" => format!("[{space}\"t\"{space}]"),
            _ => "\"{tags}\"".to_owned(),
        };
        let body = object(&keys[..take], &|key| match key {
            "tags" => r#"["a"]"#.to_owned(),
            "metadata" => object(&inner[..inner_take], &inside),
            "fallbacks" => r#"["x","y"]"#.to_owned(),
            _ => "1.50".to_owned(),
        });
        let found = read(&both(), &[], &body).unwrap();
        let left: Value = serde_json::from_str(&without(&body, &found.removals)).unwrap();
        let mut expected: Map<String, Value> = serde_json::from_str(&body).unwrap();
        let had_metadata_tags = {
            let metadata = expected.get_mut("metadata").and_then(Value::as_object_mut);
            metadata.is_some_and(|metadata| metadata.shift_remove("tags").is_some())
        };
        let is_empty = expected.get("metadata") == Some(&json!({}));
        if had_metadata_tags && is_empty {
            expected.shift_remove("metadata");
        }
        let had_tags = expected.shift_remove("tags").is_some();
        let had_fallbacks = expected.shift_remove("fallbacks").is_some();
        prop_assert_eq!(left, Value::Object(expected), "{}", body);
        prop_assert_eq!(found.tags.contains(&"a".to_owned()), had_tags);
        prop_assert_eq!(found.tags.contains(&"t".to_owned()), had_metadata_tags);
        prop_assert_eq!(found.fallbacks.len(), if had_fallbacks { 2 } else { 0 });
    }
}
