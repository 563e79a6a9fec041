//! Records what filters do and what it costs: every callback with its host calls, when asked for.
//!
//! One recorder serves a whole run, whose workers and VMs are called one after the other and never
//! from within each other, so there is at most one open callback. Everything kept is bounded; sums
//! of costs go on beyond the bounds.

mod summary;

use std::cell::RefCell;
use std::rc::Rc;

pub(crate) use summary::Argument;

use crate::trace::{Callback, Cost, HostCall, Outcome, Trace};

/// Callbacks that are kept; a scenario has a few dozens.
const MOST_CALLBACKS: usize = 100_000;

/// Host calls that are kept, of all callbacks together.
const MOST_HOST_CALLS: usize = 1_000_000;

/// The recorder of a run, shared by its VMs; `None` where nobody asked.
pub(crate) type Shared = Option<Rc<RefCell<Recorder>>>;

/// A record that is being made.
#[derive(Default)]
pub(crate) struct Recorder {
    trace: Trace,
    open: Option<Callback>,
    host_calls: usize,
    /// `_initialize` of a VM that has no plugin yet: it counts as the first one's.
    start: Option<Callback>,
}

/// A host call that has begun: its place in the open callback, if it is kept.
pub(crate) struct Begun(Option<usize>);

impl Recorder {
    /// One to share, that has recorded nothing.
    pub(crate) fn shared() -> Rc<RefCell<Self>> {
        Rc::default()
    }

    /// The host calls into a guest. `filter` is empty where the VM has no plugin yet.
    pub(crate) fn enter(
        &mut self,
        exchange: Option<usize>,
        filter: &str,
        name: &'static str,
        context: u32,
        arguments: Vec<u32>,
    ) {
        if let Some(mut start) = self.start.take() {
            filter.clone_into(&mut start.filter);
            self.keep(start);
        }
        self.open = Some(Callback {
            exchange,
            filter: filter.to_owned(),
            name,
            context,
            arguments,
            outcome: Outcome::Returned(None),
            host_calls: Vec::new(),
            cost: Cost { callbacks: 1, ..Cost::default() },
        });
    }

    /// The guest has returned, or trapped.
    pub(crate) fn leave(&mut self, outcome: Outcome, fuel: u64, pages: u64) {
        let Some(mut callback) = self.open.take() else { return };
        callback.outcome = outcome;
        callback.cost.fuel = fuel;
        callback.cost.peak_pages = pages;
        if callback.filter.is_empty() {
            self.start = Some(callback);
        } else {
            self.keep(callback);
        }
    }

    /// The guest calls the host; `memory` is the guest's.
    pub(crate) fn begin(
        &mut self,
        name: &'static str,
        arguments: &[Argument],
        memory: Option<&[u8]>,
    ) -> Begun {
        let Some(open) = &mut self.open else { return Begun(None) };
        *open.cost.host_calls.entry(name.into()).or_default() += 1;
        let memory = memory.unwrap_or_default();
        open.cost.bytes_from_guest += summary::bytes_given(arguments, memory);
        if self.host_calls >= MOST_HOST_CALLS {
            self.trace.dropped += 1;
            return Begun(None);
        }
        self.host_calls += 1;
        let arguments = summary::summary(name, arguments, memory);
        open.host_calls.push(HostCall { name, arguments, status: None });
        Begun(Some(open.host_calls.len() - 1))
    }

    /// The host has answered; `None`: it ended the callback instead.
    pub(crate) fn end(&mut self, Begun(at): Begun, status: Option<u32>) {
        let open = self.open.as_mut();
        if let Some(call) = at.and_then(|at| open?.host_calls.get_mut(at)) {
            call.status = status;
        }
    }

    /// The host wrote into the guest's memory.
    pub(crate) fn wrote(&mut self, bytes: usize) {
        if let Some(open) = &mut self.open {
            open.cost.bytes_to_guest += bytes as u64;
        }
    }

    /// The host read bytes of the guest that its arguments do not show.
    pub(crate) fn read(&mut self, bytes: usize) {
        if let Some(open) = &mut self.open {
            open.cost.bytes_from_guest += bytes as u64;
        }
    }

    /// The host called the guest's allocator.
    pub(crate) fn allocated(&mut self) {
        if let Some(open) = &mut self.open {
            open.cost.allocations += 1;
        }
    }

    /// What has been recorded so far, which is then forgotten.
    pub(crate) fn take(&mut self) -> Trace {
        if let Some(mut start) = self.start.take() {
            // Its VM never got as far as to have a plugin.
            "vm".clone_into(&mut start.filter);
            self.keep(start);
        }
        self.host_calls = 0;
        std::mem::take(&mut self.trace)
    }

    fn keep(&mut self, callback: Callback) {
        let key = (callback.filter.clone(), callback.name);
        self.trace.totals.entry(key).or_default().add(&callback.cost);
        if self.trace.callbacks.len() < MOST_CALLBACKS {
            self.trace.callbacks.push(callback);
        } else {
            self.trace.dropped += 1;
        }
    }
}

/// Parameters of a callback, for the record.
pub(crate) trait Numbers {
    /// All but the first, which is the context.
    fn behind_context(&self) -> Vec<u32>;
}

/// A result of a callback, for the record.
pub(crate) trait Number {
    /// The number; `None` where there is none.
    fn number(&self) -> Option<u32>;
}

macro_rules! numbers {
    ($($type:ty: ($first:pat $(, $rest:ident)*);)*) => {
        $(impl Numbers for $type {
            fn behind_context(&self) -> Vec<u32> {
                let ($first, $($rest,)*) = *self;
                vec![$($rest),*]
            }
        })*
    };
}

numbers! {
    (u32, u32): (_, a);
    (u32, u32, u32): (_, a, b);
    (u32, u32, u32, u32): (_, a, b, c);
    (u32, u32, u32, u32, u32): (_, a, b, c, d);
}

impl Numbers for () {
    fn behind_context(&self) -> Vec<u32> {
        Vec::new()
    }
}

impl Numbers for u32 {
    fn behind_context(&self) -> Vec<u32> {
        Vec::new()
    }
}

impl Number for () {
    fn number(&self) -> Option<u32> {
        None
    }
}

impl Number for u32 {
    fn number(&self) -> Option<u32> {
        Some(*self)
    }
}

#[cfg(test)]
mod tests;
