//! Which model a request asks for, from its JSON body, for everything that has to know before the
//! request is routed.
//!
//! 1. headers that only this filter may write are taken off, on every path ([`publish`]);
//! 2. a request to an endpoint of the API is held, its body scanned as it comes ([`document`]);
//! 3. at its end the model is resolved, must be in the catalogue, and must be one that the caller may
//!    use ([`policy`]);
//! 4. the model is published, an alias replaced in the body, and the route chosen again.
//!
//! Whatever cannot be read one way only is refused ([`refusal`]): a gateway that reads a body
//! differently from the backend behind it is a way around the gateway.
//!
//! Not here: which path is an endpoint (`tollgate-api`), JSON (`tollgate-json`), who is calling
//! (`key-check`), other fields of the body (`token-count`, `provider-rewrite`).

#![expect(dead_code, reason = "what request.rs does not use yet")]

mod config;
mod document;
#[cfg_attr(not(test), expect(dead_code, reason = "requests do not read forms yet"))]
mod form;
mod options;
mod pattern;
pub mod estimate;
mod policy;
mod publish;
mod refusal;
mod request;

use std::rc::Rc;

use tollgate_config::Problems;
use tollgate_effects::{Configured, Environment, Plugin};

use config::Config;

#[cfg(feature = "schema")]
pub use config::config_schema;
pub use request::Request;

/// The body-model filter.
pub struct BodyModel {
    config: Rc<Config>,
}

impl Plugin for BodyModel {
    const NAME: &'static str = "body-model";

    type Stream = Request;

    fn configure(config: &[u8], _: &dyn Environment) -> Result<Configured<Self>, Problems> {
        let (config, warnings) = config::check(config)?;
        Ok(Configured { plugin: Self { config: Rc::new(config) }, warnings })
    }

    fn stream(&self) -> Request {
        Request::new(Rc::clone(&self.config))
    }
}

#[cfg(test)]
mod tests;
