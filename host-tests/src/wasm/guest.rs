//! What a VM's host functions work on: the state inside its wasmtime store.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use wasmtime::{Memory, StoreLimits, TypedFunc};

use super::abi::Expressions;
use super::abi::Tokens;
use super::abi::version::Version;
use super::allowance::Work;
use super::callouts::Due;
use super::callouts::reply::Part;
use super::profile::Switches;
use super::recorder;
use super::reply::LocalReply;
use super::scheduler::Key;
use super::stream::{Direction, StreamContext};
use super::world::World;

/// A plugin as its module may know it.
#[derive(Debug)]
pub(crate) struct PluginInfo {
    /// The filter's name in the chain: plugin name, and the name in logs.
    pub(crate) name: String,
    pub(crate) root_id: String,
    pub(crate) config: Vec<u8>,
}

/// A VM as its module may know it.
#[derive(Debug)]
pub(crate) struct VmInfo {
    /// Of `vm_id`, VM configuration and module: plugins with the same key share a VM (E24).
    pub(crate) key: [u8; 32],
    pub(crate) vm_id: Vec<u8>,
    pub(crate) config: Vec<u8>,
    /// `NAME=value`.
    pub(crate) environment: Vec<Vec<u8>>,
}

/// Where a VM lives.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Thread {
    /// Only for the trial of a configuration.
    Trial,
    /// The main thread: its VMs are configured and tick, and serve no exchange.
    Main,
    Worker(usize),
}

/// When host functions may be called.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Phase {
    /// `_initialize`: only WASI and the log.
    Starting,
    Running,
    /// The host is calling the guest's allocator: only the log and a few WASI functions.
    Allocating,
}

/// What host functions ask for that Envoy does only when the call into the VM has returned.
#[derive(Debug)]
pub(crate) enum Action {
    Reply { context: u32, reply: LocalReply },
    Continue { context: u32, direction: Direction },
    Close { context: u32 },
}

impl Action {
    /// The context that asked.
    pub(crate) fn context(&self) -> u32 {
        match self {
            Self::Reply { context, .. }
            | Self::Continue { context, .. }
            | Self::Close { context } => *context,
        }
    }
}

/// A root context's timer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tick {
    /// Nanoseconds.
    pub(crate) period: u64,
    /// The next one.
    pub(crate) key: Key,
}

/// What a callout's callback is about, for as long as it runs.
pub(crate) struct Told {
    pub(crate) root: u32,
    pub(crate) part: Part,
}

/// State of one VM, owned by its store.
pub(crate) struct GuestState {
    /// Unique in the world.
    pub(crate) vm_number: u64,
    pub(crate) world: Rc<RefCell<World>>,
    /// The world's, at hand.
    pub(crate) recorder: recorder::Shared,
    pub(crate) profile: &'static Switches,
    pub(crate) limits: StoreLimits,
    pub(crate) work: Work,
    pub(crate) phase: Phase,
    pub(crate) memory: Option<Memory>,
    pub(crate) allocate: Option<TypedFunc<u32, u32>>,
    pub(crate) vm: Rc<VmInfo>,
    /// The plugin's configuration can be read.
    pub(crate) configuring: bool,
    pub(crate) thread: Thread,
    /// The version of the ABI that the module speaks.
    pub(crate) version: Version,
    /// `proc_exit` was called during this call.
    pub(crate) exited: Option<u32>,
    /// Root contexts by id.
    pub(crate) roots: BTreeMap<u32, Rc<PluginInfo>>,
    /// Stream contexts by id, with the root each belongs to.
    pub(crate) streams: BTreeMap<u32, (u32, StreamContext)>,
    /// Streams that are over, but wait for `proxy_done`.
    pub(crate) waiting: BTreeSet<u32>,
    /// Those for which it was called, and which end after this call.
    pub(crate) released: BTreeSet<u32>,
    /// The context that was called, and the one that host functions are about.
    pub(crate) current: u32,
    pub(crate) effective: u32,
    pub(crate) actions: VecDeque<Action>,
    /// Root contexts that were not done when they should have been, and whether they are now.
    pub(crate) ending: BTreeMap<u32, bool>,
    pub(crate) expressions: Expressions,
    /// By root context; absent is off.
    pub(crate) ticks: BTreeMap<u32, Tick>,
    pub(crate) tokens: Tokens,
    pub(crate) told: Option<Told>,
    /// What `proxy_get_status` gives, by root context.
    pub(crate) statuses: BTreeMap<u32, (u32, String)>,
    /// Properties that plugins declared, by root context and path; whether they can be set only once.
    pub(crate) declared: BTreeMap<(u32, Vec<u8>), bool>,
}

impl GuestState {
    pub(crate) fn new(
        world: Rc<RefCell<World>>,
        limits: StoreLimits,
        vm: Rc<VmInfo>,
        thread: Thread,
    ) -> Self {
        let recorder = world.borrow().recorder.clone();
        let profile = world.borrow().profile;
        let vm_number = world.borrow_mut().number_vm();
        Self {
            vm_number,
            world,
            recorder,
            profile,
            limits,
            work: Work::default(),
            phase: Phase::Starting,
            memory: None,
            allocate: None,
            vm,
            configuring: false,
            thread,
            version: Version::V0_2_1,
            exited: None,
            roots: BTreeMap::new(),
            streams: BTreeMap::new(),
            waiting: BTreeSet::new(),
            released: BTreeSet::new(),
            current: 0,
            effective: 0,
            actions: VecDeque::new(),
            ending: BTreeMap::new(),
            declared: BTreeMap::new(),
            expressions: Expressions::default(),
            ticks: BTreeMap::new(),
            tokens: Tokens::default(),
            told: None,
            statuses: BTreeMap::new(),
        }
    }

    /// The root context behind the effective context.
    pub(crate) fn root(&self) -> u32 {
        self.streams.get(&self.effective).map_or(self.effective, |(root, _)| *root)
    }

    /// The root context behind the context that was called.
    pub(crate) fn root_of_call(&self) -> u32 {
        self.streams.get(&self.current).map_or(self.current, |(root, _)| *root)
    }

    /// The plugin that host functions are about.
    pub(crate) fn plugin(&self) -> Option<&Rc<PluginInfo>> {
        self.roots.get(&self.root())
    }

    /// The stream that host functions are about; none in a root context.
    pub(crate) fn stream(&self) -> Option<&StreamContext> {
        self.streams.get(&self.effective).map(|(_, stream)| stream)
    }

    pub(crate) fn stream_mut(&mut self) -> Option<&mut StreamContext> {
        self.streams.get_mut(&self.effective).map(|(_, stream)| stream)
    }

    /// The exchange that host functions are about; none in a root context.
    pub(crate) fn exchange(&self) -> Option<usize> {
        self.stream().map(|stream| stream.info.borrow().exchange)
    }

    /// Sets a root context's timer anew; `None` is off.
    pub(crate) fn set_tick(&mut self, root: u32, period: Option<u64>) {
        let mut world = self.world.borrow_mut();
        let world = &mut *world;
        if let Some(tick) = self.ticks.remove(&root) {
            world.agenda.cancel(tick.key);
        }
        let Some(period) = period else { return };
        let due = Due::Tick { vm: self.vm_number, root };
        if let Some(key) = world.agenda.schedule(world.now.saturating_add(period), due) {
            self.ticks.insert(root, Tick { period, key });
        }
    }

    /// Writes a line in the name of the plugin that is running. The allocator runs for the VM, and so
    /// does what runs before there is any root context.
    pub(crate) fn log(&self, level: u32, text: &str) {
        let allocating = self.phase == Phase::Allocating;
        let plugin = self.plugin().filter(|_| !allocating);
        let name = plugin.map_or("vm", |plugin| plugin.name.as_str());
        let exchange = self.exchange().filter(|_| !allocating);
        self.world.borrow_mut().log(level, name, exchange, text);
    }
}
