//! What a configuration adds, and what is wrong with one.

use super::*;

#[test]
fn configured_paths_and_prefixes_are_added() {
    let more = vec![
        ("/ask".to_owned(), Endpoint::ChatCompletions),
        ("/teams/*/ask".to_owned(), Endpoint::Responses),
        ("/teams/a/*".to_owned(), Endpoint::Messages),
    ];
    let prefixes = vec!["/serving/*/*".to_owned(), "/*".to_owned(), "/x/model".to_owned()];
    let paths = Paths::new(more, prefixes).unwrap();
    let body = |endpoint| Ok(Some((endpoint, None, AsBodySays)));
    let model = |endpoint, model: &str, streams| Ok(Some((endpoint, Some(model.into()), streams)));
    for (path, found) in [
        ("/ask", body("chat_completions")),
        ("/ASK/?a=b", body("chat_completions")),
        ("/%61sk", body("chat_completions")),
        ("/a/../ask", body("chat_completions")),
        ("/ask/x", Ok(None)),
        ("/teams/a/ask", body("responses")),
        ("/teams/a/b", body("messages")),
        ("/teams//ask", Ok(None)),
        ("/teams/b/../a/ask", body("responses")),
        ("/teams/b%2Fc/ask", body("responses")),
        ("/serving/ns/name/v1/chat/completions", body("chat_completions")),
        ("/serving/ns/v1/messages", Ok(None)),
        ("/any/v1/messages", body("messages")),
        ("/any/chat/completions", body("chat_completions")),
        ("/any/%76%31/messages", body("messages")),
        ("/serving/a/b/model/m%3A1/converse-stream", model("converse", "m:1", Always)),
        ("/serving/a/b/v1beta/models/m:countTokens", model("gemini_count_tokens", "m", Never)),
        ("/any/openai/deployments/d/embeddings", model("embeddings", "d", AsBodySays)),
        // With prefix and without, it is another model.
        ("/model/model/m/converse", Err(PathReason::Unclear)),
        ("/x/model/model/m/converse", Err(PathReason::Unclear)),
        ("/serving/a/b/c/../model/m/converse", Err(PathReason::Unclear)),
        ("/any/model/%2E/converse", Err(PathReason::Model)),
    ] {
        assert_eq!(short(&paths, path.as_bytes()), found, "{path}");
    }
    let call = paths.call(b"/any/model/m%3A1/invoke?x").unwrap().unwrap();
    let rewritten = call.model.unwrap().rewrite(b"/any/model/m%3A1/invoke?x", "new/one");
    assert_eq!(rewritten, b"/any/model/new%2Fone/invoke?x");
}

#[test]
fn all_problems_of_a_configuration_are_told_with_their_place() {
    let more = vec![
        ("/ask".to_owned(), Endpoint::ChatCompletions),
        ("ask".to_owned(), Endpoint::ChatCompletions),
        ("/Ask".to_owned(), Endpoint::Messages),
        ("/v1/messages".to_owned(), Endpoint::ChatCompletions),
        ("/talk".to_owned(), Endpoint::Converse),
    ];
    let mut prefixes = vec!["/a".to_owned(), "/a/".to_owned(), "/A".to_owned()];
    let problems = Paths::new(more, prefixes.clone()).unwrap_err();
    let told: Vec<(&str, &str)> =
        problems.iter().map(|problem| (&*problem.at, &*problem.message)).collect();
    assert_eq!(
        told,
        [
            ("paths[1].path", "expected a path that starts with `/`, such as `/serving/*`"),
            ("paths[2].path", "this path is there twice"),
            ("paths[3].path", "this path is `messages` already"),
            (
                "paths[4].endpoint",
                "`converse` names its model in the path, expected an endpoint with the model in its body; use `pathPrefixes` to serve it below another path"
            ),
            (
                "pathPrefixes[1]",
                "has an empty segment; write one `/` between two segments, and none at the end"
            ),
            ("pathPrefixes[2]", "this prefix is there twice"),
        ]
    );
    prefixes = (0..64).map(|i| format!("/{i}")).collect();
    assert!(Paths::new(Vec::new(), prefixes.clone()).is_ok());
    prefixes.push("/64".to_owned());
    let problems = Paths::new(Vec::new(), prefixes).unwrap_err();
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].at, "pathPrefixes");
    assert_eq!(problems[0].message, "65 entries, expected at most 64");
}
