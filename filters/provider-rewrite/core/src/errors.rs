//! A provider's error as the client's error.

use tollgate_api::ApiError;

use crate::config::Secret;

/// Longer messages are cut: some servers quote the whole request.
const MOST_MESSAGE_CHARS: usize = 2000;

/// What providers say when the prompt does not fit, in lower case.
const CONTEXT_WINDOW: [&str; 10] = [
    "context_length_exceeded",
    "exceed context limit",
    "exceeds the available context size",
    "exceeds the maximum number of tokens allowed",
    "input is too long",
    "input tokens exceed the configured limit",
    "is longer than the model's context length",
    "maximum context length is",
    "prompt is too long",
    "too many input tokens",
];

/// What an error body says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ProviderError {
    /// The provider's word for it; empty if there is none.
    pub(crate) code: String,
    pub(crate) message: String,
    /// Whether a client of the provider's dialect can read the body as it is.
    pub(crate) is_native: bool,
}

impl ProviderError {
    /// Whether the prompt was too long for the model, whatever the provider calls that.
    pub(crate) fn is_context_window(&self) -> bool {
        let message = self.message.to_lowercase();
        self.code == CONTEXT_LENGTH_EXCEEDED
            || CONTEXT_WINDOW.iter().any(|words| message.contains(words))
    }
}

/// `code` of the error about a prompt that does not fit.
pub(crate) const CONTEXT_LENGTH_EXCEEDED: &str = "context_length_exceeded";

/// The status for the client: the provider's, but 503 for Anthropic's own "overloaded".
pub(crate) fn client_status(status: u16) -> u16 {
    match status {
        529 => 503,
        400..=599 => status,
        // Redirects and whatever else no API answers with.
        _ => 502,
    }
}

/// The error for the client. `error` is `None` if the body could not be read; a message with `secret`
/// in it is not passed on, nor is any about the gateway's own credential.
pub(crate) fn for_client(
    status: u16,
    error: Option<&ProviderError>,
    secret: Option<&Secret>,
) -> ApiError {
    let client_status = client_status(status);
    if let Some(error) = error
        && matches!(status, 400 | 413 | 422)
        && error.is_context_window()
    {
        let message = message(error, secret).unwrap_or_else(|| generic(400).1.to_owned());
        return ApiError::new(400, CONTEXT_LENGTH_EXCEEDED, message);
    }
    let (code, generic) = generic(client_status);
    let said = match client_status {
        // About the operator's key and bill: nothing that a client could mend.
        401 | 402 => None,
        _ => error.and_then(|error| message(error, secret)),
    };
    ApiError::new(client_status, code, said.unwrap_or_else(|| generic.to_owned()))
}

/// Whether `bytes` contain `secret`.
pub(crate) fn contains_secret(bytes: &[u8], secret: Option<&Secret>) -> bool {
    let Some(secret) = secret.map(|secret| secret.reveal().as_bytes()) else { return false };
    !secret.is_empty() && bytes.windows(secret.len()).any(|window| window == secret)
}

/// An answer that is not what the provider's API says.
pub(crate) fn bad_response(message: &'static str) -> ApiError {
    ApiError::new(502, "bad_upstream_response", message)
}

fn message(error: &ProviderError, secret: Option<&Secret>) -> Option<String> {
    if error.message.is_empty() || contains_secret(error.message.as_bytes(), secret) {
        return None;
    }
    Some(error.message.chars().take(MOST_MESSAGE_CHARS).collect())
}

/// `code`, and what to say if the provider's own words cannot be used.
fn generic(status: u16) -> (&'static str, &'static str) {
    match status {
        400 | 422 => ("invalid_request", "the provider refused the request as invalid"),
        401 => ("upstream_authentication_error", "the provider refused the gateway's credential"),
        402 => ("upstream_billing_error", "the provider refused the gateway's account"),
        403 => ("upstream_permission_denied", "the provider denied access"),
        404 => ("model_not_found", "the provider does not have this model"),
        408 | 504 => ("upstream_timeout", "the provider took too long"),
        413 => ("request_too_large", "the request is too large for the provider"),
        429 => ("rate_limit_exceeded", "the provider's rate limit is reached"),
        503 => ("upstream_overloaded", "the provider is overloaded"),
        502 => ("bad_upstream_response", "the provider's answer cannot be used"),
        500.. => ("upstream_error", "the provider failed"),
        _ => ("upstream_error", "the provider refused the request"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(message: &str) -> ProviderError {
        ProviderError { code: String::new(), message: message.into(), is_native: true }
    }

    #[test]
    fn statuses_keep_but_overload_and_what_no_api_answers() {
        for (status, expected, code) in [
            (400, 400, "invalid_request"),
            (401, 401, "upstream_authentication_error"),
            (404, 404, "model_not_found"),
            (429, 429, "rate_limit_exceeded"),
            (500, 500, "upstream_error"),
            (503, 503, "upstream_overloaded"),
            (529, 503, "upstream_overloaded"),
            (301, 502, "bad_upstream_response"),
            (999, 502, "bad_upstream_response"),
        ] {
            let error = for_client(status, Some(&said("x")), None);
            assert_eq!((error.status, error.code), (expected, code), "{status}");
        }
    }

    #[test]
    fn a_prompt_that_does_not_fit_is_one_error_for_all_providers() {
        for (status, message) in [
            (400, "prompt is too long: 208310 tokens > 200000 maximum"),
            (400, "This model's maximum context length is 8192 tokens."),
            (413, "Input is too long for requested model."),
            (400, "the request exceeds the available context size, try increasing it"),
        ] {
            let error = for_client(status, Some(&said(message)), None);
            assert_eq!((error.status, error.code), (400, CONTEXT_LENGTH_EXCEEDED), "{message}");
            assert_eq!(error.message, message);
        }
        assert_eq!(for_client(429, Some(&said("prompt is too long")), None).status, 429);
    }

    #[test]
    fn a_credential_is_in_no_message() {
        let secret = Secret::new("sk-canary".into());
        let error = for_client(400, Some(&said("bad key sk-canary!")), Some(&secret));
        assert_eq!(error.message, "the provider refused the request as invalid");
        let error = for_client(401, Some(&said("Incorrect API key: sk-…ary")), Some(&secret));
        assert_eq!(error.message, "the provider refused the gateway's credential");
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let error = for_client(400, Some(&said(&"ä".repeat(5000))), None);
        assert_eq!(error.message.chars().count(), MOST_MESSAGE_CHARS);
    }
}
