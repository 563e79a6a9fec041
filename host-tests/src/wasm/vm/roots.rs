//! Root contexts: from their start to their end, and what they are told in between.

use std::rc::Rc;

use anyhow::{Context, bail};

use super::super::callouts::reply::Part;
use super::super::guest::{PluginInfo, Told};
use super::super::headers::SharedMap;
use super::callbacks::GRPC;
use super::{Failed, Vm};

impl Vm {
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

    /// The tick period of a root context in nanoseconds.
    pub(crate) fn tick_period(&self, root: u32) -> Option<u64> {
        self.store.data().ticks.get(&root).map(|tick| tick.period)
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
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
