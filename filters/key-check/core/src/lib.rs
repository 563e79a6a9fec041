//! Who is calling, from the request's headers alone: nothing of the body is read for a stranger.
//!
//! 1. what only this filter may write, and every credential, is taken off the request;
//! 2. on an open path the request goes on, as nobody;
//! 3. the one key of the request is found ([`credential`]), looked up ([`keyring`]), and must be
//!    enabled and not expired;
//! 4. what the configuration says about its owner is published: the fact `tollgate.caller`, and the
//!    headers that were asked for.
//!
//! Not here: which model the caller may use (`body-model` and `provider-rewrite` compare the caller's
//! list), limits (`token-count`), issuing keys.

mod config;
mod credential;
mod keyring;
mod refusal;

use std::rc::Rc;

use tollgate_api::Dialect;
use tollgate_config::Problems;
use tollgate_effects::{
    Configured, Context, Effect, Effects, Environment, Flow, Headers, Phase, Plugin, Stream, Want,
};

use config::Policy;
use keyring::Key;
use refusal::Refusal;

#[cfg(feature = "schema")]
pub use config::config_schema;

/// The key-check filter.
pub struct KeyCheck {
    policy: Rc<Policy>,
}

impl Plugin for KeyCheck {
    const NAME: &'static str = "key-check";
    const READS_CLOCK: bool = true;

    type Stream = Check;

    fn configure(config: &[u8], env: &dyn Environment) -> Result<Configured<Self>, Problems> {
        let (policy, warnings) = config::check(config, env.now())?;
        Ok(Configured { plugin: Self { policy: Rc::new(policy) }, warnings })
    }

    fn stream(&self) -> Check {
        Check { policy: Rc::clone(&self.policy) }
    }
}

/// The check of one request.
pub struct Check {
    policy: Rc<Policy>,
}

impl Stream for Check {
    fn wants(&self, _: Phase) -> Want {
        Want::Nothing
    }

    fn on_request_headers(
        &mut self,
        ctx: Context<'_>,
        headers: &Headers<'_>,
        _: bool,
        out: &mut Effects,
    ) -> Flow {
        let path = headers.get(":path").unwrap_or_default();
        if self.policy.is_open(path) {
            self.policy.stripped.strip(headers, out);
            out.push(count("tollgate_key_check.open"));
            return Flow::Continue;
        }
        match self.identify(ctx, headers) {
            Ok(key) => {
                self.policy.stripped.strip(headers, out);
                out.extend(key.grants.iter().cloned());
                out.push(count("tollgate_key_check.allowed"));
                Flow::Continue
            }
            Err(refusal) => {
                out.push(count(refusal.metric()));
                out.push(refusal.error().reply(Dialect::of_path(path)));
                Flow::Pause
            }
        }
    }
}

impl Check {
    /// The key that the request carries, if it is good now.
    fn identify(&self, ctx: Context<'_>, headers: &Headers<'_>) -> Result<&Key, Refusal> {
        let key = credential::find(headers, self.policy.max_key_bytes)?;
        let key = self.policy.keyring.find(key).ok_or(Refusal::Unknown)?;
        if !key.enabled {
            return Err(Refusal::Disabled);
        }
        if key.expires_at.is_some_and(|expiry| ctx.now >= expiry) {
            return Err(Refusal::Expired);
        }
        Ok(key)
    }
}

fn count(metric: &'static str) -> Effect {
    Effect::Count { metric: metric.into(), by: 1 }
}

#[cfg(test)]
mod tests;
