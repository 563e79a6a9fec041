//! One request: what is held, what lets it go.

use std::rc::Rc;

use tollgate_api::{Dialect, Endpoint};
use tollgate_effects::{
    Body, Context, Direction, Edit, Effect, Effects, Flow, Headers, Phase, Stream, Want,
};

use crate::config::Config;
use crate::document::{Document, Found};
use crate::policy::Resolved;
use crate::refusal::Refusal;

/// The filter's side of one exchange; it is over for it once the request goes on.
pub struct Request {
    config: Rc<Config>,
    /// The held request; `None`: not, or no longer, of interest.
    held: Option<Held>,
}

/// A request to an endpoint of the API whose body is under way.
struct Held {
    endpoint: Endpoint,
    document: Document,
    /// Whether the method asks for a body.
    expects_body: bool,
    has_content_length: bool,
}

impl Request {
    pub(crate) fn new(config: Rc<Config>) -> Self {
        Self { config, held: None }
    }
}

impl Stream for Request {
    fn wants(&self, phase: Phase) -> Want {
        match (phase, &self.held) {
            (Phase::RequestBody, Some(_)) => Want::Pieces,
            _ => Want::Nothing,
        }
    }

    fn on_request_headers(
        &mut self,
        _: Context<'_>,
        headers: &Headers<'_>,
        end: bool,
        out: &mut Effects,
    ) -> Flow {
        self.config.publish.strip(headers, out);
        let Some(endpoint) = headers.get(":path").and_then(Endpoint::of_path) else {
            return Flow::Continue;
        };
        let method = headers.get(":method").unwrap_or_default();
        let expects_body = [&b"POST"[..], b"PUT", b"PATCH"].contains(&method);
        match self.check_headers(headers, expects_body, end) {
            Ok(()) if end => Flow::Continue,
            Ok(()) => {
                self.held = Some(Held {
                    endpoint,
                    document: Document::new(self.config.limits),
                    expects_body,
                    has_content_length: headers.contains("content-length"),
                });
                Flow::Pause
            }
            Err(refusal) => refuse(&refusal, endpoint.dialect(), out),
        }
    }

    fn on_request_body(&mut self, ctx: Context<'_>, body: Body<'_>, out: &mut Effects) -> Flow {
        let Some(held) = &mut self.held else { return Flow::Continue };
        if let Err(refusal) = held.document.push(body.bytes) {
            return refuse(&refusal, held.endpoint.dialect(), out);
        }
        if !body.end {
            return Flow::Pause;
        }
        let Some(mut held) = self.held.take() else { return Flow::Continue };
        if held.document.is_empty() && !held.expects_body {
            return Flow::Continue;
        }
        match held.document.finish().and_then(|found| self.release(&held, &found, ctx, out)) {
            Ok(()) => Flow::Continue,
            Err(refusal) => refuse(&refusal, held.endpoint.dialect(), out),
        }
    }
}

impl Request {
    /// What the headers alone are refused for.
    fn check_headers(
        &self,
        headers: &Headers<'_>,
        expects_body: bool,
        end: bool,
    ) -> Result<(), Refusal> {
        if end {
            return if expects_body { Err(Refusal::EmptyBody) } else { Ok(()) };
        }
        if !expects_body && headers.contains("upgrade") {
            return Err(Refusal::Upgrade);
        }
        if headers.is_encoded() {
            return Err(Refusal::Encoded);
        }
        let limit = self.config.limits.body;
        match headers.content_length() {
            Some(len) if usize::try_from(len).is_ok_and(|len| len <= limit) => Ok(()),
            Some(_) => Err(Refusal::TooLarge { limit }),
            None => Ok(()),
        }
    }

    /// Publishes what was found and lets the request go on to the route for it.
    fn release(
        &self,
        held: &Held,
        found: &Found,
        ctx: Context<'_>,
        out: &mut Effects,
    ) -> Result<(), Refusal> {
        let policy = &self.config.policy;
        let caller = policy.caller(ctx)?;
        let Resolved { model, base_model } = policy.resolve(&found.model, caller.as_ref())?;
        let fact = tollgate_facts::Request {
            requested_model: found.model.clone(),
            model,
            base_model,
            stream: found.stream,
            endpoint: held.endpoint.name().to_owned(),
            dialect: held.endpoint.dialect().name().to_owned(),
            max_tokens: found.max_tokens,
            ..tollgate_facts::Request::default()
        };
        self.config.publish.tell(&fact, None, out);
        if fact.model != found.model {
            rename(&fact.model, found, held.has_content_length, out);
        }
        out.push(Effect::ClearRouteCache);
        Ok(())
    }
}

/// Replaces the model in the held body, and nothing else of it.
fn rename(model: &str, found: &Found, has_content_length: bool, out: &mut Effects) {
    let with = serde_json::Value::from(model).to_string().into_bytes();
    let len = found.model_at.len();
    let new_len = (found.len - len) + with.len();
    let edits = vec![Edit { start: found.model_at.start, len, with }];
    out.push(Effect::EditBody { on: Direction::Request, edits });
    if has_content_length {
        out.push(Effect::SetHeader {
            on: Direction::Request,
            name: "content-length".into(),
            value: new_len.to_string().into_bytes(),
        });
    }
}

fn refuse(refusal: &Refusal, dialect: Dialect, out: &mut Effects) -> Flow {
    out.push(Effect::Count { metric: refusal.metric().into(), by: 1 });
    out.push(refusal.error().reply(dialect));
    Flow::Pause
}
