//! A chain of filters and the rules by which a message moves through it: Envoy's filter manager.
//!
//! Both directions are one code: requests pass filters first to last, responses last to first. Where
//! a message leaves the chain, [`super::router`] or [`super::client`] takes over.
#![expect(clippy::indexing_slicing, reason = "indexes come from the chain's own iteration")]

use std::cell::RefCell;
use std::rc::Rc;

use super::exchange::Exchange;
use super::reply::LocalReply;
use super::stream::{Both, Direction, Lane, Wire};
use super::worker::{Part, Place};

/// Which chain of an exchange.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Level {
    /// The listener's: once per exchange.
    Downstream,
    /// The cluster's: once per attempt.
    Upstream,
}

/// One direction of one chain.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct At {
    pub(crate) level: Level,
    pub(crate) direction: Direction,
}

/// Whether a filter lets things pass, in one direction.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Iteration {
    #[default]
    Continue,
    /// Headers or body stopped; the body's next piece still comes to this filter.
    StopSingle,
    /// Nothing comes until it resumes; over the limit is an error.
    StopAllBuffer,
    /// Nothing comes until it resumes; over the limit is back-pressure.
    StopAllWatermark,
}

/// What a filter answers to headers and trailers.
pub(crate) type HeadersStatus = Iteration;

/// What a filter answers to a piece of a body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum DataStatus {
    Continue,
    StopAndBuffer,
    StopAndWatermark,
    StopNoBuffer,
}

/// Where the bytes that pass are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Source {
    Piece,
    Held,
}

/// A filter's state in one direction.
#[derive(Clone, Debug, Default)]
pub(crate) struct Side {
    pub(crate) iteration: Iteration,
    pub(crate) headers_continued: bool,
    /// Its headers callback is running.
    in_headers: bool,
    from_current: bool,
    ended: bool,
    /// The filter paused a body: it sees all that is held (E4).
    pub(crate) buffering: bool,
}

impl Side {
    fn stopped_all(&self) -> bool {
        matches!(self.iteration, Iteration::StopAllBuffer | Iteration::StopAllWatermark)
    }
}

/// A filter in a chain.
pub(crate) struct Link {
    pub(crate) place: Place,
    pub(crate) part: Part,
    /// Its context, once it has seen request headers.
    pub(crate) context: Option<u32>,
    /// It answered that its VM failed; once is enough.
    pub(crate) refused: bool,
    pub(crate) sides: Both<Side>,
}

/// One direction's state.
#[derive(Clone, Debug, Default)]
pub(crate) struct Path {
    /// The message's end has arrived at the chain.
    pub(crate) observed_end: bool,
    /// What is held is under back-pressure, not under a limit.
    streaming: bool,
    /// Nothing moves in this direction any more.
    pub(crate) aborted: bool,
}

/// The filters of one level, and what is in between.
pub(crate) struct Chain {
    pub(crate) links: Vec<Link>,
    pub(crate) wire: Wire,
    pub(crate) paths: Both<Path>,
}

impl Chain {
    pub(crate) fn new(filters: Vec<(Place, Part)>) -> Self {
        let link = |(place, part)| Link {
            place,
            part,
            context: None,
            refused: false,
            sides: Both::default(),
        };
        Self {
            links: filters.into_iter().map(link).collect(),
            wire: Rc::new(RefCell::new(Both::<Lane>::default())),
            paths: Both::default(),
        }
    }

    /// The filter behind `from` in this direction, or the first.
    fn next(&self, direction: Direction, from: Option<usize>) -> Option<usize> {
        match (direction, from) {
            (Direction::Request, None) => (!self.links.is_empty()).then_some(0),
            (Direction::Request, Some(i)) => (i + 1 < self.links.len()).then_some(i + 1),
            (Direction::Response, None) => self.links.len().checked_sub(1),
            (Direction::Response, Some(i)) => i.checked_sub(1),
        }
    }
}

impl Exchange<'_> {
    /// Headers enter the chain, or go on behind filter `from`.
    pub(crate) fn pass_headers(&mut self, at: At, from: Option<usize>, end: bool) {
        if from.is_none() {
            self.path(at).observed_end |= end;
        }
        let mut entry = self.chain(at.level).next(at.direction, from);
        while let Some(i) = entry {
            let side = self.side(at, i);
            side.ended = end;
            side.in_headers = true;
            let status = self.call_headers(at, i, end);
            if self.halted(at) {
                return;
            }
            let side = self.side(at, i);
            side.in_headers = false;
            side.iteration = status;
            if status == Iteration::Continue && side.headers_continued {
                let direction = at.direction.name();
                self.problem(format!(
                    "a filter resumes the {direction} in its headers callback and returns Continue \
                     as well, for which Envoy passes the headers on twice"
                ));
                return;
            }
            if status != Iteration::Continue {
                return;
            }
            side.headers_continued = true;
            entry = self.chain(at.level).next(at.direction, Some(i));
        }
        self.headers_out(at, end);
    }

    /// A piece enters the chain, or what is held goes on behind (or at) filter `from`.
    pub(crate) fn pass_data(&mut self, at: At, from: Option<usize>, source: Source, end: bool) {
        if from.is_none() {
            self.path(at).observed_end |= end;
        }
        if self.halted(at) {
            return;
        }
        let had_trailers = self.has_trailers(at);
        let mut trailers_added_by = None;
        let mut entry = self.entry(at, from);
        while let Some(i) = entry {
            let side = self.side(at, i);
            if side.stopped_all() {
                let streaming = side.iteration == Iteration::StopAllWatermark;
                self.path(at).streaming = streaming;
                self.hold(at, source);
                return;
            }
            if side.ended {
                return;
            }
            let ends = end && !self.has_trailers(at);
            self.side(at, i).ended = ends;
            let status = self.call_body(at, i, source, ends);
            if self.halted(at) {
                return;
            }
            if !had_trailers && trailers_added_by.is_none() && self.has_trailers(at) {
                trailers_added_by = Some(i);
            }
            if !self.after_data(at, i, status, source) {
                // Made trailers of requests go on all the same, which Envoy does for a last filter
                // that holds the body. If the filter let its hold go they come twice to the next.
                if let Some(i) = trailers_added_by.filter(|_| at.direction == Direction::Request) {
                    self.pass_trailers(at, Some(i));
                }
                return;
            }
            entry = self.chain(at.level).next(at.direction, Some(i));
        }
        self.data_out(at, source, end && trailers_added_by.is_none());
        if let Some(i) = trailers_added_by {
            self.pass_trailers(at, Some(i));
        }
    }

    /// Trailers enter the chain, or go on behind (or at) filter `from`.
    pub(crate) fn pass_trailers(&mut self, at: At, from: Option<usize>) {
        if from.is_none() {
            self.path(at).observed_end = true;
        }
        if self.halted(at) {
            return;
        }
        let mut entry = self.entry(at, from);
        while let Some(i) = entry {
            if self.side(at, i).stopped_all() {
                return;
            }
            let status = self.call_trailers(at, i);
            if self.halted(at) {
                return;
            }
            let side = self.side(at, i);
            side.ended = true;
            match (status, side.iteration) {
                (Iteration::Continue, Iteration::StopSingle) => {
                    self.resume(at, i);
                    return;
                }
                (Iteration::Continue, _) => {}
                (_, Iteration::Continue) => {
                    side.iteration = Iteration::StopSingle;
                    return;
                }
                _ => return,
            }
            entry = self.chain(at.level).next(at.direction, Some(i));
        }
        self.trailers_out(at);
    }

    /// Filter `i` lets go what it holds: headers, then the body, then trailers (E2, E3).
    pub(crate) fn resume(&mut self, at: At, i: usize) {
        // Resuming in the headers callback itself lets them go, whatever that returns.
        let side = self.side(at, i);
        let headers_in_hand = side.in_headers && !side.headers_continued;
        if side.iteration == Iteration::Continue && !headers_in_hand {
            return;
        }
        if self.halted(at) {
            return;
        }
        let side = self.side(at, i);
        side.from_current = side.stopped_all();
        side.iteration = Iteration::Continue;
        let observed_end = self.path(at).observed_end;
        if !self.side(at, i).headers_continued {
            self.side(at, i).headers_continued = true;
            let nothing_behind = !self.has_held(at) && !self.has_trailers(at);
            self.pass_headers(at, Some(i), observed_end && nothing_behind);
        }
        let had_trailers = self.has_trailers(at);
        if self.has_held(at) {
            self.pass_data(at, Some(i), Source::Held, observed_end && !had_trailers);
        }
        if had_trailers {
            self.pass_trailers(at, Some(i));
        }
        self.side(at, i).from_current = false;
    }

    /// Whether the piece goes on to the next filter.
    fn after_data(&mut self, at: At, i: usize, status: DataStatus, source: Source) -> bool {
        if status == DataStatus::Continue {
            if self.side(at, i).iteration != Iteration::StopSingle {
                return true;
            }
            self.hold(at, source);
            self.resume(at, i);
            return false;
        }
        self.side(at, i).iteration = Iteration::StopSingle;
        match status {
            DataStatus::StopNoBuffer => {
                // So that resuming has an empty end to pass on.
                if self.path(at).observed_end && !self.has_trailers(at) {
                    self.with_lane(at, |lane| {
                        lane.held.get_or_insert_default();
                    });
                }
            }
            _ => {
                self.path(at).streaming = status == DataStatus::StopAndWatermark;
                self.hold(at, source);
            }
        }
        false
    }

    /// Keeps the passing piece behind what is held already, within the limit (E5).
    pub(crate) fn hold(&mut self, at: At, source: Source) {
        if self.store(at, source) {
            self.too_large(at);
        }
    }

    /// Keeps the passing piece. True: that is over the limit.
    fn store(&mut self, at: At, source: Source) -> bool {
        if source == Source::Held {
            return false;
        }
        let held = self.with_lane(at, |lane| {
            let held = lane.held.get_or_insert_default();
            held.append(&mut lane.piece);
            held.len()
        });
        held > self.limit && !self.path(at).streaming
    }

    /// Answers for a body over the limit.
    pub(crate) fn too_large(&mut self, at: At) {
        let reply = match at.direction {
            Direction::Request => {
                LocalReply::new(413, "Payload Too Large", "request_payload_too_large")
            }
            Direction::Response => {
                LocalReply::new(500, "Internal Server Error", "response_payload_too_large")
            }
        };
        self.local_reply(at.level, &reply);
    }

    /// Keeps the piece for a filter that wants to see all of it; under the limit from now on. True:
    /// that is over the limit.
    pub(crate) fn hold_for_filter(&mut self, at: At, source: Source) -> bool {
        self.path(at).streaming = false;
        self.store(at, source)
    }

    fn entry(&mut self, at: At, from: Option<usize>) -> Option<usize> {
        match from {
            Some(i) if self.side(at, i).from_current => Some(i),
            _ => self.chain(at.level).next(at.direction, from),
        }
    }

    /// Whether nothing moves any more in this direction.
    pub(crate) fn halted(&mut self, at: At) -> bool {
        self.over || self.path(at).aborted
    }

    pub(crate) fn side(&mut self, at: At, i: usize) -> &mut Side {
        self.chain_mut(at.level).links[i].sides.of_mut(at.direction)
    }

    pub(crate) fn path(&mut self, at: At) -> &mut Path {
        self.chain_mut(at.level).paths.of_mut(at.direction)
    }

    pub(crate) fn with_lane<T>(&self, at: At, work: impl FnOnce(&mut Lane) -> T) -> T {
        work(self.chain(at.level).wire.borrow_mut().of_mut(at.direction))
    }

    fn has_trailers(&self, at: At) -> bool {
        self.with_lane(at, |lane| lane.trailers.is_some())
    }

    fn has_held(&self, at: At) -> bool {
        self.with_lane(at, |lane| lane.held.is_some())
    }
}
