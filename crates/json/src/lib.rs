//! A JSON scanner that finds top-level members in any chunking, without a copy of the body.
//!
//! [`Scanner`] checks that the pieces it is given make up one JSON object, and notes for each wanted
//! top-level member where its value is, how often its key occurs, and the value itself up to a size.
//! It is strict where parsers disagree, since a gateway and a backend that read the same bytes
//! differently are a way around the gateway:
//!
//! - the whole document is checked by RFC 8259's grammar, to its last byte; strings must be UTF-8 and
//!   their escapes must name Unicode scalar values (no lone surrogates);
//! - keys are compared after unescaping, and counted also when only their case differs: Go's
//!   `encoding/json` takes `"Model"` for `model` (and folds `ſ` to `s`, the Kelvin sign to `k`).
//!
//! One difference to `serde_json::Value`, which accepts the same objects otherwise: numbers are not
//! converted, so `1e999` is no error, and nesting has its own limit ([`Limits::depth`]).
//!
//! Memory is bounded by the sum of [`Wanted::keep`]; time is linear, in long strings several bytes
//! per cycle.
//!
//! [`Writer`] writes small answers, so that filters that rebuild no bodies need no serde_json: it is a quarter of such
//! a module.
//!
//! Not here: values nested deeper, trees (`serde_json` where a body is rebuilt).

mod depth;
mod error;
mod member;
mod number;
mod plain;
mod removal;
mod scanner;
mod string;
mod strings;
mod unescape;
mod writer;

pub use error::Error;
pub use member::{Kind, Member, Wanted};
pub use scanner::{Limits, Scanner};
pub use strings::Strings;
pub use unescape::unescape;
pub use writer::{Writer, quoted, strings};
