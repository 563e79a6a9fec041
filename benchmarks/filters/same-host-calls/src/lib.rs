//! What body-model's host calls cost: the same calls in the same callbacks, with values of the same length, and no
//! look at the body.
//!
//! A yardstick for `benchmarks/envoy/body_model.py`, which first compares the host calls of the two call by call on
//! the offline host, so that it cannot fall behind body-model unnoticed. On the same shell as the filters; no
//! filter to use.

use tollgate_config::Problems;
use tollgate_effects::{
    Body, Configured, Context, Direction, Effect, Effects, Environment, Flow, Headers, Phase,
    Plugin, Stream, Want,
};

tollgate_shell::filter!(SameHostCalls);

/// What body-model tells about the requests of the benchmark, as it writes it.
const MODEL: &[u8] = b"llama-3.1-8b";
const REQUEST: &[u8] = br#"{"requestedModel":"llama-3.1-8b","model":"llama-3.1-8b","baseModel":"llama-3.1-8b","stream":false,"endpoint":"chat_completions","dialect":"openai"}"#;

/// The filter.
struct SameHostCalls;

impl Plugin for SameHostCalls {
    const NAME: &'static str = "same-host-calls";

    type Stream = Request;

    fn configure(_: &[u8], _: &dyn Environment) -> Result<Configured<Self>, Problems> {
        Ok(Configured { plugin: Self, warnings: Vec::new() })
    }

    fn stream(&self) -> Request {
        Request
    }
}

/// One request.
struct Request;

impl Stream for Request {
    fn wants(&self, phase: Phase) -> Want {
        match phase {
            Phase::RequestBody => Want::Windows,
            _ => Want::Nothing,
        }
    }

    fn on_request_headers(
        &mut self,
        _: Context<'_>,
        _: &Headers<'_>,
        end: bool,
        _: &mut Effects,
    ) -> Flow {
        if end { Flow::Continue } else { Flow::Pause }
    }

    fn on_request_body(&mut self, ctx: Context<'_>, body: Body<'_>, out: &mut Effects) -> Flow {
        if !body.end {
            return Flow::Pause;
        }
        let _ = ctx.property(&["tollgate.caller"]);
        out.push(filter_state("tollgate.request", REQUEST));
        out.push(filter_state("tollgate.model", MODEL));
        out.push(header("x-gateway-model-name", MODEL));
        out.push(header("x-gateway-stream", b"false"));
        out.push(Effect::ClearRouteCache);
        Flow::Continue
    }
}

fn header(name: &'static str, value: &[u8]) -> Effect {
    Effect::SetHeader { on: Direction::Request, name: name.into(), value: value.to_vec() }
}

fn filter_state(key: &'static str, value: &[u8]) -> Effect {
    Effect::SetFilterState { key, value: value.to_vec() }
}
