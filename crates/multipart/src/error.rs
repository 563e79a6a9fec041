//! Why a form was refused.

use std::fmt;

/// Why a `Content-Type` was refused. Never holds any of its text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ContentTypeError {
    /// It is something else than `multipart/form-data`.
    NotFormData,
    /// Its parameters are not `; name=value`, or one occurs twice.
    Malformed,
    /// It has no `boundary`.
    NoBoundary,
    /// The boundary is not 1 to 70 bytes of RFC 2046's alphabet, or ends in a space.
    BadBoundary,
    /// It names a charset other than UTF-8, in which some backends (Starlette) read the names.
    Charset,
}

impl fmt::Display for ContentTypeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFormData => "expected content-type multipart/form-data",
            Self::Malformed => "the parameters of content-type cannot be read",
            Self::NoBoundary => "content-type has no boundary",
            Self::BadBoundary => {
                "the boundary in content-type must be 1 to 70 letters, digits or `'()+_,-./:=?`"
            }
            Self::Charset => "the charset in content-type must be utf-8",
        })
    }
}

impl std::error::Error for ContentTypeError {}

/// Why a body was refused. Never holds any of its text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Error {
    /// The body ended before the closing delimiter; an empty one too.
    Incomplete,
    /// Not a form that all parsers read alike.
    Malformed {
        /// Where: the offending byte, or the first byte of an offending header or delimiter.
        offset: usize,
        /// What is wrong there.
        reason: Reason,
    },
}

/// What is wrong with a body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Reason {
    /// It does not begin with the boundary.
    Start,
    /// A CR without LF, or an LF without CR.
    LineBreak,
    /// `--boundary` is not a delimiter line of its own.
    Delimiter,
    /// Something follows the closing delimiter.
    Epilogue,
    /// A part's header is not `name: value`, or occurs twice.
    Header,
    /// A part's headers have more bytes than [`crate::Limits::header_bytes`].
    HeaderBytes,
    /// A part has more headers than [`crate::Limits::headers`].
    Headers,
    /// There are more parts than [`crate::Limits::parts`].
    Parts,
    /// A part's `Content-Disposition` is missing, is not `form-data` with one `name`, or is one in
    /// which some parser could find another name.
    Disposition,
    /// A wanted field is in a transfer encoding, or is not plain text in UTF-8.
    Encoding,
    /// There is a `_charset_` field (RFC 7578 §4.6), which says how to read the others.
    Charset,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incomplete => f.write_str("the form ends before its closing boundary"),
            Self::Malformed { offset, reason } => write!(f, "{reason} at byte {offset}"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start => "expected the boundary of content-type",
            Self::LineBreak => "expected lines to end in CR LF",
            Self::Delimiter => "the boundary occurs outside of a delimiter line",
            Self::Epilogue => "unexpected bytes behind the closing boundary",
            Self::Header => "expected part headers of the form `name: value`, each once",
            Self::HeaderBytes => "the headers of a part are too long",
            Self::Headers => "a part has too many headers",
            Self::Parts => "too many parts",
            Self::Disposition => {
                "expected a part with one header `Content-Disposition: form-data; name=\"…\"`"
            }
            Self::Encoding => "expected a field of plain text in UTF-8",
            Self::Charset => "unexpected field `_charset_`",
        })
    }
}

impl std::error::Error for Error {}
