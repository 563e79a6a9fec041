//! What a call into the guest uses, how it is recorded, and why it trapped.

use wasmtime::{Store, WasmBacktrace};

use super::super::guest::GuestState;
use crate::trace::Outcome;

/// Functions of a trap that are named.
const MOST_FRAMES: usize = 10;

/// What a call that began with `fuel` has used of it.
pub(super) fn spent(store: &Store<GuestState>, fuel: Option<u64>) -> u64 {
    fuel.map_or(0, |fuel| fuel.saturating_sub(store.get_fuel().unwrap_or_default()))
}

/// Gives the store `fuel` for what comes next.
pub(super) fn refuel(store: &mut Store<GuestState>, fuel: Option<u64>) {
    if let Some(fuel) = fuel {
        // Fails only where fuel is off, and then there is none to set.
        let _ = store.set_fuel(fuel);
    }
}

/// Records that the host calls into the guest.
pub(super) fn enter(
    store: &Store<GuestState>,
    name: &'static str,
    context: u32,
    arguments: Vec<u32>,
) {
    let state = store.data();
    if let Some(recorder) = &state.recorder {
        let exchange = state.stream().map(|stream| stream.info.borrow().exchange);
        let filter = state.plugin().map_or("", |plugin| plugin.name.as_str());
        recorder.borrow_mut().enter(exchange, filter, name, context, arguments);
    }
}

/// Records that the call is over: what it returned, or why it trapped.
pub(super) fn leave(
    store: &Store<GuestState>,
    fuel: Option<u64>,
    result: Result<Option<u32>, String>,
) {
    let state = store.data();
    if let Some(recorder) = &state.recorder {
        let spent = spent(store, fuel);
        let pages = state.memory.map_or(0, |memory| memory.size(store));
        let outcome = result.map_or_else(Outcome::Trapped, Outcome::Returned);
        recorder.borrow_mut().leave(outcome, spent, pages);
    }
}

/// The reason of a trap, with the innermost functions if the module names them.
pub(super) fn cause(error: &wasmtime::Error) -> String {
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
