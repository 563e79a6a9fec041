//! From pieces of a stream to events.

use memchr::memchr2;

use crate::Event;

/// A part of the stream, in the order of its bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Piece<'a> {
    /// A complete event.
    Event(Event<'a>),
    /// Bytes that are no complete event: of one over the limit (from [`Framer::push`], in any number
    /// of pieces), or the unterminated tail of the stream (from [`Framer::finish`], one piece).
    Raw(&'a [u8]),
}

impl<'a> Piece<'a> {
    /// Its exact bytes.
    pub fn raw(&self) -> &'a [u8] {
        match self {
            Self::Event(event) => event.raw(),
            Self::Raw(bytes) => bytes,
        }
    }
}

/// Cuts a stream into events. One per stream.
#[derive(Debug)]
pub struct Framer {
    max_event_bytes: usize,
    /// The open event's bytes of earlier pushes; none of them while `passing`.
    pending: Vec<u8>,
    /// The open event is over the limit: its bytes pass.
    passing: bool,
    /// The open event's current line has no byte yet.
    line_is_empty: bool,
    /// The last byte was a CR inside the open event: an LF now belongs to the same line end.
    after_cr: bool,
    /// The last byte was a CR that ended an event: an LF now is the rest of it.
    after_last_cr: Option<Ended>,
    /// No event has ended yet.
    at_start: bool,
}

/// How the event before ended up.
#[derive(Clone, Copy, Debug)]
enum Ended {
    Delivered,
    Passed,
}

/// Where an event ends in a slice: `complete` is the offset behind the byte that completes it, `end`
/// includes the LF of a CRLF. The limit is on `complete`, so that it does not depend on the cuts.
struct EventEnd {
    complete: usize,
    end: usize,
}

impl Framer {
    /// A framer that holds `max_event_bytes` at most of an event that is not complete yet.
    pub fn new(max_event_bytes: usize) -> Self {
        Self {
            max_event_bytes,
            pending: Vec::new(),
            passing: false,
            line_is_empty: true,
            after_cr: false,
            after_last_cr: None,
            at_start: true,
        }
    }

    /// How many bytes are held: those of an event that is not complete yet.
    pub fn held(&self) -> usize {
        self.pending.len()
    }

    /// Takes the next bytes of the stream and gives `out` each event they complete. Without held
    /// bytes nothing is copied.
    pub fn push(&mut self, bytes: &[u8], out: &mut impl FnMut(Piece<'_>)) {
        let mut rest = bytes;
        if !rest.is_empty()
            && let Some(ended) = self.after_last_cr.take()
            && let Some((line_feed, behind)) = rest.split_at_checked(1)
            && line_feed == b"\n"
        {
            out(match ended {
                Ended::Delivered => Piece::Event(Event::line_feed(line_feed)),
                Ended::Passed => Piece::Raw(line_feed),
            });
            rest = behind;
        }
        while !rest.is_empty() {
            let Some(EventEnd { complete, end }) = self.event_end(rest) else {
                self.keep(rest, out);
                return;
            };
            let Some((event, behind)) = rest.split_at_checked(end) else { return };
            self.close(event, complete, out);
            if behind.is_empty() && event.ends_with(b"\r") {
                self.after_last_cr =
                    Some(if self.passing { Ended::Passed } else { Ended::Delivered });
            }
            self.passing = false;
            rest = behind;
        }
    }

    /// Ends the stream: gives `out` what is held of an event that was never completed
    /// ([`Event::from_raw`] reads its fields). The framer is then as new.
    pub fn finish(&mut self, out: &mut impl FnMut(Piece<'_>)) {
        if !self.pending.is_empty() {
            out(Piece::Raw(&self.pending));
        }
        *self = Self::new(self.max_event_bytes);
    }

    /// Finds the end of the open event in `bytes`; without one, all of `bytes` belong to it.
    fn event_end(&mut self, bytes: &[u8]) -> Option<EventEnd> {
        let mut at = 0;
        while let Some(rest) = bytes.get(at..) {
            let Some(first) = rest.first() else { break };
            if std::mem::take(&mut self.after_cr) && *first == b'\n' {
                at += 1;
                continue;
            }
            let Some(length) = memchr2(b'\r', b'\n', rest) else {
                self.line_is_empty = false;
                break;
            };
            let is_cr = rest.get(length) == Some(&b'\r');
            at += length + 1;
            if length == 0 && self.line_is_empty {
                let crlf = is_cr && bytes.get(at) == Some(&b'\n');
                return Some(EventEnd { complete: at, end: at + usize::from(crlf) });
            }
            self.line_is_empty = true;
            self.after_cr = is_cr;
        }
        None
    }

    /// Delivers the open event, whose last bytes are `bytes`; of them `complete` count for the limit.
    fn close(&mut self, bytes: &[u8], complete: usize, out: &mut impl FnMut(Piece<'_>)) {
        self.passing |= self.pending.len().saturating_add(complete) > self.max_event_bytes;
        if self.passing {
            self.pass(bytes, out);
        } else if self.pending.is_empty() {
            out(Piece::Event(self.event(bytes)));
        } else {
            self.pending.extend_from_slice(bytes);
            out(Piece::Event(self.event(&self.pending)));
            self.pending.clear();
        }
        self.at_start = false;
    }

    /// Holds `bytes` of the open event, or lets it pass from now on if that is too much.
    fn keep(&mut self, bytes: &[u8], out: &mut impl FnMut(Piece<'_>)) {
        self.passing |= self.pending.len().saturating_add(bytes.len()) > self.max_event_bytes;
        if self.passing {
            self.pass(bytes, out);
        } else {
            self.pending.extend_from_slice(bytes);
        }
    }

    fn pass(&mut self, bytes: &[u8], out: &mut impl FnMut(Piece<'_>)) {
        if !self.pending.is_empty() {
            out(Piece::Raw(&self.pending));
            self.pending = Vec::new();
        }
        out(Piece::Raw(bytes));
    }

    fn event<'a>(&self, raw: &'a [u8]) -> Event<'a> {
        if self.at_start { Event::first(raw) } else { Event::from_raw(raw) }
    }
}

#[cfg(test)]
mod tests;
