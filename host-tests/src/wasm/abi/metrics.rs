//! Metrics (E26); their rules are in [`crate::wasm::world`].

use super::{Answer, Cx};

pub(super) fn define(cx: &mut Cx<'_>, kind: u32, name: u32, name_size: u32, to: u32) -> Answer {
    let name = cx.text(name, name_size)?;
    let id = cx.state().world.borrow_mut().metrics().define(kind, &name)?;
    cx.put_u32(to, id)
}

pub(super) fn increment(cx: &mut Cx<'_>, id: u32, by: i64) -> Answer {
    Ok(cx.state().world.borrow_mut().metrics().increment(id, by)?)
}

pub(super) fn record(cx: &mut Cx<'_>, id: u32, value: u64) -> Answer {
    Ok(cx.state().world.borrow_mut().metrics().record(id, value)?)
}

pub(super) fn get(cx: &mut Cx<'_>, id: u32, to: u32) -> Answer {
    let value = cx.state().world.borrow_mut().metrics().get(id)?;
    cx.put_u64(to, value)
}
