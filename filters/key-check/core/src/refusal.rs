//! Why a request is refused, for the client and for the counters.
//!
//! No message repeats anything the client sent. An unknown and a disabled key get the same answer,
//! byte for byte, so that a found or guessed key cannot be told from no key at all.

use tollgate_api::ApiError;

/// Why a request is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Refusal {
    /// Several credentials, so that two readers could see two callers.
    Ambiguous,
    /// A key that is switched off.
    Disabled,
    /// A credential header without a key in it.
    Empty,
    /// A key after its time.
    Expired,
    /// No credential header.
    Missing,
    /// An `authorization` of another scheme.
    NotBearer,
    /// A key longer than the configuration allows.
    TooLong,
    /// Characters that no key has.
    Unprintable,
    /// A key that is not in the configuration.
    Unknown,
}

impl Refusal {
    /// The counter, out of a fixed set.
    pub(crate) fn metric(self) -> &'static str {
        match self {
            Self::Ambiguous => "tollgate_key_check.denied.ambiguous",
            Self::Disabled => "tollgate_key_check.denied.disabled",
            Self::Expired => "tollgate_key_check.denied.expired",
            Self::Missing => "tollgate_key_check.denied.missing",
            Self::Empty | Self::NotBearer | Self::TooLong | Self::Unprintable => {
                "tollgate_key_check.denied.malformed"
            }
            Self::Unknown => "tollgate_key_check.denied.unknown",
        }
    }

    /// What the client reads.
    pub(crate) fn error(self) -> ApiError {
        let code = match self {
            Self::Expired => "expired_api_key",
            _ => "invalid_api_key",
        };
        // RFC 9110, section 11.6.1: a 401 names a scheme that would be accepted.
        ApiError::new(401, code, self.message())
            .header("www-authenticate", r#"Bearer realm="tollgate""#)
    }

    fn message(self) -> &'static str {
        match self {
            Self::Ambiguous => {
                "more than one API key: send exactly one, as `Authorization: Bearer <key>` or as \
                 `x-api-key: <key>`"
            }
            Self::Disabled | Self::Unknown => {
                "this API key is not valid: check that it is complete and was issued for this gateway"
            }
            Self::Empty => {
                "an empty API key: send it as `Authorization: Bearer <key>` or as `x-api-key: <key>`"
            }
            Self::Expired => "this API key has expired: ask for a new one",
            Self::Missing => {
                "no API key: send it as `Authorization: Bearer <key>` or as `x-api-key: <key>`"
            }
            Self::NotBearer => {
                "the authorization header has no bearer key: expected `Authorization: Bearer <key>`"
            }
            Self::TooLong => "the API key is too long to be one of this gateway's",
            Self::Unprintable => {
                "the API key has spaces or characters outside printable ASCII: send the key alone, \
                 without quotes, spaces or line breaks"
            }
        }
    }
}
