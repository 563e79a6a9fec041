//! Calls of filters: what Envoy's wasm filter does between the filter manager and the VM.
#![expect(clippy::indexing_slicing, reason = "indexes come from the chain's own iteration")]

use std::collections::VecDeque;
use std::rc::Rc;

use super::chain::{At, DataStatus, HeadersStatus, Iteration, Level, Source};
use super::exchange::Exchange;
use super::guest::Action;
use super::reply::LocalReply;
use super::stream::{Both, Direction, StreamContext, View};
use super::vm::{Failed, Vm};
use super::worker::{Part, Place};

impl Exchange<'_> {
    /// Headers to filter `i`. Pause is a stop of everything, unless the plugin allows less (E1, E2).
    pub(crate) fn call_headers(&mut self, at: At, i: usize, end: bool) -> HeadersStatus {
        let Some(context) = self.context(at, i) else { return self.without(at, i) };
        let count = self.with_lane(at, |lane| {
            lane.headers.as_ref().map_or(0, |headers| headers.borrow().len())
        });
        let result = self.enter(at.level, i, |vm| {
            if let Some(stream) = vm.stream_mut(context) {
                stream.access.of_mut(at.direction).headers = true;
                stream.end_of_stream = end;
            }
            let result = vm.on_headers(at.direction, context, number(count), end)?;
            if result == 0
                && let Some(stream) = vm.stream_mut(context)
            {
                stream.access.of_mut(at.direction).headers = false;
            }
            Ok(result)
        });
        match result {
            Ok(0 | 2) => Iteration::Continue,
            Ok(1) if self.allows_hold(at.level, i) => Iteration::StopSingle,
            Ok(3) => Iteration::StopAllBuffer,
            Ok(_) => Iteration::StopAllWatermark,
            Err(_) => self.fail(at, i),
        }
    }

    /// A piece to filter `i`; after a pause it sees all that is held (E4).
    pub(crate) fn call_body(&mut self, at: At, i: usize, source: Source, end: bool) -> DataStatus {
        let Some(context) = self.chain(at.level).links[i].context else {
            return data_status(self.without(at, i));
        };
        let mut view = if source == Source::Held { View::Held } else { View::Piece };
        let mut too_large = false;
        if self.side(at, i).buffering {
            too_large = self.hold_for_filter(at, source);
            if too_large && at.direction == Direction::Response {
                self.too_large(at);
                return DataStatus::StopNoBuffer;
            }
            view = View::Held;
        }
        let size = self.with_lane(at, |lane| match view {
            View::Held => lane.held.as_ref().map_or(0, Vec::len),
            View::Piece | View::None => lane.piece.len(),
        });
        let result = self.enter(at.level, i, |vm| {
            if let Some(stream) = vm.stream_mut(context) {
                stream.access.of_mut(at.direction).body = view;
                stream.end_of_stream = end;
            }
            let result = vm.on_body(at.direction, context, number(size), end)?;
            if let Some(stream) = vm.stream_mut(context) {
                stream.access.of_mut(at.direction).body = match result {
                    1 => View::Held,
                    // What was the passing piece is gone.
                    _ => View::None,
                };
            }
            Ok(result)
        });
        self.side(at, i).buffering = matches!(result, Ok(1));
        if too_large && !self.halted(at) {
            // Envoy puts the answer off until the filter has returned, whose own comes first.
            self.too_large(at);
        }
        match result {
            Ok(0) => DataStatus::Continue,
            Ok(1) => DataStatus::StopAndBuffer,
            Ok(2) => DataStatus::StopAndWatermark,
            Ok(_) => DataStatus::StopNoBuffer,
            Err(_) => data_status(self.fail(at, i)),
        }
    }

    /// Trailers to filter `i`.
    pub(crate) fn call_trailers(&mut self, at: At, i: usize) -> HeadersStatus {
        let Some(context) = self.chain(at.level).links[i].context else {
            return self.without(at, i);
        };
        let count = self.with_lane(at, |lane| {
            lane.trailers.as_ref().map_or(0, |trailers| trailers.borrow().len())
        });
        let result = self.enter(at.level, i, |vm| {
            if let Some(stream) = vm.stream_mut(context) {
                stream.access.of_mut(at.direction).trailers = true;
            }
            let result = vm.on_trailers(at.direction, context, number(count))?;
            if result == 0
                && let Some(stream) = vm.stream_mut(context)
            {
                stream.access.of_mut(at.direction).trailers = false;
            }
            Ok(result)
        });
        match result {
            Ok(0) => Iteration::Continue,
            Ok(_) => Iteration::StopSingle,
            Err(_) => self.fail(at, i),
        }
    }

    /// The stream is over: `on_log` downstream (made up for filters that never ran, E28), then
    /// `on_done` and `on_delete`.
    pub(crate) fn end_filters(&mut self, level: Level) {
        let profile = self.profile();
        if profile.done_before_log {
            let waits = self.end_contexts(level);
            self.log_filters(level);
            self.delete_contexts(level, &waits);
        } else {
            self.log_filters(level);
            for i in 0..self.chain(level).links.len() {
                if let Some(context) = self.chain_mut(level).links[i].context.take() {
                    let _ = self
                        .enter(level, i, |vm| vm.on_done(context).and_then(|_| vm.delete(context)));
                }
            }
        }
    }

    /// `on_log`, of downstream filters. A failure shows in the log; there is no stream left to answer.
    fn log_filters(&mut self, level: Level) {
        if level == Level::Upstream {
            return;
        }
        let at = At { level, direction: Direction::Request };
        for i in 0..self.chain(level).links.len() {
            let context = match self.chain(level).links[i].part {
                Part::Takes(_) => self.context(at, i),
                Part::Refuses | Part::Missing => None,
            };
            let Some(context) = context else { continue };
            let _ = self.enter(level, i, |vm| {
                if let Some(stream) = vm.stream_mut(context) {
                    stream.access = Both::default();
                    stream.logging = true;
                }
                vm.on_log(context)
            });
        }
    }

    /// `on_done` of all filters. Those that want to wait, by their place.
    fn end_contexts(&mut self, level: Level) -> Vec<usize> {
        let mut waits = Vec::new();
        for i in 0..self.chain(level).links.len() {
            if let Some(context) = self.chain(level).links[i].context
                && let Ok(false) = self.enter(level, i, |vm| vm.on_done(context))
            {
                waits.push(i);
            }
        }
        waits
    }

    /// `on_delete` of all filters but those that wait for their own `proxy_done`.
    fn delete_contexts(&mut self, level: Level, waits: &[usize]) {
        let may_wait = self.profile().streams_may_wait;
        for i in 0..self.chain(level).links.len() {
            if let Some(context) = self.chain_mut(level).links[i].context.take() {
                let _ = self.enter(level, i, |vm| {
                    if may_wait && waits.contains(&i) {
                        vm.wait(context);
                        return Ok(());
                    }
                    vm.delete(context)
                });
            }
        }
    }

    /// The context of filter `i`, made at its first request headers. None if it takes no part, or
    /// if it has not seen the request (then it does not see the response either).
    fn context(&mut self, at: At, i: usize) -> Option<u32> {
        let link = &self.chain(at.level).links[i];
        if link.context.is_some() || at.direction == Direction::Response {
            return link.context;
        }
        let Part::Takes(id) = link.part else { return None };
        let stream = StreamContext {
            wire: Rc::clone(&self.chain(at.level).wire),
            info: Rc::clone(&self.info),
            access: Both::default(),
            end_of_stream: false,
            network: false,
            upstream: at.level == Level::Upstream,
            logging: false,
        };
        let root = link.place.root;
        let made = self.enter(at.level, i, |vm| vm.create(id, root, stream));
        let link = &mut self.chain_mut(at.level).links[i];
        match made {
            Ok(()) => link.context = Some(id),
            Err(_) => link.part = Part::Refuses,
        }
        link.context
    }

    /// What happens at a filter that has no context.
    fn without(&mut self, at: At, i: usize) -> HeadersStatus {
        match (self.chain(at.level).links[i].part, at.direction) {
            (Part::Refuses, Direction::Request) => self.fail(at, i),
            _ => Iteration::Continue,
        }
    }

    /// The filter's VM failed, in this stream or another: 503, once, whose way back it does not stop.
    /// Whatever the policy: it is about later streams (E21).
    fn fail(&mut self, at: At, i: usize) -> HeadersStatus {
        if !std::mem::replace(&mut self.chain_mut(at.level).links[i].refused, true) {
            self.local_reply(at.level, &LocalReply::failed_vm());
        } else if at.direction == Direction::Response {
            return Iteration::Continue;
        }
        Iteration::StopAllWatermark
    }

    fn allows_hold(&self, level: Level, i: usize) -> bool {
        let plugin = self.chain(level).links[i].place.plugin;
        self.worker.borrow().plugin(plugin).is_some_and(|plugin| plugin.allow_hold)
    }

    /// Calls into the VM of filter `i`, then does what its host functions put off.
    fn enter<T>(
        &mut self,
        level: Level,
        i: usize,
        call: impl FnOnce(&mut Vm) -> Result<T, Failed>,
    ) -> Result<T, Failed> {
        let place = self.chain(level).links[i].place;
        let (result, actions) = self.worker.borrow_mut().enter(place, call);
        self.perform(place, actions);
        result
    }

    /// Does what was put off until the VM returned: replies first override what it answered (E14).
    pub(crate) fn perform(&mut self, place: Place, actions: VecDeque<Action>) {
        for action in actions {
            let Some((level, i)) = self.find(place.slot, action.context()) else {
                // Of a stream of another exchange (E29), or of none any more.
                self.foreign.push((place, action));
                continue;
            };
            match action {
                Action::Reply { reply, .. } => self.local_reply(level, &reply),
                Action::Continue { direction, .. } => self.resume(At { level, direction }, i),
                Action::Close { .. } => self.reset_client(),
            }
        }
    }

    /// The filter with this context.
    pub(crate) fn find(&self, slot: usize, context: u32) -> Option<(Level, usize)> {
        [Level::Downstream, Level::Upstream].into_iter().find_map(|level| {
            let mut links = self.chain(level).links.iter();
            let found = |link: &super::chain::Link| {
                link.place.slot == slot && link.context == Some(context)
            };
            links.position(found).map(|i| (level, i))
        })
    }
}

fn data_status(status: HeadersStatus) -> DataStatus {
    match status {
        Iteration::Continue => DataStatus::Continue,
        _ => DataStatus::StopNoBuffer,
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
