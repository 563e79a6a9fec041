//! The gateway's loop: exchanges move as far as they can, then time does, to the next thing that is
//! due.
//!
//! So nothing that time brings comes between the pieces of a message that is on its way: an answer
//! without delay, too, comes only when nothing else moves. That is one of the orders in which a real
//! gateway may see things, and the same one however bodies are cut.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use anyhow::{Context, bail};

use super::Gateway;
use super::callouts::{Due, Id};
use super::exchange::{Exchange, Step};
use super::guest::Action;
use super::worker::{Place, Worker};
use crate::report::HOST;

/// How long exchanges are waited for, in virtual time: an hour.
pub(super) const MOST_WAIT_NANOS: u64 = 3_600_000_000_000;

/// How long root contexts are waited for that are not done: a minute.
const MOST_END_NANOS: u64 = 60_000_000_000;

/// What may happen in that time: ticks, arrivals, answers, timeouts.
pub(super) const MOST_EVENTS: usize = 100_000;

/// What may happen between two exchanges.
const MOST_EVENTS_IN_ADVANCE: usize = 1_000_000;

/// Calls of queue readers in one run at most.
const MOST_QUEUE_CALLS: u64 = 1_000_000;

/// The exchanges under way.
type Running<'r, 'p> = &'r mut [Exchange<'p>];

impl Gateway {
    /// Steps exchanges in turn until all are over, and whatever is due by then has happened.
    pub(super) fn finish(&self, running: Running<'_, '_>) -> anyhow::Result<()> {
        let deadline = self.now().saturating_add(MOST_WAIT_NANOS);
        let mut events = 0;
        loop {
            let over = self.settle(running)?;
            let until = if over { self.now() } else { deadline };
            if events == MOST_EVENTS || !self.happen(until, running) {
                if over {
                    return Ok(());
                }
                break;
            }
            events += 1;
        }
        let stuck = running.iter_mut().find(|exchange| !exchange.over);
        let Some(exchange) = stuck else { return Ok(()) };
        let name = exchange.plan.name.clone();
        let number = exchange.info.borrow().exchange;
        let text = exchange.hang();
        let mut lines: Vec<String> = Vec::new();
        for line in self.lines(Some(number)) {
            lines.push(format!("\n  [{}] {}: {}", line.level, line.filter, line.message));
        }
        bail!("exchange `{name}`: {text}{}{}", self.why_stuck(deadline, events), lines.concat())
    }

    /// Steps exchanges until none moves. True: all are over.
    fn settle(&self, running: Running<'_, '_>) -> anyhow::Result<bool> {
        loop {
            let called = self.call_queue_readers(running)?;
            let mut steps = Vec::with_capacity(running.len());
            for i in 0..running.len() {
                steps.extend(running.get_mut(i).map(Exchange::step));
                self.perform_foreign(running);
            }
            if !called && !steps.contains(&Step::Moved) {
                return Ok(steps.iter().all(|step| *step == Step::Over));
            }
        }
    }

    /// Lets happen what the start brought about and what is due at once.
    pub(super) fn settle_start(&self) -> anyhow::Result<()> {
        self.advance(0).context("at the start")?;
        self.world.borrow_mut().callouts.started();
        Ok(())
    }

    /// Lets time pass between exchanges, with all that is due in it.
    pub(super) fn advance(&self, nanos: u64) -> anyhow::Result<()> {
        let until = self.now().saturating_add(nanos);
        let mut events = 0;
        while self.call_queue_readers(&mut [])? || self.happen(until, &mut []) {
            events += 1;
            if events > MOST_EVENTS_IN_ADVANCE {
                bail!(
                    "more than {MOST_EVENTS_IN_ADVANCE} ticks and answers are due in it; let less \
                     time pass, or tick less often"
                );
            }
        }
        self.world.borrow_mut().now = until;
        Ok(())
    }

    /// Lets time pass, for a minute at most, until every root context is done.
    pub(super) fn wait_for_the_end(&self) {
        let until = self.now().saturating_add(MOST_END_NANOS);
        let mut events = 0;
        while events < MOST_EVENTS
            && self.threads.all().any(|thread| thread.borrow().is_ending())
            && self.happen(until, &mut [])
        {
            events += 1;
            for thread in self.threads.all() {
                thread.borrow_mut().end_finished();
            }
        }
    }

    /// Lets the next thing happen that is due at `until` or before. False: there is none.
    pub(super) fn happen(&self, until: u64, running: Running<'_, '_>) -> bool {
        let due = {
            let mut world = self.world.borrow_mut();
            let Some((at, due)) = world.agenda.pop(until) else { return false };
            // What was due in the past is due now.
            world.now = world.now.max(at);
            due
        };
        match due {
            Due::Tick { vm, root } => self.tick(vm, root, running),
            Due::Arrival(id) => self.arrive(id),
            Due::Answer(id) => self.tell(id, running),
            Due::Timeout(id) => {
                {
                    let mut world = self.world.borrow_mut();
                    let world = &mut *world;
                    world.callouts.time_out(id, &mut world.agenda);
                }
                self.tell(id, running);
            }
        }
        true
    }

    fn tick(&self, vm: u64, root: u32, running: Running<'_, '_>) {
        let Some((worker, place)) = self.root(vm, root) else { return };
        let (_, actions) = worker.borrow_mut().enter(place, |vm| vm.on_tick(root));
        self.perform(worker, place, actions, running);
    }

    /// A call reaches its cluster, unless its VM is gone: then it was never made.
    fn arrive(&self, id: Id) {
        let lives = self.threads.all().any(|worker| worker.borrow().has_vm(id.vm));
        let mut world = self.world.borrow_mut();
        let world = &mut *world;
        if !lives {
            world.callouts.cancel(id, &mut world.agenda);
        } else if let Some((exchange, text)) =
            world.callouts.arrive(id, world.now, &mut world.agenda)
        {
            world.log(LEVEL_WARN, HOST, exchange, &text);
        }
    }

    /// Tells the guest what came of a call. It may act on any of its streams, and end the call.
    fn tell(&self, id: Id, running: Running<'_, '_>) {
        loop {
            let next = {
                let mut world = self.world.borrow_mut();
                let world = &mut *world;
                world.callouts.next_part(id, &mut world.agenda)
            };
            let Some((root, part)) = next else { return };
            let Some((worker, place)) = self.root(id.vm, root) else { continue };
            let (_, actions) =
                worker.borrow_mut().enter(place, |vm| vm.on_callout(root, id.token, part));
            self.perform(worker, place, actions, running);
        }
    }

    /// Calls the readers of everything that was queued before; what they queue has to wait for the
    /// next time. False: there was nothing.
    pub(super) fn call_queue_readers(&self, running: Running<'_, '_>) -> anyhow::Result<bool> {
        let due = self.world.borrow_mut().queues.take_ready();
        if due.is_empty() {
            return Ok(false);
        }
        let mut called = self.world.borrow().queues.called;
        for ready in due {
            called += 1;
            if called > MOST_QUEUE_CALLS {
                bail!(
                    "proxy_on_queue_ready was called {MOST_QUEUE_CALLS} times: does it queue \
                     something for itself each time?"
                );
            }
            for worker in self.threads.all() {
                let called = worker.borrow_mut().queue_ready(ready);
                if let Some((place, actions)) = called {
                    self.perform(worker, place, actions, running);
                }
            }
        }
        self.world.borrow_mut().queues.called = called;
        Ok(true)
    }

    /// The thread of a VM, and the place of its root context.
    fn root(&self, vm: u64, root: u32) -> Option<(&Rc<RefCell<Worker>>, Place)> {
        self.threads.all().find_map(|worker| Some((worker, worker.borrow().root(vm, root)?)))
    }

    /// Does what a callback asked for, each thing in the exchange that it is about.
    fn perform(
        &self,
        worker: &Rc<RefCell<Worker>>,
        place: Place,
        actions: VecDeque<Action>,
        running: Running<'_, '_>,
    ) {
        for action in actions {
            if running.is_empty() {
                self.stray(worker, place, action);
            } else {
                route(worker, place, action, running);
            }
        }
        self.perform_foreign(running);
    }

    /// Does what filters of one exchange asked for in the name of another's streams. Each step of
    /// such a chain resumes or ends something, so there is an end to it.
    fn perform_foreign(&self, running: Running<'_, '_>) {
        while let Some(exchange) = running.iter_mut().find(|e| !e.foreign.is_empty()) {
            let worker = Rc::clone(&exchange.worker);
            for (place, action) in std::mem::take(&mut exchange.foreign) {
                route(&worker, place, action, running);
            }
        }
    }

    /// What is still to come, and why it is not waited for.
    fn why_stuck(&self, deadline: u64, events: usize) -> String {
        let world = self.world.borrow();
        let mut text = String::new();
        for call in world.callouts.open_calls() {
            text += &format!("\n  open: {call}");
        }
        // The main thread's plugins are the same, and have no streams.
        for worker in &self.threads.workers {
            for (filter, period) in worker.borrow().tickers() {
                text += &format!("\n  filter `{filter}` ticks every {} ms", period / 1_000_000);
            }
        }
        if events == MOST_EVENTS {
            text += &format!("\n  gave up after {MOST_EVENTS} ticks and answers");
        } else if world.agenda.next_at().is_some_and(|next| next > deadline) {
            text += "\n  gave up after an hour of virtual time";
        }
        text
    }

    /// The run is over, and its root contexts with it: nobody is told what comes of calls that are
    /// still open (E20).
    pub(super) fn drop_calls(&self) {
        let mut world = self.world.borrow_mut();
        let world = &mut *world;
        for call in world.callouts.open_calls() {
            world.log(LEVEL_INFO, HOST, None, &format!("still open at the end: {call}"));
        }
        world.callouts.drop_calls(&mut world.agenda);
    }

    pub(super) fn now(&self) -> u64 {
        self.world.borrow().now
    }
}

const LEVEL_INFO: u32 = 2;
const LEVEL_WARN: u32 = 3;

/// Does one thing in the exchange whose stream it is about; nothing if that is gone.
fn route(worker: &Rc<RefCell<Worker>>, place: Place, action: Action, running: Running<'_, '_>) {
    let context = action.context();
    let owner = running.iter_mut().find(|exchange| {
        Rc::ptr_eq(&exchange.worker, worker) && exchange.find(place.slot, context).is_some()
    });
    if let Some(exchange) = owner {
        exchange.perform(place, [action].into());
    }
}
