//! Callouts: the calls of filters to other clusters, and what the scenario says comes of them.
//!
//! A call *arrives* at its cluster when nothing else moves any more, and takes the cluster's next
//! answer there, in order of arrival over all workers. Its answer comes after the scripted delay,
//! its timeout when its caller said; each of these is an entry of the agenda ([`Due`]), so nothing
//! ever comes inside a call into a VM (E18). What an answer means to the guest is [`reply`]'s.
//!
//! A call belongs to the root context that made it, and outlives the stream it was made for. Calls
//! of a VM that is gone come to nothing, silently (E20).

mod call;
pub(crate) mod reply;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::headers::HeaderMap;
use super::scheduler::{Key, Scheduler};
use crate::plan;
use crate::report::{CalloutRequest, used_up};
use call::Made;
pub(crate) use call::{Call, Id, Kind, Obstacle, Refused};
use reply::{Part, Reply};

/// Calls of one cluster that may be open: what Envoy's circuit breaker lets through.
const MOST_OPEN: usize = 1024;

/// Bytes of one call's body, and of all calls that are still to be reported.
pub(crate) const MOST_BODY_BYTES: usize = 32 << 20;
const MOST_KEPT_BYTES: usize = 2 * MOST_BODY_BYTES;

/// What a call costs besides its headers and its body, about.
const BYTES_PER_CALL: usize = 512;

/// Tokens of streams that are kept for a guest that has not closed them.
const MOST_UNCLOSED: usize = 65_536;

/// Something that time brings.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Due {
    /// A root context's tick.
    Tick { vm: u64, root: u32 },
    /// A call reaches its cluster.
    Arrival(Id),
    /// Its answer comes.
    Answer(Id),
    /// Its caller waits no longer.
    Timeout(Id),
}

/// A call under way.
struct Open {
    call: Call,
    /// The entry that brings it on: its arrival, then its answer. None: nothing will.
    next: Option<Key>,
    timer: Option<Key>,
    /// What is still to be told to the guest.
    parts: VecDeque<Part>,
    /// The number of its report, once it has arrived.
    report: Option<u64>,
    /// The request is complete; a stream's when the guest has said its last.
    ended: bool,
    /// The guest has closed a stream: its token goes when the other side has said its last.
    closed: bool,
}

/// One cluster's script.
struct Cluster {
    answers: Vec<plan::Callout>,
    /// How many of them are used; may go beyond the last.
    used: usize,
    /// As it was when every VM had started.
    used_at_start: usize,
    /// Calls under way.
    open: usize,
}

/// Every cluster, and every call under way.
#[derive(Default)]
pub(crate) struct Callouts {
    clusters: BTreeMap<String, Cluster>,
    open: BTreeMap<Id, Open>,
    /// Streams whose other side has said its last, until the guest closes them.
    unclosed: BTreeSet<Id>,
    made: BTreeMap<u64, Made>,
    arrived: u64,
    kept_bytes: usize,
}

impl Callouts {
    pub(crate) fn new(scripts: &BTreeMap<String, Vec<plan::Callout>>) -> Self {
        let cluster = |answers: &Vec<plan::Callout>| Cluster {
            answers: answers.clone(),
            used: 0,
            used_at_start: 0,
            open: 0,
        };
        let clusters = scripts.iter().map(|(name, answers)| (name.clone(), cluster(answers)));
        Self { clusters: clusters.collect(), ..Self::default() }
    }

    /// Every VM has started: a run begins with the answers that are left now.
    pub(crate) fn started(&mut self) {
        self.clusters.values_mut().for_each(|cluster| cluster.used_at_start = cluster.used);
    }

    /// As [`Callouts::started`] left it, for another run.
    pub(crate) fn rewind(&mut self) {
        self.clusters.values_mut().for_each(|cluster| cluster.used = cluster.used_at_start);
    }

    pub(crate) fn has_cluster(&self, name: &str) -> bool {
        self.clusters.contains_key(name)
    }

    /// Why a call to a cluster cannot even begin. A cluster without a single answer is one without
    /// endpoints.
    pub(crate) fn obstacle(&self, name: &str) -> Option<Obstacle> {
        let Some(cluster) = self.clusters.get(name) else { return Some(Obstacle::NoCluster) };
        if cluster.answers.is_empty() {
            return Some(Obstacle::NoEndpoint);
        }
        (cluster.open >= MOST_OPEN).then_some(Obstacle::Overflow)
    }

    /// A call that ends before it begins: the guest is told `parts` as soon as it has returned,
    /// though it was refused the token. Nothing is told where too much is to come already.
    pub(crate) fn fail_at_once(
        &mut self,
        id: Id,
        call: Call,
        parts: VecDeque<Part>,
        now: u64,
        agenda: &mut Scheduler<Due>,
    ) {
        let Some(next) = agenda.schedule(now, Due::Answer(id)) else { return };
        // Nobody gets what was to be sent, and a guest may fail as often as it likes.
        let known = self.clusters.contains_key(&call.cluster);
        let cluster = if known { call.cluster } else { String::new() };
        let call = Call { cluster, headers: HeaderMap::default(), body: Vec::new(), ..call };
        self.kept_bytes += BYTES_PER_CALL;
        self.add(
            id,
            Open {
                call,
                next: Some(next),
                timer: None,
                parts,
                report: None,
                ended: true,
                closed: true,
            },
        );
    }

    /// Makes a call.
    ///
    /// # Errors
    ///
    /// When it is over a limit, which is the text.
    pub(crate) fn make(
        &mut self,
        id: Id,
        call: Call,
        now: u64,
        agenda: &mut Scheduler<Due>,
    ) -> Result<(), Refused> {
        let full = || Refused("too much is to come already".to_owned());
        let next = agenda.schedule(now, Due::Arrival(id)).ok_or_else(full)?;
        let timer = match call.timeout {
            Some(nanos) => {
                let timer = agenda.schedule(now.saturating_add(nanos), Due::Timeout(id));
                if timer.is_none() {
                    agenda.cancel(next);
                    return Err(full());
                }
                timer
            }
            None => None,
        };
        if let Err(refused) = self.keep(0, call.body.len()) {
            for key in [Some(next), timer].into_iter().flatten() {
                agenda.cancel(key);
            }
            return Err(refused);
        }
        self.kept_bytes += call.headers.byte_size() + BYTES_PER_CALL;
        let open = Open {
            ended: call.kind != Kind::Stream,
            call,
            next: Some(next),
            timer,
            parts: VecDeque::new(),
            report: None,
            closed: false,
        };
        self.add(id, open);
        Ok(())
    }

    fn add(&mut self, id: Id, open: Open) {
        if let Some(cluster) = self.clusters.get_mut(&open.call.cluster) {
            cluster.open += 1;
        }
        self.open.insert(id, open);
    }

    fn remove(&mut self, id: Id) -> Option<Open> {
        let open = self.open.remove(&id)?;
        if let Some(cluster) = self.clusters.get_mut(&open.call.cluster) {
            cluster.open = cluster.open.saturating_sub(1);
        }
        Some(open)
    }

    /// Counts `more` bytes to a body of `size`.
    fn keep(&mut self, size: usize, more: usize) -> Result<(), Refused> {
        let body = size.saturating_add(more);
        if body > MOST_BODY_BYTES {
            return Err(Refused(format!("its body is over {MOST_BODY_BYTES} bytes")));
        }
        let kept = self.kept_bytes.saturating_add(more);
        if kept > MOST_KEPT_BYTES {
            let text = format!("the calls of this exchange are over {MOST_KEPT_BYTES} bytes");
            return Err(Refused(text));
        }
        self.kept_bytes = kept;
        Ok(())
    }

    fn forget(&mut self, headers: &HeaderMap, body: usize) {
        let bytes = headers.byte_size() + BYTES_PER_CALL + body;
        self.kept_bytes = self.kept_bytes.saturating_sub(bytes);
    }

    /// The call reaches its cluster, which takes its next answer. A line to log, if there is none.
    pub(crate) fn arrive(
        &mut self,
        id: Id,
        now: u64,
        agenda: &mut Scheduler<Due>,
    ) -> Option<(Option<usize>, String)> {
        let open = self.open.get_mut(&id)?;
        let number = self.arrived;
        self.arrived += 1;
        open.report = Some(number);
        open.next = None;
        let call = &mut open.call;
        let made = Made {
            exchange: call.exchange,
            cluster: call.cluster.clone(),
            headers: call.headers.clone(),
            body: std::mem::take(&mut call.body),
        };
        self.made.insert(number, made);
        let cluster = self.clusters.get_mut(&call.cluster)?;
        let answer = cluster.answers.get(cluster.used);
        cluster.used += 1;
        let (reply, delay) = match answer {
            Some(callout) => {
                (Reply::scripted(callout, &call.headers, open.ended), callout.delay_nanos)
            }
            None => (Some(Reply::used_up(&call.headers)), 0),
        };
        if let Some(reply) = reply {
            open.parts = reply.parts(call.kind);
            open.next = agenda.schedule(now.saturating_add(delay), Due::Answer(id));
        }
        answer.is_none().then(|| {
            let text = used_up(&call.cluster, cluster.used, cluster.answers.len());
            (call.exchange, text)
        })
    }

    /// The caller waits no longer, unless the answer is there already.
    pub(crate) fn time_out(&mut self, id: Id, agenda: &mut Scheduler<Due>) {
        let Some(open) = self.open.get_mut(&id) else { return };
        open.timer = None;
        if let Some(next) = open.next.take() {
            agenda.cancel(next);
        }
        open.parts = Reply::timed_out(&open.call.headers).parts(open.call.kind);
    }

    /// What the guest is told next of this call, and the root context that is told. The call is
    /// over with the last of it.
    pub(crate) fn next_part(&mut self, id: Id, agenda: &mut Scheduler<Due>) -> Option<(u32, Part)> {
        let open = self.open.get_mut(&id)?;
        let part = open.parts.pop_front()?;
        let root = open.call.root;
        if open.parts.is_empty() {
            if let Some(timer) = open.timer.take() {
                agenda.cancel(timer);
            }
            // The guest may still close a stream that the other side has closed, once.
            if open.call.kind == Kind::Stream && !open.closed {
                self.unclosed.insert(id);
                if self.unclosed.len() > MOST_UNCLOSED {
                    self.unclosed.pop_first();
                }
            }
            if let Some(open) = self.remove(id).filter(|open| open.report.is_none()) {
                self.forget(&open.call.headers, open.call.body.len());
            }
        }
        Some((root, part))
    }

    /// Another message of a stream; one after the end, of either side, goes nowhere. `Ok(false)`:
    /// there is no such stream.
    ///
    /// # Errors
    ///
    /// When it is over a limit.
    pub(crate) fn send(&mut self, id: Id, message: &[u8], end: bool) -> Result<bool, Refused> {
        if self.unclosed.contains(&id) {
            return Ok(true);
        }
        let Some(open) = self.open.get(&id) else { return Ok(false) };
        if open.ended {
            return Ok(true);
        }
        let made = open.report.and_then(|number| self.made.get(&number));
        let size = made.map_or(open.call.body.len(), |made| made.body.len());
        self.keep(size, message.len())?;
        let Some(open) = self.open.get_mut(&id) else { return Ok(false) };
        open.ended = end;
        match open.report {
            None => open.call.body.extend_from_slice(message),
            // A stream may outlive its report.
            Some(number) => match self.made.get_mut(&number) {
                Some(made) => made.body.extend_from_slice(message),
                None => self.kept_bytes = self.kept_bytes.saturating_sub(message.len()),
            },
        }
        Ok(true)
    }

    /// The guest has said its last on a stream, or wants no answer of a call. False: no such call.
    pub(crate) fn close(&mut self, id: Id, agenda: &mut Scheduler<Due>) -> bool {
        match self.open.get_mut(&id) {
            Some(open) if open.call.kind == Kind::Stream => {
                (open.ended, open.closed) = (true, true);
                true
            }
            _ => self.cancel(id, agenda),
        }
    }

    /// The guest wants nothing more of a call. False: no such call.
    pub(crate) fn cancel(&mut self, id: Id, agenda: &mut Scheduler<Due>) -> bool {
        let Some(open) = self.remove(id) else { return self.unclosed.remove(&id) };
        for key in [open.next, open.timer].into_iter().flatten() {
            agenda.cancel(key);
        }
        if open.report.is_none() {
            self.forget(&open.call.headers, open.call.body.len());
        }
        true
    }

    /// The calls of an exchange and of no exchange, in order of arrival.
    pub(crate) fn take_made(&mut self, exchange: usize) -> Vec<CalloutRequest> {
        let of = |made: &Made| made.exchange.is_none_or(|of| of == exchange);
        let taken = self.made.extract_if(.., |_, made| of(made)).map(|(_, made)| made);
        let taken: Vec<Made> = taken.collect();
        for made in &taken {
            self.forget(&made.headers, made.body.len());
        }
        taken.into_iter().map(Made::report).collect()
    }

    /// Every open call in words, for a hang or the end of a run.
    pub(crate) fn open_calls(&self) -> Vec<String> {
        self.open.iter().map(|(id, open)| open.call.describe(*id, open.next.is_some())).collect()
    }

    /// Forgets every call: nobody will be told.
    pub(crate) fn drop_calls(&mut self, agenda: &mut Scheduler<Due>) {
        self.open.clear();
        self.clusters.values_mut().for_each(|cluster| cluster.open = 0);
        self.unclosed.clear();
        self.made.clear();
        self.kept_bytes = 0;
        agenda.retain(|due| matches!(due, Due::Tick { .. }));
    }
}

#[cfg(test)]
mod tests;
