//! Tables of paths: each operation, each way to write it, each way to hide a model in it.

use super::*;
use crate::Streams::{self, Always, AsBodySays, Never};
use crate::{Dialect, PathReason};

mod configured;
mod properties;

/// A call in short: endpoint, model, stream.
type Short = Result<Option<(&'static str, Option<String>, Streams)>, PathReason>;

fn call(path: &str) -> Short {
    short(&Paths::BUILT_IN, path.as_bytes())
}

fn short(paths: &Paths, path: &[u8]) -> Short {
    match paths.call(path) {
        Ok(call) => Ok(call
            .map(|call| (call.endpoint.name(), call.model.map(|model| model.name), call.streams))),
        Err(error) => Err(error.reason),
    }
}

#[test]
fn bodies_that_name_the_model() {
    for (path, endpoint) in [
        ("/v1/chat/completions", "chat_completions"),
        ("/chat/completions", "chat_completions"),
        ("/openai/v1/chat/completions", "chat_completions"),
        ("/v1beta/openai/chat/completions", "chat_completions"),
        ("/models/chat/completions", "chat_completions"),
        ("/v1/projects/p/locations/l/endpoints/openapi/chat/completions", "chat_completions"),
        ("/v1beta1/projects/p/locations/l/endpoints/openapi/embeddings", "embeddings"),
        ("/v1/completions", "completions"),
        ("/v1/embeddings", "embeddings"),
        ("/v1/responses", "responses"),
        ("/v1/responses/input_tokens", "input_tokens"),
        ("/v1/responses/compact", "responses"),
        ("/v1/moderations", "moderations"),
        ("/v1/images/generations", "image_generations"),
        ("/v1/images/edits", "image_edits"),
        ("/v1/images/variations", "image_variations"),
        ("/v1/audio/speech", "audio_speech"),
        ("/v1/audio/transcriptions", "audio_transcriptions"),
        ("/v1/audio/translations", "audio_translations"),
        ("/openai/v1/audio/translations", "audio_translations"),
        ("/v1/messages", "messages"),
        ("/anthropic/v1/messages", "messages"),
        ("/v1/messages/count_tokens", "count_tokens"),
        ("/anthropic/v1/messages/count_tokens", "count_tokens"),
        ("/rerank", "rerank"),
        ("/v1/rerank", "rerank"),
        ("/v2/rerank", "rerank"),
        ("/cohere/v2/rerank", "rerank"),
        ("/v2/embed", "embed"),
        ("/score", "score"),
        ("/v1/score", "score"),
        ("/classify", "classify"),
        ("/pooling", "pooling"),
        ("/tokenize", "tokenize"),
        ("/detokenize", "detokenize"),
        ("/invocations", "invocations"),
        ("/v1/ocr", "ocr"),
        ("/v1/videos", "videos"),
    ] {
        assert_eq!(call(path), Ok(Some((endpoint, None, AsBodySays))), "{path}");
    }
}

#[test]
fn paths_that_name_the_model() {
    let vertex = "/v1/projects/p/locations/l/publishers/anthropic/models";
    let arn = "arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.x.y-v1%3A0";
    let arn_name = "arn:aws:bedrock:us-east-1:1:inference-profile/us.x.y-v1:0";
    for (path, endpoint, model, streams) in [
        ("/v1beta/models/g-2:generateContent", "generate_content", "g-2", Never),
        ("/v1beta/models/g:streamGenerateContent?alt=sse", "generate_content", "g", Always),
        ("/v1/models/g:countTokens", "gemini_count_tokens", "g", Never),
        ("/v1beta/models/g:embedContent", "embed_content", "g", Never),
        ("/v1beta/models/g:batchEmbedContents", "embed_content", "g", Never),
        ("/v1beta/tunedModels/t:generateContent", "generate_content", "t", Never),
        ("/models/a:b:predict", "predict", "a:b", Never),
        ("/v1beta/models/openai/g:generateContent", "generate_content", "openai/g", Never),
        ("/v1beta/models/openai%2Fg:generateContent", "generate_content", "openai/g", Never),
        ("/v1/projects/p/locations/l/endpoints/7:predict", "predict", "7", Never),
        (&format!("{vertex}/c@2:rawPredict"), "raw_predict", "c@2", AsBodySays),
        (&format!("{vertex}/c@2:streamRawPredict"), "raw_predict", "c@2", Always),
        (&format!("{vertex}/c%402:rawPredict"), "raw_predict", "c@2", AsBodySays),
        ("/model/m.x-v1:0/converse", "converse", "m.x-v1:0", Never),
        ("/model/m.x-v1%3A0/converse-stream", "converse", "m.x-v1:0", Always),
        ("/model/m/invoke", "invoke", "m", Never),
        ("/model/m/invoke-with-response-stream", "invoke", "m", Always),
        ("/model/m/count-tokens", "bedrock_count_tokens", "m", Never),
        ("/bedrock/model/m/invoke", "invoke", "m", Never),
        (&format!("/model/{arn}/converse"), "converse", arn_name, Never),
        (&format!("/model/{arn_name}/converse"), "converse", arn_name, Never),
        ("/model/a/model/b/converse", "converse", "a/model/b", Never),
        ("/openai/deployments/d/chat/completions?a=b", "chat_completions", "d", AsBodySays),
        ("/openai/deployments/d/extensions/chat/completions", "chat_completions", "d", AsBodySays),
        ("/openai/deployments/d/completions", "completions", "d", AsBodySays),
        ("/openai/deployments/d/embeddings", "embeddings", "d", AsBodySays),
        ("/openai/deployments/d/images/generations", "image_generations", "d", AsBodySays),
        ("/openai/deployments/d/images/edits", "image_edits", "d", AsBodySays),
        ("/openai/deployments/d/audio/transcriptions", "audio_transcriptions", "d", AsBodySays),
        ("/openai/deployments/d/audio/speech", "audio_speech", "d", AsBodySays),
        ("/openai/deployments/d/responses", "responses", "d", AsBodySays),
        ("/openai/deployments/a/b/chat/completions", "chat_completions", "a/b", AsBodySays),
        ("/openai/deployments/chat/completions", "completions", "chat", AsBodySays),
        ("/engines/e/completions", "completions", "e", AsBodySays),
        ("/v1/engines/e/embeddings", "embeddings", "e", AsBodySays),
        ("/model/%C3%A9t%C3%A9/converse", "converse", "été", Never),
    ] {
        assert_eq!(call(path), Ok(Some((endpoint, Some(model.to_owned()), streams))), "{path}");
    }
}

#[test]
fn other_paths_are_outside() {
    for path in [
        "",
        "/",
        "*",
        "/%",
        "/%zz",
        "/v1",
        "/v1/models",
        "/v1/models/x",
        "/v1/chat",
        "/v1/chat/completionsx",
        "/x/v1/chat/completions",
        "/v1/files",
        "/v1/batches",
        "/v1beta/models/x",
        "/v1beta/models/x:unheardOf",
        "/v1beta/x:generateContent",
        "/generateContent",
        "/model/x",
        "/model/x/unheard-of",
        "/xmodel/x/converse",
        "/openai/deployments",
        "/openai/deployments/x",
        "/openai/deployments/x/files",
        "/v1/projects/p/locations/l/endpoints/7/chat/completions",
        "/healthz;a=b",
        "/search?path=/v1/chat/completions",
        "/%2e%2e/%2e%2e",
    ] {
        assert_eq!(call(path), Ok(None), "{path}");
    }
}

#[test]
fn variants_do_not_hide_an_operation_whose_body_names_the_model() {
    for path in [
        "/v1/chat/completions/",
        "/v1/chat/completions//",
        "/v1/chat/completions?api-version=1",
        "/v1/chat/completions#x",
        "/v1/chat/completions%3Fx",
        "/v1//chat/completions",
        "//v1/chat/completions",
        "v1/chat/completions",
        "/v1/chat/%63ompletions",
        "/v1/chat/%2563ompletions",
        "/v1/chat/%25%36%33ompletions",
        "/v1%2Fchat/completions",
        "/v1\\chat\\completions",
        "/v1/./chat/completions",
        "/healthz/../v1/chat/completions",
        "/../v1/chat/x/%2e%2e/completions/.",
        "/healthz/..;/v1/chat/completions",
        "/v1;a=b/chat/completions;c",
        "/V1/Chat/COMPLETIONS",
        // What some resolve before they decode or merge, and some after.
        "/v1/chat/a%2Fb/../completions",
        "/v1/chat;a%2Fb/completions",
        "/v1/chat/completions//..",
    ] {
        assert_eq!(call(path), Ok(Some(("chat_completions", None, AsBodySays))), "{path}");
    }
}

#[test]
fn variants_do_not_change_the_model_in_a_path() {
    let model = |name: &str| Ok(Some(("converse", Some(name.to_owned()), Never)));
    for (path, found) in [
        ("/model/x/converse/", model("x")),
        ("/MODEL/x/Converse", model("x")),
        ("/model/X/converse", model("X")),
        ("/model/%78/converse", model("x")),
        ("/model/x/converse?a=/../y", model("x")),
        ("/model/x/converse//", Err(PathReason::Unclear)),
        ("//model/x/converse", Err(PathReason::Unclear)),
        ("/model//x/converse", Err(PathReason::Model)),
        ("/model/x//converse", Err(PathReason::Model)),
        ("/model//converse", Err(PathReason::Unclear)),
        ("/./model/x/converse", Err(PathReason::Unclear)),
        ("/model/./x/converse", Err(PathReason::Model)),
        ("/model/y/../x/converse", Err(PathReason::Model)),
        ("/model/../converse", Err(PathReason::Model)),
        ("/a/../model/x/converse", Err(PathReason::Unclear)),
        ("/model/x/a/../converse", Err(PathReason::Model)),
        ("/model/x/converse/a/..", Err(PathReason::Unclear)),
        ("/model/x/converse/.", Err(PathReason::Unclear)),
        ("/model/x/%63onverse", Err(PathReason::Unclear)),
        ("/model/x/%2563onverse", Err(PathReason::Unclear)),
        ("/%6dodel/x/converse", Err(PathReason::Unclear)),
        ("/model%2Fx/converse", Err(PathReason::Unclear)),
        ("/model/x%2Fconverse", Err(PathReason::Unclear)),
        ("/model\\x\\converse", Err(PathReason::Unclear)),
        ("/model/x;v=1/converse", Err(PathReason::Model)),
        ("/model/x/converse;v=1", Err(PathReason::Unclear)),
        ("/model;v=1/x/converse", Err(PathReason::Unclear)),
        ("/model/x/converse#/../../y/converse", Err(PathReason::Model)),
        ("/model/x/converse#/a", Err(PathReason::Unclear)),
        ("/model/x/converse%3F", Err(PathReason::Unclear)),
        ("model/x/converse", Err(PathReason::Unclear)),
    ] {
        assert_eq!(call(path), found, "{path}");
    }
    for (path, reason) in [
        // A server that undoes the escape of the slash takes another deployment.
        ("/openai/deployments/x%2Fchat/completions", PathReason::Unclear),
        ("/openai/deployments/x%2F..%2Fy/completions", PathReason::Model),
        ("/openai/deployments//chat/completions", PathReason::Unclear),
        ("/model/x/a%2Fb/../converse", PathReason::Model),
        ("/model/x/converse//..", PathReason::Unclear),
        ("/openai/deployments/a/../b/chat/completions", PathReason::Model),
        ("/v1beta/models/x%3AgenerateContent", PathReason::Unclear),
        ("/v1beta/models/:generateContent", PathReason::Unclear),
        ("/v1beta/models/a/models/b:generateContent", PathReason::Unclear),
        ("/v1beta/models/a%2Fmodels%2Fb:generateContent", PathReason::Unclear),
        ("/v1beta/%6dodels/b:generateContent", PathReason::Unclear),
        ("/v1/projects/%70/locations/l/endpoints/e:predict", PathReason::Unclear),
        ("/v1/projects/p;q/locations/l/endpoints/e:predict", PathReason::Unclear),
    ] {
        assert_eq!(call(path), Err(reason), "{path}");
    }
}

#[test]
fn names_that_servers_read_differently_are_refused() {
    for name in [
        "%2e",
        "%2E%2e",
        "..",
        "%2F",
        "a%2F",
        "%2Fa",
        "a%2F%2Fb",
        "a%2F..%2Fb",
        "a%5Cb",
        "a%25b",
        "a%2541",
        "a%3Fb",
        "a%23b",
        "a%3Bb",
        "a%3C",
        "a%3E",
        "a%22",
        "a\"",
        "{a}",
        "a%7C",
        "a^b",
        "a%20b",
        "a%00",
        "a%0Ab",
        "a%7F",
        "a%C2%85",
        "a%E2%80%A8",
        "a%C2%A0b",
        "%FF",
        "%C3",
        "%",
        "a%4",
        "a%zz",
        "a%%34",
        "\u{e9}",
    ] {
        let path = format!("/model/{name}/converse");
        assert_eq!(call(&path), Err(PathReason::Model), "{path}");
    }
}

#[test]
fn refusals_are_in_the_dialect_of_the_operation() {
    for (path, dialect) in [
        ("/model/../converse", Dialect::Bedrock),
        ("/v1beta/models/..:countTokens", Dialect::Gemini),
        ("/openai/deployments/../embeddings", Dialect::OpenAi),
    ] {
        let error = Paths::BUILT_IN.call(path.as_bytes()).unwrap_err();
        assert_eq!(
            (error.endpoint.dialect(), error.error().code),
            (dialect, "invalid_model"),
            "{path}"
        );
    }
}
