//! Runs a [`Plan`] on a real Envoy with a scripted upstream.
//!
//! 1. An [`upstream::Server`] per attempt listens on loopback, and [`callouts::Clusters`] for what
//!    filters call.
//! 2. [`bootstrap`] makes a configuration: a listener, a route and a cluster per exchange.
//! 3. [`process::Envoy`] starts on it, once per plan.
//! 4. Per exchange: [`client::call`] sends the request and reads the response; the access log says
//!    when the stream has ended, and how; then metrics and log lines are complete and are read.
//! 5. Everything ends when [`run`] returns, on whatever path.
//!
//! Blocking threads and `std`, since a test needs each byte on the wire under control. Everything
//! that could hang has a deadline. Not here: virtual time, injected properties, interleaving (see
//! [`Plan::skip_reason`]), and judging what came out.

mod access_log;
mod admin;
mod bootstrap;
mod callouts;
mod client;
mod log;
mod message;
mod network;
mod pace;
mod pieces;
mod process;
mod turns;
mod upstream;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

use crate::modules;
use crate::plan::{Exchange, Headers, Plan};
use crate::report::{Observed, Report, Response, UpstreamRequest, header_text, text_or_base64};
use callouts::Clusters;
use client::{Answer, Call};
use message::Message;
use pace::Pace;
use process::{Envoy, Scratch};
use turns::Turns;
use upstream::{Received, Server};

/// How long an exchange may take, retries included.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Patience {
    /// Long enough for a busy machine.
    #[default]
    Full,
    /// Long enough to see that something hangs which is known to hang elsewhere.
    Short,
}

impl Patience {
    fn limit(self) -> Duration {
        match self {
            Self::Full => Duration::from_secs(10),
            Self::Short => Duration::from_secs(2),
        }
    }
}

/// What an upstream that answered early has time for, to read what is under way.
const AFTER_EARLY: Duration = Duration::from_millis(20);

/// Headers that Envoy adds to a request on its way unless they are there. Filters see them; reports
/// leave them out, except what the client sent itself.
const IMPLIED_REQUEST_HEADERS: [&str; 1] = ["x-forwarded-proto"];

/// Response headers that Envoy adds unless the upstream sent them.
const IMPLIED_RESPONSE_HEADERS: [&str; 1] = ["date"];

/// Headers of a connection, not of the message: the codec makes them, filters cannot rely on them.
const CONNECTION_HEADERS: [&str; 2] = ["connection", "transfer-encoding"];

/// The Envoy to use: `$ENVOY`, else the one that `make` fetched into `.tools`.
///
/// # Errors
/// There is none; the text says what to do.
pub fn available() -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os("ENVOY").filter(|path| !path.is_empty()) {
        let path = PathBuf::from(path);
        return if path.is_file() {
            Ok(path)
        } else {
            Err(format!("ENVOY is set to {}, expected an Envoy binary", path.display()))
        };
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name(".tools/envoy/envoy");
    if path.is_file() {
        Ok(path)
    } else {
        Err("no Envoy: set ENVOY to its path, or fetch it with `make tools`".into())
    }
}

/// Runs `plan` and reports what came of each exchange.
///
/// # Errors
/// No Envoy ([`available`]); Envoy refuses the configuration, with what the filters logged; an
/// exchange does not end in time; Envoy crashes.
pub fn run(plan: &Plan) -> Result<Report> {
    run_with(plan, Patience::Full)
}

/// As [`run`], with another time limit.
///
/// # Errors
/// As [`run`].
pub fn run_with(plan: &Plan, patience: Patience) -> Result<Report> {
    let binary = available().map_err(|why| anyhow!(why))?;
    Gateway::start(&binary, plan, patience)?.run(plan)
}

/// The version of the Envoy that is used, such as `1.40.0`.
///
/// # Errors
/// No Envoy ([`available`]), or one that does not say its version.
pub fn version() -> Result<String> {
    let binary = available().map_err(|why| anyhow!(why))?;
    process::version(&binary)
}

/// The properties that a report on `exchange` has, where they are set: Envoy's access log prints
/// only what it was asked for.
pub(crate) fn reported_properties(exchange: &Exchange) -> BTreeSet<&str> {
    let asked = exchange.expect.properties.keys().map(String::as_str);
    bootstrap::TOLLGATE_STATE.into_iter().chain(asked).collect()
}

/// An Envoy with all that the exchanges of a plan need.
struct Gateway {
    // Dropped in this order: the process before what it uses.
    envoy: Envoy,
    servers: Vec<Vec<Server>>,
    callouts: Clusters,
    /// Where TCP connections end.
    upstreams: Vec<TcpListener>,
    access_log: PathBuf,
    listeners: BTreeMap<String, u16>,
    limit: Duration,
    _scratch: Scratch,
}

impl Gateway {
    fn start(binary: &Path, plan: &Plan, patience: Patience) -> Result<Self> {
        let limit = patience.limit();
        let servers = (plan.exchanges.iter())
            .map(|exchange| {
                let leaves = exchange.request.abort_after_bytes.is_some();
                let pace = leaves.then(Arc::<Pace>::default);
                let early = exchange.upstream.iter().any(|upstream| upstream.early);
                let turns = early.then(Arc::<Turns>::default);
                let start = |upstream| Server::start(upstream, pace.clone(), turns.clone(), limit);
                exchange.upstream.iter().map(start).collect()
            })
            .collect::<Result<Vec<Vec<Server>>>>()?;
        let ports: Vec<Vec<u16>> =
            servers.iter().map(|of| of.iter().map(Server::port).collect()).collect();
        let callouts = Clusters::start(&plan.callouts)?;
        let scratch = Scratch::new()?;
        let access_log = scratch.path("access.log");
        let assembled = assembled(plan, &scratch)?;
        let plan = assembled.as_ref().unwrap_or(plan);
        let mut config = bootstrap::bootstrap(plan, &ports, callouts.ports(), &access_log);
        let upstreams = network::add(&mut config, plan)?;
        let envoy = Envoy::start(binary, &config, plan, &scratch)?;
        let deadline = Instant::now() + Patience::Full.limit();
        let listeners = admin::listeners(envoy.admin(), deadline)?;
        let mut gateway = Self {
            envoy,
            servers,
            callouts,
            upstreams,
            access_log,
            listeners,
            limit,
            _scratch: scratch,
        };
        gateway.settle(deadline)?;
        gateway.envoy.started()?;
        Ok(gateway)
    }

    fn run(mut self, plan: &Plan) -> Result<Report> {
        let mut logs = self.envoy.start_lines().to_vec();
        logs.extend(self.callouts.remarks());
        let mut report = Report { logs, ..Report::default() };
        for (index, exchange) in plan.exchanges.iter().enumerate() {
            let observed = self.exchange(index, exchange).map_err(|error| {
                let said = self.envoy.exit_message().unwrap_or_else(|| self.envoy.complaints());
                let said = if said.is_empty() { said } else { format!("\nenvoy's log:\n{said}") };
                anyhow!("exchange `{}`: {error:#}{said}", exchange.name)
            })?;
            report.exchanges.push(observed);
        }
        // Both ends stay open until Envoy is gone, as far as its filters hold them open.
        let mut ends = Vec::new();
        for (i, connection) in plan.connections.iter().enumerate() {
            let name = network::name(i);
            let port = self.listeners.get(&name).with_context(|| format!("no listener {name}"))?;
            let upstream = self.upstreams.get(i).context("no upstream")?;
            let (mut observed, open) = network::run(*port, upstream, connection)
                .with_context(|| format!("connection `{}`", connection.name))?;
            observed.logs = self.envoy.new_lines()?;
            report.connections.push(observed);
            ends.extend(open);
        }
        report.logs.extend(self.envoy.end(Instant::now() + Patience::Full.limit())?);
        Ok(report)
    }

    fn exchange(&mut self, index: usize, exchange: &Exchange) -> Result<Observed> {
        let deadline = Instant::now() + self.limit;
        let request = &exchange.request;
        let (head, pieces) = client::prepare(request);
        let servers = self.servers.get(index).map(Vec::as_slice).unwrap_or_default();
        let call = Call {
            head,
            pieces: &pieces,
            to_head: request.method == "HEAD",
            abort_after_bytes: request.abort_after_bytes,
            pace: servers.first().and_then(Server::pace),
            turns: servers.iter().find_map(Server::turns),
            reset: request.reset,
        };
        let name = bootstrap::name(index);
        let port = self.listeners.get(&name).with_context(|| format!("no listener {name}"))?;
        let answer = client::call(SocketAddr::from(([127, 0, 0, 1], *port)), &call, deadline)?;
        let entry = access_log::wait(&self.access_log, index, deadline)?;
        if call.turns.is_some() {
            // Its upstream may still read the end of the request.
            thread::sleep(AFTER_EARLY);
        }
        self.settle(deadline)?;
        let servers = self.servers.get(index).map(Vec::as_slice).unwrap_or_default();
        let mut logs = self.envoy.new_lines()?;
        logs.extend(self.callouts.remarks());
        Ok(Observed {
            name: exchange.name.clone(),
            upstream: requests(servers, &request.headers),
            callouts: self.callouts.take()?,
            response: response(answer, &entry, exchange),
            properties: entry.into_properties(),
            metrics: admin::metrics(self.envoy.admin(), &exchange.expect.metrics, deadline)?,
            logs,
        })
    }

    /// Returns when every call that filters have made has arrived, and what is answered at once has
    /// reached them: also calls made at the very end, in `on_log`.
    fn settle(&mut self, deadline: Instant) -> Result<()> {
        let clusters = self.callouts.ports().len();
        if clusters == 0 {
            return Ok(());
        }
        self.barrier(deadline)?;
        let admin = self.envoy.admin();
        self.callouts.wait(callouts::SETTLE, || admin::calls(admin, clusters, deadline))?;
        self.barrier(deadline)
    }

    /// Returns when the worker has done whatever it was doing.
    fn barrier(&self, deadline: Instant) -> Result<()> {
        let port = self.listeners.get(bootstrap::BARRIER).context("no listener for the barrier")?;
        let head = b"GET / HTTP/1.1\r\nhost: barrier\r\nconnection: close\r\n\r\n".to_vec();
        let call = Call { head, ..Call::default() };
        client::call(SocketAddr::from(([127, 0, 0, 1], *port)), &call, deadline)?;
        Ok(())
    }
}

/// The plan with binaries in place of text modules, which Envoy does not take; `None` if it has none.
fn assembled(plan: &Plan, scratch: &Scratch) -> Result<Option<Plan>> {
    if !plan.chain.iter().any(|filter| modules::is_text(&filter.wasm)) {
        return Ok(None);
    }
    let mut plan = plan.clone();
    for filter in &mut plan.chain {
        if modules::is_text(&filter.wasm) {
            let binary = scratch.path(&format!("{}.wasm", filter.name));
            fs::write(&binary, modules::read(&filter.wasm)?)
                .with_context(|| format!("cannot write {}", binary.display()))?;
            filter.wasm = binary;
        }
    }
    Ok(Some(plan))
}

/// What reached the upstreams, in order.
fn requests(servers: &[Server], sent: &Headers) -> Vec<UpstreamRequest> {
    let mut all: Vec<Received> = servers.iter().flat_map(Server::received).collect();
    all.sort_by_key(|received| received.at);
    let implied = |name: &str| {
        IMPLIED_REQUEST_HEADERS.contains(&name) && message::value(sent, name).is_none()
    };
    all.into_iter()
        .filter(|received| received.complete)
        .map(|Received { message: Message { start, mut headers, body, trailers }, .. }| {
            if body.is_empty() && message::value(sent, "content-length").is_none() {
                // The codec's, for methods that should have a body.
                headers.retain(|(name, value)| name != "content-length" || value != b"0");
            }
            let (body, body_base64) = text_or_base64(body);
            UpstreamRequest {
                method: start.method,
                path: start.path,
                headers: printable(headers, implied),
                body,
                body_base64,
                trailers: printable(trailers, |_| false),
            }
        })
        .collect()
}

fn response(answer: Answer, entry: &access_log::Entry, exchange: &Exchange) -> Response {
    let sent =
        |name: &str| exchange.upstream.iter().any(|u| message::value(&u.headers, name).is_some());
    let implied = |name: &str| IMPLIED_RESPONSE_HEADERS.contains(&name) && !sent(name);
    let Message { start, headers, body, trailers } = answer.message;
    let (body, body_base64) = text_or_base64(body);
    Response {
        status: start.status,
        headers: printable(headers, implied),
        body,
        body_base64,
        trailers: printable(trailers, |_| false),
        // A reply that comes too late to be sent resets the stream of the answer instead.
        local_reply: start.status != 0
            && !entry.is_upstreams(answer.reset)
            && !(answer.reset && entry.was_answered()),
        reset: answer.reset,
    }
}

fn printable(mut headers: Headers, implied: impl Fn(&str) -> bool) -> Vec<(String, String)> {
    headers.retain(|(name, _)| !CONNECTION_HEADERS.contains(&name.as_str()) && !implied(name));
    header_text(headers.iter().map(|(name, value)| (name.as_bytes(), value.as_slice())))
}

#[cfg(test)]
mod tests;
