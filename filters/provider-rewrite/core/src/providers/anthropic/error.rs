//! Error bodies of the Messages API (<https://docs.anthropic.com/en/api/errors>).

use super::wire::{ErrorBody, ErrorObject};
use crate::errors::ProviderError;
use crate::json::document;

/// Reads an error body; `None` if it is not one of this API.
pub(crate) fn read(body: &[u8]) -> Option<ProviderError> {
    let body: ErrorBody<'_> = document(body)?;
    let known = !(body.error.kind.is_empty() && body.error.message.is_empty());
    known.then(|| body.error.into())
}

/// The status that goes with an error in a stream, where none is sent.
pub(crate) fn status(kind: &str) -> u16 {
    match kind {
        "authentication_error" => 401,
        "billing_error" => 402,
        "invalid_request_error" => 400,
        "not_found_error" => 404,
        "overloaded_error" => 529,
        "permission_error" => 403,
        "rate_limit_error" => 429,
        "request_too_large" => 413,
        "timeout_error" => 504,
        _ => 500,
    }
}

impl From<ErrorObject<'_>> for ProviderError {
    fn from(error: ErrorObject<'_>) -> Self {
        Self {
            code: error.kind.0.into_owned(),
            message: error.message.0.into_owned(),
            is_native: true,
        }
    }
}
