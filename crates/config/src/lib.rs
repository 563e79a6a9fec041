//! From a plugin configuration to checked values, or to all of its problems at once.
//!
//! Two stages. [`read()`] turns JSON into a filter's raw struct (serde, camelCase,
//! `deny_unknown_fields`, no `flatten`, no `untagged`, **every field optional or defaulted**): serde
//! stops at the first mistake, so `read` notes it, takes the mistaken value out, and reads on. The
//! filter then checks values and missing ones with [`Reader::problem`] and ends with
//! [`Reader::finish`], which refuses the configuration with every problem of both stages.
//!
//! [`read_fields`] does the same by tables ([`fields!`]) and without serde: for a filter with many
//! fields, where serde's code for each would be a third of the module (`benchmarks/record`).
//!
//! A configuration can hold secrets, so no message repeats a string of it except a misspelt field or
//! variant name.
//!
//! Not here: YAML (manifests are transcoded to JSON before a filter sees them), and what the values
//! mean.

mod deserializer;
mod fields;
mod json;
mod problem;
mod read;

pub use fields::{ByName, FromValue, Place, Thousandths, object, set};
pub use json::Json;
pub use problem::{Problem, Problems, Warning, nearest};
pub use read::{Reader, read, read_fields};
