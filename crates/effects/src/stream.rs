//! The callbacks of a filter.

use tollgate_config::{Problems, Warning};

use crate::{Context, Effects, Environment, Headers};

/// Whether the host lets the message go on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use]
pub enum Flow {
    /// Pass on what is held, changed as the effects say.
    Continue,
    /// Hold headers, or the body so far. Needs a later callback to let go: another piece of the
    /// same message always comes, or its end.
    Pause,
}

/// A callback of the host that a core can do without; request headers are always delivered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Phase {
    /// A piece of the request body.
    RequestBody,
    /// Time has passed: see [`Plugin::tick_period`].
    Tick,
    /// Response headers.
    ResponseHeaders,
    /// A piece of the response body.
    ResponseBody,
    /// The stream is over, however it ended. Not delivered to upstream filters.
    Log,
}

/// How a phase is delivered to the core.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Want {
    /// Not at all: no host call, no copy, and the message goes on.
    Nothing,
    /// As it comes: a body piece by piece, each byte once.
    Pieces,
    /// As [`Want::Pieces`], and a piece of more than [`WINDOW`] bytes in several calls ([`Body::more`]): memory
    /// of a VM never shrinks, and a host that held the body before hands it over at once.
    Windows,
    /// A body only when it is complete; until then the core sees its size so far, to refuse it.
    Whole,
}

/// The most bytes of a piece with [`Want::Windows`].
pub const WINDOW: usize = 64 * 1024;

/// A piece of a body.
#[derive(Clone, Copy, Debug)]
pub struct Body<'a> {
    /// The bytes that the core has not seen yet. With [`Want::Whole`]: empty until the end, then all.
    pub bytes: &'a [u8],
    /// How many bytes the host holds now, these included: what [`crate::Effect::EditBody`] and
    /// [`crate::Effect::ReplaceBody`] act on. Larger than `bytes` after a [`Flow::Pause`].
    pub held: usize,
    /// Whether more of what the host holds now comes right away, in another call ([`Want::Windows`]). The
    /// flow that is returned counts for nothing then: the one of the last call does.
    pub more: bool,
    /// Whether the body ends here. A body ended by trailers gets a last, empty piece.
    pub end: bool,
}

/// A plugin with its configuration, which outlives the streams it filters. One per worker.
pub trait Plugin: Sized + 'static {
    /// The filter's name, as in `tollgate check --filter NAME`.
    const NAME: &'static str;

    /// Whether the callbacks need [`Context::now`]; reading it is a host call.
    const READS_CLOCK: bool = false;

    /// The filter's state for one exchange.
    type Stream: Stream;

    /// Checks `config` (JSON; empty means none was given).
    ///
    /// # Errors
    ///
    /// All problems at once; the host then refuses the configuration.
    fn configure(config: &[u8], env: &dyn Environment) -> Result<Configured<Self>, Problems>;

    /// State for a new exchange.
    fn stream(&self) -> Self::Stream;

    /// How often, in milliseconds, [`Stream::on_tick`] is to be called on the open exchanges that want
    /// [`Phase::Tick`]; 0: not at all. Asked after every callback that can change it.
    fn tick_period(&self) -> u32 {
        0
    }
}

/// A configuration that was accepted.
#[derive(Debug)]
pub struct Configured<P> {
    /// The plugin, ready for streams.
    pub plugin: P,
    /// What the operator should know all the same, such as a secret in plain text.
    pub warnings: Vec<Warning>,
}

/// A filter's side of one exchange: the host's callbacks, in the host's order.
///
/// Every method but [`Stream::wants`] and [`Stream::on_request_headers`] lets things pass unless the
/// filter says otherwise. After a [`crate::Effect::Reply`] no further callback comes but
/// [`Stream::on_log`].
pub trait Stream: 'static {
    /// How to deliver `phase` from now on. Asked before each callback but the request headers.
    fn wants(&self, phase: Phase) -> Want;

    /// The request headers; `end` if there is no body.
    fn on_request_headers(
        &mut self,
        ctx: Context<'_>,
        headers: &Headers<'_>,
        end: bool,
        out: &mut Effects,
    ) -> Flow;

    /// A piece of the request body.
    fn on_request_body(&mut self, ctx: Context<'_>, body: Body<'_>, out: &mut Effects) -> Flow {
        let _ = (ctx, body, out);
        Flow::Continue
    }

    /// Time has passed. [`Flow::Continue`] lets a held request go on; [`Flow::Pause`] leaves all as it is.
    fn on_tick(&mut self, ctx: Context<'_>, out: &mut Effects) -> Flow {
        let _ = (ctx, out);
        Flow::Pause
    }

    /// The response headers; `end` if there is no body.
    fn on_response_headers(
        &mut self,
        ctx: Context<'_>,
        headers: &Headers<'_>,
        end: bool,
        out: &mut Effects,
    ) -> Flow {
        let _ = (ctx, headers, end, out);
        Flow::Continue
    }

    /// A piece of the response body.
    fn on_response_body(&mut self, ctx: Context<'_>, body: Body<'_>, out: &mut Effects) -> Flow {
        let _ = (ctx, body, out);
        Flow::Continue
    }

    /// The exchange is over. Only filter state, counters and logs still have an effect.
    fn on_log(&mut self, ctx: Context<'_>, out: &mut Effects) {
        let _ = (ctx, out);
    }
}
