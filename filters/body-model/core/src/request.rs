//! One request: what is held, what lets it go.

use std::rc::Rc;

use tollgate_api::{Call, Dialect, Listing};
use tollgate_effects::{
    Body as Piece, Context, Effect, Effects, Flow, Headers, LogLevel, Phase, Stream, Want,
};

use crate::config::{Config, Hold};
use crate::listing;
use crate::reading::Reading;
use crate::refusal::Refusal;
use crate::watch::{Waiting, Watch};

/// The filter's side of one exchange; it is over for it once the request has gone on.
pub struct Request {
    config: Rc<Config>,
    watch: Rc<Watch>,
    stage: Stage,
}

enum Stage {
    /// Not, or no longer, of interest.
    Passing,
    /// Held, here or (with `hold: host`) behind this filter, while the body is under way.
    Held(Box<Reading>, Option<Waiting>),
    /// Gone on; the rest of the body is read as it flows.
    Flowing(Box<Reading>),
}

impl Request {
    pub(crate) fn new(config: Rc<Config>, watch: Rc<Watch>) -> Self {
        Self { config, watch, stage: Stage::Passing }
    }
}

impl Stream for Request {
    fn wants(&self, phase: Phase) -> Want {
        match (phase, &self.stage) {
            (Phase::RequestBody, Stage::Held(..) | Stage::Flowing(_)) => Want::Windows,
            (Phase::Tick, Stage::Held(_, Some(_))) => Want::Pieces,
            _ => Want::Nothing,
        }
    }

    fn on_request_headers(
        &mut self,
        ctx: Context<'_>,
        headers: &Headers<'_>,
        end: bool,
        out: &mut Effects,
    ) -> Flow {
        self.config.publish.strip(headers, out);
        let path = headers.get(":path").unwrap_or_default();
        let call = match self.config.paths.call(path) {
            Ok(Some(call)) => call,
            Ok(None) => return self.list(path, headers, ctx, out),
            Err(error) => return refuse(&Refusal::Path(error), error.endpoint.dialect(), out),
        };
        let dialect = call.endpoint.dialect();
        let begun = self.begin(call, ctx, headers, end, out);
        begun.unwrap_or_else(|refusal| refuse(&refusal, dialect, out))
    }

    fn on_request_body(&mut self, ctx: Context<'_>, piece: Piece<'_>, out: &mut Effects) -> Flow {
        match std::mem::replace(&mut self.stage, Stage::Passing) {
            Stage::Passing => Flow::Continue,
            Stage::Held(reading, waiting) => {
                if let Some(waiting) = waiting {
                    waiting.end();
                }
                self.held(reading, ctx, piece, out)
            }
            Stage::Flowing(reading) => self.flowing(reading, ctx, piece, out),
        }
    }

    fn on_tick(&mut self, ctx: Context<'_>, out: &mut Effects) -> Flow {
        let missing = self.config.hold_missing;
        let Stage::Held(reading, Some(waiting)) = &mut self.stage else { return Flow::Pause };
        if !waiting.is_stuck(missing.after, ctx) {
            return Flow::Pause;
        }
        let dialect = reading.call.endpoint.dialect();
        if self.watch.tell() {
            let message = format!("body-model: {}", Refusal::HoldMissing.message());
            out.push(Effect::Log { level: LogLevel::Error, message });
        }
        self.stage = Stage::Passing;
        if missing.pass {
            out.push(Effect::Count { metric: "tollgate_body_model.passed_unread".into(), by: 1 });
            return Flow::Continue;
        }
        refuse(&Refusal::HoldMissing, dialect, out)
    }
}

impl Request {
    /// Answers if the list of models is asked for and served here.
    fn list(
        &self,
        path: &[u8],
        headers: &Headers<'_>,
        ctx: Context<'_>,
        out: &mut Effects,
    ) -> Flow {
        let config = &self.config;
        let reads = matches!(headers.get(":method"), Some(b"GET" | b"HEAD"));
        if !config.serve_models || !reads {
            return Flow::Continue;
        }
        let Some(asked) = Listing::of_path(&config.paths, path) else { return Flow::Continue };
        let dialect = listing::dialect(&asked, headers);
        match listing::answer(&config.policy, ctx, &asked, dialect, path) {
            Ok(reply) => {
                out.push(reply);
                Flow::Pause
            }
            Err(refusal) => refuse(&refusal, dialect, out),
        }
    }

    /// What the headers alone decide of a request to the API.
    fn begin(
        &mut self,
        call: Call,
        ctx: Context<'_>,
        headers: &Headers<'_>,
        end: bool,
        out: &mut Effects,
    ) -> Result<Flow, Refusal> {
        let config = Rc::clone(&self.config);
        let method = headers.get(":method").unwrap_or_default();
        let expects_body = [&b"POST"[..], b"PUT", b"PATCH"].contains(&method);
        if end {
            return if expects_body { Err(Refusal::EmptyBody) } else { Ok(Flow::Continue) };
        }
        if !expects_body && headers.contains("upgrade") {
            return Err(Refusal::Upgrade);
        }
        let coding = config.decompress.coding(headers)?;
        let limit = config.limits.body;
        match headers.content_length() {
            Some(len) if usize::try_from(len).is_ok_and(|len| len <= limit) => {}
            Some(_) => return Err(Refusal::TooLarge { limit }),
            None => {}
        }
        let mut reading = Reading::new(&config, call, headers, expects_body, coding)?;
        reading.decide_by_path(&config, ctx, headers.get(":path").unwrap_or_default())?;
        if config.hold == Hold::Host {
            // The headers go on now: what the body may change of them is changed before.
            reading.prepare_headers(&config, out);
            self.stage = Stage::Held(Box::new(reading), None);
            return Ok(Flow::Continue);
        }
        if reading.is_decided() {
            reading.let_go(&config, out)?;
            self.stage = Stage::Flowing(Box::new(reading));
            return Ok(Flow::Continue);
        }
        let waiting = self.watch.begin(headers, |name| !config.publish.owns(name));
        self.stage = Stage::Held(Box::new(reading), waiting);
        Ok(Flow::Pause)
    }

    /// A piece of a body whose headers are held.
    fn held(
        &mut self,
        mut reading: Box<Reading>,
        ctx: Context<'_>,
        piece: Piece<'_>,
        out: &mut Effects,
    ) -> Flow {
        let dialect = reading.call.endpoint.dialect();
        let config = Rc::clone(&self.config);
        if let Err(refusal) = reading.take(&config, ctx, piece.bytes) {
            return refuse(&refusal, dialect, out);
        }
        if piece.end {
            if reading.is_no_call() {
                return Flow::Continue;
            }
            return match reading.finish(&config, ctx, out) {
                Ok(()) => Flow::Continue,
                Err(refusal) => refuse(&refusal, dialect, out),
            };
        }
        if piece.more || !reading.is_decided() {
            self.stage = Stage::Held(reading, None);
            return Flow::Pause;
        }
        if let Err(refusal) = reading.let_go(&config, out) {
            return refuse(&refusal, dialect, out);
        }
        self.stage = Stage::Flowing(reading);
        Flow::Continue
    }

    /// A piece of a body whose headers have gone on.
    fn flowing(
        &mut self,
        mut reading: Box<Reading>,
        ctx: Context<'_>,
        piece: Piece<'_>,
        out: &mut Effects,
    ) -> Flow {
        let read = reading.take(&self.config, ctx, piece.bytes);
        let ends = piece.end && !reading.is_no_call();
        let read = read.and_then(|()| if ends { reading.complete(out) } else { Ok(()) });
        match read {
            Err(refusal) => refuse(&refusal, reading.call.endpoint.dialect(), out),
            Ok(()) => {
                if !piece.end {
                    self.stage = Stage::Flowing(reading);
                }
                Flow::Continue
            }
        }
    }
}

fn refuse(refusal: &Refusal, dialect: Dialect, out: &mut Effects) -> Flow {
    out.push(Effect::Count { metric: refusal.metric().into(), by: 1 });
    out.push(refusal.error().reply(dialect));
    Flow::Pause
}
