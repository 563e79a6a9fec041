//! A call of an operation, as its path alone tells.

use std::ops::Range;

use crate::{ApiError, Endpoint, segments};

/// What a path says about a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Call {
    /// The operation.
    pub endpoint: Endpoint,
    /// The model, where the path names it; `None`: the body does.
    pub model: Option<PathModel>,
    /// Whether the answer is a stream.
    pub streams: Streams,
}

/// Whether the answer will be a stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Streams {
    /// Whatever the body says.
    Always,
    /// If the body has `stream: true`.
    AsBodySays,
    /// Never, whatever the body says.
    Never,
}

/// A model that a path names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PathModel {
    /// The name, percent-decoded once. Its segments (it may have slashes) are neither empty nor `.`
    /// nor `..`, and it has no white space, no control characters and none of
    /// ``\ % ? # ; < > " { } | ^``: what all servers read in the same way.
    pub name: String,
    /// Where it is in the path, as raw bytes.
    pub range: Range<usize>,
}

impl PathModel {
    /// The path with `model` instead of this one, written as a single segment (RFC 3986, 3.3: `/`,
    /// `:` and all else that is not unreserved is escaped). Everything else stays byte for byte: the
    /// API's version, Gemini's `models/` and `:verb`, Vertex AI's publisher, the query.
    ///
    /// `path` is the one that this was found in. `model` must not be `.` or `..`, which no escape
    /// keeps from being a dot segment.
    pub fn rewrite(&self, path: &[u8], model: &str) -> Vec<u8> {
        let before = path.get(..self.range.start).unwrap_or(path);
        let after = path.get(self.range.end..).unwrap_or_default();
        let longest = model.len().saturating_mul(3);
        let mut rewritten = Vec::with_capacity(path.len().saturating_add(longest));
        rewritten.extend_from_slice(before);
        segments::encode(model, &mut rewritten);
        rewritten.extend_from_slice(after);
        rewritten
    }
}

/// Why a path that names a model is refused, with status 400.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PathError {
    /// The operation, whatever its model is; the error is for its dialect.
    pub endpoint: Endpoint,
    /// What is wrong.
    pub reason: PathReason,
}

/// What is wrong with a path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PathReason {
    /// The model's name has characters, segments or escapes that servers read differently.
    Model,
    /// Servers would take different segments for the model.
    Unclear,
}

impl PathError {
    /// The error for the client; it repeats nothing of the path.
    pub fn error(self) -> ApiError {
        match self.reason {
            PathReason::Model => ApiError::new(
                400,
                "invalid_model",
                "the model in the path is not a name: expected percent-encoded UTF-8 without empty or dot segments, spaces, control characters and any of \\ % ? # ; < > \" { } | ^",
            )
            .param("model"),
            PathReason::Unclear => ApiError::new(
                400,
                "invalid_path",
                "servers could read another model or operation from this path: send it without empty and dot segments, parameters and fragment, and with escapes only in the model's name",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Paths;

    fn model(path: &str) -> PathModel {
        let call = Paths::BUILT_IN.call(path.as_bytes()).expect("a good path");
        call.and_then(|call| call.model).expect("a model")
    }

    #[test]
    fn only_the_model_of_a_path_is_replaced() {
        let vertex = "/v1/projects/p/locations/l/publishers/google/models";
        let arn = "arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fx";
        for (path, new, rewritten) in [
            ("/v1beta/models/a:generateContent", "b", "/v1beta/models/b:generateContent"),
            (
                "/v1beta/tunedModels/a:streamGenerateContent?alt=sse&x=%2e",
                "b/c",
                "/v1beta/tunedModels/b%2Fc:streamGenerateContent?alt=sse&x=%2e",
            ),
            (&format!("{vertex}/a@1:rawPredict"), "b@2", &format!("{vertex}/b%402:rawPredict")),
            (&format!("/model/{arn}/converse"), "x.y-v1:0", "/model/x.y-v1%3A0/converse"),
            ("/model/x/converse", "arn:a/b", "/model/arn%3Aa%2Fb/converse"),
            ("/model/a/b/invoke/", "c", "/model/c/invoke/"),
            (
                "/openai/deployments/model/chat/completions?api-version=model",
                "m2",
                "/openai/deployments/m2/chat/completions?api-version=model",
            ),
        ] {
            let found = model(path).rewrite(path.as_bytes(), new);
            assert_eq!(String::from_utf8(found).expect("ASCII"), rewritten, "{path}");
            assert_eq!(model(rewritten).name, new);
        }
    }

    #[test]
    fn a_path_that_is_not_its_own_is_no_reason_to_trap() {
        let long = model("/model/abcdefghijklmnopqrstuvwxyz/converse");
        assert_eq!(long.rewrite(b"/m", "x"), b"/mx");
    }
}
