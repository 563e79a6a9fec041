//! One attempt: the host's callbacks, and what is known from one to the next.
//!
//! Not here: what the request's callbacks decide ([`request`]), and the response's ([`response`]).

mod path;
mod request;
mod response;
mod stream;

use std::rc::Rc;

use tollgate_api::{ApiError, Dialect as ClientDialect};
use tollgate_effects::{Body, Context, Effects, Flow, Headers, Phase, Stream, Want};
use tollgate_facts::{Caller, Request};

use crate::chat::tool_names::ToolNames;
use crate::config::{Config, Provider, Secret};
use crate::providers::ChatTranslation;
use response::Answering;

/// One attempt of one request at one provider.
pub struct Attempt {
    config: Rc<Config>,
    /// The dialect of errors.
    client: ClientDialect,
    /// Set once the request may go to a provider.
    route: Option<Route>,
    sending: Sending,
    names: Names,
    answering: Answering,
}

/// What was decided at the request's headers.
struct Route {
    /// Index in the configuration.
    provider: usize,
    /// How the client's chat completion is translated; `None` if both sides speak the same dialect.
    translation: Option<&'static ChatTranslation>,
    /// The gateway's name of the model, from the endpoint's metadata, else from body-model.
    model: Option<String>,
    caller: Option<Caller>,
    requested: Option<Request>,
    /// Whether the path is an operation that needs a model.
    is_operation: bool,
    /// The credential that was sent, to keep it out of messages.
    secret: Option<Secret>,
}

/// What happens to the request's body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Sending {
    /// Its model is edited in place.
    EditModel,
    /// It passes unread.
    Pass,
    /// It is translated.
    Translate,
}

/// What the response's translation must know of the request.
#[derive(Debug, Default)]
struct Names {
    /// The model as the client calls it, and as the provider does.
    client_model: Option<String>,
    wire_model: Option<String>,
    tools: ToolNames,
    include_usage: bool,
}

impl Attempt {
    pub(crate) fn new(config: Rc<Config>) -> Self {
        Self {
            config,
            client: ClientDialect::OpenAi,
            route: None,
            sending: Sending::Pass,
            names: Names::default(),
            answering: Answering::Pass,
        }
    }

    /// Ends the attempt, and with it the request.
    fn refuse(&mut self, error: ApiError, out: &mut Effects) -> Flow {
        self.route = None;
        out.push(error.reply(self.client));
        Flow::Pause
    }

    fn provider(&self) -> Option<&Provider> {
        self.config.providers.get(self.route.as_ref()?.provider)
    }
}

impl Stream for Attempt {
    fn wants(&self, phase: Phase) -> Want {
        match phase {
            Phase::RequestBody => match self.sending {
                Sending::EditModel | Sending::Translate => Want::Whole,
                Sending::Pass => Want::Nothing,
            },
            Phase::ResponseHeaders if self.route.is_some() => Want::Pieces,
            Phase::ResponseBody => self.answering.want(),
            Phase::ResponseHeaders | Phase::Tick | Phase::Log => Want::Nothing,
        }
    }

    fn on_request_headers(
        &mut self,
        ctx: Context<'_>,
        headers: &Headers<'_>,
        end: bool,
        out: &mut Effects,
    ) -> Flow {
        let decided = self.request_headers(ctx, headers, end, out);
        decided.unwrap_or_else(|error| self.refuse(error, out))
    }

    fn on_request_body(&mut self, _: Context<'_>, body: Body<'_>, out: &mut Effects) -> Flow {
        let decided = self.request_body(body, out);
        decided.unwrap_or_else(|error| self.refuse(error, out))
    }

    fn on_response_headers(
        &mut self,
        ctx: Context<'_>,
        headers: &Headers<'_>,
        end: bool,
        out: &mut Effects,
    ) -> Flow {
        self.response_headers(ctx, headers, end, out)
    }

    fn on_response_body(&mut self, ctx: Context<'_>, body: Body<'_>, out: &mut Effects) -> Flow {
        self.response_body(ctx, body, out)
    }
}
