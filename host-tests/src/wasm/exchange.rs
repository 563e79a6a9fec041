//! One exchange from the client's first byte to `on_delete`.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use anyhow::bail;
use serde_json::Value;

use super::abi::properties::{Sight, lookup};
use super::chain::{At, Chain, Iteration, Level, Source};
use super::client::Client;
use super::guest::Action;
use super::headers::HeaderMap;
use super::profile::Switches;
use super::reply::is_grpc;
use super::router::{Event, Router, Sent, events};
use super::routes::RouteCache;
use super::stream::{Direction, StreamInfo};
use super::worker::{Place, Worker};
use super::world::World;
use crate::plan;
use crate::report::{LogLine, Observed, Response, UpstreamRequest, header_text, text_or_base64};
use crate::scenario::{Position, Route};

/// Envoy's default `per_connection_buffer_limit_bytes`.
pub(crate) const DEFAULT_BUFFER_LIMIT: usize = 1 << 20;

/// What exchanges of a run have in common.
pub(crate) struct Surroundings {
    pub(crate) route: Rc<Route>,
    pub(crate) limit: usize,
    pub(crate) overrides: Rc<BTreeMap<String, Value>>,
    pub(crate) world: Rc<RefCell<World>>,
}

/// How far one step got.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    Moved,
    /// Only time, or another exchange, can move it on.
    Blocked,
    /// It is over, and its filters know.
    Over,
}

/// An exchange under way.
pub(crate) struct Exchange<'p> {
    pub(crate) plan: &'p plan::Exchange,
    pub(crate) route: Rc<Route>,
    /// Most bytes that a chain holds of one body.
    pub(crate) limit: usize,
    pub(crate) worker: Rc<RefCell<Worker>>,
    pub(crate) info: Rc<RefCell<StreamInfo>>,
    pub(crate) downstream: Chain,
    /// The filters of the current attempt.
    pub(crate) upstream: Chain,
    pub(crate) router: Router,
    pub(crate) client: Client,
    /// Nothing moves any more.
    pub(crate) over: bool,
    /// The request as it came is one of gRPC: the gateway answers it in kind.
    pub(crate) is_grpc: bool,
    world: Rc<RefCell<World>>,
    /// What its filters asked for in the name of other exchanges' streams.
    pub(crate) foreign: Vec<(Place, Action)>,
    finished: bool,
    problem: Option<String>,
}

impl<'p> Exchange<'p> {
    pub(crate) fn new(
        index: usize,
        plan: &'p plan::Exchange,
        surroundings: &Surroundings,
        worker: Rc<RefCell<Worker>>,
    ) -> Self {
        let request = &plan.request;
        let pseudo = [
            (":authority", request.authority.as_str()),
            (":path", request.path.as_str()),
            (":method", request.method.as_str()),
            (":scheme", "http"),
        ];
        let mut headers = HeaderMap::request(pseudo, &request.headers);
        headers.remove_connection_headers();
        let is_grpc = headers.get(b"content-type").is_some_and(is_grpc);
        let headers = headers.shared();
        let world = Rc::clone(&surroundings.world);
        let info = StreamInfo {
            exchange: index,
            filter_state: BTreeMap::new(),
            read_only: BTreeSet::new(),
            overrides: Rc::clone(&surroundings.overrides),
            request_headers: Rc::clone(&headers),
            response_headers: None,
            response_trailers: None,
            request_bytes: 0,
            response_bytes: 0,
            started: world.borrow().now,
            attempts: 0,
            endpoints: plan.upstream.len() as u64,
            host_metadata: None,
            code: None,
            code_details: None,
            flags: 0,
            route: RouteCache::new(&surroundings.route, &headers.borrow()),
        };
        let downstream = Chain::new(worker.borrow_mut().open(Position::Downstream));
        downstream.wire.borrow_mut().request.headers = Some(headers);
        let (body, trailers) = (request.body.as_deref(), request.trailers.as_slice());
        let mut sends = events(&request.headers, body, trailers, request.reset);
        if request.reset {
            sends.push_back(Event::Reset);
        }
        let client = Client { events: sends, ..Client::default() };
        Self {
            plan,
            route: Rc::clone(&surroundings.route),
            limit: surroundings.limit,
            worker,
            info: Rc::new(RefCell::new(info)),
            downstream,
            upstream: Chain::new(Vec::new()),
            router: Router::default(),
            client,
            over: false,
            world,
            foreign: Vec::new(),
            is_grpc,
            finished: false,
            problem: None,
        }
    }

    /// Lets one thing happen: the client sends a piece, or the upstream does.
    pub(crate) fn step(&mut self) -> Step {
        if self.finished {
            return Step::Over;
        }
        if self.over {
            self.end_filters(Level::Upstream);
            self.end_filters(Level::Downstream);
            self.finished = true;
            return Step::Moved;
        }
        // What an early answer overtakes is still with the client.
        if self.step_early() || self.step_client() || self.step_upstream() {
            self.settle();
            if !self.over && self.client_has_enough() {
                self.client_leaves();
            }
            return Step::Moved;
        }
        Step::Blocked
    }

    /// The host that is mirrored.
    pub(crate) fn profile(&self) -> &'static Switches {
        self.world.borrow().profile
    }

    /// Notes what a real host would choke on; the first is reported.
    pub(crate) fn problem(&mut self, text: String) {
        self.problem.get_or_insert(text);
    }

    pub(crate) fn chain(&self, level: Level) -> &Chain {
        match level {
            Level::Downstream => &self.downstream,
            Level::Upstream => &self.upstream,
        }
    }

    pub(crate) fn chain_mut(&mut self, level: Level) -> &mut Chain {
        match level {
            Level::Downstream => &mut self.downstream,
            Level::Upstream => &mut self.upstream,
        }
    }

    /// Headers have passed the last filter.
    pub(crate) fn headers_out(&mut self, at: At, end: bool) {
        match (at.level, at.direction) {
            (Level::Downstream, Direction::Request) => self.route_headers(end),
            (Level::Upstream, Direction::Request) => self.send_headers(end),
            (Level::Upstream, Direction::Response) => self.answer_headers(end),
            (Level::Downstream, Direction::Response) => self.respond_headers(end),
        }
    }

    /// A piece has passed the last filter.
    pub(crate) fn data_out(&mut self, at: At, source: Source, end: bool) {
        let bytes = self.with_lane(at, |lane| match source {
            Source::Piece => std::mem::take(&mut lane.piece),
            Source::Held => lane.held.take().unwrap_or_default(),
        });
        match (at.level, at.direction) {
            (Level::Downstream, Direction::Request) => self.route_data(bytes, end),
            (Level::Upstream, Direction::Request) => self.send_data(&bytes, end),
            (Level::Upstream, Direction::Response) => self.answer_data(bytes, end),
            (Level::Downstream, Direction::Response) => self.respond_data(&bytes, end),
        }
    }

    /// Trailers have passed the last filter.
    pub(crate) fn trailers_out(&mut self, at: At) {
        match (at.level, at.direction) {
            (Level::Downstream, Direction::Request) => self.route_trailers(),
            (Level::Upstream, Direction::Request) => self.send_trailers(),
            (Level::Upstream, Direction::Response) => self.answer_trailers(),
            (Level::Downstream, Direction::Response) => self.respond_trailers(),
        }
    }

    /// Why nothing moves any more.
    pub(crate) fn hang(&mut self) -> String {
        let mut holders = Vec::new();
        for level in [Level::Downstream, Level::Upstream] {
            for direction in [Direction::Request, Direction::Response] {
                let links = self.chain(level).links.iter();
                let stopped = links.filter_map(|link| {
                    let side = link.sides.of(direction);
                    let worker = self.worker.borrow();
                    let plugin = worker.plugin(link.place.plugin)?;
                    (side.iteration != Iteration::Continue).then(|| {
                        let what = if side.headers_continued { "body" } else { "headers" };
                        let hint = match plugin.allow_hold {
                            false if what == "headers" => {
                                " (a pause in headers stops body callbacks unless \
                                 allowOnHeadersStopIteration is true, which of the manifests only an \
                                 EnvoyFilter can set)"
                            }
                            _ => "",
                        };
                        let direction = direction.name();
                        format!("filter `{}` holds the {direction} {what}{hint}", plugin.info.name)
                    })
                });
                holders.extend(stopped);
            }
        }
        if holders.is_empty() {
            holders.push("no filter holds anything".to_owned());
        }
        format!("the exchange hangs: {}, and nothing can resume it", holders.join(", "))
    }

    /// The filters' metrics, and of the host's own those that the scenario names.
    fn metrics(&self) -> BTreeMap<String, i64> {
        let mut world = self.world.borrow_mut();
        let mut metrics = world.metrics().snapshot();
        for name in self.plan.expect.metrics.keys() {
            if let Some(value) = world.vms.stat(name) {
                metrics.insert(name.clone(), value);
            }
        }
        metrics
    }

    /// What there is to report, when it is over.
    ///
    /// # Errors
    ///
    /// When a real host could not have done it, such as sending a body of another length than
    /// declared.
    pub(crate) fn observed(self, lines: Vec<LogLine>) -> anyhow::Result<Observed> {
        if let Some(problem) = &self.problem {
            bail!("{problem}");
        }
        let info = self.info.borrow();
        let mut properties = BTreeMap::new();
        for (key, value) in &info.filter_state {
            let Some(key) = key.strip_prefix(b"wasm.") else { continue };
            if key.starts_with(b"tollgate.") {
                let key = String::from_utf8_lossy(key).into_owned();
                properties.insert(key, super::abi::properties::bytes_json(value));
            }
        }
        let sight = Sight::all(&info);
        let now = self.world.borrow().now;
        for name in self.plan.expect.properties.keys() {
            if properties.contains_key(name) {
                continue;
            }
            let parts: Vec<&str> = name.split('.').collect();
            let found = lookup(&info, &[name], now, &sight);
            let found = found.or_else(|| lookup(&info, &parts, now, &sight));
            let found = found.or_else(|| {
                let raw = info.filter_state.get(name.as_bytes())?;
                Some(super::abi::properties::Property::Bytes(raw.clone()))
            });
            if let Some(value) = found {
                properties.insert(name.clone(), value.to_json());
            }
        }
        let (body, body_base64) = text_or_base64(self.body_taken().to_vec());
        let response = Response {
            status: self.status(),
            headers: self.client.headers.as_ref().map(pairs).unwrap_or_default(),
            body,
            body_base64,
            trailers: self.client.trailers.as_ref().map(pairs).unwrap_or_default(),
            local_reply: self.client.local_reply,
            reset: self.client.reset,
        };
        let callouts = self.world.borrow_mut().callouts.take_made(info.exchange);
        let sent = self.router.sent.iter().filter(|sent| sent.complete);
        Ok(Observed {
            name: self.plan.name.clone(),
            upstream: sent.map(|sent| upstream_request(&self.plan.request, sent)).collect(),
            callouts,
            response,
            properties,
            metrics: self.metrics(),
            logs: lines,
        })
    }
}

fn upstream_request(request: &plan::Request, sent: &Sent) -> UpstreamRequest {
    let (body, body_base64) = text_or_base64(sent.body.clone());
    let mut headers = pairs_with_host(&sent.headers);
    // As on Envoy, which adds it if the client has not.
    let name = "x-forwarded-proto";
    if !request.headers.iter().any(|(sent, _)| sent == name) {
        headers.retain(|(n, _)| n != name);
    }
    UpstreamRequest {
        method: sent.headers.text(":method").unwrap_or_default(),
        path: sent.headers.text(":path").unwrap_or_default(),
        headers,
        body,
        body_base64,
        trailers: sent.trailers.as_ref().map(pairs).unwrap_or_default(),
    }
}

/// Request headers for a report: `host` for the authority.
pub(crate) fn pairs_with_host(headers: &HeaderMap) -> Vec<(String, String)> {
    let mut pairs = pairs(headers);
    if let Some(host) = headers.text(":authority") {
        pairs.insert(0, ("host".to_owned(), host));
    }
    pairs
}

/// Headers for a report, without pseudo-headers; bytes that are no text become U+FFFD.
fn pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    header_text(headers.iter().filter(|(name, _)| !name.starts_with(b":")))
}
