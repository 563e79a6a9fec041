//! An offline proxy-wasm host, and the runner of scenarios on it or on a real Envoy.
//!
//! 1. [`plan::Plan::load`] reads a scenario file ([`scenario`] is the format);
//! 2. [`modules::build`] compiles the filters that it names;
//! 3. a host runs the plan and gives a [`report::Report`];
//! 4. [`judge::judge`] compares it with what the scenario expects.

pub mod judge;
pub mod load;
pub mod modules;
pub mod plan;
pub mod report;
pub mod scenario;
