//! Shared data (E25). Shared queues are refused: nothing here needs them yet.

use super::{Answer, Cx, Status};

pub(super) fn get_data(
    cx: &mut Cx<'_>,
    key: u32,
    key_size: u32,
    to: u32,
    to_size: u32,
    to_cas: u32,
) -> Answer {
    let key = cx.bytes(key, key_size)?;
    let found = cx.state().world.borrow().shared.get(key).cloned();
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
    Ok(cx.state().world.borrow_mut().set_shared(key, value, cas)?)
}

pub(super) fn register_queue(cx: &mut Cx<'_>, _: u32, _: u32, _: u32) -> Answer {
    Err(refused(cx, "proxy_register_shared_queue").into())
}

pub(super) fn resolve_queue(cx: &mut Cx<'_>, _: u32, _: u32, _: u32, _: u32, _: u32) -> Answer {
    Err(refused(cx, "proxy_resolve_shared_queue").into())
}

pub(super) fn enqueue(cx: &mut Cx<'_>, _: u32, _: u32, _: u32) -> Answer {
    Err(refused(cx, "proxy_enqueue_shared_queue").into())
}

pub(super) fn dequeue(cx: &mut Cx<'_>, _: u32, _: u32, _: u32) -> Answer {
    Err(refused(cx, "proxy_dequeue_shared_queue").into())
}

fn refused(cx: &Cx<'_>, name: &str) -> Status {
    cx.state().log(5, &format!("{name}: this host has no shared queues yet"));
    Status::InternalFailure
}
