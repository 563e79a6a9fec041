//! Bodies that are not plain JSON with a model in it: models in paths, forms, encoded bodies, options.

use std::io::Write;

use super::*;

/// A POST of `body` to `path` with more headers, cut as `cut`.
fn post_to(
    config: &Value,
    path: &str,
    more: &[(&str, &str)],
    body: &[u8],
    cut: Cut<'_>,
) -> Exchange<Request> {
    let mut exchange = exchange(config);
    let length = body.len().to_string();
    let mut headers = vec![(":method", "POST"), (":path", path), ("content-length", &length)];
    headers.extend(more);
    exchange.request(&headers, Some(body), cut);
    exchange
}

/// As [`post_to`], with the same outcome whole, by byte and at every cut.
fn post_all_ways(
    config: &Value,
    path: &str,
    more: &[(&str, &str)],
    body: &[u8],
) -> Exchange<Request> {
    let whole = post_to(config, path, more, body, Cut::Whole);
    let expected = outcome(&whole);
    for cut in [Cut::EveryByte, Cut::ThenEmpty] {
        assert_eq!(outcome(&post_to(config, path, more, body, cut)), expected, "{cut:?}");
    }
    for at in 0..body.len() {
        let cut = post_to(config, path, more, body, Cut::At(&[at]));
        assert_eq!(outcome(&cut), expected, "cut at {at}");
    }
    whole
}

fn code(exchange: &Exchange<Request>) -> Option<&str> {
    exchange.reply.as_ref().and_then(|reply| reply.details.strip_prefix("tollgate_"))
}

fn fact(exchange: &Exchange<Request>) -> Value {
    serde_json::from_str(&exchange.state("tollgate.request").unwrap()).unwrap()
}

#[test]
fn the_path_names_the_model_and_is_rewritten_for_an_alias() {
    let config = json!({"aliases": {"fast": "meta/llama 3", "gpt-4*": "big-*"}});
    for (path, body, model, stream, sent) in [
        (
            "/v1beta/models/fast:generateContent",
            "{}",
            "meta/llama 3",
            false,
            "/v1beta/models/meta%2Fllama%203:generateContent",
        ),
        (
            "/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse",
            "{}",
            "gemini-2.5-pro",
            true,
            "/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse",
        ),
        (
            "/v1/projects/p/locations/l/publishers/google/models/fast:streamGenerateContent",
            "{}",
            "meta/llama 3",
            true,
            "/v1/projects/p/locations/l/publishers/google/models/meta%2Fllama%203:streamGenerateContent",
        ),
        (
            "/model/fast/converse-stream",
            "{}",
            "meta/llama 3",
            true,
            "/model/meta%2Fllama%203/converse-stream",
        ),
        (
            "/model/arn%3Aaws%3Abedrock%2Fx/invoke",
            "{}",
            "arn:aws:bedrock/x",
            false,
            "/model/arn%3Aaws%3Abedrock%2Fx/invoke",
        ),
        (
            "/openai/deployments/gpt-4o/chat/completions?api-version=1",
            r#"{"stream":true}"#,
            "big-o",
            true,
            "/openai/deployments/big-o/chat/completions?api-version=1",
        ),
    ] {
        let exchange = post_all_ways(&config, path, &[], body.as_bytes());
        assert_eq!(exchange.reply, None, "{path}");
        assert_eq!(exchange.state("tollgate.model").as_deref(), Some(model), "{path}");
        assert_eq!(fact(&exchange)["stream"], json!(stream), "{path}");
        assert_eq!(exchange.request.header(":path").as_deref(), Some(sent));
        assert_eq!(exchange.request.text(), body);
        // The host's hold makes no difference to the path.
        let mut with_host = config.clone();
        with_host["hold"] = json!("host");
        let exchange = post_to(&with_host, path, &[], body.as_bytes(), Cut::EveryByte);
        assert_eq!(exchange.request.header(":path").as_deref(), Some(sent));
        assert_eq!(exchange.state("tollgate.model").as_deref(), Some(model), "{path}");
    }
}

#[test]
fn a_path_and_a_body_must_name_the_same_model() {
    let config = json!({"aliases": {"fast": "slow"}});
    let azure = "/openai/deployments/fast/chat/completions";
    let gemini = "/v1beta/models/fast:embedContent";
    for (path, body, expected) in [
        (azure, r#"{"model":"fast","n":1.0}"#, Ok(r#"{"model":"slow","n":1.0}"#)),
        (gemini, r#"{"model":"models/fast"}"#, Ok(r#"{"model":"models/slow"}"#)),
        (gemini, r#"{"model":"fast"}"#, Ok(r#"{"model":"slow"}"#)),
        (azure, r#"{"model":"other"}"#, Err("duplicate_model")),
        (azure, r#"{"model":"models/fast"}"#, Err("duplicate_model")),
        (gemini, r#"{"model":"models/other"}"#, Err("duplicate_model")),
        (azure, r#"{"model":"fast","model":"fast"}"#, Err("duplicate_model")),
        (azure, r#"{"model":7}"#, Err("missing_model")),
        (azure, r#"{"Model":"fast"}"#, Err("missing_model")),
        (azure, r#"{"Model":"other"}"#, Err("missing_model")),
    ] {
        let exchange = post_all_ways(&config, path, &[], body.as_bytes());
        match expected {
            Ok(sent) => {
                assert_eq!(exchange.request.text(), sent, "{path}");
                let length = exchange.request.header("content-length");
                assert_eq!(length, Some(sent.len().to_string()), "{path}");
            }
            Err(expected) => assert_eq!(code(&exchange), Some(expected), "{path} {body}"),
        }
    }
}

#[test]
fn a_path_that_servers_could_read_differently_is_refused_in_its_dialect() {
    for (path, expected) in [
        ("/v1beta/models/..%2Fx:generateContent", "invalid_model"),
        ("/v1beta/models/a%2F..%2Fb:generateContent", "invalid_model"),
        ("/v1beta/models/a%00:generateContent", "invalid_model"),
        ("/model/a%252Fb/converse", "invalid_model"),
        ("/model/a/../b/converse", "invalid_model"),
        ("/x/../model/m/converse", "invalid_path"),
    ] {
        let exchange = post_to(&json!({}), path, &[], b"{}", Cut::Whole);
        assert_eq!(code(&exchange), Some(expected), "{path}");
        assert!(!exchange.request.released);
    }
    let exchange = post_to(
        &json!({"models": [{"name": "m"}]}),
        "/v1beta/models/x:generateContent",
        &[],
        b"{}",
        Cut::Whole,
    );
    let body: Value = serde_json::from_slice(&exchange.reply.unwrap().body).unwrap();
    assert_eq!(body["error"]["status"], "NOT_FOUND");
}

const FORM: (&str, &str) = ("content-type", "multipart/form-data; boundary=b");

fn form(model: &str, first: bool) -> String {
    let part = |name: &str, text: &str| {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n")
    };
    let file = part("file\"; filename=\"a.wav", "RIFF\r\n--a\r\nmodel");
    let model = part("model", model);
    let parts = if first { model + &file } else { file + &model };
    parts + "--b--\r\n"
}

#[test]
fn a_form_names_the_model_before_or_behind_a_file() {
    let config = json!({"aliases": {"whisper-1": "faster-whisper-large"}});
    for path in ["/v1/audio/transcriptions", "/v1/audio/translations", "/v1/images/edits"] {
        for first in [true, false] {
            let exchange =
                post_all_ways(&config, path, &[FORM], form("whisper-1", first).as_bytes());
            assert_eq!(exchange.reply, None);
            assert_eq!(exchange.request.text(), form("faster-whisper-large", first));
            let model = exchange.request.header("x-gateway-model-name");
            assert_eq!(model.as_deref(), Some("faster-whisper-large"));
            let length = exchange.request.text().len().to_string();
            assert_eq!(exchange.request.header("content-length"), Some(length));
        }
    }
    // JSON is taken where a form is.
    let exchange =
        post_to(&config, "/v1/images/edits", &[], br#"{"model":"whisper-1"}"#, Cut::Whole);
    assert_eq!(exchange.request.text(), r#"{"model":"faster-whisper-large"}"#);
}

#[test]
fn a_form_that_is_none_is_refused() {
    let good = form("m", true);
    for (content_type, body, expected) in [
        (FORM.1, form("m", true) + "x", "invalid_multipart"),
        (FORM.1, good.replace("--b--", "--b"), "invalid_multipart"),
        (FORM.1, good.replace("\"model\"", "\"modal\""), "missing_model"),
        (FORM.1, good.replace("\"file\"", "\"model\""), "duplicate_model"),
        (FORM.1, form("", true), "invalid_model"),
        ("multipart/form-data", good.clone(), "invalid_multipart"),
    ] {
        let more = [("content-type", content_type)];
        let path = "/v1/audio/transcriptions";
        let exchange = post_all_ways(&json!({}), path, &more, body.as_bytes());
        assert_eq!(code(&exchange), Some(expected), "{content_type} {body}");
    }
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn an_encoded_body_is_decoded_where_configured() {
    let config = json!({"decompress": ["gzip"], "aliases": {"fast": "llama"}});
    let body = br#"{"model":"fast","stream":true,"messages":[]}"#;
    let sent = r#"{"model":"llama","stream":true,"messages":[]}"#;
    let more = [("content-encoding", "gzip")];
    let exchange = post_all_ways(&config, CHAT, &more, &gzip(body));
    assert_eq!(exchange.request.text(), sent);
    assert_eq!(exchange.request.header("content-encoding"), None);
    assert_eq!(exchange.request.header("content-length"), Some(sent.len().to_string()));
    assert_eq!(exchange.state("tollgate.model").as_deref(), Some("llama"));

    let mut with_host = config.clone();
    with_host["hold"] = json!("host");
    let exchange = post_to(&with_host, CHAT, &more, &gzip(body), Cut::EveryByte);
    assert_eq!(exchange.request.text(), sent);
    assert_eq!(exchange.request.header("content-encoding"), None);
    assert_eq!(exchange.request.header("content-length"), None);

    for (config, coding, body, expected) in [
        (json!({}), "gzip", gzip(body), "unsupported_content_encoding"),
        (config.clone(), "deflate", gzip(body), "unsupported_content_encoding"),
        (config.clone(), "br", gzip(body), "unsupported_content_encoding"),
        (config.clone(), "gzip, gzip", gzip(body), "unsupported_content_encoding"),
        (config.clone(), "gzip", body.to_vec(), "invalid_content_encoding"),
        (config.clone(), "gzip", gzip(body)[..30].to_vec(), "invalid_content_encoding"),
        (config.clone(), "gzip", [gzip(body), gzip(body)].concat(), "invalid_content_encoding"),
        (config.clone(), "gzip", gzip(b"{"), "invalid_json"),
        (
            json!({"decompress": ["gzip"], "limits": {"maxDecompressedBytes": 43}}),
            "gzip",
            gzip(body),
            "request_too_large",
        ),
    ] {
        let exchange = post_all_ways(&config, CHAT, &[("content-encoding", coding)], &body);
        assert_eq!(code(&exchange), Some(expected), "{coding}");
    }
}

#[test]
fn tags_and_fallbacks_are_told_and_taken_out() {
    let config = json!({
        "models": [{"name": "m"}, {"name": "n"}, {"name": "o"}],
        "aliases": {"other": "n"},
        "tags": {"body": true, "header": "x-tags"},
        "fallbacks": {"body": true},
        "publish": {"tags": "x-gateway-tags", "fallbacks": "x-gateway-fallbacks"},
    });
    let body = br#"{"tags":["a"],"model":"m","metadata":{"tags":["b","a"],"user":"u"},"fallbacks":["other"]}"#;
    let exchange = post_all_ways(&config, CHAT, &[("x-tags", "c, a")], body);
    assert_eq!(exchange.reply, None);
    assert_eq!(exchange.request.text(), r#"{"model":"m","metadata":{"user":"u"}}"#);
    assert_eq!(exchange.request.header("x-gateway-tags").as_deref(), Some("a,b,c"));
    assert_eq!(exchange.request.header("x-gateway-fallbacks").as_deref(), Some("n"));
    assert_eq!(exchange.request.header("x-tags"), None);
    let fact = fact(&exchange);
    assert_eq!(fact["tags"], json!(["a", "b", "c"]));
    assert_eq!(fact["fallbacks"], json!(["n"]));

    let body = br#"{"model":"m","fallbacks":["o"]}"#;
    let exchange = post(&config, Some(&caller(&["m", "n"])), body, Cut::Whole);
    let (status, code, param) = refused(&exchange);
    assert_eq!(
        (status, code.as_str(), param.as_deref()),
        (403, "model_not_allowed", Some("fallbacks"))
    );
    let body = br#"{"model":"m","fallbacks":["p"]}"#;
    assert_eq!(refused(&post(&config, None, body, Cut::Whole)).0, 404);
}

#[test]
fn a_prompt_is_estimated_and_put_in_a_class() {
    let config = json!({
        "estimate": {"families": [{"models": "long-*", "factor": 10}]},
        "contextClasses": [{"name": "small", "maxTokens": 60}, {"name": "large", "maxTokens": 1000}],
        "publish": {"promptTokens": "x-gateway-prompt-tokens", "context": "x-gateway-context"},
    });
    let told = |model: &str, words: usize| {
        let body = json!({"model": model, "messages": [{"role": "user", "content": "word ".repeat(words)}]});
        let exchange = post_all_ways(&config, CHAT, &[], body.to_string().as_bytes());
        let header = |name| exchange.request.header(name);
        let tokens: u64 = header("x-gateway-prompt-tokens").unwrap().parse().unwrap();
        assert_eq!(fact(&exchange)["promptTokens"], json!(tokens));
        assert_eq!(fact(&exchange)["context"], json!(header("x-gateway-context")));
        (tokens, header("x-gateway-context"))
    };
    let (few, class) = told("m", 20);
    assert!((20..40).contains(&few), "{few}");
    assert_eq!(class.as_deref(), Some("small"));
    let (long, class) = told("long-m", 20);
    assert!(long >= few * 10 - 10 && long <= few * 10 + 10, "{long} of {few}");
    assert_eq!(class.as_deref(), Some("large"));
    assert_eq!(told("m", 2000).1, None);
}
