//! The API that clients call: which operation a path names, which dialect it speaks, and the errors
//! that its clients read.
//!
//! [`Paths::call`] is the way in: it reads a `:path` once per request, and says which [`Endpoint`] it
//! is, where its model is named (in the body, or as [`PathModel`] in the path), and whether the path
//! alone decides about a stream. Every filter that answers a client itself does so through
//! [`ApiError`], so that an SDK raises the same class whichever filter refused.
//!
//! Not here: request and response bodies (each filter reads what it needs), methods (a `GET` with a
//! path of the API is for the filter to judge), and provider errors (`provider-rewrite` maps them).

mod call;
mod dialect;
mod endpoint;
mod error;
mod listing;
mod operations;
mod paths;
mod pattern;
mod query;
mod segments;
#[cfg(any(test, feature = "testkit"))]
pub mod testkit;

pub use call::{Call, PathError, PathModel, PathReason, Streams};
pub use dialect::Dialect;
pub use endpoint::Endpoint;
pub use error::ApiError;
pub use listing::Listing;
pub use paths::{Paths, PathsProblem};
pub use query::query_parameter;
