//! The host's side of one exchange: each callback is read, call, perform.

use std::rc::Rc;

use tollgate_effects::{
    Body, Context, Direction, Effects, Flow, Headers, Phase, Plugin, Properties, Stream, WINDOW,
    Want,
};

use crate::effects::{ALL, Counters, perform, refuse};
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
        held: usize,
        method: impl FnOnce(&mut P::Stream, Context<'_>, &mut Effects) -> Flow,
    ) -> Flow {
        let Some(stream) = &mut self.stream else { return Flow::Continue };
        let now = if P::READS_CLOCK { host::now() } else { 0 };
        let mut effects = Effects::with_capacity(8);
        let flow = method(stream, Context { now, properties: &HostProperties }, &mut effects);
        self.replied |= perform(effects, held, &self.counters);
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
        self.call(0, |stream, ctx, out| match of {
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
        let new = size.saturating_sub(start);
        let bytes = match self.wants(phase) {
            Want::Nothing => {
                self.progress(of, 0, end);
                return Flow::Continue;
            }
            Want::Windows if new > WINDOW => return self.windows(of, start, size, end),
            // The piece that ends an HTTP/1 body is empty, mostly.
            Want::Windows | Want::Pieces if new == 0 => None,
            Want::Windows | Want::Pieces => host::buffer(Buffer::body(of), start, new),
            Want::Whole if end => host::buffer(Buffer::body(of), 0, ALL),
            Want::Whole => Some(Vec::new()),
        };
        // An empty body has no buffer on some hosts.
        let bytes = bytes.unwrap_or_default();
        let flow = self.piece(of, &bytes, size.max(bytes.len()), end, false);
        let held = if flow == Flow::Pause { size } else { 0 };
        self.progress(of, held, end);
        flow
    }

    /// What the host holds from `start` on, window by window.
    fn windows(&mut self, of: Direction, start: usize, size: usize, end: bool) -> Flow {
        let mut at = start;
        loop {
            let len = WINDOW.min(size.saturating_sub(at));
            let bytes = host::buffer(Buffer::body(of), at, len);
            let Some(bytes) = bytes.filter(|bytes| bytes.len() == len) else {
                return self.refuse("the host holds less of the body than it said");
            };
            at = at.saturating_add(len);
            let more = at < size;
            let flow = self.piece(of, &bytes, size, end && !more, more);
            if !more || self.replied {
                let held = if flow == Flow::Pause { size } else { 0 };
                self.progress(of, held, end);
                return flow;
            }
        }
    }

    fn piece(&mut self, of: Direction, bytes: &[u8], held: usize, end: bool, more: bool) -> Flow {
        let body = Body { bytes, held, more, end };
        self.call(held, |stream, ctx, out| match of {
            Direction::Request => stream.on_request_body(ctx, body, out),
            Direction::Response => stream.on_response_body(ctx, body, out),
        })
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

    /// A tick, for an exchange whose context the host was told to act on.
    pub(crate) fn tick(&mut self) {
        if self.call(0, |stream, ctx, out| stream.on_tick(ctx, out)) == Flow::Continue {
            host::continue_request();
        }
    }

    pub(crate) fn wants_tick(&self) -> bool {
        self.wants(Phase::Tick) != Want::Nothing
    }

    pub(crate) fn log(&mut self) {
        if self.stream.as_ref().is_some_and(|s| s.wants(Phase::Log) != Want::Nothing) {
            let _ = self.call(0, |stream, ctx, out| {
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
