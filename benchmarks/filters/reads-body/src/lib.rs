//! What reading costs: takes the headers, holds them, reads the body as it comes, and lets both go at its end.
//!
//! A yardstick for `benchmarks/envoy/body_model.py`, on the same shell as the filters; no filter to use.

use tollgate_config::Problems;
use tollgate_effects::{
    Body, Configured, Context, Effects, Environment, Flow, Headers, Phase, Plugin, Stream, Want,
};

tollgate_shell::filter!(ReadsBody);

/// The filter.
struct ReadsBody;

impl Plugin for ReadsBody {
    const NAME: &'static str = "reads-body";

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
        hold_until(end)
    }

    fn on_request_body(&mut self, _: Context<'_>, body: Body<'_>, _: &mut Effects) -> Flow {
        hold_until(body.end)
    }
}

fn hold_until(end: bool) -> Flow {
    if end { Flow::Continue } else { Flow::Pause }
}
