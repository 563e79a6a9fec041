//! The request's `Content-Type`: RFC 7578 §4.1, RFC 2046 §5.1.1.

use crate::ContentTypeError;
use crate::parameter::{next, split};

/// The most bytes of a boundary.
pub(crate) const MOST_BOUNDARY: usize = 70;

/// A boundary that is one: 1 to 70 bytes of RFC 2046's alphabet, the last one no space.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Boundary(Vec<u8>);

impl Boundary {
    /// The boundary, without the hyphens that precede it in the body.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The boundary that a `Content-Type` of `multipart/form-data` names.
///
/// Parameters may be quoted or not, in any order and any case, with others around them; a `charset`
/// must be UTF-8. A boundary that is no token (RFC 2045 §5.1) must be quoted.
///
/// # Errors
///
/// If parsers would find another boundary, or none: see [`ContentTypeError`].
pub fn boundary(content_type: &[u8]) -> Result<Boundary, ContentTypeError> {
    let (media_type, mut rest) = split(content_type);
    if !media_type.eq_ignore_ascii_case(b"multipart/form-data") {
        return Err(ContentTypeError::NotFormData);
    }
    let (mut found, mut charset) = (None, None);
    while let Some(parameter) = next(&mut rest).map_err(|()| ContentTypeError::Malformed)? {
        let is = |name: &str| parameter.is(name);
        // RFC 2231: what some read as a `boundary` in pieces, others as another parameter.
        if parameter.name.to_ascii_lowercase().starts_with(b"boundary*") {
            return Err(ContentTypeError::Malformed);
        }
        let place = if is("boundary") {
            &mut found
        } else if is("charset") {
            &mut charset
        } else {
            continue;
        };
        if place.replace(parameter).is_some() {
            return Err(ContentTypeError::Malformed);
        }
    }
    if charset.is_some_and(|charset| !is_utf8(charset.value)) {
        return Err(ContentTypeError::Charset);
    }
    let found = found.ok_or(ContentTypeError::NoBoundary)?;
    // Not all of it without quotes: Go and busboy stop at what is no token (RFC 2045).
    let fits = |byte: &u8| {
        byte.is_ascii_alphanumeric()
            || b"'+_-.".contains(byte)
            || found.quoted && b"(),/:=? ".contains(byte)
    };
    if found.value.len() > MOST_BOUNDARY
        || !found.value.iter().all(fits)
        || matches!(found.value, [] | [.., b' '])
    {
        return Err(ContentTypeError::BadBoundary);
    }
    Ok(Boundary(found.value.to_vec()))
}

/// Whether text in this charset, if it is UTF-8, is read as that.
pub(crate) fn is_utf8(charset: &[u8]) -> bool {
    [&b"utf-8"[..], b"utf8", b"us-ascii"].iter().any(|name| charset.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_boundaries_as_all_parsers_do() {
        use ContentTypeError::{BadBoundary, Charset, Malformed, NoBoundary, NotFormData};
        let longest = "a".repeat(70);
        let [quoted, too_long] = [format!("\"{longest}\""), format!("{longest}a")];
        for (parameters, expected) in [
            // As curl, Chrome, Firefox, undici, requests and .NET write them.
            (
                "; boundary=------------------------53f56f10dbc6719b",
                Ok("------------------------53f56f10dbc6719b"),
            ),
            (
                "; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW",
                Ok("----WebKitFormBoundary7MA4YWxkTrZu0gW"),
            ),
            ("; boundary=----geckoformboundary9e2", Ok("----geckoformboundary9e2")),
            ("; boundary=----formdata-undici-065274016268", Ok("----formdata-undici-065274016268")),
            ("; boundary=aae24120c54ad6841dbf94ced841a87b", Ok("aae24120c54ad6841dbf94ced841a87b")),
            ("; boundary=\"a5d7c9b2-15f4-4b4a\"", Ok("a5d7c9b2-15f4-4b4a")),
            (";boundary=b", Ok("b")),
            (" \t;\tBOUNDARY=b ", Ok("b")),
            ("; charset=utf-8; x=\"a;\\\"b\"; boundary=b; y=c", Ok("b")),
            ("; boundary=b; charset=\"UTF-8\"", Ok("b")),
            ("; boundary=\"a b'()+_,-./:=?Z9\"", Ok("a b'()+_,-./:=?Z9")),
            ("; boundary=a'+_-.9", Ok("a'+_-.9")),
            ("; boundary=B", Ok("B")),
            (&format!("; boundary={longest}"), Ok(longest.as_str())),
            (&format!("; boundary={quoted}"), Ok(longest.as_str())),
            (&format!("; boundary={too_long}"), Err(BadBoundary)),
            ("; boundary=\"\"", Err(BadBoundary)),
            ("; boundary=\"b \"", Err(BadBoundary)),
            ("; boundary=\"b\\c\"", Err(BadBoundary)),
            ("; boundary=\"b\u{fc}\"", Err(BadBoundary)),
            ("; boundary=a=b", Err(BadBoundary)),
            ("; boundary=a/b", Err(BadBoundary)),
            ("; boundary=a,b", Err(BadBoundary)),
            ("; boundary=a*b", Err(BadBoundary)),
            ("; boundary=\"a\tb\"", Err(BadBoundary)),
            ("; boundary=\"a\rb\"", Err(BadBoundary)),
            ("", Err(NoBoundary)),
            ("; charset=utf-8", Err(NoBoundary)),
            ("; xboundary=b", Err(NoBoundary)),
            ("; boundary=", Err(Malformed)),
            ("; boundary", Err(Malformed)),
            ("; boundary =b", Err(Malformed)),
            ("; boundary= b", Err(Malformed)),
            ("; boundary=b;", Err(Malformed)),
            (";; boundary=b", Err(Malformed)),
            ("; boundary=b c", Err(Malformed)),
            ("; boundary=\"b", Err(Malformed)),
            ("; boundary=\"b\"c", Err(Malformed)),
            ("; boundary=\"b\\\"", Err(Malformed)),
            ("; boundary=b; boundary=b", Err(Malformed)),
            ("; boundary=b; Boundary=c", Err(Malformed)),
            ("; boundary*=utf-8''b", Err(Malformed)),
            ("; boundary=b; boundary*0=c", Err(Malformed)),
            ("; boundary=b; charset=utf-8; charset=utf-8", Err(Malformed)),
            ("; boundary=b; charset=utf-16", Err(Charset)),
            ("; charset=utf-7; boundary=b", Err(Charset)),
            ("; charset=iso-8859-1; boundary=b", Err(Charset)),
            (", multipart/form-data; boundary=b", Err(NotFormData)),
            ("-data; boundary=b", Err(NotFormData)),
        ] {
            let header = format!("Multipart/Form-Data{parameters}");
            let found = boundary(header.as_bytes());
            let found = found.as_ref().map(Boundary::as_bytes).map_err(|error| *error);
            assert_eq!(found, expected.map(str::as_bytes), "{header}");
        }
        for header in ["", ";", "multipart/mixed; boundary=b", "application/json", "multipart/"] {
            assert_eq!(boundary(header.as_bytes()), Err(NotFormData), "{header}");
        }
    }

    #[test]
    fn never_panics_and_takes_only_what_the_alphabet_has() {
        for byte in 0..=255u8 {
            for (before, after) in [("", ""), ("\"", "\"")] {
                let mut header = format!("multipart/form-data; boundary={before}a").into_bytes();
                header.push(byte);
                header.extend_from_slice(b"z");
                header.extend_from_slice(after.as_bytes());
                let alphabet = byte.is_ascii_alphanumeric()
                    || b"'+_-.".contains(&byte)
                    || !before.is_empty() && b"(),/:=? ".contains(&byte);
                assert_eq!(boundary(&header).is_ok(), alphabet, "{byte} {before}");
            }
        }
    }
}
