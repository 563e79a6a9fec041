//! From a plan's chain to plugins on every thread, in Envoy's order: each plugin on trial in a VM of
//! its own, then on the main thread; when all are, on the workers.
//!
//! So a module's configuration code runs once more than there are threads, and what its trial leaves
//! in shared data and metrics stays. Its ticks do not: its VM is gone without `on_done`.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use anyhow::{Context, bail};
use sha2::{Digest, Sha256};

use super::engine::Runtime;
use super::guest::{PluginInfo, Thread, VmInfo};
use super::vm::{Origin, Vm};
use super::worker::Worker;
use super::world::World;
use crate::plan::{Filter, Plan};

/// What a VM's memory grows to at most, unless the scenario says otherwise: Envoy's limit, 16384
/// pages (E32).
const MOST_MEMORY: u32 = 1 << 30;

/// Every thread, with the plugins of a chain.
pub(crate) struct Threads {
    /// Serves no exchange, but its plugins tick.
    pub(crate) main: Rc<RefCell<Worker>>,
    pub(crate) workers: Vec<Rc<RefCell<Worker>>>,
    /// VMs that all others are copied from; they are never called.
    pub(crate) originals: usize,
}

impl Threads {
    /// Starts and configures the chain of `plan` everywhere.
    ///
    /// # Errors
    ///
    /// When a module cannot be loaded or traps, or a plugin refuses its configuration (E23): with the
    /// filter's log lines.
    pub(crate) fn start(
        runtime: &'static Runtime,
        plan: &Plan,
        world: &Rc<RefCell<World>>,
    ) -> anyhow::Result<Self> {
        let mut main = Worker::new(Thread::Main, world);
        let mut loaded = Vec::new();
        let mut keys = BTreeSet::new();
        for filter in &plan.chain {
            let (info, origin) = prepare(runtime, plan, filter, world)
                .with_context(|| format!("filter `{}`", filter.name))?;
            keys.insert(origin.info.key);
            explained(filter, world, "", || trial(&info, &origin))?;
            explained(filter, world, LATE, || main.add(filter, &info, &origin))?;
            loaded.push((filter, info, origin));
        }
        world.borrow_mut().vms.created += keys.len() as u64;
        let mut workers = Vec::new();
        for index in 0..plan.scenario.workers.unwrap_or(1).max(1) as usize {
            let mut worker = Worker::new(Thread::Worker(index), world);
            for (filter, info, origin) in &loaded {
                explained(filter, world, LATE, || worker.add(filter, info, origin))?;
            }
            workers.push(Rc::new(RefCell::new(worker)));
        }
        Ok(Self { main: Rc::new(RefCell::new(main)), workers, originals: keys.len() })
    }

    /// All of them, the main one first.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Rc<RefCell<Worker>>> {
        std::iter::once(&self.main).chain(&self.workers)
    }

    /// What Envoy counts as active VMs.
    pub(crate) fn active_vms(&self) -> usize {
        self.originals + self.all().map(|worker| worker.borrow().active()).sum::<usize>()
    }
}

/// Said of a plugin that passed its trial: this host does not go on, where Envoy would.
const LATE: &str =
    "; it had agreed on trial, so a real Envoy starts, and serves without the filter";

fn prepare(
    runtime: &'static Runtime,
    plan: &Plan,
    filter: &Filter,
    world: &Rc<RefCell<World>>,
) -> anyhow::Result<(Rc<PluginInfo>, Rc<Origin>)> {
    let program = runtime.load(&filter.wasm)?;
    let environment = filter.env.iter().map(|(name, value)| format!("{name}={value}").into_bytes());
    let vm = VmInfo {
        key: key(filter, &program.hash),
        vm_id: filter.vm_id.clone().into_bytes(),
        config: filter.vm_config.clone(),
        environment: environment.collect(),
    };
    let memory = plan.scenario.limits.memory_bytes.unwrap_or(MOST_MEMORY) as usize;
    let (world, info) = (Rc::clone(world), Rc::new(vm));
    let plugin = PluginInfo {
        name: filter.name.clone(),
        root_id: filter.root_id.clone(),
        config: filter.config.clone(),
    };
    Ok((Rc::new(plugin), Rc::new(Origin { runtime, world, program, info, memory })))
}

/// Lengths keep apart what would else run together.
fn key(filter: &Filter, module: &[u8; 32]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update((filter.vm_id.len() as u64).to_le_bytes());
    hash.update(&filter.vm_id);
    hash.update((filter.vm_config.len() as u64).to_le_bytes());
    hash.update(&filter.vm_config);
    hash.update(module);
    hash.finalize().into()
}

fn trial(info: &Rc<PluginInfo>, origin: &Origin) -> anyhow::Result<()> {
    match Vm::new(origin, Thread::Trial)?.start(info)? {
        Some(_) => Ok(()),
        None => bail!("it refused its configuration"),
    }
}

/// Runs a part of the start; an error has what was logged in it.
fn explained(
    filter: &Filter,
    world: &Rc<RefCell<World>>,
    more: &str,
    part: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let before = world.borrow().lines.len();
    let Err(error) = part() else { return Ok(()) };
    let world = world.borrow();
    let lines: Vec<&str> =
        world.lines.iter().skip(before).map(|line| line.message.as_str()).collect();
    let logged = if lines.is_empty() { String::new() } else { format!(":\n{}", lines.join("\n")) };
    bail!("filter `{}`: {error:#}{more}{logged}", filter.name)
}
