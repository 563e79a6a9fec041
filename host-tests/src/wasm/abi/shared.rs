//! Shared data and shared queues (E25); their rules are in [`crate::wasm::shared`].

use super::{Answer, Cx, Status};
use crate::wasm::shared::Reader;

pub(super) fn get_data(
    cx: &mut Cx<'_>,
    key: u32,
    key_size: u32,
    to: u32,
    to_size: u32,
    to_cas: u32,
) -> Answer {
    let key = cx.bytes(key, key_size)?;
    let found = {
        let world = cx.state().world.borrow();
        world.shared.get(&cx.state().vm.vm_id, key).cloned()
    };
    let (value, cas) = found.ok_or(Status::NotFound)?;
    cx.give(&value, to, to_size)?;
    cx.put_u32(to_cas, cas)
}

pub(super) fn set_data(
    cx: &mut Cx<'_>,
    key: u32,
    key_size: u32,
    value: u32,
    value_size: u32,
    cas: u32,
) -> Answer {
    let (key, value) = (cx.bytes(key, key_size)?, cx.bytes(value, value_size)?);
    let mut world = cx.state().world.borrow_mut();
    Ok(world.shared.set(&cx.state().vm.vm_id, key, value, cas)?)
}

/// `proxy_register_shared_queue`: the reader is the root context, whichever context asks.
pub(super) fn register_queue(cx: &mut Cx<'_>, name: u32, name_size: u32, to: u32) -> Answer {
    let name = cx.bytes(name, name_size)?;
    let state = cx.state();
    let reader = Reader { thread: state.thread, vm_key: state.vm.key, root: state.root() };
    let number = state.world.borrow_mut().queues.register(&state.vm.vm_id, name, reader)?;
    cx.put_u32(to, number)
}

/// `proxy_resolve_shared_queue`: no `vm_id` is one's own.
pub(super) fn resolve_queue(
    cx: &mut Cx<'_>,
    vm: u32,
    vm_size: u32,
    name: u32,
    name_size: u32,
    to: u32,
) -> Answer {
    let (vm_id, name) = (cx.bytes(vm, vm_size)?, cx.bytes(name, name_size)?);
    let vm_id = if vm_id.is_empty() { &cx.state().vm.vm_id } else { vm_id };
    let found = cx.state().world.borrow().queues.resolve(vm_id, name);
    cx.put_u32(to, found.ok_or(Status::NotFound)?)
}

pub(super) fn enqueue(cx: &mut Cx<'_>, queue: u32, at: u32, size: u32) -> Answer {
    let item = cx.bytes(at, size)?;
    Ok(cx.state().world.borrow_mut().queues.enqueue(queue, item)?)
}

pub(super) fn dequeue(cx: &mut Cx<'_>, queue: u32, to: u32, to_size: u32) -> Answer {
    let item = cx.state().world.borrow_mut().queues.dequeue(queue)?;
    cx.give(&item, to, to_size)
}
