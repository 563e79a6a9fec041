//! A TCP connection: its bytes pass the network filters on their way to a TCP proxy, and those of the
//! upstream pass them on their way back.
//!
//! Envoy's rules, as measured: bytes that a filter stops stay in one buffer per direction, and with
//! the next ones they pass *all* filters again, the first one too; nothing is read before the proxy
//! has connected, so a filter that stops a new connection gets no bytes; what the upstream sends can
//! be stopped, but not resumed. At the end of the upstream's bytes a filter hears that its connection
//! closes, whether it stops them or not. The end of the client's connection ends the filters one by
//! one: `on_done`, `on_log`, `on_delete`.

mod run;

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use serde_json::Value;

use super::guest::Action;
use super::stream::{Access, Both, Direction, Lane, StreamContext, StreamInfo, View, Wire};
use super::vm::{Failed, Vm};
use super::worker::{Part, Place, Worker};
use super::world::World;
use crate::plan;
use crate::report::{HOST, LogLine, ObservedConnection};
use crate::scenario::{Position, Side};
pub(crate) use run::Stray;

/// Filters that let the connection go on from within each other's callbacks, at most: those of one VM
/// could do so for ever, which takes a real Envoy down.
const MOST_NESTED: u32 = 64;

/// Who ended a connection, by the ABI's numbers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Peer {
    Unknown = 0,
    Local = 1,
    Remote = 2,
}

/// A filter of the connection.
struct Link {
    place: Place,
    part: Part,
    /// Its context, once it has heard of the connection.
    context: Option<u32>,
}

/// A connection under way.
pub(crate) struct Connection<'p> {
    plan: &'p plan::Connection,
    worker: Rc<RefCell<Worker>>,
    links: Vec<Link>,
    /// The client's bytes are the request's piece, the upstream's the response's.
    wire: Wire,
    info: Rc<RefCell<StreamInfo>>,
    /// The proxy has its connection, and the client is read.
    connected: bool,
    /// The client, and the upstream, have ended their side.
    ended: Both<bool>,
    /// What has passed to the upstream, and to the client, and whether the end has.
    passed: Both<(Vec<u8>, bool)>,
    /// The ends have done what the scenario says.
    scripted: bool,
    closed: bool,
    /// How many filters let it go on, each in the callback of the one before.
    nested: u32,
    world: Rc<RefCell<World>>,
}

impl<'p> Connection<'p> {
    /// A client connects.
    pub(crate) fn new(
        index: usize,
        plan: &'p plan::Connection,
        overrides: &Rc<BTreeMap<String, Value>>,
        world: &Rc<RefCell<World>>,
        worker: Rc<RefCell<Worker>>,
    ) -> Self {
        let info = StreamInfo::of_connection(index, overrides, world.borrow().now);
        let open = worker.borrow_mut().open(Position::Network);
        let link = |(place, part)| Link { place, part, context: None };
        Self {
            plan,
            links: open.into_iter().map(link).collect(),
            worker,
            wire: Rc::new(RefCell::new(Both::<Lane>::default())),
            info: Rc::new(RefCell::new(info)),
            connected: false,
            ended: Both::default(),
            passed: Both::default(),
            scripted: false,
            closed: false,
            nested: 0,
            world: Rc::clone(world),
        }
    }

    /// Connects, and lets both ends do what the scenario says. False: something is held.
    pub(crate) fn run(&mut self) -> bool {
        self.read(None);
        self.settle()
    }

    /// What both ends do. Before the proxy has connected, nothing of the client's is read.
    fn script(&mut self) {
        let plan = self.plan;
        for piece in &plan.send {
            self.arrive(Direction::Request, piece);
        }
        for piece in &plan.upstream_sends {
            self.arrive(Direction::Response, piece);
        }
        match plan.closes {
            Side::Client => self.end(Direction::Request),
            Side::Upstream => self.end(Direction::Response),
        }
    }

    /// Whoever has seen the end ends, too; with both ends through, the connection closes. False:
    /// something is held.
    pub(crate) fn settle(&mut self) -> bool {
        if self.connected && !std::mem::replace(&mut self.scripted, true) {
            self.script();
        }
        if self.passed.request.1 && !self.ended.response {
            self.end(Direction::Response);
        }
        if self.passed.response.1 && !self.ended.request {
            self.end(Direction::Request);
        }
        if self.passed.request.1 && self.passed.response.1 && !self.closed {
            // The host closes behind the upstream's end; behind the client's, it was the client.
            let peer = match self.plan.closes {
                Side::Client => Peer::Local,
                Side::Upstream => Peer::Remote,
            };
            self.close(peer);
        }
        self.closed
    }

    /// Nothing will move any more, and the host goes.
    pub(crate) fn abandon(&mut self) {
        if !self.closed {
            self.close(Peer::Local);
        }
    }

    /// Does what a call outside of the connection has asked for in one of its contexts.
    pub(crate) fn perform(&mut self, place: Place, actions: VecDeque<Action>) {
        for action in actions {
            let context = action.context();
            let mut links = self.links.iter();
            let found = |l: &Link| l.place.slot == place.slot && l.context == Some(context);
            let Some(i) = links.position(found) else { continue };
            match action {
                Action::Continue { .. } => self.go_on(i),
                Action::Close { .. } => self.close(Peer::Local),
                _ => {}
            }
        }
    }

    /// What there is to report, when it is over.
    pub(crate) fn observed(self, ended: bool, logs: Vec<LogLine>) -> ObservedConnection {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        ObservedConnection {
            name: self.plan.name.clone(),
            connected: self.connected,
            upstream: text(&self.passed.request.0),
            client: text(&self.passed.response.0),
            ended,
            logs,
        }
    }

    pub(crate) fn name(&self) -> &'p str {
        &self.plan.name
    }

    fn arrive(&mut self, direction: Direction, piece: &[u8]) {
        if self.closed {
            return;
        }
        self.wire.borrow_mut().of_mut(direction).piece.extend_from_slice(piece);
        match direction {
            Direction::Request => self.read(None),
            Direction::Response => self.write(),
        }
    }

    fn end(&mut self, direction: Direction) {
        if self.closed {
            return;
        }
        *self.ended.of_mut(direction) = true;
        match direction {
            Direction::Request => self.read(None),
            Direction::Response => self.write(),
        }
    }

    /// The connection, and what is there of the client's bytes, go on behind filter `from`.
    fn read(&mut self, from: Option<usize>) {
        for i in from.map_or(0, |from| from + 1)..self.links.len() {
            if !self.greet(i) || self.closed {
                return;
            }
            let size = self.wire.borrow().request.piece.len();
            let end = self.ended.request;
            if size == 0 && !end {
                continue;
            }
            if !self.data(Direction::Request, i, size, end) || self.closed {
                return;
            }
        }
        self.connected = true;
        let piece = std::mem::take(&mut self.wire.borrow_mut().request.piece);
        self.passed.request.0.extend_from_slice(&piece);
        self.passed.request.1 |= self.ended.request;
    }

    /// What is there of the upstream's bytes passes the filters, last to first.
    fn write(&mut self) {
        let end = self.ended.response;
        for i in (0..self.links.len()).rev() {
            let size = self.wire.borrow().response.piece.len();
            let goes_on = self.data(Direction::Response, i, size, end);
            if self.closed {
                return;
            }
            if end && let Some(context) = self.context(i) {
                let peer = Peer::Unknown as u32;
                let _ = self.enter(i, |vm| vm.on_close(Direction::Response, context, peer));
            }
            if !goes_on || self.closed {
                return;
            }
        }
        let piece = std::mem::take(&mut self.wire.borrow_mut().response.piece);
        self.passed.response.0.extend_from_slice(&piece);
        self.passed.response.1 |= end;
    }

    /// Filter `i` lets it go on.
    fn go_on(&mut self, i: usize) {
        if self.nested == MOST_NESTED && !self.closed {
            let text = format!("filters let the connection go on {MOST_NESTED} times at once");
            let exchange = Some(self.info.borrow().exchange);
            self.world.borrow_mut().log(4, HOST, exchange, &text);
            self.close(Peer::Local);
        }
        if !self.closed {
            self.nested += 1;
            self.read(Some(i));
            self.nested -= 1;
        }
    }

    /// Tells filter `i` of the connection, if it does not know. False: it stops it.
    fn greet(&mut self, i: usize) -> bool {
        let Some(link) = self.links.get(i) else { return true };
        if link.context.is_some() || link.part == Part::Missing {
            return true;
        }
        let Part::Takes(context) = link.part else {
            self.close(Peer::Local);
            return false;
        };
        let root = link.place.root;
        let stream = StreamContext {
            wire: Rc::clone(&self.wire),
            info: Rc::clone(&self.info),
            access: Both::default(),
            end_of_stream: false,
            network: true,
            upstream: false,
            logging: false,
        };
        if self.enter(i, |vm| vm.create(context, root, stream)).is_err() {
            self.close(Peer::Local);
            return false;
        }
        if let Some(link) = self.links.get_mut(i) {
            link.context = Some(context);
        }
        match self.enter(i, |vm| vm.on_new_connection(context)) {
            Ok(answer) => answer == 0,
            Err(_) => {
                self.close(Peer::Local);
                false
            }
        }
    }

    /// Gives filter `i` what is there. False: it stops it.
    fn data(&mut self, direction: Direction, i: usize, size: usize, end: bool) -> bool {
        let Some(context) = self.context(i) else { return true };
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        let answer = self.enter(i, |vm| {
            if let Some(stream) = vm.stream_mut(context) {
                let view = Access { body: View::Piece, ..Access::default() };
                *stream.access.of_mut(direction) = view;
                stream.end_of_stream = end;
            }
            vm.on_data(direction, context, size, end)
        });
        match answer {
            Ok(0) => {
                self.forget(direction, i, context);
                true
            }
            Ok(_) => false,
            Err(_) => {
                self.close(Peer::Local);
                false
            }
        }
    }

    /// The buffer of a direction is out of reach once its callback lets it pass.
    fn forget(&mut self, direction: Direction, i: usize, context: u32) {
        let _ = self.enter(i, |vm| {
            if let Some(stream) = vm.stream_mut(context) {
                *stream.access.of_mut(direction) = Access::default();
            }
            Ok(())
        });
    }

    /// The client's connection is gone, and the upstream's with it.
    fn close(&mut self, peer: Peer) {
        if std::mem::replace(&mut self.closed, true) {
            return;
        }
        self.passed.request.1 = true;
        self.passed.response.1 = true;
        for i in 0..self.links.len() {
            let Some(context) = self.context(i) else { continue };
            let closed = self.enter(i, |vm| vm.on_close(Direction::Request, context, peer as u32));
            if closed.is_ok() {
                // A failure shows in the log; there is nobody to tell.
                let _ = self.enter(i, |vm| vm.end_connection(context));
            }
            if let Some(link) = self.links.get_mut(i) {
                link.context = None;
            }
        }
    }

    fn context(&self, i: usize) -> Option<u32> {
        self.links.get(i).and_then(|link| link.context)
    }

    /// Calls into the VM of filter `i`, then does what its host functions put off.
    fn enter<T>(
        &mut self,
        i: usize,
        call: impl FnOnce(&mut Vm) -> Result<T, Failed>,
    ) -> Result<T, Failed> {
        let Some(place) = self.links.get(i).map(|link| link.place) else {
            return Err(Failed::Before);
        };
        let (result, actions) = self.worker.borrow_mut().enter(place, call);
        self.perform(place, actions);
        result
    }
}
