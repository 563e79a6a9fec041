//! What a filter core gets from its host, and the effects it asks for.
//!
//! A core has one method per host callback ([`Stream`]). It gets bytes, pushes [`Effect`]s, and
//! returns [`Flow::Continue`] or [`Flow::Pause`]. It never calls the host: same input, same effects,
//! on any machine. The one thing it may do besides is *read*: [`Context::property`] is lazy because
//! each read is a host call, and answers the same however often it is asked within a callback.
//!
//! One callback, in the numbers that `tollgate-shell` uses too:
//!
//! 1. the shell asks [`Stream::wants`] whether the core cares for this phase at all;
//! 2. it reads the headers or the new bytes of the body, each with one host call;
//! 3. it calls the core's method;
//! 4. it performs the effects in order, and answers the host with the flow.
//!
//! Not here: host calls (`tollgate-shell`), and what the filters tell each other (`tollgate-facts`).

mod context;
mod edit;
mod effect;
mod headers;
mod stream;
#[cfg(feature = "testkit")]
pub mod testkit;

pub use context::{Context, Environment, Properties, UnixNanos};
pub use edit::{Edit, HeldBody, apply, splice};
pub use effect::{Direction, Effect, Effects, LogLevel, Reply};
pub use headers::{Headers, media_type};
pub use stream::{Body, Configured, Flow, Phase, Plugin, Stream, WINDOW, Want};
