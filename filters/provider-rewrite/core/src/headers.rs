//! Which headers go where.
//!
//! Requests: an allow-list. What the provider gets is computed from the headers that the client's
//! request had ([`Original`]) and then compared with what is there, so that a later attempt, which
//! finds the changes of the one before, comes out the same as a first one.
//!
//! Responses: everything passes but what concerns the provider's own host or the operator's account.

use std::borrow::Cow;

use tollgate_effects::{Direction, Effect, Effects, Headers};

use crate::config::{Config, Credential, Provider};
use crate::original::Original;

/// Request headers that every provider may see.
const ALLOWED: [&str; 12] = [
    ":authority",
    ":method",
    ":path",
    ":scheme",
    "accept",
    "content-encoding",
    "content-length",
    "content-type",
    "traceparent",
    "tracestate",
    "user-agent",
    "x-request-id",
];

/// Router controls that Envoy's router reads behind a downstream filter, and removes itself.
const ROUTER_CONTROLS: [&str; 8] = [
    "x-envoy-hedge-on-per-try-timeout",
    "x-envoy-max-retries",
    "x-envoy-retriable-header-names",
    "x-envoy-retriable-status-codes",
    "x-envoy-retry-grpc-on",
    "x-envoy-retry-on",
    "x-envoy-upstream-rq-per-try-timeout-ms",
    "x-envoy-upstream-rq-timeout-ms",
];

/// Response headers that concern the provider's host or the operator's account there.
const NOT_FOR_CLIENTS: [&str; 11] = [
    "alt-svc",
    "anthropic-organization-id",
    "expect-ct",
    "nel",
    "openai-organization",
    "openai-project",
    "report-to",
    "set-cookie",
    "set-cookie2",
    "strict-transport-security",
    "www-authenticate",
];

/// Whether request header `name` (lower-case) carries a credential, whoever it is for.
pub(crate) fn is_credential(name: &str) -> bool {
    matches!(name, "api-key" | "authorization" | "proxy-authorization" | "x-api-key")
        || name == "x-goog-api-key"
        || name.starts_with("x-amz-")
}

/// Whether the host manages header `name` (lower-case) per connection.
pub(crate) fn is_hop_by_hop(name: &str) -> bool {
    matches!(name, "connection" | "keep-alive" | "te" | "trailer" | "transfer-encoding" | "upgrade")
}

/// Whether `name` must be kept for later attempts: it may reach some provider.
pub(crate) fn is_kept(name: &str, config: &Config) -> bool {
    ALLOWED.contains(&name)
        || config.pass_headers.iter().any(|passed| passed == name)
        || config.credential_headers.iter().any(|holder| holder == name)
        || config.providers.iter().any(|p| p.dialect.native_headers().contains(&name))
}

/// Makes the request's headers what `provider` gets: those that may pass, then its own.
pub(crate) struct Outgoing {
    headers: Vec<(Cow<'static, str>, Vec<u8>)>,
}

/// The provider's credential is missing: the header that should hold it is not there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoCredential;

impl Outgoing {
    /// The headers for `provider`; `native` if the client speaks its dialect.
    pub(crate) fn new(
        original: &Original,
        config: &Config,
        provider: &Provider,
        native: bool,
    ) -> Result<Self, NoCredential> {
        let passes = |name: &str| {
            !is_credential(name)
                && !config.credential_headers.iter().any(|holder| holder == name)
                && (ALLOWED.contains(&name)
                    || config.pass_headers.iter().any(|passed| passed == name)
                    || (native && provider.dialect.native_headers().contains(&name)))
        };
        let headers = original
            .headers()
            .filter(|(name, _)| passes(name))
            .map(|(name, value)| (Cow::Owned(name.to_owned()), value))
            .collect();
        let mut outgoing = Self { headers };
        for (name, value) in provider.dialect.default_headers() {
            if !outgoing.headers.iter().any(|(n, _)| n == name) {
                outgoing.set(*name, value.as_bytes());
            }
        }
        for (name, value) in &provider.headers {
            outgoing.set(name.clone(), value.as_bytes());
        }
        if let Some(authority) = &provider.authority {
            outgoing.set(":authority", authority.as_bytes());
        }
        let secret = match &provider.credential {
            Credential::None => None,
            Credential::Secret(secret) => Some(secret.reveal().as_bytes().to_vec()),
            Credential::Header(name) => {
                let value = original.header(name).ok_or(NoCredential)?;
                Some(without_scheme(&value).to_vec())
            }
        };
        if let Some(secret) = secret {
            let (name, value) = provider.dialect.credential_header(&secret);
            outgoing.set(name, &value);
        }
        Ok(outgoing)
    }

    /// Sets `name` to one value.
    pub(crate) fn set(&mut self, name: impl Into<Cow<'static, str>>, value: &[u8]) {
        let name = name.into();
        self.headers.retain(|(n, _)| *n != name);
        self.headers.push((name, value.to_vec()));
    }

    /// The effects that turn `present` into these headers.
    pub(crate) fn apply(self, present: &Headers<'_>, out: &mut Effects) {
        let mut removed: Vec<&[u8]> = Vec::new();
        for (name, _) in present.iter() {
            let wanted = self.headers.iter().any(|(n, _)| n.as_bytes() == name);
            // A name that is not UTF-8 cannot be named to the host; no host lets one in.
            let Ok(text) = std::str::from_utf8(name) else { continue };
            let left = is_hop_by_hop(text) || ROUTER_CONTROLS.contains(&text);
            if !wanted && !left && !removed.contains(&name) {
                removed.push(name);
                let name = text.to_owned().into();
                out.push(Effect::RemoveHeader { on: Direction::Request, name });
            }
        }
        let mut done: Vec<Cow<'static, str>> = Vec::new();
        for (name, _) in &self.headers {
            if done.contains(name) {
                continue;
            }
            done.push(name.clone());
            let wanted: Vec<&[u8]> = self
                .headers
                .iter()
                .filter(|(n, _)| n == name)
                .map(|(_, value)| value.as_slice())
                .collect();
            if !present.all(name).eq(wanted.iter().copied()) {
                // Only a header that an earlier attempt changed comes here with several values.
                let value = wanted.join(&b", "[..]);
                out.push(Effect::SetHeader { on: Direction::Request, name: name.clone(), value });
            }
        }
    }
}

/// Removes what clients must not get from the response.
pub(crate) fn clean_response(headers: &Headers<'_>, out: &mut Effects) {
    let mut removed: Vec<&[u8]> = Vec::new();
    for (name, _) in headers.iter() {
        let Ok(text) = std::str::from_utf8(name) else { continue };
        let unwanted = NOT_FOR_CLIENTS.contains(&text)
            || text.starts_with("x-tollgate-")
            || text.starts_with("x-gateway-");
        if unwanted && !removed.contains(&name) {
            removed.push(name);
            let name = text.to_owned().into();
            out.push(Effect::RemoveHeader { on: Direction::Response, name });
        }
    }
}

/// Whether `media_type` is JSON (`application/json`, `application/problem+json`, …).
pub(crate) fn is_json(media_type: &[u8]) -> bool {
    media_type == b"application/json"
        || (media_type.starts_with(b"application/") && media_type.ends_with(b"+json"))
}

/// The credential without `Bearer`, which the provider's header has or has not by itself.
fn without_scheme(value: &[u8]) -> &[u8] {
    match value.split_at_checked(7) {
        Some((scheme, secret)) if scheme.eq_ignore_ascii_case(b"bearer ") => secret.trim_ascii(),
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use tollgate_effects::media_type;

    use super::*;

    #[test]
    fn a_json_media_type_is_known_in_any_case_and_with_parameters() {
        for (value, json) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/problem+json", true),
            ("text/json", false),
            ("application/jsonl", false),
            ("", false),
        ] {
            assert_eq!(is_json(&media_type(value.as_bytes())), json, "{value}");
        }
    }

    #[test]
    fn credentials_are_known_by_name() {
        for name in ["authorization", "x-api-key", "api-key", "x-goog-api-key", "x-amz-date"] {
            assert!(is_credential(name), "{name}");
        }
        assert!(!is_credential("user-agent"));
    }

    #[test]
    fn a_scheme_before_a_secret_is_taken_off_once() {
        assert_eq!(without_scheme(b"Bearer abc"), b"abc");
        assert_eq!(without_scheme(b"bearer  abc"), b"abc");
        assert_eq!(without_scheme(b"abc"), b"abc");
    }
}
