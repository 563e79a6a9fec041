//! How many tokens an exchange cost, from the provider's own numbers.
//!
//! 1. Request headers: is this an operation that reports usage? Then the response must stay readable
//!    (`accept-encoding` goes), and if a stream may be asked for, the headers wait for the body.
//! 2. Request body: a stream that would not report its usage is made to ([`request`]), by an edit of
//!    those bytes only.
//! 3. Response headers: only what comes from an upstream counts, and only a 2xx has usage.
//! 4. Response body: `usage` is read as the bytes flow by ([`response`]); of a stream, the extra event
//!    that only this filter asked for is taken out. At the end the exchange is settled.
//! 5. Log: an exchange that broke off is settled here, with what was seen.
//!
//! Settling means the fact `tollgate.usage` and the counters ([`metrics`]), once per exchange.
//!
//! Not here: tokenizers (numbers are the provider's or none), dialects other than OpenAI's
//! (provider-rewrite, which runs nearer to the upstream, translates), limits, prices.

mod config;
mod exchange;
mod metrics;
mod openai;
mod request;
mod response;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tollgate_config::Problems;
use tollgate_effects::{Configured, Environment, Plugin};

use config::Config;
use metrics::Labels;

#[cfg(feature = "schema")]
pub use config::config_schema;
pub use exchange::Exchange;

/// The token-count filter.
pub struct TokenCount {
    shared: Rc<Shared>,
}

/// What the streams of a worker have in common.
struct Shared {
    config: Config,
    labels: RefCell<Labels>,
    /// The log has a line about a request too large to be asked for its usage.
    told_too_large: Cell<bool>,
}

impl Plugin for TokenCount {
    const NAME: &'static str = "token-count";

    type Stream = Exchange;

    fn configure(config: &[u8], _: &dyn Environment) -> Result<Configured<Self>, Problems> {
        let (config, warnings) = config::check(config)?;
        let labels = RefCell::new(Labels::new(config.max_model_labels));
        let shared = Shared { config, labels, told_too_large: Cell::new(false) };
        Ok(Configured { plugin: Self { shared: Rc::new(shared) }, warnings })
    }

    fn stream(&self) -> Exchange {
        Exchange::new(Rc::clone(&self.shared))
    }
}
