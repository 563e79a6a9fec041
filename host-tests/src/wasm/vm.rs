//! One VM: an instance, its callbacks, and what becomes of it when it traps.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use anyhow::{Context, bail};
use wasmtime::{
    Instance, Store, StoreLimitsBuilder, TypedFunc, WasmBacktrace, WasmParams, WasmResults,
};

use super::abi::version::Version;
use super::callouts::reply::Part;
use super::engine::{Program, Runtime, plain};
use super::guest::{Action, GuestState, Phase, PluginInfo, Thread, Told, VmInfo};
use super::headers::SharedMap;
use super::recorder::{Number, Numbers};
use super::stream::{Direction, StreamContext};
use super::world::World;
use crate::trace::Outcome;

/// Functions of a trap that are named.
const MOST_FRAMES: usize = 10;

/// What the VMs of one key are made from (E24).
pub(crate) struct Origin {
    pub(crate) runtime: &'static Runtime,
    pub(crate) world: Rc<RefCell<World>>,
    pub(crate) program: Arc<Program>,
    pub(crate) info: Rc<VmInfo>,
    /// What the memory of each grows to at most.
    pub(crate) memory: usize,
}

/// The VM is gone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Failed {
    /// It trapped in this call.
    Now,
    /// It had trapped before, and was not called.
    Before,
}

/// Context, count or size, end of stream; gives an action.
type Piece = TypedFunc<(u32, u32, u32), u32>;

/// A headers callback.
#[derive(Clone)]
enum Headers {
    Of020(Piece),
    /// ABI 0.1.0 tells it nothing of the end.
    Of010(TypedFunc<(u32, u32), u32>),
}
/// What a callout's parts are told with.
const GRPC: [&str; 4] = [
    "proxy_on_grpc_receive_initial_metadata",
    "proxy_on_grpc_receive",
    "proxy_on_grpc_receive_trailing_metadata",
    "proxy_on_grpc_close",
];

/// Root, token, numbers of headers, bytes, trailers.
type Answered = TypedFunc<(u32, u32, u32, u32, u32), ()>;

/// Root, token, and a number.
type GrpcPart = TypedFunc<(u32, u32, u32), ()>;

/// The callbacks that the module has. A missing one means Continue, or true.
struct Callbacks {
    on_context_create: Option<TypedFunc<(u32, u32), ()>>,
    on_vm_start: Option<TypedFunc<(u32, u32), u32>>,
    on_configure: Option<TypedFunc<(u32, u32), u32>>,
    on_tick: Option<TypedFunc<u32, ()>>,
    on_queue_ready: Option<TypedFunc<(u32, u32), ()>>,
    headers: [Option<Headers>; 2],
    body: [Option<Piece>; 2],
    trailers: [Option<TypedFunc<(u32, u32), u32>>; 2],
    on_http_call_response: Option<Answered>,
    on_grpc: [Option<GrpcPart>; 4],
    on_new_connection: Option<TypedFunc<u32, u32>>,
    data: [Option<Piece>; 2],
    close: [Option<TypedFunc<(u32, u32), ()>>; 2],
    on_log: Option<TypedFunc<u32, ()>>,
    on_done: Option<TypedFunc<u32, u32>>,
    on_delete: Option<TypedFunc<u32, ()>>,
}

/// One VM with its contexts.
pub(crate) struct Vm {
    store: Store<GuestState>,
    callbacks: Callbacks,
    fuel: Option<u64>,
    next_context: u32,
    failed: bool,
}

impl Vm {
    /// An instance that has run `_initialize`. Only what workers do is recorded.
    pub(crate) fn new(origin: &Origin, thread: Thread) -> anyhow::Result<Self> {
        let Origin { runtime, world, program, info, memory } = origin;
        world.borrow_mut().vms.created += 1;
        // A guest that may not grow sees -1, runs out of memory and aborts, as in V8.
        let limits = StoreLimitsBuilder::new().memory_size(*memory).build();
        let mut state = GuestState::new(Rc::clone(world), limits, Rc::clone(info), thread);
        if !matches!(thread, Thread::Worker(_)) {
            state.recorder = None;
        }
        let allowance = world.borrow().allowance;
        state.work.refill(allowance.work());
        let mut store = Store::new(runtime.engine(), state);
        store.limiter(|state| &mut state.limits);
        let fuel = runtime.fuel().map(|most| allowance.fuel(most));
        refuel(&mut store, fuel);
        let instance = program.instance.instantiate(&mut store);
        let instance = instance.map_err(|error| anyhow::anyhow!("{}", cause(&error)))?;
        store.data_mut().memory = instance.get_memory(&mut store, "memory");
        let allocate = match export(&mut store, &instance, "malloc")? {
            Some(malloc) => Some(malloc),
            None => export(&mut store, &instance, "proxy_on_memory_allocate")?,
        };
        if allocate.is_none() {
            bail!("the module exports neither `malloc` nor `proxy_on_memory_allocate`");
        }
        store.data_mut().allocate = allocate;
        store.data_mut().version = program.version;
        let callbacks = Callbacks::of(&mut store, &instance)?;
        initialize(&mut store, &instance, fuel)?;
        store.data_mut().phase = Phase::Running;
        let fuel = runtime.fuel();
        Ok(Self { store, callbacks, fuel, next_context: 1, failed: false })
    }

    /// Makes the root context of a plugin, starts and configures it. False: it refused.
    pub(crate) fn start(&mut self, plugin: &Rc<PluginInfo>) -> anyhow::Result<Option<u32>> {
        let root = self.next_context;
        self.next_context += 1;
        self.store.data_mut().roots.insert(root, Rc::clone(plugin));
        let size = u32::try_from(plugin.config.len()).context("the configuration is too large")?;
        let started = self.boot(root, size);
        match started {
            Ok(true) => Ok(Some(root)),
            Ok(false) => Ok(None),
            Err(_) => bail!("the module trapped while it started"),
        }
    }

    fn boot(&mut self, root: u32, config_size: u32) -> Result<bool, Failed> {
        // The plugin's configuration is there when its context is made and configured; in
        // `on_vm_start` only the VM's is.
        self.store.data_mut().configuring = true;
        let create = self.callbacks.on_context_create.clone();
        self.call("proxy_on_context_create", create, root, (root, 0), ())?;
        self.store.data_mut().configuring = false;
        let state = self.store.data();
        let again = state.profile.vm_start_once && state.roots.len() > 1;
        let start = self.callbacks.on_vm_start.clone().filter(|_| !again);
        let size = u32::try_from(self.store.data().vm.config.len()).unwrap_or(u32::MAX);
        if self.call("proxy_on_vm_start", start, root, (root, size), 1)? == 0 {
            return Ok(false);
        }
        self.store.data_mut().configuring = true;
        let configure = self.callbacks.on_configure.clone();
        let agreed = self.call("proxy_on_configure", configure, root, (root, config_size), 1)? != 0;
        self.store.data_mut().configuring = false;
        Ok(agreed)
    }

    /// Whether the VM trapped once: it is never called again (E21).
    pub(crate) fn failed(&self) -> bool {
        self.failed
    }

    /// The id of a stream context to come.
    pub(crate) fn next_context(&mut self) -> u32 {
        let id = self.next_context;
        self.next_context += 1;
        id
    }

    /// Makes a stream context with an id of [`Self::next_context`].
    pub(crate) fn create(
        &mut self,
        id: u32,
        root: u32,
        stream: StreamContext,
    ) -> Result<(), Failed> {
        self.store.data_mut().streams.insert(id, (root, stream));
        let create = self.callbacks.on_context_create.clone();
        self.call("proxy_on_context_create", create, id, (id, root), ())
    }

    /// The guest's memory.
    pub(crate) fn memory(&self) -> &[u8] {
        self.store.data().memory.map_or(&[], |memory| memory.data(&self.store))
    }

    pub(crate) fn stream_mut(&mut self, id: u32) -> Option<&mut StreamContext> {
        self.store.data_mut().streams.get_mut(&id).map(|(_, stream)| stream)
    }

    pub(crate) fn on_headers(
        &mut self,
        direction: Direction,
        id: u32,
        count: u32,
        end: bool,
    ) -> Result<u32, Failed> {
        let (name, function) = match direction {
            Direction::Request => ("proxy_on_request_headers", &self.callbacks.headers[0]),
            Direction::Response => ("proxy_on_response_headers", &self.callbacks.headers[1]),
        };
        match function.clone() {
            Some(Headers::Of010(function)) => self.call(name, Some(function), id, (id, count), 0),
            Some(Headers::Of020(function)) => {
                self.call(name, Some(function), id, (id, count, u32::from(end)), 0)
            }
            None => self.call(name, None::<Piece>, id, (id, count, u32::from(end)), 0),
        }
    }

    pub(crate) fn on_body(
        &mut self,
        direction: Direction,
        id: u32,
        size: u32,
        end: bool,
    ) -> Result<u32, Failed> {
        let (name, function) = match direction {
            Direction::Request => ("proxy_on_request_body", &self.callbacks.body[0]),
            Direction::Response => ("proxy_on_response_body", &self.callbacks.body[1]),
        };
        self.call(name, function.clone(), id, (id, size, u32::from(end)), 0)
    }

    pub(crate) fn on_trailers(
        &mut self,
        direction: Direction,
        id: u32,
        count: u32,
    ) -> Result<u32, Failed> {
        let (name, function) = match direction {
            Direction::Request => ("proxy_on_request_trailers", &self.callbacks.trailers[0]),
            Direction::Response => ("proxy_on_response_trailers", &self.callbacks.trailers[1]),
        };
        self.call(name, function.clone(), id, (id, count), 0)
    }

    pub(crate) fn on_new_connection(&mut self, id: u32) -> Result<u32, Failed> {
        let function = self.callbacks.on_new_connection.clone();
        self.call("proxy_on_new_connection", function, id, id, 0)
    }

    /// Bytes of the client (the request's direction) or of the upstream.
    pub(crate) fn on_data(
        &mut self,
        direction: Direction,
        id: u32,
        size: u32,
        end: bool,
    ) -> Result<u32, Failed> {
        let (name, function) = match direction {
            Direction::Request => ("proxy_on_downstream_data", &self.callbacks.data[0]),
            Direction::Response => ("proxy_on_upstream_data", &self.callbacks.data[1]),
        };
        self.call(name, function.clone(), id, (id, size, u32::from(end)), 0)
    }

    /// The client's connection has closed, or the upstream's; by `peer`.
    pub(crate) fn on_close(
        &mut self,
        direction: Direction,
        id: u32,
        peer: u32,
    ) -> Result<(), Failed> {
        let (name, function) = match direction {
            Direction::Request => {
                ("proxy_on_downstream_connection_close", &self.callbacks.close[0])
            }
            Direction::Response => ("proxy_on_upstream_connection_close", &self.callbacks.close[1]),
        };
        self.call(name, function.clone(), id, (id, peer), ())
    }

    /// `on_done`, `on_log`, `on_delete`, in the order of TCP connections.
    pub(crate) fn end_connection(&mut self, id: u32) -> Result<(), Failed> {
        let done = self.callbacks.on_done.clone();
        let delete = self.callbacks.on_delete.clone();
        let ended = self
            .call("proxy_on_done", done, id, id, 1)
            .and_then(|_| self.on_log(id))
            .and_then(|()| self.call("proxy_on_delete", delete, id, id, ()));
        self.store.data_mut().streams.remove(&id);
        ended
    }

    pub(crate) fn on_log(&mut self, id: u32) -> Result<(), Failed> {
        let log = self.callbacks.on_log.clone();
        self.call("proxy_on_log", log, id, id, ())
    }

    /// `on_done`. False: the filter wants to say itself when the stream may end, which matters only
    /// where the host lets streams wait.
    pub(crate) fn on_done(&mut self, id: u32) -> Result<bool, Failed> {
        let done = self.callbacks.on_done.clone();
        Ok(self.call("proxy_on_done", done, id, id, 1)? != 0)
    }

    /// `on_delete`, and the context is gone.
    pub(crate) fn delete(&mut self, id: u32) -> Result<(), Failed> {
        let delete = self.callbacks.on_delete.clone();
        let deleted = self.call("proxy_on_delete", delete, id, id, ());
        self.store.data_mut().streams.remove(&id);
        deleted
    }

    /// Lets a stream wait for `proxy_done`.
    pub(crate) fn wait(&mut self, id: u32) {
        self.store.data_mut().waiting.insert(id);
    }

    /// `on_done` of a root context; if that says so, `on_delete`. Otherwise it waits for `proxy_done`.
    pub(crate) fn end_root(&mut self, root: u32) -> Result<(), Failed> {
        let done = self.callbacks.on_done.clone();
        if self.call("proxy_on_done", done, root, root, 1)? == 0 {
            self.store.data_mut().ending.insert(root, false);
            return Ok(());
        }
        self.delete_root(root)
    }

    /// Whether a root context has not said yet that it is done.
    pub(crate) fn is_ending(&self) -> bool {
        self.store.data().ending.values().any(|done| !done)
    }

    /// `on_delete` of root contexts that have called `proxy_done`.
    pub(crate) fn end_finished(&mut self) -> Result<(), Failed> {
        let ending = &self.store.data().ending;
        let finished: Vec<u32> =
            ending.iter().filter(|(_, done)| **done).map(|(root, _)| *root).collect();
        for root in finished {
            self.store.data_mut().ending.remove(&root);
            self.delete_root(root)?;
        }
        Ok(())
    }

    fn delete_root(&mut self, root: u32) -> Result<(), Failed> {
        let delete = self.callbacks.on_delete.clone();
        let deleted = self.call("proxy_on_delete", delete, root, root, ());
        let state = self.store.data_mut();
        state.set_tick(root, None);
        state.roots.remove(&root);
        deleted
    }

    /// A tick, and the timer set for the next.
    pub(crate) fn on_tick(&mut self, root: u32) -> Result<(), Failed> {
        let tick = self.callbacks.on_tick.clone();
        let wanted = tick.is_some();
        let result = self.call("proxy_on_tick", tick, root, root, ());
        let state = self.store.data_mut();
        let period = state.ticks.get(&root).map(|tick| tick.period);
        state.set_tick(root, period.filter(|_| wanted && result.is_ok()));
        result
    }

    /// Only if the context is still there; it may be one of another VM in the same place before.
    pub(crate) fn on_queue_ready(&mut self, root: u32, queue: u32) -> Result<(), Failed> {
        if !self.store.data().roots.contains_key(&root) {
            return Ok(());
        }
        let ready = self.callbacks.on_queue_ready.clone();
        self.call("proxy_on_queue_ready", ready, root, (root, queue), ())
    }

    /// Tells a root context what came of its callout.
    pub(crate) fn on_callout(&mut self, root: u32, token: u32, part: Part) -> Result<(), Failed> {
        let state = self.store.data_mut();
        if !state.roots.contains_key(&root) {
            // It has ended (E20).
            return Ok(());
        }
        match &part {
            Part::Broken { status, message } => {
                state.statuses.insert(root, (*status, (*message).to_owned()));
            }
            Part::Closed { status, message } => {
                state.statuses.insert(root, (*status, message.clone()));
            }
            _ => {}
        }
        let size = |map: &SharedMap| number(map.borrow().len());
        let http = |headers, body, trailers| (root, token, headers, body, trailers);
        let (which, argument) = match &part {
            Part::Http { headers, body, trailers } => {
                let trailers = trailers.as_ref().map_or(0, size);
                (None, http(size(headers), number(body.len()), trailers))
            }
            Part::Broken { .. } => (None, http(0, 0, 0)),
            Part::InitialMetadata(map) => (Some(0), http(size(map), 0, 0)),
            Part::Message(message) => (Some(1), http(number(message.len()), 0, 0)),
            Part::TrailingMetadata(map) => (Some(2), http(size(map), 0, 0)),
            Part::Closed { status, .. } => (Some(3), http(*status, 0, 0)),
        };
        state.told = Some(Told { root, part });
        let result = match which {
            None => {
                let function = self.callbacks.on_http_call_response.clone();
                self.call("proxy_on_http_call_response", function, root, argument, ())
            }
            Some(which) => {
                let function = self.callbacks.on_grpc.get(which).cloned().flatten();
                let name = GRPC.get(which).copied().unwrap_or_default();
                self.call(name, function, root, (root, token, argument.2), ())
            }
        };
        let state = self.store.data_mut();
        state.told = None;
        if let Some((_, message)) = state.statuses.get_mut(&root) {
            message.clear();
        }
        result
    }

    /// The VM's number, unique in the world.
    pub(crate) fn number(&self) -> u64 {
        self.store.data().vm_number
    }

    /// The tick period of a root context in nanoseconds.
    pub(crate) fn tick_period(&self, root: u32) -> Option<u64> {
        self.store.data().ticks.get(&root).map(|tick| tick.period)
    }

    /// What host functions asked for during the last call.
    pub(crate) fn take_actions(&mut self) -> VecDeque<Action> {
        while let Some(id) = self.store.data_mut().released.pop_first() {
            // A failure shows in the log.
            let _ = self.delete(id);
        }
        std::mem::take(&mut self.store.data_mut().actions)
    }

    /// Gives the next call what it may use: fuel, and work for the host.
    fn prepare(&mut self) -> (Option<u64>, u64) {
        let state = self.store.data();
        let allowance = state.world.borrow().allowance;
        state.work.refill(allowance.work());
        let fuel = self.fuel.map(|most| allowance.fuel(most));
        refuel(&mut self.store, fuel);
        (fuel, allowance.work())
    }

    /// Counts what a call has used.
    fn settle(&self, fuel: Option<u64>, work: u64) {
        let state = self.store.data();
        let work = work.saturating_sub(state.work.left());
        state.world.borrow_mut().allowance.spend(spent(&self.store, fuel), work);
    }

    /// Calls into the guest in the name of `context`; `missing` if it has no such callback.
    fn call<P: WasmParams + Numbers, R: WasmResults + Number>(
        &mut self,
        name: &'static str,
        function: Option<TypedFunc<P, R>>,
        context: u32,
        params: P,
        missing: R,
    ) -> Result<R, Failed> {
        if self.failed {
            return Err(Failed::Before);
        }
        let Some(function) = function else { return Ok(missing) };
        let state = self.store.data_mut();
        state.current = context;
        state.effective = context;
        state.exited = None;
        let (fuel, work) = self.prepare();
        if self.store.data().recorder.is_some() {
            enter(&self.store, name, context, params.behind_context());
        }
        let result = function.call(&mut self.store, params);
        leave(&self.store, fuel, result.as_ref().map(Number::number).map_err(cause));
        self.settle(fuel, work);
        result.map_err(|error| {
            self.failed = true;
            let state = self.store.data_mut();
            state.phase = Phase::Running;
            state.effective = state.current;
            state.actions.clear();
            let exited = state.exited.map(|code| format!("proc_exit({code}), then "));
            let exited = exited.unwrap_or_default();
            state.log(4, &format!("Function: {name} failed: {exited}{}", cause(&error)));
            Failed::Now
        })
    }
}

/// Runs a reactor's `_initialize` and then its `main`, or a command's `_start`.
fn initialize(
    store: &mut Store<GuestState>,
    instance: &Instance,
    fuel: Option<u64>,
) -> anyhow::Result<()> {
    let reactor: Option<TypedFunc<(), ()>> = export(store, instance, "_initialize")?;
    let Some(reactor) = reactor else {
        let command = export(store, instance, "_start")?;
        return begin::<_, ()>(store, "_start", command, (), fuel);
    };
    begin(store, "_initialize", Some(reactor), (), fuel)?;
    let main: Option<TypedFunc<(u32, u32), u32>> = export(store, instance, "main")?;
    if main.is_some() {
        return begin(store, "main", main, (0, 0), fuel);
    }
    let main: Option<TypedFunc<(), u32>> = export(store, instance, "__main_void")?;
    begin(store, "__main_void", main, (), fuel)
}

/// Calls `function`, if there is one, outside of any context.
fn begin<P: WasmParams, R: WasmResults + Number>(
    store: &mut Store<GuestState>,
    name: &'static str,
    function: Option<TypedFunc<P, R>>,
    params: P,
    fuel: Option<u64>,
) -> anyhow::Result<()> {
    let Some(function) = function else { return Ok(()) };
    enter(store, name, 0, Vec::new());
    let result = function.call(&mut *store, params);
    leave(store, fuel, result.as_ref().map(Number::number).map_err(cause));
    let used = spent(store, fuel);
    store.data().world.borrow_mut().allowance.spend(used, 0);
    result.map(|_| ()).map_err(|error| anyhow::anyhow!("{name} failed: {}", cause(&error)))
}

impl Callbacks {
    fn of(store: &mut Store<GuestState>, instance: &Instance) -> anyhow::Result<Self> {
        Ok(Self {
            on_context_create: export(store, instance, "proxy_on_context_create")?,
            on_vm_start: export(store, instance, "proxy_on_vm_start")?,
            on_configure: export(store, instance, "proxy_on_configure")?,
            on_tick: export(store, instance, "proxy_on_tick")?,
            on_queue_ready: export(store, instance, "proxy_on_queue_ready")?,
            headers: [
                headers(store, instance, "proxy_on_request_headers")?,
                headers(store, instance, "proxy_on_response_headers")?,
            ],
            body: [
                export(store, instance, "proxy_on_request_body")?,
                export(store, instance, "proxy_on_response_body")?,
            ],
            trailers: [
                export(store, instance, "proxy_on_request_trailers")?,
                export(store, instance, "proxy_on_response_trailers")?,
            ],
            on_http_call_response: export(store, instance, "proxy_on_http_call_response")?,
            on_grpc: [
                export(store, instance, GRPC[0])?,
                export(store, instance, GRPC[1])?,
                export(store, instance, GRPC[2])?,
                export(store, instance, GRPC[3])?,
            ],
            on_new_connection: export(store, instance, "proxy_on_new_connection")?,
            data: [
                export(store, instance, "proxy_on_downstream_data")?,
                export(store, instance, "proxy_on_upstream_data")?,
            ],
            close: [
                export(store, instance, "proxy_on_downstream_connection_close")?,
                export(store, instance, "proxy_on_upstream_connection_close")?,
            ],
            on_log: export(store, instance, "proxy_on_log")?,
            on_done: export(store, instance, "proxy_on_done")?,
            on_delete: export(store, instance, "proxy_on_delete")?,
        })
    }
}

/// The headers callback `name` with the signature of the module's version.
fn headers(
    store: &mut Store<GuestState>,
    instance: &Instance,
    name: &str,
) -> anyhow::Result<Option<Headers>> {
    Ok(match store.data().version {
        Version::V0_1_0 => export(store, instance, name)?.map(Headers::Of010),
        Version::V0_2_0 | Version::V0_2_1 => export(store, instance, name)?.map(Headers::Of020),
    })
}

/// Export `name` with the ABI's signature; `None` if the module has none.
fn export<P: WasmParams, R: WasmResults>(
    store: &mut Store<GuestState>,
    instance: &Instance,
    name: &str,
) -> anyhow::Result<Option<TypedFunc<P, R>>> {
    let Some(function) = instance.get_func(&mut *store, name) else { return Ok(None) };
    let typed = function.typed(&*store).map_err(plain);
    typed.map(Some).with_context(|| format!("export `{name}` has another signature than the ABI"))
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// What a call that began with `fuel` has used of it.
fn spent(store: &Store<GuestState>, fuel: Option<u64>) -> u64 {
    fuel.map_or(0, |fuel| fuel.saturating_sub(store.get_fuel().unwrap_or_default()))
}

fn refuel(store: &mut Store<GuestState>, fuel: Option<u64>) {
    if let Some(fuel) = fuel {
        // Fails only where fuel is off, and then there is none to set.
        let _ = store.set_fuel(fuel);
    }
}

/// Records that the host calls into the guest.
fn enter(store: &Store<GuestState>, name: &'static str, context: u32, arguments: Vec<u32>) {
    let state = store.data();
    if let Some(recorder) = &state.recorder {
        let exchange = state.stream().map(|stream| stream.info.borrow().exchange);
        let filter = state.plugin().map_or("", |plugin| plugin.name.as_str());
        recorder.borrow_mut().enter(exchange, filter, name, context, arguments);
    }
}

/// Records that the call is over: what it returned, or why it trapped.
fn leave(store: &Store<GuestState>, fuel: Option<u64>, result: Result<Option<u32>, String>) {
    let state = store.data();
    if let Some(recorder) = &state.recorder {
        let spent = spent(store, fuel);
        let pages = state.memory.map_or(0, |memory| memory.size(store));
        let outcome = result.map_or_else(Outcome::Trapped, Outcome::Returned);
        recorder.borrow_mut().leave(outcome, spent, pages);
    }
}

/// The reason of a trap, with the innermost functions if the module names them.
fn cause(error: &wasmtime::Error) -> String {
    if matches!(error.downcast_ref(), Some(wasmtime::Trap::OutOfFuel)) {
        return "the call ran too long (fuel used up): an endless loop?".to_owned();
    }
    let mut text = error.root_cause().to_string();
    let frames = error.downcast_ref::<WasmBacktrace>().map(WasmBacktrace::frames);
    for frame in frames.unwrap_or_default().iter().take(MOST_FRAMES) {
        let name = match frame.func_name() {
            Some(name) => name.to_owned(),
            None => format!("function {}", frame.func_index()),
        };
        text += &format!("\n  {name}");
    }
    text
}
