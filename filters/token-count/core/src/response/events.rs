//! A streamed response: chunks of a chat completion as server-sent events.
//!
//! Usage comes in a last chunk with `choices: []`, or (vLLM's `continuous_usage_stats`) in every
//! chunk, counting on; so the last `usage` that is an object wins. Where only this filter asked for
//! it, the extra chunk is taken out, and nothing else: every other byte passes as it came, an event
//! that is complete in the callback that completes it.
//! <https://platform.openai.com/docs/api-reference/chat-streaming>

use tollgate_effects::{Body, Direction, Effect, Effects};
use tollgate_facts::{Usage, UsageStatus};
use tollgate_json::{Kind, Limits, Scanner, Wanted};
use tollgate_sse::{Event, Framer, Piece};

use super::with_status;
use crate::config::{Config, MOST_USAGE_BYTES};
use crate::openai;

const USAGE: usize = 0;
const CHOICES: usize = 1;
const ERROR: usize = 2;

static MEMBERS: [Wanted; 3] = [
    Wanted { key: "usage", keep: MOST_USAGE_BYTES },
    // Enough to see that it is empty.
    Wanted { key: "choices", keep: 16 },
    Wanted { key: "error", keep: 0 },
];

/// A stream of events as it flows by.
pub(crate) struct Events {
    framer: Framer,
    strips: bool,
    count: Count,
}

impl Events {
    pub(crate) fn new(strips: bool, config: &Config) -> Self {
        let count = Count {
            max_usage_bytes: config.max_usage_bytes,
            last: None,
            is_final: false,
            failed: false,
            took_out: false,
        };
        Self { framer: Framer::new(config.max_event_bytes), strips, count }
    }

    /// Whether the extra usage event is taken out.
    pub(crate) fn strips(&self) -> bool {
        self.strips
    }

    pub(crate) fn push(&mut self, body: Body<'_>, out: &mut Effects) {
        let Self { framer, strips, count } = self;
        if !*strips {
            framer.push(body.bytes, &mut |piece| {
                count.take(piece);
            });
            if body.end {
                framer.finish(&mut |piece| {
                    count.take_tail(piece);
                });
            }
            return;
        }
        // An incomplete event is held here and not by the host, which could only hold all or nothing.
        let mut changed = framer.held() > 0;
        let mut passed = Vec::with_capacity(framer.held().saturating_add(body.bytes.len()));
        let mut pass = |piece: Piece<'_>, is_extra: bool| {
            changed |= is_extra;
            if !is_extra {
                passed.extend_from_slice(piece.raw());
            }
        };
        framer.push(body.bytes, &mut |piece| pass(piece, count.take(piece)));
        if body.end {
            framer.finish(&mut |piece| pass(piece, count.take_tail(piece)));
        }
        if changed || framer.held() > 0 {
            out.push(Effect::ReplaceBody { on: Direction::Response, with: passed });
        }
    }

    /// The numbers so far.
    pub(crate) fn seen(&self) -> Option<Usage> {
        self.count.last.clone()
    }

    pub(crate) fn ended(&self) -> Usage {
        let Count { last, is_final, failed, .. } = &self.count;
        let status = match last {
            Some(_) if *is_final && !failed => UsageStatus::Exact,
            Some(_) => UsageStatus::Partial,
            None if *failed => UsageStatus::Partial,
            None => UsageStatus::Unknown,
        };
        with_status(last.clone(), status)
    }
}

/// What the events said.
struct Count {
    max_usage_bytes: usize,
    last: Option<Usage>,
    /// `last` cannot be counted on: `[DONE]` came, or it was in a chunk of its own.
    is_final: bool,
    /// The provider reported an error in mid-stream.
    failed: bool,
    /// The last event is the extra one; what may follow is the rest of its line end.
    took_out: bool,
}

impl Count {
    /// Reads a piece. Whether it is the event that exists only because usage was asked for.
    fn take(&mut self, piece: Piece<'_>) -> bool {
        match piece {
            Piece::Event(event) if event.is_line_feed_of_previous() => self.took_out,
            Piece::Event(event) => {
                self.took_out = self.read(&event);
                self.took_out
            }
            Piece::Raw(_) => {
                self.took_out = false;
                false
            }
        }
    }

    /// Reads the end of the stream, which may be an event that lacks its empty line.
    fn take_tail(&mut self, piece: Piece<'_>) -> bool {
        self.read(&Event::from_raw(piece.raw()))
    }

    fn read(&mut self, event: &Event<'_>) -> bool {
        let data = event.data();
        let data = data.trim_ascii();
        if data == b"[DONE]" {
            self.is_final = true;
            return false;
        }
        if data.is_empty() {
            return false;
        }
        let mut chunk = Scanner::new(&MEMBERS, Limits::default());
        if chunk.push(data).and_then(|()| chunk.finish()).is_err() {
            return false;
        }
        self.failed |= !matches!(chunk.member(ERROR).kind, Kind::Absent | Kind::Null);
        let Some(usage) = chunk.member(USAGE).raw().filter(|raw| raw.starts_with(b"{")) else {
            return false;
        };
        let is_alone = chunk.member(CHOICES).raw().is_some_and(is_empty_array);
        if usage.len() <= self.max_usage_bytes
            && let Some(usage) = openai::usage(usage)
        {
            self.last = Some(usage);
            self.is_final = is_alone;
        }
        is_alone
    }
}

fn is_empty_array(raw: &[u8]) -> bool {
    let inside = raw.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]"));
    inside.is_some_and(|inside| inside.trim_ascii().is_empty())
}

#[cfg(test)]
mod tests;
