//! What holds for any body.

use proptest::prelude::*;

use super::*;

/// Bodies near to what is accepted: members from a few keys and values, some of them broken.
fn body() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec![
        "model",
        "mod\\u0065l",
        "Model",
        "stream",
        "messages",
        "max_tokens",
        "a",
    ]);
    let value = prop::sample::select(vec![
        r#""m""#,
        r#""fast""#,
        r#""f\u0061st""#,
        r#""a\nb""#,
        r#""é""#,
        r#""""#,
        "true",
        "false",
        "null",
        "1",
        "-1.5e3",
        "[]",
        r#"{"model":"no"}"#,
        r#"["model",{}]"#,
        "tru",
        "01",
        "\"\\ud800\"",
    ]);
    let member = (key, value).prop_map(|(key, value)| format!("\"{key}\": {value}"));
    prop::collection::vec(member, 0..4).prop_map(|members| format!("{{{}}}", members.join(" , ")))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn cuts_make_no_difference_and_what_passes_has_the_published_model(
        body in body(),
        mut cuts in prop::collection::vec(0_usize..80, 0..4),
    ) {
        let config = json!({"aliases": {"fast": "llama"}, "limits": {"maxBodyBytes": 70}});
        cuts.sort_unstable();
        let whole = post(&config, None, body.as_bytes(), Cut::Whole);
        let pieces = post(&config, None, body.as_bytes(), Cut::At(&cuts));
        prop_assert_eq!(outcome(&whole), outcome(&pieces));
        if whole.reply.is_none() {
            let sent: Value = serde_json::from_slice(&whole.request.body).unwrap();
            let published = whole.state("tollgate.model").map(Value::from);
            prop_assert_eq!(sent.get("model"), published.as_ref());
            let length = whole.request.header("content-length");
            prop_assert_eq!(length, Some(whole.request.body.len().to_string()));
        }
    }
}
