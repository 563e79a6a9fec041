//! A filter in one VM: its plugins (root contexts) and their exchanges, by the host's numbers.

use std::cell::RefCell;
use std::rc::Rc;

use tollgate_effects::{Direction, Environment, Flow, LogLevel, Plugin, UnixNanos};

use crate::contexts::Contexts;
use crate::effects::{ALL, Counters, refuse};
use crate::exchange::Exchange;
use crate::host::{self, Buffer};

thread_local! {
    /// The VM's filter: a VM has one thread, and its filter one type.
    static WORKER: RefCell<Option<Box<dyn Callbacks>>> = const { RefCell::new(None) };
}

/// Makes `P` the filter of this VM. For [`crate::filter`] only.
#[doc(hidden)]
pub fn install<P: Plugin>() {
    let worker = Worker::<P> { roots: Contexts::default(), exchanges: Contexts::default() };
    WORKER.with(|place| {
        if let Ok(mut place) = place.try_borrow_mut() {
            *place = Some(Box::new(worker));
        }
    });
}

/// Calls into the VM's filter. `None` if there is none, or if it is being called: the host does not
/// call into a VM that is calling it, except for memory.
pub(crate) fn with<T>(call: impl FnOnce(&mut dyn Callbacks) -> T) -> Option<T> {
    WORKER.with(|place| {
        let mut place = place.try_borrow_mut().ok()?;
        Some(call(place.as_mut()?.as_mut()))
    })
}

/// The host's callbacks. A number that is not known is no reason to trap: see each.
pub(crate) trait Callbacks {
    /// `parent` 0 makes a root context, another one an exchange of that root.
    fn create(&mut self, id: u32, parent: u32);
    /// Whether the configuration is accepted.
    fn configure(&mut self, id: u32) -> bool;
    /// Request headers of an unknown exchange are refused; its response passes.
    fn headers(&mut self, id: u32, of: Direction, end: bool) -> Flow;
    /// Bodies of an unknown exchange pass: its request was refused at the headers.
    fn body(&mut self, id: u32, of: Direction, size: usize, end: bool) -> Flow;
    /// As bodies.
    fn trailers(&mut self, id: u32, of: Direction) -> Flow;
    /// Time has passed for the exchanges of a root context.
    fn tick(&mut self, id: u32);
    /// Nothing for an unknown exchange.
    fn log(&mut self, id: u32);
    /// Forgets a context.
    fn delete(&mut self, id: u32);
}

struct Worker<P: Plugin> {
    roots: Contexts<Root<P>>,
    exchanges: Contexts<Open<P>>,
}

/// An exchange, and the root context it belongs to.
struct Open<P: Plugin> {
    root: u32,
    exchange: Exchange<P>,
}

/// A root context: one configuration of the filter.
struct Root<P> {
    plugin: Option<P>,
    counters: Rc<Counters>,
    /// What the host was told, in milliseconds.
    tick_period: u32,
}

impl<P: Plugin> Worker<P> {
    /// Tells the host how often to tick, where that has changed.
    fn set_tick_period(&mut self, root: u32) {
        let Some(root) = self.roots.get_mut(root) else { return };
        let wanted = root.plugin.as_ref().map_or(0, Plugin::tick_period);
        if root.tick_period != wanted && host::set_tick_period(wanted) {
            root.tick_period = wanted;
        }
    }
}

impl<P: Plugin> Callbacks for Worker<P> {
    fn create(&mut self, id: u32, parent: u32) {
        if parent == 0 {
            let root = Root { plugin: None, counters: Rc::default(), tick_period: 0 };
            self.roots.insert(id, root);
            return;
        }
        let root = self.roots.get(parent);
        let stream = root.and_then(|root| root.plugin.as_ref()).map(Plugin::stream);
        let counters = root.map(|root| Rc::clone(&root.counters)).unwrap_or_default();
        let exchange = Exchange::new(stream, counters);
        self.exchanges.insert(id, Open { root: parent, exchange });
    }

    fn configure(&mut self, id: u32) -> bool {
        let Some(root) = self.roots.get_mut(id) else { return false };
        let config = host::buffer(Buffer::PluginConfiguration, 0, ALL).unwrap_or_default();
        match P::configure(&config, &VmEnvironment) {
            Ok(configured) => {
                for warning in configured.warnings {
                    host::log(LogLevel::Warn as u32, &format!("{}: {warning}", P::NAME));
                }
                root.plugin = Some(configured.plugin);
                true
            }
            Err(problems) => {
                // The host rejects the configuration, and shows this line.
                host::log(LogLevel::Error as u32, &problems.to_string());
                false
            }
        }
    }

    fn headers(&mut self, id: u32, of: Direction, end: bool) -> Flow {
        match (self.exchanges.get_mut(id), of) {
            (Some(open), _) => {
                let flow = open.exchange.headers(of, end);
                let root = open.root;
                self.set_tick_period(root);
                flow
            }
            (None, Direction::Request) => {
                refuse(P::NAME, "the host named an exchange that it did not open");
                Flow::Pause
            }
            (None, Direction::Response) => Flow::Continue,
        }
    }

    fn body(&mut self, id: u32, of: Direction, size: usize, end: bool) -> Flow {
        let Some(open) = self.exchanges.get_mut(id) else { return Flow::Continue };
        let flow = open.exchange.body(of, size, end);
        let root = open.root;
        self.set_tick_period(root);
        flow
    }

    fn trailers(&mut self, id: u32, of: Direction) -> Flow {
        self.exchanges.get_mut(id).map_or(Flow::Continue, |open| open.exchange.trailers(of))
    }

    fn log(&mut self, id: u32) {
        if let Some(open) = self.exchanges.get_mut(id) {
            open.exchange.log();
        }
    }

    fn tick(&mut self, root: u32) {
        for (id, open) in self.exchanges.iter_mut() {
            if open.root == root && open.exchange.wants_tick() && host::set_effective_context(id) {
                open.exchange.tick();
            }
        }
        // The calls that follow are about the root context again.
        if host::set_effective_context(root) {
            self.set_tick_period(root);
        }
    }

    fn delete(&mut self, id: u32) {
        if !self.exchanges.remove(id) {
            self.roots.remove(id);
        }
    }
}

/// The VM's environment variables (`vm_config.environment_variables`) and clock.
struct VmEnvironment;

impl Environment for VmEnvironment {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn now(&self) -> UnixNanos {
        host::now()
    }
}
