//! One exchange, callback by callback.

use std::rc::Rc;

use tollgate_api::Paths;
use tollgate_effects::{
    Body, Context, Direction, Effect, Effects, Flow, Headers, LogLevel, Phase, Stream, Want,
};
use tollgate_facts::{Request, Usage, UsageStatus, key, publish};

use crate::Shared;
use crate::metrics;
use crate::request::RequestScan;
use crate::response::Response;

/// The filter's side of one exchange.
pub struct Exchange {
    shared: Rc<Shared>,
    stage: Stage,
    /// The request body, while it is read.
    scan: Option<RequestScan>,
    /// The headers wait for the body, so that usage can be asked for.
    holds: bool,
    /// The request has a `content-length` that must be right.
    has_length: bool,
    /// Another filter says that the client asked for a stream.
    known_to_stream: bool,
    /// Usage was asked for that the client does not want.
    asked: bool,
    model: Option<String>,
}

/// How far the exchange is.
enum Stage {
    /// Nothing is counted (any more).
    Done,
    /// The request is on its way.
    Requested,
    /// The response comes.
    Answered(Box<Response>),
}

impl Exchange {
    pub(crate) fn new(shared: Rc<Shared>) -> Self {
        Self {
            shared,
            stage: Stage::Done,
            scan: None,
            holds: false,
            has_length: false,
            known_to_stream: false,
            asked: false,
            model: None,
        }
    }

    /// Publishes and counts `usage`. The exchange is then done.
    fn settle(&mut self, usage: &Usage, out: &mut Effects) {
        self.stage = Stage::Done;
        out.push(publish(key::USAGE, usage));
        let label = match self.shared.labels.try_borrow_mut() {
            Ok(mut labels) => labels.of(self.model.as_deref()),
            Err(_) => return,
        };
        metrics::count(&label, usage, out);
    }

    /// Makes a stream report its usage, now that the whole body is held.
    fn ask_for_usage(&mut self, scan: &RequestScan, out: &mut Effects) {
        if !(self.known_to_stream || scan.streams()) {
            return;
        }
        let Some(edit) = scan.ask_for_usage() else { return };
        self.asked = true;
        if self.has_length {
            let length = scan.seen().saturating_sub(edit.len).saturating_add(edit.with.len());
            out.push(Effect::SetHeader {
                on: Direction::Request,
                name: "content-length".into(),
                value: length.to_string().into_bytes(),
            });
        }
        out.push(Effect::EditBody { on: Direction::Request, edits: vec![edit] });
    }

    /// Says once per worker that a body was too large to be asked for its usage.
    fn tell_too_large(&self, out: &mut Effects) {
        if !self.shared.told_too_large.replace(true) {
            let most = self.shared.config.max_request_bytes;
            let message = format!(
                "a request body over maxRequestBytes ({most}) passed without asking for usage; \
                 others like it are not logged"
            );
            out.push(Effect::Log { level: LogLevel::Warn, message });
        }
    }
}

impl Stream for Exchange {
    fn wants(&self, phase: Phase) -> Want {
        let wanted = match (phase, &self.stage) {
            (Phase::RequestBody, _) => self.scan.is_some(),
            (Phase::ResponseHeaders, Stage::Requested)
            | (Phase::ResponseBody, Stage::Answered(_))
            | (Phase::Log, Stage::Requested | Stage::Answered(_)) => true,
            _ => false,
        };
        if wanted { Want::Pieces } else { Want::Nothing }
    }

    fn on_request_headers(
        &mut self,
        ctx: Context<'_>,
        headers: &Headers<'_>,
        end: bool,
        out: &mut Effects,
    ) -> Flow {
        if headers.get(":method") != Some(b"POST") {
            return Flow::Continue;
        }
        // A fact that cannot be read is as good as none: the body says the same.
        let fact: Option<Request> = tollgate_facts::read(ctx, key::REQUEST).unwrap_or_default();
        let path = headers.get(":path").unwrap_or_default();
        let Some(operation) = Operation::of(fact.as_ref(), path) else { return Flow::Continue };
        self.stage = Stage::Requested;
        if headers.contains("accept-encoding") {
            let name = "accept-encoding".into();
            out.push(Effect::RemoveHeader { on: Direction::Request, name });
        }
        self.known_to_stream = fact.as_ref().is_some_and(|fact| fact.stream);
        let may_stream = fact.as_ref().is_none_or(|fact| fact.stream);
        self.model = operation.model;
        if end || headers.is_encoded() {
            return Flow::Continue;
        }
        let config = &self.shared.config;
        let may_ask = config.ask_for_usage && may_stream && operation.has_stream_options;
        let is_too_large = headers
            .content_length()
            .is_some_and(|length| length > u64::try_from(config.max_request_bytes).unwrap_or(0));
        if may_ask && is_too_large {
            self.tell_too_large(out);
        }
        self.holds = may_ask && !is_too_large;
        self.has_length = headers.contains("content-length");
        if self.holds || self.model.is_none() {
            self.scan = Some(RequestScan::new());
        }
        if self.holds { Flow::Pause } else { Flow::Continue }
    }

    fn on_request_body(&mut self, _: Context<'_>, body: Body<'_>, out: &mut Effects) -> Flow {
        let Some(mut scan) = self.scan.take() else { return Flow::Continue };
        scan.push(body.bytes);
        if self.holds && scan.seen() > self.shared.config.max_request_bytes {
            self.holds = false;
            self.tell_too_large(out);
        }
        if !body.end {
            self.scan = Some(scan);
            return if self.holds { Flow::Pause } else { Flow::Continue };
        }
        if scan.is_object() {
            if self.model.is_none() {
                self.model = scan.model();
            }
            if self.holds {
                self.ask_for_usage(&scan, out);
            }
        }
        Flow::Continue
    }

    fn on_response_headers(
        &mut self,
        ctx: Context<'_>,
        headers: &Headers<'_>,
        end: bool,
        out: &mut Effects,
    ) -> Flow {
        // The gateway's own answers cost nothing, and errors of a provider have no usage.
        let from_upstream =
            ctx.property(&["response", "code_details"]).is_some_and(|d| d == b"via_upstream");
        let is_success = matches!(headers.get(":status"), Some([b'2', _, _]));
        if !from_upstream || !is_success {
            self.stage = Stage::Done;
            return Flow::Continue;
        }
        if end {
            self.settle(&Usage::default(), out);
            return Flow::Continue;
        }
        let response = Response::new(headers, self.asked, &self.shared.config);
        if response.may_strip() && headers.contains("content-length") {
            let name = "content-length".into();
            out.push(Effect::RemoveHeader { on: Direction::Response, name });
        }
        self.stage = Stage::Answered(Box::new(response));
        Flow::Continue
    }

    fn on_response_body(&mut self, _: Context<'_>, body: Body<'_>, out: &mut Effects) -> Flow {
        if let Stage::Answered(response) = &mut self.stage {
            response.push(body, out);
            if body.end {
                let usage = response.ended();
                self.settle(&usage, out);
            }
        }
        Flow::Continue
    }

    /// Settles what has not come to its end: the client went away, or the upstream broke off.
    fn on_log(&mut self, ctx: Context<'_>, out: &mut Effects) {
        match &self.stage {
            Stage::Done => {}
            Stage::Answered(response) => {
                let usage = response.broken_off();
                self.settle(&usage, out);
            }
            Stage::Requested if was_left_waiting(ctx) => {
                let usage = Usage { status: UsageStatus::Partial, ..Usage::default() };
                self.settle(&usage, out);
            }
            Stage::Requested => self.stage = Stage::Done,
        }
    }
}

/// Whether the client went away from a request that had reached an upstream, before any answer. With
/// an answer there would be a status; 499 is what hosts write for a client that closed the request.
fn was_left_waiting(ctx: Context<'_>) -> bool {
    let status = ctx.property(&["response", "code"]).and_then(|code| code.try_into().ok());
    matches!(status.map(u64::from_le_bytes), None | Some(0 | 499))
        && ctx.property(&["upstream", "address"]).is_some()
}

/// An operation whose responses have OpenAI's `usage`.
struct Operation {
    /// It takes `stream_options`.
    has_stream_options: bool,
    /// The model, if another filter or the path names it.
    model: Option<String>,
}

impl Operation {
    /// The operation that another filter found, else the one at `path`. A path whose model is
    /// refused, where a filter before this one does so, still names an operation.
    fn of(fact: Option<&Request>, path: &[u8]) -> Option<Self> {
        let (endpoint, model) = match fact {
            Some(fact) => (fact.endpoint.as_str(), Some(fact.model.clone())),
            None => match Paths::BUILT_IN.call(path) {
                Ok(call) => {
                    let call = call?;
                    (call.endpoint.name(), call.model.map(|model| model.name))
                }
                Err(error) => (error.endpoint.name(), None),
            },
        };
        let has_stream_options = match endpoint {
            "chat_completions" | "completions" => true,
            "embeddings" | "responses" => false,
            _ => return None,
        };
        Some(Self { has_stream_options, model: model.filter(|model| !model.is_empty()) })
    }
}

#[cfg(test)]
mod tests;
