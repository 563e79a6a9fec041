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
/// must be UTF-8.
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
        if is("boundary*") || parameter.name.to_ascii_lowercase().starts_with(b"boundary*") {
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
    let fits = |byte: &u8| {
        byte.is_ascii_alphanumeric()
            || b"'+_-./:=?".contains(byte)
            || found.quoted && b"(), ".contains(byte)
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
