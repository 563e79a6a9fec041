//! One thread of the host: its VMs and plugins, and what a failed VM means for new streams.
//!
//! Plugins with the same `vm_id`, VM configuration and module share one VM, each with a root context
//! of its own (E24). A VM that failed is dropped at once: nothing may call it any more (E21).

use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;

use anyhow::{Context, bail};

use super::guest::{Action, PluginInfo, Thread};
use super::shared::Ready;
use super::vm::{Failed, Origin, Vm};
use super::world::{Reload, World};
use crate::plan;
use crate::scenario::{FailurePolicy, Position};

/// How long after a plugin was loaded it can be loaded anew: the lower bound of Envoy's back-off,
/// which adds up to as much again at random. Counted from the load, not from the failure (E22).
const RELOAD_AFTER_NANOS: u64 = 1_000_000_000;

/// A plugin of the chain on one thread.
pub(crate) struct Plugin {
    pub(crate) info: Rc<PluginInfo>,
    pub(crate) at: Position,
    pub(crate) allow_hold: bool,
    pub(crate) policy: FailurePolicy,
    origin: Rc<Origin>,
    slot: usize,
    root: u32,
    /// When it was loaded, or an attempt to was made.
    loaded: u64,
}

/// A VM's place, for one VM only.
struct Slot {
    key: [u8; 32],
    /// None: it failed.
    vm: Option<Vm>,
}

/// How a plugin takes part in a new stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Part {
    /// Its VM runs. Its context has this id: Envoy counts them when it makes the chain, so also those
    /// of filters that never see the request.
    Takes(u32),
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
}

/// A thread.
pub(crate) struct Worker {
    thread: Thread,
    world: Rc<RefCell<World>>,
    slots: Vec<Slot>,
    plugins: Vec<Plugin>,
}

impl Worker {
    /// One without plugins.
    pub(crate) fn new(thread: Thread, world: &Rc<RefCell<World>>) -> Self {
        Self { thread, world: Rc::clone(world), slots: Vec::new(), plugins: Vec::new() }
    }

    /// Loads, starts and configures the next plugin of the chain.
    ///
    /// # Errors
    ///
    /// When the module traps, or the plugin refuses its configuration.
    pub(crate) fn add(
        &mut self,
        filter: &plan::Filter,
        info: &Rc<PluginInfo>,
        origin: &Rc<Origin>,
    ) -> anyhow::Result<()> {
        let (slot, root) = self.load(info, origin)?;
        let profile = self.world.borrow().profile;
        self.plugins.push(Plugin {
            info: Rc::clone(info),
            at: filter.at,
            allow_hold: filter.allow_on_headers_stop_iteration && profile.header_hold,
            policy: match filter.failure_policy {
                FailurePolicy::FailReload if !profile.reload => FailurePolicy::FailClosed,
                policy => policy,
            },
            origin: Rc::clone(origin),
            slot,
            root,
            loaded: self.world.borrow().now,
        });
        Ok(())
    }

    /// Makes a root context in the VM of the plugin's key, which is made if there is none.
    fn load(&mut self, info: &Rc<PluginInfo>, origin: &Origin) -> anyhow::Result<(usize, u32)> {
        let key = origin.info.key;
        let running = self.slots.iter().position(|slot| slot.key == key && slot.vm.is_some());
        let slot = match running {
            Some(slot) => slot,
            None => {
                let vm = Some(Vm::new(origin, self.thread)?);
                self.slots.push(Slot { key, vm });
                self.slots.len() - 1
            }
        };
        let vm = self.slots.get_mut(slot).and_then(|slot| slot.vm.as_mut());
        let started = vm.context("no VM")?.start(info);
        if let Some(slot) = self.slots.get_mut(slot)
            && (slot.vm.as_ref().is_some_and(Vm::failed)
                || (running.is_none() && !matches!(started, Ok(Some(_)))))
        {
            slot.vm = None;
        }
        match started? {
            Some(root) => Ok((slot, root)),
            None => bail!("it refused its configuration"),
        }
    }

    pub(crate) fn plugin(&self, index: usize) -> Option<&Plugin> {
        self.plugins.get(index)
    }

    /// VMs that plugins refer to, failed ones included: what Envoy counts as active.
    pub(crate) fn active(&self) -> usize {
        self.plugins.iter().map(|plugin| plugin.slot).collect::<BTreeSet<_>>().len()
    }

    /// The plugins at `position`, with their part in a new stream, in request order. Reloads those
    /// whose VM failed where the policy says so (E22).
    pub(crate) fn open(&mut self, position: Position) -> Vec<(Place, Part)> {
        let at = |plugin: &(usize, &Plugin)| plugin.1.at == position;
        let indexes: Vec<usize> =
            self.plugins.iter().enumerate().filter(at).map(|(i, _)| i).collect();
        indexes.into_iter().filter_map(|index| self.part(index)).collect()
    }

    fn part(&mut self, index: usize) -> Option<(Place, Part)> {
        let policy = self.plugins.get(index)?.policy;
        let runs = |worker: &Self, slot: usize| {
            worker.slots.get(slot).is_some_and(|slot| slot.vm.is_some())
        };
        if !runs(self, self.plugins.get(index)?.slot) && policy == FailurePolicy::FailReload {
            self.reload(index);
        }
        let place = self.place(index)?;
        let part = match (runs(self, place.slot), policy) {
            (true, _) => Part::Takes(self.next_context(place.slot)),
            (false, FailurePolicy::FailOpen) => Part::Missing,
            (false, FailurePolicy::FailClosed | FailurePolicy::FailReload) => Part::Refuses,
        };
        Some((place, part))
    }

    fn next_context(&mut self, slot: usize) -> u32 {
        let vm = self.slots.get_mut(slot).and_then(|slot| slot.vm.as_mut());
        vm.map_or(0, Vm::next_context)
    }

    fn place(&self, index: usize) -> Option<Place> {
        let plugin = self.plugins.get(index)?;
        Some(Place { plugin: index, slot: plugin.slot, root: plugin.root })
    }

    /// Loads a plugin anew, unless that is too early; it stays failed if that does not work. Others
    /// of the same VM are loaded when streams need them.
    fn reload(&mut self, index: usize) {
        let now = self.world.borrow().now;
        let Some(plugin) = self.plugins.get_mut(index) else { return };
        let (info, origin) = (Rc::clone(&plugin.info), Rc::clone(&plugin.origin));
        if now.saturating_sub(plugin.loaded) < RELOAD_AFTER_NANOS {
            self.world.borrow_mut().vms.reload(&info.name, Reload::Backoff);
            return;
        }
        plugin.loaded = now;
        let loaded = self.load(&info, &origin);
        let how = match (loaded, self.plugins.get_mut(index)) {
            (Ok((slot, root)), Some(plugin)) => {
                (plugin.slot, plugin.root) = (slot, root);
                Reload::Success
            }
            (Err(error), _) => {
                let text = format!("cannot load the plugin anew: {error:#}");
                self.world.borrow_mut().log(4, &info.name, None, &text);
                Reload::Failure
            }
            (Ok(_), None) => Reload::Failure,
        };
        self.world.borrow_mut().vms.reload(&info.name, how);
    }

    /// Calls into the VM at `place`. Failed, too, if that VM is there no more.
    pub(crate) fn enter<T>(
        &mut self,
        place: Place,
        call: impl FnOnce(&mut Vm) -> Result<T, Failed>,
    ) -> (Result<T, Failed>, VecDeque<Action>) {
        let slot = self.slots.get_mut(place.slot);
        let Some((slot, vm)) = slot.and_then(|slot| slot.vm.take().map(|vm| (slot, vm))) else {
            return (Err(Failed::Before), VecDeque::new());
        };
        let mut vm = vm;
        let result = call(&mut vm);
        let actions = vm.take_actions();
        if !vm.failed() {
            slot.vm = Some(vm);
        }
        (result, actions)
    }

    /// Shows the memory of every running VM: its place, which no other VM gets, and the plugins in it.
    pub(crate) fn memories(&self, mut show: impl FnMut((Thread, usize), &[String], &[u8])) {
        for (index, slot) in self.slots.iter().enumerate() {
            let Some(vm) = &slot.vm else { continue };
            let filters = self.plugins.iter().filter(|plugin| plugin.slot == index);
            let filters: Vec<String> = filters.map(|plugin| plugin.info.name.clone()).collect();
            show((self.thread, index), &filters, vm.memory());
        }
    }

    /// Where root context `root` of the VM with this number lives; `None` if that VM is gone.
    pub(crate) fn root(&self, vm: u64, root: u32) -> Option<Place> {
        let slot = self.slot_of(vm)?;
        let plugin = self.plugins.iter().position(|p| (p.slot, p.root) == (slot, root))?;
        Some(Place { plugin, slot, root })
    }

    pub(crate) fn has_vm(&self, vm: u64) -> bool {
        self.slot_of(vm).is_some()
    }

    fn slot_of(&self, vm: u64) -> Option<usize> {
        let is = |slot: &Slot| slot.vm.as_ref().is_some_and(|running| running.number() == vm);
        self.slots.iter().position(is)
    }

    /// Every plugin with a tick, and its period in nanoseconds.
    pub(crate) fn tickers(&self) -> Vec<(String, u64)> {
        let period = |plugin: &Plugin| {
            let vm = self.slots.get(plugin.slot)?.vm.as_ref()?;
            Some((plugin.info.name.clone(), vm.tick_period(plugin.root)?))
        };
        self.plugins.iter().filter_map(period).collect()
    }

    /// Ends every plugin whose VM runs, the last one first. One that is not done yet stays.
    pub(crate) fn end(&mut self) {
        for index in (0..self.plugins.len()).rev() {
            let Some(place) = self.place(index) else { continue };
            let root = place.root;
            // A failure shows in the log, and nobody is left to be answered.
            let _ = self.enter(place, |vm| vm.end_root(root));
            self.end_finished();
        }
    }

    /// Whether a plugin has not said yet that it is done.
    pub(crate) fn is_ending(&self) -> bool {
        self.slots.iter().filter_map(|slot| slot.vm.as_ref()).any(Vm::is_ending)
    }

    /// Ends plugins that have said since the last time that they are done.
    pub(crate) fn end_finished(&mut self) {
        for index in 0..self.plugins.len() {
            if let Some(place) = self.place(index) {
                let _ = self.enter(place, Vm::end_finished);
            }
        }
    }

    /// Calls a queue's reader, if it is on this thread and runs.
    pub(crate) fn queue_ready(&mut self, ready: Ready) -> Option<(Place, VecDeque<Action>)> {
        let reader = ready.reader;
        if reader.thread != self.thread {
            return None;
        }
        let slot =
            self.slots.iter().position(|slot| slot.key == reader.vm_key && slot.vm.is_some())?;
        let plugin = self.plugins.iter().position(|p| (p.slot, p.root) == (slot, reader.root))?;
        let place = Place { plugin, slot, root: reader.root };
        // A failure shows in the log.
        let (_, actions) = self.enter(place, |vm| vm.on_queue_ready(reader.root, ready.queue));
        Some((place, actions))
    }
}
