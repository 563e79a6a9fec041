//! The host's side of one exchange: each callback is read, call, perform.

use std::rc::Rc;

use tollgate_effects::{
    Body, Context, Direction, Effect, Effects, Flow, Headers, LogLevel, Phase, Plugin, Properties,
    Reply, Stream, Want,
};

use crate::effects::{ALL, Counters, perform};
use crate::host::{self, Buffer};

/// Properties straight from the host.
struct HostProperties;

impl Properties for HostProperties {
    fn property(&self, path: &[&str]) -> Option<Vec<u8>> {
        host::property(path)
    }
}

/// How far one body got.
#[derive(Default)]
struct Progress {
    /// Bytes that the host holds and the core has seen.
    seen: usize,
    ended: bool,
}

/// One exchange of plugin `P`. Without a stream (the plugin was never configured) it refuses all.
pub(crate) struct Exchange<P: Plugin> {
    stream: Option<P::Stream>,
    counters: Rc<Counters>,
    request: Progress,
    response: Progress,
    replied: bool,
}

impl<P: Plugin> Exchange<P> {
    pub(crate) fn new(stream: Option<P::Stream>, counters: Rc<Counters>) -> Self {
        Self {
            stream,
            counters,
            request: Progress::default(),
            response: Progress::default(),
            replied: false,
        }
    }

    fn wants(&self, phase: Phase) -> Want {
        match &self.stream {
            Some(stream) if !self.replied => stream.wants(phase),
            _ => Want::Nothing,
        }
    }

    /// Steps 3 and 4: calls the core and performs its effects.
    fn call(
        &mut self,
        method: impl FnOnce(&mut P::Stream, Context<'_>, &mut Effects) -> Flow,
    ) -> Flow {
        let Some(stream) = &mut self.stream else { return Flow::Continue };
        let now = if P::READS_CLOCK { host::now() } else { 0 };
        let mut effects = Effects::new();
        let flow = method(stream, Context { now, properties: &HostProperties }, &mut effects);
        self.replied |= perform(effects, &self.counters);
        if self.replied { Flow::Pause } else { flow }
    }

    pub(crate) fn headers(&mut self, of: Direction, end: bool) -> Flow {
        match of {
            Direction::Request if self.stream.is_none() => {
                return self.refuse("a request came before a configuration was accepted");
            }
            Direction::Response if self.wants(Phase::ResponseHeaders) == Want::Nothing => {
                return Flow::Continue;
            }
            _ => {}
        }
        let wire = host::headers(of);
        let Some(headers) = wire.as_deref().and_then(Headers::from_wire) else {
            return self.refuse("the host gave no readable headers");
        };
        self.call(|stream, ctx, out| match of {
            Direction::Request => stream.on_request_headers(ctx, &headers, end, out),
            Direction::Response => stream.on_response_headers(ctx, &headers, end, out),
        })
    }

    /// `size` is what the host holds of the body.
    pub(crate) fn body(&mut self, of: Direction, size: usize, end: bool) -> Flow {
        if self.replied {
            // The rest of the request goes nowhere; the response is our own reply on its way out.
            return match of {
                Direction::Request => Flow::Pause,
                Direction::Response => Flow::Continue,
            };
        }
        let (phase, progress) = match of {
            Direction::Request => (Phase::RequestBody, &self.request),
            Direction::Response => (Phase::ResponseBody, &self.response),
        };
        let start = progress.seen;
        let bytes = match self.wants(phase) {
            Want::Nothing => {
                self.progress(of, 0, end);
                return Flow::Continue;
            }
            Want::Pieces => host::buffer(Buffer::body(of), start, size.saturating_sub(start)),
            Want::Whole if end => host::buffer(Buffer::body(of), 0, ALL),
            Want::Whole => Some(Vec::new()),
        };
        // An empty body has no buffer on some hosts.
        let bytes = bytes.unwrap_or_default();
        let body = Body { bytes: &bytes, held: size.max(bytes.len()), end };
        let flow = self.call(|stream, ctx, out| match of {
            Direction::Request => stream.on_request_body(ctx, body, out),
            Direction::Response => stream.on_response_body(ctx, body, out),
        });
        let held = if flow == Flow::Pause { size } else { 0 };
        self.progress(of, held, end);
        flow
    }

    /// Trailers end a body that no piece ended: the core sees a last, empty piece.
    pub(crate) fn trailers(&mut self, of: Direction) -> Flow {
        let progress = match of {
            Direction::Request => &self.request,
            Direction::Response => &self.response,
        };
        if progress.ended {
            return Flow::Continue;
        }
        let held = progress.seen;
        self.body(of, held, true)
    }

    pub(crate) fn log(&mut self) {
        if self.stream.as_ref().is_some_and(|s| s.wants(Phase::Log) != Want::Nothing) {
            let _ = self.call(|stream, ctx, out| {
                stream.on_log(ctx, out);
                Flow::Continue
            });
        }
    }

    fn progress(&mut self, of: Direction, seen: usize, ended: bool) {
        let progress = match of {
            Direction::Request => &mut self.request,
            Direction::Response => &mut self.response,
        };
        *progress = Progress { seen, ended };
    }

    fn refuse(&mut self, why: &str) -> Flow {
        refuse(P::NAME, why);
        self.replied = true;
        Flow::Pause
    }
}

/// Fails closed: answers the exchange that the host is calling for.
pub(crate) fn refuse(filter: &str, why: &str) {
    host::log(LogLevel::Error as u32, &format!("{filter}: {why}"));
    let reply = Reply {
        status: 500,
        headers: vec![("content-type".into(), b"application/json".to_vec())],
        body: br#"{"error":{"message":"the gateway is not configured correctly","type":"server_error","param":null,"code":"internal_error"}}"#.to_vec(),
        details: "tollgate_internal_error".into(),
    };
    perform(vec![Effect::Reply(reply)], &Counters::default());
}
