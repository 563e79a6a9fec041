//! Why a body was refused.

use std::fmt;

/// Why a body was refused. Never holds any of its bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Error {
    /// The checksum or the length at the end is that of other bytes.
    Checksum,
    /// Not the format that it is said to have.
    Corrupt,
    /// The body ended too early; an empty one too.
    Incomplete,
    /// It decodes to more bytes than the limit.
    TooLarge,
    /// Something comes behind the end: another gzip member, or any other byte.
    Trailing,
    /// It sets codes far more often than it uses them: made to cost time.
    Wasteful,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Checksum => "the compressed body does not match its checksum",
            Self::Corrupt => "the body is not in the format of its content-encoding",
            Self::Incomplete => "the compressed body ends too early",
            Self::TooLarge => "the body is larger than the limit once decompressed",
            Self::Trailing => "the compressed body goes on behind its end",
            Self::Wasteful => "the compressed body has more tables than an encoder writes",
        })
    }
}

impl std::error::Error for Error {}
