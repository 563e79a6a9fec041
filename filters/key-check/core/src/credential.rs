//! The one key of a request: `Authorization: Bearer` (RFC 6750, section 2.1) or `x-api-key`.
//!
//! Anything that two readers could read differently is refused: a header that is repeated, two
//! headers that differ. Not here: whether the key is any good.

use tollgate_effects::Headers;

use crate::refusal::Refusal;

/// Headers in which clients send credentials. Only the first two are read; all are taken off, so
/// that no key travels on to a provider or its logs.
pub(crate) const CREDENTIAL_HEADERS: [&str; 5] =
    ["authorization", "x-api-key", "api-key", "x-goog-api-key", "proxy-authorization"];

/// The key that the request carries, of at most `max` bytes, all printable.
pub(crate) fn find<'a>(headers: &Headers<'a>, max: usize) -> Result<&'a [u8], Refusal> {
    let bearer = only(headers, "authorization")?.map(bearer).transpose()?;
    let plain = only(headers, "x-api-key")?;
    let key = match (bearer, plain) {
        (Some(bearer), Some(plain)) if bearer != plain => return Err(Refusal::Ambiguous),
        (Some(key), _) | (None, Some(key)) => key,
        (None, None) => return Err(Refusal::Missing),
    };
    if key.is_empty() {
        return Err(Refusal::Empty);
    }
    if key.len() > max {
        return Err(Refusal::TooLong);
    }
    if !key.iter().all(u8::is_ascii_graphic) {
        return Err(Refusal::Unprintable);
    }
    Ok(key)
}

/// The value of `name`, which must not be repeated, not even with the same value: hosts and
/// backends disagree on which one counts.
fn only<'a>(headers: &Headers<'a>, name: &str) -> Result<Option<&'a [u8]>, Refusal> {
    let mut values = headers.all(name);
    let first = values.next();
    if values.next().is_some() { Err(Refusal::Ambiguous) } else { Ok(first) }
}

/// What follows the scheme `Bearer`, whose case does not matter (RFC 9110, section 11.1).
fn bearer(value: &[u8]) -> Result<&[u8], Refusal> {
    let value = value.trim_ascii();
    if value.is_empty() {
        return Err(Refusal::Empty);
    }
    let (scheme, rest) = value.split_at_checked(6).ok_or(Refusal::NotBearer)?;
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        return Err(Refusal::NotBearer);
    }
    match rest.first() {
        None => Err(Refusal::Empty),
        Some(b' ') => Ok(rest.trim_ascii()),
        Some(_) => Err(Refusal::NotBearer),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Case =
        (&'static str, &'static [(&'static str, &'static [u8])], Result<&'static str, Refusal>);

    const CASES: &[Case] = &[
        ("bearer", &[("authorization", b"Bearer sk-1")], Ok("sk-1")),
        ("scheme in any case", &[("authorization", b"bEARER sk-1")], Ok("sk-1")),
        ("more spaces", &[("authorization", b"Bearer   sk-1 ")], Ok("sk-1")),
        ("x-api-key", &[("x-api-key", b"sk-1")], Ok("sk-1")),
        (
            "both, the same",
            &[("authorization", b"Bearer sk-1"), ("x-api-key", b"sk-1")],
            Ok("sk-1"),
        ),
        (
            "both, different",
            &[("authorization", b"Bearer sk-1"), ("x-api-key", b"sk-2")],
            Err(Refusal::Ambiguous),
        ),
        (
            "repeated",
            &[("authorization", b"Bearer sk-1"), ("authorization", b"Bearer sk-1")],
            Err(Refusal::Ambiguous),
        ),
        (
            "repeated x-api-key",
            &[("x-api-key", b"a"), ("x-api-key", b"b")],
            Err(Refusal::Ambiguous),
        ),
        (
            "joined by a proxy",
            &[("authorization", b"Bearer sk-1, Bearer sk-2")],
            Err(Refusal::Unprintable),
        ),
        ("none", &[("accept", b"*/*")], Err(Refusal::Missing)),
        ("not read: api-key", &[("api-key", b"sk-1")], Err(Refusal::Missing)),
        ("basic", &[("authorization", b"Basic c2stMQ==")], Err(Refusal::NotBearer)),
        (
            "basic beside a good key",
            &[("authorization", b"Basic c2stMQ=="), ("x-api-key", b"sk-1")],
            Err(Refusal::NotBearer),
        ),
        ("key alone", &[("authorization", b"sk-1")], Err(Refusal::NotBearer)),
        ("long key alone", &[("authorization", b"sk-12345678")], Err(Refusal::NotBearer)),
        ("no space", &[("authorization", b"Bearersk-1")], Err(Refusal::NotBearer)),
        ("empty header", &[("authorization", b"")], Err(Refusal::Empty)),
        ("scheme alone", &[("authorization", b"Bearer")], Err(Refusal::Empty)),
        ("empty x-api-key", &[("x-api-key", b"")], Err(Refusal::Empty)),
        ("two words", &[("x-api-key", b"sk-1 sk-2")], Err(Refusal::Unprintable)),
        ("not UTF-8", &[("authorization", b"Bearer \xff\xfe")], Err(Refusal::Unprintable)),
        ("NUL", &[("x-api-key", b"sk\x001")], Err(Refusal::Unprintable)),
        (
            "at the limit",
            &[("x-api-key", b"123456789012345678901234")],
            Ok("123456789012345678901234"),
        ),
        ("over the limit", &[("x-api-key", b"1234567890123456789012345")], Err(Refusal::TooLong)),
    ];

    #[test]
    fn finds_the_one_key_or_says_why_not() {
        for (name, headers, expected) in CASES {
            let pairs = headers.iter().map(|(n, v)| (n.as_bytes(), *v)).collect();
            let found = find(&Headers::new(pairs), 24);
            assert_eq!(found, expected.map(str::as_bytes), "{name}");
        }
    }
}
