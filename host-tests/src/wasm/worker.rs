//! One worker thread of the host: its VMs and plugins, and what a failed VM means for new streams.
//!
//! Plugins of the same module share one VM, as Envoy's do when they have the same `vm_id` and VM
//! configuration (E24).

use std::cell::RefCell;
use std::collections::VecDeque;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use anyhow::{Context, bail};

use super::engine::{Program, Runtime};
use super::guest::{Action, PluginInfo};
use super::vm::{Failed, Vm};
use super::world::World;
use crate::plan;
use crate::scenario::{FailurePolicy, Position};

/// How long after a failure a VM is made anew. Envoy's back-off has this base, and jitter.
const RELOAD_AFTER_NANOS: u64 = 1_000_000_000;

/// A plugin of the chain in one worker.
pub(crate) struct Plugin {
    pub(crate) info: Rc<PluginInfo>,
    pub(crate) at: Position,
    pub(crate) allow_hold: bool,
    pub(crate) policy: FailurePolicy,
    slot: usize,
    root: u32,
}

/// A VM's place.
struct Slot {
    program: Arc<Program>,
    vm: Vm,
    /// Counts VMs in this place: a stream's context lives in one of them only.
    generation: u32,
    failed_at: Option<u64>,
    environment: Vec<Vec<u8>>,
}

/// How a plugin takes part in a new stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Part {
    /// Its VM runs.
    Takes,
    /// Its VM failed, and it answers 503.
    Refuses,
    /// Its VM failed, and it lets everything pass.
    Missing,
}

/// The VM and the context that a stream's filter lives in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) plugin: usize,
    pub(crate) slot: usize,
    pub(crate) root: u32,
    generation: u32,
}

/// A worker.
pub(crate) struct Worker {
    runtime: &'static Runtime,
    world: Rc<RefCell<World>>,
    slots: Vec<Slot>,
    plugins: Vec<Plugin>,
}

impl Worker {
    /// Starts and configures every plugin of `chain`.
    ///
    /// # Errors
    ///
    /// When a module cannot be loaded, or a plugin refuses its configuration: with its log lines.
    pub(crate) fn new(
        runtime: &'static Runtime,
        chain: &[plan::Filter],
        environment: &[Vec<u8>],
        world: &Rc<RefCell<World>>,
    ) -> anyhow::Result<Self> {
        let mut worker =
            Self { runtime, world: Rc::clone(world), slots: Vec::new(), plugins: Vec::new() };
        for filter in chain {
            worker.add(filter, environment).with_context(|| format!("filter `{}`", filter.name))?;
        }
        Ok(worker)
    }

    fn add(&mut self, filter: &plan::Filter, environment: &[Vec<u8>]) -> anyhow::Result<()> {
        let slot = self.slot(&filter.wasm, environment)?;
        let config = filter.config.clone();
        let info = Rc::new(PluginInfo { name: filter.name.clone(), config });
        let lines = self.world.borrow().lines.len();
        let started = match self.slots.get_mut(slot) {
            Some(slot) => slot.vm.start(&info),
            None => bail!("no VM"),
        };
        let logged = || {
            let world = self.world.borrow();
            let lines = world.lines.iter().skip(lines).map(|line| line.message.as_str());
            lines.collect::<Vec<_>>().join("\n")
        };
        let root = match started {
            Ok(Some(root)) => root,
            Ok(None) => bail!("it refused its configuration:\n{}", logged()),
            Err(error) => bail!("{error:#}:\n{}", logged()),
        };
        self.plugins.push(Plugin {
            info,
            at: filter.at,
            allow_hold: filter.allow_on_headers_stop_iteration,
            policy: filter.failure_policy,
            slot,
            root,
        });
        Ok(())
    }

    /// The VM of module `file`, new if there is none yet.
    fn slot(&mut self, file: &Path, environment: &[Vec<u8>]) -> anyhow::Result<usize> {
        let program = self.runtime.load(file)?;
        if let Some(at) = self.slots.iter().position(|slot| slot.program.hash == program.hash) {
            return Ok(at);
        }
        let environment = environment.to_vec();
        let world = Rc::clone(&self.world);
        let vm = Vm::new(self.runtime, &program, world, environment.clone())?;
        self.slots.push(Slot { program, vm, generation: 0, failed_at: None, environment });
        Ok(self.slots.len() - 1)
    }

    pub(crate) fn plugin(&self, index: usize) -> Option<&Plugin> {
        self.plugins.get(index)
    }

    /// The plugins at `position`, with their part in a new stream, in request order. Reloads failed
    /// VMs where the policy says so (E22).
    pub(crate) fn open(&mut self, position: Position) -> Vec<(Place, Part)> {
        let at = |plugin: &(usize, &Plugin)| plugin.1.at == position;
        let indexes: Vec<usize> =
            self.plugins.iter().enumerate().filter(at).map(|(i, _)| i).collect();
        indexes.into_iter().filter_map(|index| self.place(index)).collect()
    }

    fn place(&mut self, index: usize) -> Option<(Place, Part)> {
        let plugin = self.plugins.get(index)?;
        let (slot, policy) = (plugin.slot, plugin.policy);
        let now = self.world.borrow().now;
        let due = |slot: &Slot| {
            let failed_at = slot.failed_at.unwrap_or(now);
            slot.vm.failed() && now.saturating_sub(failed_at) >= RELOAD_AFTER_NANOS
        };
        if policy == FailurePolicy::FailReload && self.slots.get(slot).is_some_and(due) {
            self.reload(slot);
        }
        let found = self.slots.get(slot)?;
        let part = match (found.vm.failed(), policy) {
            (false, _) => Part::Takes,
            (true, FailurePolicy::FailOpen) => Part::Missing,
            (true, FailurePolicy::FailClosed | FailurePolicy::FailReload) => Part::Refuses,
        };
        let root = self.plugins.get(index)?.root;
        Some((Place { plugin: index, slot, root, generation: found.generation }, part))
    }

    /// Makes a VM anew with all its plugins; stays failed if that does not work.
    fn reload(&mut self, index: usize) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        slot.failed_at = Some(self.world.borrow().now);
        let world = Rc::clone(&self.world);
        let made = Vm::new(self.runtime, &slot.program, world, slot.environment.clone());
        let Ok(mut vm) = made else { return };
        let mut roots = Vec::new();
        for (i, plugin) in self.plugins.iter().enumerate() {
            if plugin.slot == index {
                let Ok(Some(root)) = vm.start(&plugin.info) else { return };
                roots.push((i, root));
            }
        }
        for (i, root) in roots {
            if let Some(plugin) = self.plugins.get_mut(i) {
                plugin.root = root;
            }
        }
        slot.vm = vm;
        slot.generation += 1;
        slot.failed_at = None;
    }

    /// Calls into the VM at `place`. Failed, too, if that VM is there no more.
    pub(crate) fn enter<T>(
        &mut self,
        place: Place,
        call: impl FnOnce(&mut Vm) -> Result<T, Failed>,
    ) -> (Result<T, Failed>, VecDeque<Action>) {
        let Some(slot) = self.slots.get_mut(place.slot) else {
            return (Err(Failed::Before), VecDeque::new());
        };
        if slot.generation != place.generation {
            return (Err(Failed::Before), VecDeque::new());
        }
        let result = call(&mut slot.vm);
        if slot.vm.failed() && slot.failed_at.is_none() {
            slot.failed_at = Some(self.world.borrow().now);
        }
        (result, slot.vm.take_actions())
    }

    /// Every running plugin with a tick, and its period in milliseconds.
    pub(crate) fn tickers(&self) -> Vec<(Place, u32)> {
        let mut found = Vec::new();
        for (index, plugin) in self.plugins.iter().enumerate() {
            let Some(slot) = self.slots.get(plugin.slot) else { continue };
            let Some(period) = slot.vm.tick_period(plugin.root) else { continue };
            if !slot.vm.failed() {
                let (slot_index, root) = (plugin.slot, plugin.root);
                let generation = slot.generation;
                found.push((Place { plugin: index, slot: slot_index, root, generation }, period));
            }
        }
        found
    }
}
