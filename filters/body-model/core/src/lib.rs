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

mod body;
mod config;
mod document;
pub mod estimate;
mod form;
mod listing;
mod options;
mod pattern;
mod policy;
mod publish;
mod reading;
mod refusal;
mod request;
mod watch;

use std::rc::Rc;

use tollgate_config::Problems;
use tollgate_effects::{Configured, Environment, Plugin};

use config::Config;
use watch::Watch;

#[cfg(feature = "schema")]
pub use config::config_schema;
pub use request::Request;

/// The body-model filter.
pub struct BodyModel {
    config: Rc<Config>,
    watch: Rc<Watch>,
}

impl Plugin for BodyModel {
    const NAME: &'static str = "body-model";

    type Stream = Request;

    fn configure(config: &[u8], _: &dyn Environment) -> Result<Configured<Self>, Problems> {
        let (config, warnings) = config::check(config)?;
        let plugin = Self { config: Rc::new(config), watch: Rc::default() };
        Ok(Configured { plugin, warnings })
    }

    fn stream(&self) -> Request {
        Request::new(Rc::clone(&self.config), Rc::clone(&self.watch))
    }

    fn tick_period(&self) -> u32 {
        self.watch.tick_period()
    }
}

#[cfg(test)]
mod tests;
