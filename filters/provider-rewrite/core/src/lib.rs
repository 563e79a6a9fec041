//! The client's dialect to the provider's and back, once per attempt.
//!
//! One [`ProviderRewrite`] holds the configuration; each attempt is an `Attempt`:
//!
//! 1. *Request headers* (`attempt`): what an earlier attempt changed is undone (`original`); the
//!    provider is chosen from the endpoint's metadata (`target`); everything that is not on the
//!    allow-list goes, the provider's path, host and credential come (`headers`).
//! 2. *Request body*: where the dialects are the same only the model's bytes change; else the chat
//!    completion (`chat`) is translated by the provider's folder in `providers`.
//! 3. *Response*: errors are mapped (`errors`); JSON is translated whole, streams event by event;
//!    where the dialects are the same only the model's name is put back (`restamp`).
//!
//! Every provider has a folder with the same files and verbs, and one row in `providers::Dialect`.
//!
//! Not here: which endpoint is tried next (the host's clusters), signing (native filters behind
//! this one), counting (token-count).

mod attempt;
mod chat;
mod config;
mod errors;
mod headers;
mod json;
mod model;
mod original;
mod providers;
mod refusal;
mod restamp;
mod target;

use std::rc::Rc;

use tollgate_config::Problems;
use tollgate_effects::{Configured, Environment, Plugin};

pub use attempt::Attempt;
#[cfg(feature = "schema")]
pub use config::schema as config_schema;

/// The provider-rewrite filter with its configuration.
#[derive(Debug)]
pub struct ProviderRewrite {
    config: Rc<config::Config>,
}

impl Plugin for ProviderRewrite {
    const NAME: &'static str = config::NAME;
    /// For `created` of translated answers.
    const READS_CLOCK: bool = true;

    type Stream = Attempt;

    fn configure(config: &[u8], env: &dyn Environment) -> Result<Configured<Self>, Problems> {
        let (config, warnings) = config::Config::read(config, env)?;
        Ok(Configured { plugin: Self { config: Rc::new(config) }, warnings })
    }

    fn stream(&self) -> Attempt {
        Attempt::new(Rc::clone(&self.config))
    }
}
