//! A call whose body is under way: what is known of it, and what is done once enough is.

use tollgate_api::{Call, Dialect, Streams};
use tollgate_effects::{Context, Direction, Edit, Effect, Effects, Headers, splice};
use tollgate_facts::CallerModels;
use tollgate_inflate::Coding;

use crate::body::{Body, Named};
use crate::config::{Config, Hold};
use crate::document::{MODEL, STREAM, check_model};
use crate::options::header_tags;
use crate::policy::Resolved;
use crate::refusal::Refusal;

/// What Gemini's API puts before a model in a body; in a path it is a segment of its own.
const GEMINI_PREFIX: &str = "models/";

/// A call under way.
pub(crate) struct Reading {
    pub(crate) call: Call,
    body: Body,
    /// Whether the method asks for a body.
    expects_body: bool,
    /// Whether its length is declared, and what it is declared to be, if that can be read.
    has_length: bool,
    length: Option<usize>,
    /// The path with the model's other name, where it names the model by an alias.
    rewritten_path: Option<Vec<u8>>,
    tags: Vec<String>,
    encoded: bool,
    /// What must be known for the headers to go on before the body has ended, as bits; `None`: all of it.
    enough: Option<u32>,
    decision: Option<Decision>,
    told: Option<tollgate_facts::Request>,
}

/// Which model it is, and that it may be used.
struct Decision {
    /// As the client wrote it.
    requested: String,
    resolved: Resolved,
    caller: Option<CallerModels>,
    /// Where the body names it, if that is known.
    named: Option<Named>,
}

impl Reading {
    /// A call by a request with `headers`.
    pub(crate) fn new(
        config: &Config,
        call: Call,
        headers: &Headers<'_>,
        expects_body: bool,
        coding: Option<Coding>,
    ) -> Result<Self, Refusal> {
        let may_be_form = call.endpoint.may_be_form();
        let mut enough = 0;
        if call.model.is_none() {
            enough |= 1 << MODEL;
        }
        if call.streams == Streams::AsBodySays && config.publish.names.stream.is_some() {
            enough |= 1 << STREAM;
        }
        let has_length = headers.contains("content-length");
        let length = headers.content_length().and_then(|length| usize::try_from(length).ok());
        let whole = coding.is_some()
            || config.hold == Hold::Host
            || config.needs_whole_body()
            || has_length && length.is_none();
        Ok(Self {
            body: Body::new(config, headers, may_be_form, coding)?,
            call,
            expects_body,
            has_length,
            length,
            rewritten_path: None,
            tags: header_tags(&config.tags, headers)?,
            encoded: coding.is_some(),
            enough: (!whole).then_some(enough),
            decision: None,
            told: None,
        })
    }

    /// Decides on a model that `path` names.
    pub(crate) fn decide_by_path(
        &mut self,
        config: &Config,
        ctx: Context<'_>,
        path: &[u8],
    ) -> Result<(), Refusal> {
        let Some(model) = &self.call.model else { return Ok(()) };
        check_model(&model.name, config.limits.model)?;
        let decision = Decision::new(config, ctx, model.name.clone(), None)?;
        if decision.renames() {
            self.rewritten_path = Some(model.rewrite(path, &decision.resolved.model));
            // The body may name it too.
            self.enough = None;
        }
        self.decision = Some(decision);
        Ok(())
    }

    /// Whether enough is known for the headers to go on.
    pub(crate) fn is_decided(&self) -> bool {
        self.decision.is_some() && self.enough.is_some_and(|enough| self.body.has(enough))
    }

    /// Whether it turned out to have no body, by a method that needs none.
    pub(crate) fn is_no_call(&self) -> bool {
        self.body.len() == 0 && !self.expects_body
    }

    /// Takes the next bytes of the body. What is decided is decided at the same byte however the body is cut.
    pub(crate) fn take(
        &mut self,
        config: &Config,
        ctx: Context<'_>,
        bytes: &[u8],
    ) -> Result<(), Refusal> {
        let mut rest = bytes;
        loop {
            let stop = match (self.enough, &self.decision) {
                (Some(enough), None) => enough,
                _ => 0,
            };
            let taken = self.body.push(rest, stop)?;
            rest = rest.get(taken..).unwrap_or_default();
            if stop != 0 && self.body.has(stop) {
                self.decision = Some(self.decide(config, ctx)?);
            }
            if rest.is_empty() {
                return Ok(());
            }
        }
    }

    /// Decides on the model in the body, as far as it was read.
    fn decide(&self, config: &Config, ctx: Context<'_>) -> Result<Decision, Refusal> {
        let named = self.body.model()?.ok_or(Refusal::MissingModel)?;
        self.body.stream()?;
        Decision::new(config, ctx, named.name.clone(), Some(named))
    }

    /// With `hold: host` the headers go on before the body: takes off what may not be true of it any more, and puts in
    /// the path what is known by now.
    pub(crate) fn prepare_headers(&mut self, config: &Config, out: &mut Effects) {
        if self.encoded || config.may_edit_body() {
            // The host's buffer filter writes the length of what it has buffered.
            out.push(remove("content-length"));
        }
        if self.encoded {
            out.push(remove("content-encoding"));
        }
        out.extend(self.rewritten_path.take().map(|path| set(":path", path)));
    }

    /// Lets the headers go, and what has come of the body.
    pub(crate) fn let_go(&mut self, config: &Config, out: &mut Effects) -> Result<(), Refusal> {
        let Some(decision) = &self.decision else { return Ok(()) };
        let edits: Vec<Edit> = self.rename(decision)?.into_iter().collect();
        let fact = self.fact(decision);
        config.publish.tell(&fact, config.hold, out);
        if let Some(length) = self.length
            && !edits.is_empty()
        {
            out.push(set_length(Edit::len_after(&edits, length)));
        }
        edit(edits, out);
        out.push(Effect::ClearRouteCache);
        self.told = Some(fact);
        Ok(())
    }

    /// Ends a body whose headers are held, and lets both go.
    pub(crate) fn finish(
        &mut self,
        config: &Config,
        ctx: Context<'_>,
        out: &mut Effects,
    ) -> Result<(), Refusal> {
        self.body.finish()?;
        let decision = match self.decision.take() {
            Some(mut decision) => {
                self.check_body(&mut decision)?;
                decision
            }
            None => self.decide(config, ctx)?,
        };
        let tags = std::mem::take(&mut self.tags);
        let options = self.body.options(config, tags)?;
        let mut fact = self.fact(&decision);
        fact.tags = options.tags;
        for fallback in &options.fallbacks {
            let caller = decision.caller.as_ref();
            fact.fallbacks.push(config.policy.resolve_fallback(fallback, caller)?);
        }
        if let (Some(factors), Some(tokens)) = (&config.estimate, self.body.prompt_tokens()) {
            let tokens = factors.apply(tokens, &decision.resolved);
            fact.prompt_tokens = Some(tokens);
            fact.context = config.context_classes.of(tokens).map(str::to_owned);
        }
        let removals = options.removals.into_iter().map(|range| Edit {
            start: range.start,
            len: range.len(),
            with: Vec::new(),
        });
        let mut edits: Vec<Edit> = removals.collect();
        if let Some(edit) = self.rename(&decision)? {
            let at = edits.partition_point(|other| other.start < edit.start);
            edits.insert(at, edit);
        }
        config.publish.tell(&fact, config.hold, out);
        out.extend(self.rewritten_path.take().map(|path| set(":path", path)));
        self.change_body(config, edits, out)?;
        out.push(Effect::ClearRouteCache);
        Ok(())
    }

    /// Ends a body whose headers have gone on: it must not say anything else than was told.
    pub(crate) fn complete(&mut self, out: &mut Effects) -> Result<(), Refusal> {
        self.body.finish()?;
        let Some(mut decision) = self.decision.take() else { return Ok(()) };
        self.check_body(&mut decision)?;
        let fact = self.fact(&decision);
        if self.told.as_ref() != Some(&fact) {
            out.push(fact.publish());
        }
        Ok(())
    }

    /// Checks that a complete body has one model at most, that of the path if there is one there, and one `stream`.
    fn check_body(&self, decision: &mut Decision) -> Result<(), Refusal> {
        self.body.stream()?;
        if self.call.model.is_none() {
            // It was decided on the one in the body, and read then.
            return self.body.check_one_model();
        }
        let named = self.body.model()?;
        if let Some(named) = &named
            && named.name != decision.requested
            && named.name.strip_prefix(self.prefix()) != Some(&decision.requested)
        {
            return Err(Refusal::Differs);
        }
        decision.named = named;
        Ok(())
    }

    fn prefix(&self) -> &'static str {
        if self.call.endpoint.dialect() == Dialect::Gemini { GEMINI_PREFIX } else { "" }
    }

    /// Replaces the model in the body, if it goes by another name.
    fn rename(&self, decision: &Decision) -> Result<Option<Edit>, Refusal> {
        let Some(named) = decision.named.as_ref().filter(|_| decision.renames()) else {
            return Ok(None);
        };
        let mut model = decision.resolved.model.clone();
        if named.name != decision.requested {
            model.insert_str(0, self.prefix());
        }
        let with = self.body.written(model)?;
        Ok(Some(Edit { start: named.at.start, len: named.at.len(), with }))
    }

    fn fact(&self, decision: &Decision) -> tollgate_facts::Request {
        tollgate_facts::Request {
            requested_model: decision.requested.clone(),
            model: decision.resolved.model.clone(),
            base_model: decision.resolved.base_model.clone(),
            stream: match self.call.streams {
                Streams::Always => true,
                Streams::AsBodySays => self.body.stream().unwrap_or(false),
                Streams::Never => false,
            },
            endpoint: self.call.endpoint.name().to_owned(),
            dialect: self.call.endpoint.dialect().name().to_owned(),
            max_tokens: self.body.max_tokens(),
            tags: self.tags.clone(),
            ..tollgate_facts::Request::default()
        }
    }

    fn change_body(
        &mut self,
        config: &Config,
        edits: Vec<Edit>,
        out: &mut Effects,
    ) -> Result<(), Refusal> {
        let on = Direction::Request;
        let held = config.hold == Hold::Headers;
        let length = match self.body.take_decoded() {
            Some(mut decoded) => {
                // They are places in it, so they fit; if not, what goes on would not be what was allowed.
                if !splice(&mut decoded, &edits) {
                    return Err(Refusal::Inflate(tollgate_inflate::Error::Corrupt));
                }
                let len = decoded.len();
                out.push(Effect::ReplaceBody { on, with: decoded });
                if held {
                    out.push(remove("content-encoding"));
                }
                Some(len)
            }
            None if edits.is_empty() => None,
            None => {
                let len = Edit::len_after(&edits, self.body.len());
                edit(edits, out);
                Some(len)
            }
        };
        if let Some(length) = length
            && held
            && self.has_length
        {
            out.push(set_length(length));
        }
        Ok(())
    }
}

impl Decision {
    fn new(
        config: &Config,
        ctx: Context<'_>,
        requested: String,
        named: Option<Named>,
    ) -> Result<Self, Refusal> {
        let caller = config.policy.caller(ctx)?;
        let resolved = config.policy.resolve(&requested, caller.as_ref())?;
        Ok(Self { requested, resolved, caller, named })
    }

    /// Whether the model goes by another name than the client wrote.
    fn renames(&self) -> bool {
        self.resolved.model != self.requested
    }
}

fn edit(edits: Vec<Edit>, out: &mut Effects) {
    if !edits.is_empty() {
        out.push(Effect::EditBody { on: Direction::Request, edits });
    }
}

fn set(name: &'static str, value: Vec<u8>) -> Effect {
    Effect::SetHeader { on: Direction::Request, name: name.into(), value }
}

fn set_length(length: usize) -> Effect {
    set("content-length", length.to_string().into_bytes())
}

fn remove(name: &'static str) -> Effect {
    Effect::RemoveHeader { on: Direction::Request, name: name.into() }
}
