//! An offline proxy-wasm host: Envoy's filter chain around wasmtime, in virtual time.
//!
//! It speaks ABI 0.2.1 and mirrors Envoy 1.35 and later where Envoy and the specification differ.
//! Rules that are mirrored carry numbers, which comments and test names here refer to; the tests can
//! run on a real Envoy too, and did on 1.40 (see `tests`):
//!
//! | rule | |
//! |---|---|
//! | E1, E2 | Pause in headers stops body callbacks, unless `allowOnHeadersStopIteration`; then headers stay changeable until a body callback continues |
//! | E3 | after such a full stop the same filter gets the body first, else the next one does |
//! | E4, E5 | a paused body accumulates, up to the buffer limit: 413 for requests, 500 or a reset for responses |
//! | E6–E11 | which header map is readable and writable when, repeats, well-known names |
//! | E12 | required pseudo-headers are missed only behind the filters: 404 without a path |
//! | E14–E16 | local replies: put off until the call returns, then through the response side of every filter that saw the request |
//! | E21–E23 | a trap fails the VM: 503 for this stream, for others what the failure policy says |
//! | E24 | plugins with the same VM id, VM configuration and module share a VM per worker |
//! | E25–E28, E30–E32 | shared data, metrics, filter state, late contexts, log, limits |
//!
//! How to read it: [`run`] starts the threads ([`start`], [`worker`], [`vm`]) and steps exchanges ([`exchange`]);
//! [`chain`] moves messages through filters and [`filter`] calls them; [`router`] and [`client`] are
//! the two ends; [`abi`] and [`wasi`] are what filters call.
//!
//! Not simulated: headers that Envoy adds by itself (`x-forwarded-proto`, `x-request-id`,
//! `x-envoy-*`, `date`, `server`, `transfer-encoding`), route matching (there is one route), gRPC
//! replies, retry back-off. Not yet: callouts (InternalFailure, and a log line that says
//! why).

mod abi;
mod allowance;
mod chain;
mod client;
mod engine;
mod exchange;
mod filter;
mod guest;
mod headers;
mod profile;
mod recorder;
mod reply;
mod router;
mod shared;
mod start;
mod stream;
mod vm;
mod wasi;
mod worker;
mod world;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use anyhow::{Context, bail};

pub use engine::{Budget, Runtime};

use crate::plan::Plan;
use crate::report::{LogLine, Report};
use crate::trace::Trace;
use allowance::Allowance;
use exchange::{DEFAULT_BUFFER_LIMIT, Exchange, Step, Surroundings};
use guest::Action;
pub(crate) use guest::Thread;
use profile::Switches;
use recorder::Recorder;
use start::Threads;
use worker::{Place, Worker};
use world::{DEFAULT_CLOCK, World};

/// Runs a scenario in a fresh process-worth of state.
///
/// # Errors
///
/// When a filter cannot be loaded or refuses its configuration, when an exchange hangs, or when it
/// did what a real host cannot send. What filters answer, however bad, is no error: it is reported.
pub fn run(plan: &Plan) -> anyhow::Result<Report> {
    run_on(Runtime::shared()?, plan)
}

/// As [`run`], with modules compiled by `runtime`.
///
/// # Errors
///
/// As [`run`].
pub fn run_on(runtime: &'static Runtime, plan: &Plan) -> anyhow::Result<Report> {
    let mut gateway = Gateway::start(runtime, plan)?;
    let mut report = gateway.run(plan)?;
    report.logs.extend(gateway.end());
    Ok(report)
}

/// As [`run`], and records what filters did on the way, but not at the end of everything; also when
/// there is nothing to report.
pub fn record(plan: &Plan) -> (anyhow::Result<Report>, Trace) {
    let recorder = Recorder::shared();
    let mut gateway = Runtime::shared().and_then(|runtime| {
        let recorder = Some(Rc::clone(&recorder));
        Gateway::start_with(runtime, plan, recorder)
    });
    let report = match &mut gateway {
        Ok(gateway) => gateway.run(plan),
        Err(_) => Ok(Report::default()),
    };
    let trace = recorder.borrow_mut().take();
    let report = gateway.and_then(|gateway| {
        let mut report = report?;
        report.logs.extend(gateway.end());
        Ok(report)
    });
    (report, trace)
}

/// The host with its workers, ready for exchanges.
pub struct Gateway {
    world: Rc<RefCell<World>>,
    threads: Threads,
    /// What filters logged when they were started, each line once.
    start: Vec<LogLine>,
    runtime: &'static Runtime,
}

impl Gateway {
    /// Starts every worker with the chain of `plan`.
    ///
    /// # Errors
    ///
    /// When a filter cannot be loaded or refuses its configuration.
    pub fn start(runtime: &'static Runtime, plan: &Plan) -> anyhow::Result<Self> {
        Self::start_with(runtime, plan, None)
    }

    fn start_with(
        runtime: &'static Runtime,
        plan: &Plan,
        recorder: recorder::Shared,
    ) -> anyhow::Result<Self> {
        let clock = match &plan.scenario.clock {
            Some(text) => clock(text)
                .with_context(|| format!("clock: found `{text}`, expected 2026-01-01T00:00:00Z"))?,
            None => DEFAULT_CLOCK,
        };
        let world = Rc::new(RefCell::new(World::new(clock)));
        world.borrow_mut().recorder = recorder;
        world.borrow_mut().allowance = Allowance::new(runtime.fuel());
        world.borrow_mut().profile = Switches::of(plan.profile);
        let threads = Threads::start(runtime, plan, &world)?;
        let mut gateway = Self { world, threads, start: Vec::new(), runtime };
        for line in gateway.lines(None) {
            // Each thread says the same.
            if !gateway.start.contains(&line) {
                gateway.start.push(line);
            }
        }
        Ok(gateway)
    }

    /// Runs the exchanges of `plan`, which it was started with; may be repeated.
    ///
    /// # Errors
    ///
    /// When an exchange hangs, or did what a real host cannot send.
    pub fn run(&mut self, plan: &Plan) -> anyhow::Result<Report> {
        self.world.borrow_mut().empty_log();
        let limit = plan.scenario.limits.buffer_bytes;
        let surroundings = Surroundings {
            route: &plan.scenario.route,
            limit: limit.map_or(DEFAULT_BUFFER_LIMIT, |bytes| bytes as usize),
            overrides: Rc::new(plan.scenario.properties.clone()),
            world: Rc::clone(&self.world),
        };
        let mut report = Report { logs: self.start.clone(), ..Report::default() };
        let mut rest = plan.exchanges.as_slice();
        let mut index = 0;
        while let Some((first, _)) = rest.split_first() {
            let together = rest.iter().take_while(|e| first.concurrent && e.concurrent).count();
            let (group, behind) = rest.split_at(together.max(1).min(rest.len()));
            rest = behind;
            self.world.borrow_mut().allowance = Allowance::new(self.runtime.fuel());
            self.advance(group.iter().map(|e| e.advance_nanos).max().unwrap_or(0));
            let mut running = Vec::new();
            for plan in group {
                let worker = plan.worker.map_or(index, |worker| worker as usize);
                let worker = self.threads.workers.get(worker % self.threads.workers.len().max(1));
                let Some(worker) = worker else { bail!("no worker") };
                running.push(Exchange::new(index, plan, &surroundings, Rc::clone(worker)));
                index += 1;
            }
            self.finish(&mut running)?;
            self.world.borrow_mut().vms.active = self.threads.active_vms();
            for (i, exchange) in running.into_iter().enumerate() {
                let number = index - group.len() + i;
                let lines = self.lines(Some(number));
                let name = exchange.plan.name.clone();
                let observed = exchange.observed(lines);
                report.exchanges.push(observed.with_context(|| format!("exchange `{name}`"))?);
            }
        }
        report.logs.extend(self.lines(None));
        Ok(report)
    }

    /// Ends every plugin: `on_done`, then `on_delete`, on the workers first and the last one of the
    /// chain first. What they log is the result.
    ///
    /// Envoy does not wait for one that is not done yet: its VM goes with it. By the specification
    /// it goes on until it calls `proxy_done`; here for a minute at most.
    pub fn end(self) -> Vec<LogLine> {
        self.world.borrow_mut().allowance = Allowance::new(self.runtime.fuel());
        for thread in self.threads.workers.iter().chain([&self.threads.main]) {
            thread.borrow_mut().end();
        }
        let mut waited = 0;
        let waits = self.world.borrow().profile.plugins_are_waited_for;
        while waits
            && waited < MOST_WAIT_NANOS
            && self.threads.all().any(|thread| thread.borrow().is_ending())
            && let Some(period) = self.shortest_tick()
        {
            waited += period;
            self.tick(period, &mut []);
            for thread in self.threads.all() {
                thread.borrow_mut().end_finished();
            }
        }
        self.lines(None)
    }

    /// Shows the memory of every running VM of the workers.
    pub(crate) fn memories(&self, mut show: impl FnMut((Thread, usize), &[String], &[u8])) {
        for worker in &self.threads.workers {
            worker.borrow().memories(&mut show);
        }
    }

    /// Steps exchanges in turn until all are over.
    fn finish(&self, running: &mut [Exchange<'_>]) -> anyhow::Result<()> {
        let mut waited = 0;
        loop {
            let called = self.call_queue_readers(running)?;
            let steps: Vec<Step> = running.iter_mut().map(Exchange::step).collect();
            if called || steps.contains(&Step::Moved) {
                continue;
            }
            if steps.iter().all(|step| *step == Step::Over) {
                return Ok(());
            }
            // Only a tick can help; a minute of them is enough to show that none does.
            let Some(period) = self.shortest_tick().filter(|_| waited < MOST_WAIT_NANOS) else {
                break;
            };
            waited += period;
            self.tick(period, running);
        }
        let stuck = running.iter_mut().zip(1..).find(|(exchange, _)| !exchange.over);
        let Some((exchange, _)) = stuck else { return Ok(()) };
        let name = exchange.plan.name.clone();
        let number = exchange.info.borrow().exchange;
        let text = exchange.hang();
        let mut lines: Vec<String> = Vec::new();
        for line in self.lines(Some(number)) {
            lines.push(format!("\n  [{}] {}: {}", line.level, line.filter, line.message));
        }
        bail!("exchange `{name}`: {text}{}", lines.concat())
    }

    /// The shortest tick period of any plugin, in nanoseconds.
    fn shortest_tick(&self) -> Option<u64> {
        let periods = self.threads.all().flat_map(|worker| worker.borrow().tickers());
        periods.map(|(_, millis)| u64::from(millis) * 1_000_000).min()
    }

    /// Lets `nanos` pass and calls every ticking plugin once; what it asks for is done in `running`.
    fn tick(&self, nanos: u64, running: &mut [Exchange<'_>]) {
        let now = self.world.borrow().now;
        self.world.borrow_mut().now = now.saturating_add(nanos);
        for worker in self.threads.all() {
            let tickers = worker.borrow().tickers();
            for (place, _) in tickers {
                let root = place.root;
                let (_, actions) = worker.borrow_mut().enter(place, |vm| vm.on_tick(root));
                perform(worker, place, actions, running);
            }
        }
    }

    /// Calls the readers of everything that was queued before; what they queue has to wait for the
    /// next time. False: there was nothing.
    fn call_queue_readers(&self, running: &mut [Exchange<'_>]) -> anyhow::Result<bool> {
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
                    perform(worker, place, actions, running);
                }
            }
        }
        self.world.borrow_mut().queues.called = called;
        Ok(true)
    }

    /// Lets time pass between exchanges, with the ticks that are due in it.
    fn advance(&self, nanos: u64) {
        let mut left = nanos;
        for _ in 0..MOST_TICKS {
            let Some(period) = self.shortest_tick().filter(|period| *period <= left) else { break };
            self.tick(period, &mut []);
            left -= period;
        }
        let now = self.world.borrow().now;
        self.world.borrow_mut().now = now.saturating_add(left);
    }

    /// Takes the log lines of an exchange, with those that were logged since the last one and belong
    /// to none; without those that filters repeat when they are loaded anew.
    fn lines(&self, owner: Option<usize>) -> Vec<LogLine> {
        let mut world = self.world.borrow_mut();
        let all = std::mem::take(&mut world.lines);
        let (mine, others): (Vec<_>, _) =
            all.into_iter().partition(|l| l.exchange.is_none() || l.exchange == owner);
        world.lines = others;
        let line = |line: world::Line| LogLine {
            level: level(line.level).to_owned(),
            filter: line.filter,
            message: line.message,
        };
        let lines = mine.into_iter().map(|found| (found.exchange.is_some(), line(found)));
        let mut lines: Vec<(bool, LogLine)> = lines.collect();
        lines.retain(|(in_stream, line)| *in_stream || !self.start.contains(line));
        lines.into_iter().map(|(_, line)| line).collect()
    }
}

/// Does what a call outside of any stream has asked for, in the streams that it named.
fn perform(
    worker: &Rc<RefCell<Worker>>,
    place: Place,
    actions: VecDeque<Action>,
    running: &mut [Exchange<'_>],
) {
    for action in actions {
        let context = action.context();
        let owner = running.iter_mut().find(|exchange| {
            Rc::ptr_eq(&exchange.worker, worker) && exchange.find(place.slot, context).is_some()
        });
        if let Some(exchange) = owner {
            exchange.perform(place, [action].into());
        }
    }
}

/// How much virtual time a blocked exchange is given, as ticks.
const MOST_WAIT_NANOS: u64 = 60_000_000_000;

/// Calls of queue readers in one run at most.
const MOST_QUEUE_CALLS: u64 = 1_000_000;

/// Ticks between two exchanges at most: more would only cost time.
const MOST_TICKS: u32 = 10_000;

fn level(level: u32) -> &'static str {
    match level {
        0 => "trace",
        1 => "debug",
        2 => "info",
        3 => "warn",
        4 => "error",
        _ => "critical",
    }
}

/// Nanoseconds since 1970 of an RFC 3339 time in UTC, whole seconds.
fn clock(text: &str) -> Option<u64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let three = |text: &str, by: char| -> Option<[i64; 3]> {
        let parts: Option<Vec<i64>> = text.split(by).map(|part| part.parse().ok()).collect();
        parts?.try_into().ok()
    };
    let [year, month, day] = three(date, '-')?;
    let [hour, minute, second] = three(time, ':')?;
    let ranges = [(month, 1, 12), (day, 1, 31), (hour, 0, 23), (minute, 0, 59), (second, 0, 60)];
    if !(1970..=2500).contains(&year) || ranges.iter().any(|(n, min, max)| n < min || n > max) {
        return None;
    }
    // Days since 1970 in the proleptic Gregorian calendar, with years that start in March.
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let of_era = shifted.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second;
    u64::try_from(seconds).ok()?.checked_mul(1_000_000_000)
}

#[cfg(test)]
pub(crate) mod tests;
