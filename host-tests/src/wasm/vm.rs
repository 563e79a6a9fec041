//! One VM: an instance, how it is called, and what becomes of it when it traps.

mod account;
mod callbacks;
mod roots;
mod streams;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use anyhow::bail;
use wasmtime::{Instance, Store, StoreLimitsBuilder, TypedFunc, WasmParams, WasmResults};

use super::engine::{Program, Runtime};
use super::guest::{Action, GuestState, Phase, Thread, VmInfo};
use super::recorder::{Number, Numbers};
use super::world::World;
use account::{cause, enter, leave, refuel, spent};
use callbacks::{Callbacks, export};

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

    /// Whether the VM trapped once: it is never called again (E21).
    pub(crate) fn failed(&self) -> bool {
        self.failed
    }

    /// The guest's memory.
    pub(crate) fn memory(&self) -> &[u8] {
        self.store.data().memory.map_or(&[], |memory| memory.data(&self.store))
    }

    /// The VM's number, unique in the world.
    pub(crate) fn number(&self) -> u64 {
        self.store.data().vm_number
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
