//! A small host for native tests of cores: one filter, one exchange, Envoy's holding rules.
//!
//! It does what `tollgate-shell` and Envoy do between them (E2 and E4 of the host rules): held bytes
//! accumulate, `Continue` flushes them, bodies end in any chunking. The real thing is `host-tests`.
#![expect(missing_docs, reason = "for tests, which show its use")]

use std::collections::BTreeMap;

use crate::{
    Body, Context, Direction, Effect, Effects, Environment, Flow, Headers, LogLevel, Phase,
    Properties, Reply, Stream, UnixNanos, Want,
};

/// Property values by path, parts joined with `.`; also the filter state that effects set.
#[derive(Clone, Debug, Default)]
pub struct Values(pub BTreeMap<String, Vec<u8>>);

impl Properties for Values {
    fn property(&self, path: &[&str]) -> Option<Vec<u8>> {
        self.0.get(&path.join(".")).filter(|value| !value.is_empty()).cloned()
    }
}

impl Environment for BTreeMap<String, String> {
    fn variable(&self, name: &str) -> Option<String> {
        self.get(name).cloned()
    }
}

/// How a body is cut.
#[derive(Clone, Copy, Debug)]
pub enum Cut<'a> {
    Whole,
    EveryByte,
    /// At these offsets.
    At(&'a [usize]),
    /// Whole, then an empty last piece, as before trailers.
    ThenEmpty,
}

impl Cut<'_> {
    pub fn pieces<'b>(&self, body: &'b [u8]) -> Vec<(&'b [u8], bool)> {
        let mut pieces: Vec<&[u8]> = match self {
            Self::Whole => vec![body],
            Self::EveryByte => body.chunks(1).collect(),
            Self::At(offsets) => {
                let mut rest = body;
                let mut done = 0;
                let mut pieces = Vec::new();
                for &offset in *offsets {
                    let at = offset.saturating_sub(done).min(rest.len());
                    let (piece, behind) = rest.split_at(at);
                    pieces.push(piece);
                    rest = behind;
                    done += at;
                }
                pieces.push(rest);
                pieces
            }
            Self::ThenEmpty => vec![body, b""],
        };
        if pieces.is_empty() {
            pieces.push(b"");
        }
        let last = pieces.len() - 1;
        pieces.into_iter().enumerate().map(|(i, piece)| (piece, i == last)).collect()
    }
}

/// One direction of the exchange, as seen behind the filter.
#[derive(Clone, Debug, Default)]
pub struct Message {
    pub headers: Vec<(String, Vec<u8>)>,
    /// Whether the headers were let go.
    pub released: bool,
    /// What was let go of the body.
    pub body: Vec<u8>,
    /// What is held of it.
    pub held: Vec<u8>,
    seen: usize,
}

impl Message {
    pub fn header(&self, name: &str) -> Option<String> {
        let found = self.headers.iter().find(|(n, _)| n == name)?;
        Some(String::from_utf8_lossy(&found.1).into_owned())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// One exchange through one stream.
pub struct Exchange<S> {
    pub stream: S,
    pub now: UnixNanos,
    pub properties: Values,
    pub request: Message,
    pub response: Message,
    pub reply: Option<Reply>,
    pub counters: BTreeMap<String, u64>,
    pub logs: Vec<(LogLevel, String)>,
    pub route_cache_cleared: bool,
    /// The most bytes of a piece where the filter wants windows.
    pub window: usize,
}

impl<S: Stream> Exchange<S> {
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            now: 0,
            properties: Values::default(),
            request: Message::default(),
            response: Message::default(),
            reply: None,
            counters: BTreeMap::new(),
            logs: Vec::new(),
            route_cache_cleared: false,
            window: crate::WINDOW,
        }
    }

    #[must_use]
    pub fn property(mut self, path: &str, value: impl Into<Vec<u8>>) -> Self {
        self.properties.0.insert(path.into(), value.into());
        self
    }

    #[must_use]
    pub fn at(mut self, now: UnixNanos) -> Self {
        self.now = now;
        self
    }

    /// A whole request: headers, then `body` cut as `cut`; no body at all if it is `None`.
    pub fn request(&mut self, headers: &[(&str, &str)], body: Option<&[u8]>, cut: Cut<'_>) {
        self.headers(Direction::Request, headers, body.is_none());
        for (piece, end) in body.map(|b| cut.pieces(b)).unwrap_or_default() {
            self.body(Direction::Request, piece, end);
        }
    }

    /// A whole response, as [`Exchange::request`].
    pub fn response(&mut self, headers: &[(&str, &str)], body: Option<&[u8]>, cut: Cut<'_>) {
        self.headers(Direction::Response, headers, body.is_none());
        for (piece, end) in body.map(|b| cut.pieces(b)).unwrap_or_default() {
            self.body(Direction::Response, piece, end);
        }
    }

    pub fn headers(&mut self, of: Direction, headers: &[(&str, &str)], end: bool) {
        if self.reply.is_some() {
            return;
        }
        let owned: Vec<(String, Vec<u8>)> =
            headers.iter().map(|(n, v)| ((*n).into(), v.as_bytes().to_vec())).collect();
        self.message(of).headers = owned.clone();
        let wanted =
            of == Direction::Request || self.stream.wants(Phase::ResponseHeaders) != Want::Nothing;
        let flow = if wanted {
            let pairs = owned.iter().map(|(n, v)| (n.as_bytes(), v.as_slice())).collect();
            let headers = Headers::new(pairs);
            self.call(|stream, ctx, out| match of {
                Direction::Request => stream.on_request_headers(ctx, &headers, end, out),
                Direction::Response => stream.on_response_headers(ctx, &headers, end, out),
            })
        } else {
            Flow::Continue
        };
        self.message(of).released = flow == Flow::Continue;
    }

    pub fn body(&mut self, of: Direction, piece: &[u8], end: bool) {
        if self.reply.is_some() {
            return;
        }
        let phase = match of {
            Direction::Request => Phase::RequestBody,
            Direction::Response => Phase::ResponseBody,
        };
        let want = self.stream.wants(phase);
        let message = self.message(of);
        message.held.extend_from_slice(piece);
        let held = message.held.len();
        let bytes = match want {
            Want::Nothing => None,
            Want::Pieces | Want::Windows => Some(message.held.split_off(message.seen.min(held))),
            Want::Whole if end => Some(message.held.clone()),
            Want::Whole => Some(Vec::new()),
        };
        if matches!(want, Want::Pieces | Want::Windows) {
            message.held.extend_from_slice(bytes.as_deref().unwrap_or_default());
        }
        let flow = match &bytes {
            None => Flow::Continue,
            Some(bytes) => {
                let window = if want == Want::Windows { self.window } else { usize::MAX };
                let mut rest = bytes.as_slice();
                loop {
                    let (piece, behind) = rest.split_at(window.min(rest.len()));
                    rest = behind;
                    let more = !rest.is_empty();
                    let body = Body { bytes: piece, held, more, end: end && !more };
                    let flow = self.call(|stream, ctx, out| match of {
                        Direction::Request => stream.on_request_body(ctx, body, out),
                        Direction::Response => stream.on_response_body(ctx, body, out),
                    });
                    if !more || self.reply.is_some() {
                        break flow;
                    }
                }
            }
        };
        let message = self.message(of);
        if flow == Flow::Continue {
            message.released = true;
            let held = std::mem::take(&mut message.held);
            message.body.extend(held);
            message.seen = 0;
        } else {
            message.seen = held;
        }
    }

    /// A tick; whether a held request went on.
    pub fn tick(&mut self) -> bool {
        if self.reply.is_some() || self.stream.wants(Phase::Tick) == Want::Nothing {
            return false;
        }
        let flow = self.call(|stream, ctx, out| stream.on_tick(ctx, out));
        self.request.released |= flow == Flow::Continue;
        flow == Flow::Continue
    }

    pub fn log(&mut self) {
        if self.stream.wants(Phase::Log) != Want::Nothing {
            let _ = self.call(|stream, ctx, out| {
                stream.on_log(ctx, out);
                Flow::Continue
            });
        }
    }

    /// Filter state that was set, as text.
    pub fn state(&self, key: &str) -> Option<String> {
        self.properties.0.get(key).map(|v| String::from_utf8_lossy(v).into_owned())
    }

    fn message(&mut self, of: Direction) -> &mut Message {
        match of {
            Direction::Request => &mut self.request,
            Direction::Response => &mut self.response,
        }
    }

    fn call(&mut self, method: impl FnOnce(&mut S, Context<'_>, &mut Effects) -> Flow) -> Flow {
        let mut effects = Effects::new();
        let properties = self.properties.clone();
        let ctx = Context { now: self.now, properties: &properties };
        let flow = method(&mut self.stream, ctx, &mut effects);
        for effect in effects {
            self.perform(effect);
            if self.reply.is_some() {
                return Flow::Pause;
            }
        }
        flow
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::ClearRouteCache => self.route_cache_cleared = true,
            Effect::Count { metric, by } => {
                *self.counters.entry(metric.into_owned()).or_default() += by;
            }
            Effect::EditBody { on, edits } => {
                let held = &mut self.message(on).held;
                assert!(crate::splice(held, &edits), "{edits:?}");
            }
            Effect::Log { level, message } => self.logs.push((level, message)),
            Effect::RemoveHeader { on, name } => {
                let message = self.message(on);
                assert!(!message.released, "removing header {name} after it was let go");
                message.headers.retain(|(n, _)| *n != name);
            }
            Effect::ReplaceBody { on, with } => self.message(on).held = with,
            Effect::Reply(reply) => self.reply = Some(reply),
            Effect::SetFilterState { key, value } => {
                self.properties.0.insert(key.into(), value);
            }
            Effect::SetHeader { on, name, value } => {
                let message = self.message(on);
                assert!(!message.released, "setting header {name} after it was let go");
                message.headers.retain(|(n, _)| *n != name);
                message.headers.push((name.into_owned(), value));
            }
        }
    }
}
