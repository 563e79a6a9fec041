//! The API that clients call: endpoints, dialects, and the errors they read.
//!
//! Every filter that answers a client itself does so through [`ApiError`], so that an SDK raises the
//! same class whichever filter refused.
//!
//! Not here: request and response bodies (each filter reads what it needs), and provider errors
//! (`provider-rewrite` maps them).

mod endpoint;
mod error;

pub use endpoint::{Dialect, Endpoint};
pub use error::ApiError;
