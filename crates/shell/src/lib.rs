//! The one place that calls the proxy-wasm host, and that it calls.
//!
//! A filter's `lib.rs` is [`filter`] with its plugin; all else is here: [`exports`] has the callbacks by
//! their names, [`worker`] finds the exchange that one is for, [`exchange`] is the host's side of one
//! exchange, in the four steps that `tollgate_effects` numbers, [`effects`] performs what a core asks for,
//! and [`host`] has the host functions.
//!
//! Not here: any decision. A behaviour that cannot be tested without a host is in the wrong place.

mod contexts;
mod effects;
mod exchange;
mod exports;
mod host;
mod worker;

#[doc(hidden)]
pub use worker::install;
