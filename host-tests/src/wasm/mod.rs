//! An offline proxy-wasm host: Envoy's filter chain around wasmtime, in virtual time.
//!
//! It speaks ABI 0.2.1, 0.2.0 and 0.1.0 ([`abi::version`]) and mirrors Envoy 1.35 and later where Envoy
//! and the specification differ, or another host ([`profile`]).
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
//! | E17–E20 | callouts over HTTP and gRPC: what is refused at once, what comes of them and when, what ends them silently |
//! | E21–E23 | a trap fails the VM: 503 for this stream, for others what the failure policy says |
//! | E24 | plugins with the same VM id, VM configuration and module share a VM per worker |
//! | E29 | whatever is called, a root context may act for any stream of its VM |
//! | E25–E28, E30–E32 | shared data, metrics, filter state, late contexts, log, limits |
//!
//! How to read it: [`run`] starts the threads ([`start`], [`worker`], [`vm`]) and steps exchanges ([`exchange`]);
//! [`chain`] moves messages through filters and [`filter`] calls them; [`router`] and [`client`] are
//! the two ends, and [`routes`] between them; [`abi`] and [`wasi`] are what filters call. [`events`] is the loop around it all:
//! what time brings ([`scheduler`]), which is ticks and what comes of calls ([`callouts`]).
//!
//! Not simulated: headers that Envoy adds by itself (`x-forwarded-proto`, `x-request-id`,
//! `x-envoy-*`, `date`, `server`, `transfer-encoding`), retry back-off.

mod abi;
mod allowance;
mod callouts;
mod chain;
mod client;
mod engine;
mod events;
mod exchange;
mod filter;
mod grpc_service;
mod guest;
mod headers;
mod network;
mod profile;
mod protobuf;
mod recorder;
mod reply;
mod router;
mod routes;
mod scheduler;
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
use callouts::Callouts;
use exchange::{DEFAULT_BUFFER_LIMIT, Exchange, Surroundings};
pub(crate) use guest::Thread;
use network::{Connection, Stray};
use profile::Switches;
use recorder::Recorder;
pub(crate) use routes::DEFAULT_ROUTE;
use start::Threads;
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

/// Reads serialized headers and serializes them again; `None` if they are none. For fuzzing.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn wire_round_trip(bytes: &[u8]) -> Option<Vec<u8>> {
    let pairs = headers::from_wire(bytes);
    if pairs.is_empty() {
        return None;
    }
    Some(headers::to_wire(pairs.iter().map(|(name, value)| (name.as_slice(), value.as_slice()))))
}

/// The host with its workers, ready for exchanges.
pub struct Gateway {
    world: Rc<RefCell<World>>,
    threads: Threads,
    /// What filters logged when they were started, each line once.
    start: Vec<LogLine>,
    /// What filters of connections that nobody ended log when the host goes.
    late: Vec<LogLine>,
    /// What was asked for, with no exchange under way, in the name of streams: of TCP connections.
    strays: RefCell<VecDeque<Stray>>,
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
        let mut world = World::new(plan.clock_nanos.unwrap_or(DEFAULT_CLOCK));
        world.recorder = recorder;
        world.allowance = Allowance::new(runtime.fuel());
        world.profile = Switches::of(plan.profile);
        world.callouts = Callouts::new(&plan.callouts);
        let world = Rc::new(RefCell::new(world));
        let threads = Threads::start(runtime, plan, &world)?;
        let mut gateway = Self {
            world,
            threads,
            start: Vec::new(),
            late: Vec::new(),
            strays: RefCell::default(),
            runtime,
        };
        gateway.settle_start()?;
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
            route: Rc::new(plan.scenario.route.clone()),
            limit: limit.map_or(DEFAULT_BUFFER_LIMIT, |bytes| bytes as usize),
            overrides: Rc::new(plan.scenario.properties.clone()),
            world: Rc::clone(&self.world),
        };
        self.world.borrow_mut().callouts.rewind();
        let mut report = Report { logs: self.start.clone(), ..Report::default() };
        let mut rest = plan.exchanges.as_slice();
        let mut index = 0;
        while let Some((first, _)) = rest.split_first() {
            let together = rest.iter().take_while(|e| first.concurrent && e.concurrent).count();
            let (group, behind) = rest.split_at(together.max(1).min(rest.len()));
            rest = behind;
            self.world.borrow_mut().allowance = Allowance::new(self.runtime.fuel());
            let name = &first.name;
            self.advance(group.iter().map(|e| e.advance_nanos).max().unwrap_or(0))
                .with_context(|| format!("exchange `{name}`: advance"))?;
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
        for (i, connection) in plan.connections.iter().enumerate() {
            let number = plan.exchanges.len() + i;
            self.world.borrow_mut().allowance = Allowance::new(self.runtime.fuel());
            let worker = self.threads.workers.get(number % self.threads.workers.len().max(1));
            let Some(worker) = worker else { bail!("no worker") };
            let (overrides, worker) = (&surroundings.overrides, Rc::clone(worker));
            let connection = Connection::new(number, connection, overrides, &self.world, worker);
            let name = &connection.name().to_owned();
            let observed = self.connect(number, connection);
            report.connections.push(observed.with_context(|| format!("connection `{name}`"))?);
        }
        self.drop_calls();
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
        if self.world.borrow().profile.plugins_are_waited_for {
            self.wait_for_the_end();
        }
        let lines = self.lines(None);
        self.late.into_iter().chain(lines).collect()
    }

    /// Shows the memory of every running VM of the workers.
    pub(crate) fn memories(&self, mut show: impl FnMut((Thread, usize), &[String], &[u8])) {
        for worker in &self.threads.workers {
            worker.borrow().memories(&mut show);
        }
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

#[cfg(test)]
pub(crate) mod tests;
