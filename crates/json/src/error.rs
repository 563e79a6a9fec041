//! Why a document was refused.

use std::fmt;

/// Why a document was refused. Never holds any of its text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Error {
    /// The document ended too early; an empty one too.
    Incomplete,
    /// The document is something else than an object.
    NotAnObject,
    /// Not JSON.
    Syntax {
        /// Bytes before the offending one.
        offset: usize,
    },
    /// Arrays and objects are nested deeper than [`crate::Limits::depth`].
    TooDeep {
        /// Bytes before the bracket that is too many.
        offset: usize,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incomplete => f.write_str("the JSON ends too early"),
            Self::NotAnObject => f.write_str("expected a JSON object"),
            Self::Syntax { offset } => write!(f, "invalid JSON at byte {offset}"),
            Self::TooDeep { offset } => write!(f, "JSON nested too deep at byte {offset}"),
        }
    }
}

impl std::error::Error for Error {}
