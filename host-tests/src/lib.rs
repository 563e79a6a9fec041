//! An offline proxy-wasm host, and the runner of scenarios on it or on a real Envoy.

pub mod plan;
pub mod report;
pub mod scenario;
