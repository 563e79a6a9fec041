//! Error bodies in the dialect of the endpoint that the client called.

use std::borrow::Cow;

use tollgate_effects::{Effect, Reply};
use tollgate_json::Writer;

use crate::Dialect;

/// An error that the gateway answers itself. `message` is for the developer at the client: what was
/// found, what is expected; never a key, a prompt, an upstream address or a stack.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ApiError {
    /// HTTP status.
    pub status: u16,
    /// The reason as a word, such as `invalid_api_key`.
    pub code: &'static str,
    /// One sentence.
    pub message: String,
    /// The parameter it is about, if it is about one.
    pub param: Option<Cow<'static, str>>,
    /// Headers besides the content type, such as `retry-after`.
    pub headers: Vec<(Cow<'static, str>, Vec<u8>)>,
}

impl ApiError {
    /// An error without parameter and headers.
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), param: None, headers: Vec::new() }
    }

    /// The same, about parameter `param`.
    #[must_use]
    pub fn param(mut self, param: impl Into<Cow<'static, str>>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// The same, with one more header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The JSON body in `dialect`.
    pub fn body(&self, dialect: Dialect) -> Vec<u8> {
        let mut json = Writer::default();
        json.open('{');
        if dialect == Dialect::Bedrock {
            json.member("message", &self.message);
            json.close('}');
            return json.into_bytes();
        }
        if dialect == Dialect::Anthropic {
            json.member("type", "error");
        }
        json.key("error");
        json.open('{');
        match dialect {
            Dialect::Anthropic => {
                json.member("type", anthropic_type(self.status));
                json.member("message", &self.message);
            }
            Dialect::Gemini => {
                json.key("code");
                json.number(self.status.into());
                json.member("message", &self.message);
                json.member("status", google_status(self.status));
            }
            Dialect::Bedrock | Dialect::OpenAi => {
                json.member("message", &self.message);
                json.member("type", openai_type(self.status, self.code));
                json.key("param");
                json.string_or_null(self.param.as_deref());
                json.member("code", self.code);
            }
        }
        json.close('}');
        json.close('}');
        json.into_bytes()
    }

    /// The effect that ends the exchange with this error.
    pub fn reply(self, dialect: Dialect) -> Effect {
        let body = self.body(dialect);
        let mut headers = vec![("content-type".into(), b"application/json".to_vec())];
        if dialect == Dialect::Bedrock {
            let class = bedrock_type(self.status, self.code).as_bytes().to_vec();
            headers.push(("x-amzn-errortype".into(), class));
        }
        headers.extend(self.headers);
        Effect::Reply(Reply {
            status: self.status,
            headers,
            body,
            details: format!("tollgate_{}", self.code).into(),
        })
    }
}

/// `error.type` of OpenAI's API (platform.openai.com/docs/guides/error-codes).
fn openai_type(status: u16, code: &'static str) -> &'static str {
    match status {
        429 if code == "insufficient_quota" => "insufficient_quota",
        429 => "rate_limit_error",
        500.. => "server_error",
        _ => "invalid_request_error",
    }
}

/// `error.type` of Anthropic's API (docs.anthropic.com/en/api/errors).
fn anthropic_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        503 | 529 => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    }
}

/// The header `x-amzn-errortype`, by which AWS SDKs choose the class that they raise
/// (docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html#API_runtime_Converse_Errors).
fn bedrock_type(status: u16, code: &'static str) -> &'static str {
    match status {
        401 | 403 => "AccessDeniedException",
        404 => "ResourceNotFoundException",
        408 | 504 => "ModelTimeoutException",
        429 if code == "insufficient_quota" => "ServiceQuotaExceededException",
        429 => "ThrottlingException",
        503 | 529 => "ServiceUnavailableException",
        500.. => "InternalServerException",
        _ => "ValidationException",
    }
}

/// `error.status` of Google's APIs (cloud.google.com/apis/design/errors).
fn google_status(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        501 => "UNIMPLEMENTED",
        503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        500.. => "INTERNAL",
        _ => "INVALID_ARGUMENT",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(error: &ApiError, dialect: Dialect) -> Value {
        serde_json::from_slice(&error.body(dialect)).unwrap()
    }

    #[test]
    fn each_dialect_has_its_own_shape() {
        let error = ApiError::new(404, "model_not_found", "no model \"x\"").param("model");
        let openai = json!({"error": {"message": "no model \"x\"", "type": "invalid_request_error",
            "param": "model", "code": "model_not_found"}});
        let anthropic = json!({"type": "error",
            "error": {"type": "not_found_error", "message": "no model \"x\""}});
        let gemini = json!({"error": {"code": 404, "message": "no model \"x\"",
            "status": "NOT_FOUND"}});
        assert_eq!(read(&error, Dialect::OpenAi), openai);
        assert_eq!(read(&error, Dialect::Anthropic), anthropic);
        assert_eq!(read(&error, Dialect::Gemini), gemini);
        assert_eq!(read(&error, Dialect::Bedrock), json!({"message": "no model \"x\""}));
    }

    #[test]
    fn a_reply_is_json_with_a_reason_for_the_access_log() {
        let error =
            ApiError::new(401, "invalid_api_key", "no key").header("www-authenticate", "Bearer");
        let Effect::Reply(reply) = error.reply(Dialect::OpenAi) else { panic!("no reply") };
        assert_eq!(reply.status, 401);
        assert_eq!(reply.details, "tollgate_invalid_api_key");
        assert_eq!(reply.headers[0], ("content-type".into(), b"application/json".to_vec()));
        assert_eq!(reply.headers[1], ("www-authenticate".into(), b"Bearer".to_vec()));
    }

    #[test]
    fn bedrocks_class_is_in_a_header() {
        for (status, code, class) in [
            (400, "invalid_json", "ValidationException"),
            (401, "invalid_api_key", "AccessDeniedException"),
            (403, "model_not_allowed", "AccessDeniedException"),
            (404, "model_not_found", "ResourceNotFoundException"),
            (413, "request_too_large", "ValidationException"),
            (429, "rate_limit_exceeded", "ThrottlingException"),
            (429, "insufficient_quota", "ServiceQuotaExceededException"),
            (500, "internal_error", "InternalServerException"),
            (502, "bad_upstream_response", "InternalServerException"),
            (503, "key_service_unavailable", "ServiceUnavailableException"),
            (504, "timeout", "ModelTimeoutException"),
        ] {
            let Effect::Reply(reply) = ApiError::new(status, code, "x").reply(Dialect::Bedrock)
            else {
                panic!("no reply")
            };
            let header = ("x-amzn-errortype".into(), class.as_bytes().to_vec());
            assert!(reply.headers.contains(&header), "{status} {code}");
            assert_eq!(reply.body, br#"{"message":"x"}"#);
        }
    }
}
