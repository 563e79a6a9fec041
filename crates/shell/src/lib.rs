//! The one place that calls the proxy-wasm host.
//!
//! A filter's `lib.rs` is `proxy_wasm::main!` with a [`Root`] of its plugin; all else is here:
//! [`host`] has the host functions (raw, since the SDK's wrappers panic on bytes that are not UTF-8
//! and on statuses they do not know), [`effects`] performs what a core asks for, [`exchange`] is the
//! host's side of one exchange, in the four steps that `tollgate_effects` numbers.
//!
//! Not here: any decision. A behaviour that cannot be tested without a host is in the wrong place.

mod effects;
mod exchange;
mod host;
mod root;

pub use root::Root;
