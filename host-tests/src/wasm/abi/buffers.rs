//! Body buffers and configurations.

use super::{Answer, Cx, Status};
use crate::wasm::stream::{Direction, Lane, StreamContext, View};

/// `proxy_get_buffer_bytes`: a start behind the end is empty; only an overflow is an error.
pub(super) fn get_bytes(
    cx: &mut Cx<'_>,
    buffer: u32,
    start: u32,
    most: u32,
    to: u32,
    to_size: u32,
) -> Answer {
    start.checked_add(most).ok_or(Status::BadArgument)?;
    let (start, most) = (start as usize, most as usize);
    let cut = |bytes: &[u8]| bytes.iter().skip(start).take(most).copied().collect::<Vec<_>>();
    let bytes = match body(buffer) {
        Some(direction) => {
            let Some(stream) = cx.state().stream() else {
                return Err(Status::NotFound.into());
            };
            let wire = stream.wire.borrow();
            let bytes = view(stream, direction, wire.of(direction)).unwrap_or_default();
            let start = start.min(bytes.len());
            let end = start.saturating_add(most).min(bytes.len());
            bytes.get(start..end).unwrap_or_default().to_vec()
        }
        None if buffer == 6 => cut(&cx.state().vm.config),
        None if buffer == 7 => cut(plugin_configuration(cx)?),
        None => return Err(unavailable(buffer).into()),
    };
    cx.give(&bytes, to, to_size)
}

/// `proxy_set_buffer_bytes`: replaces at the front or appends; nothing in between, as in Envoy.
pub(super) fn set_bytes(
    cx: &mut Cx<'_>,
    buffer: u32,
    start: u32,
    size: u32,
    at: u32,
    at_size: u32,
) -> Answer {
    let new = cx.bytes(at, at_size)?.to_vec();
    cx.keep(new.len())?;
    let direction = body(buffer).ok_or_else(|| unavailable(buffer))?;
    let stream = cx.state().stream().ok_or(Status::BadArgument)?;
    let viewed = stream.access.of(direction).body;
    let mut wire = stream.wire.borrow_mut();
    let lane = wire.of_mut(direction);
    let bytes = match viewed {
        View::None => return Err(Status::BadArgument.into()),
        View::Piece => &mut lane.piece,
        View::Held => lane.held.get_or_insert_default(),
    };
    // What is behind the front moves.
    cx.charge(bytes.len());
    if start == 0 {
        let drained = (size as usize).min(bytes.len());
        bytes.splice(..drained, new);
    } else if start as usize >= bytes.len() {
        bytes.extend_from_slice(&new);
    } else {
        return Err(Status::BadArgument.into());
    }
    Ok(())
}

/// `proxy_get_buffer_status`: the size; the flags are always 0.
pub(super) fn get_status(cx: &mut Cx<'_>, buffer: u32, to_size: u32, to_flags: u32) -> Answer {
    let size = match body(buffer) {
        Some(direction) => {
            let stream = cx.state().stream().ok_or(Status::NotFound)?;
            let wire = stream.wire.borrow();
            view(stream, direction, wire.of(direction)).map_or(0, <[u8]>::len)
        }
        None if buffer == 6 => cx.state().vm.config.len(),
        None if buffer == 7 => plugin_configuration(cx)?.len(),
        None => return Err(unavailable(buffer).into()),
    };
    cx.put_u32(to_size, u32::try_from(size).map_err(|_| Status::InternalFailure)?)?;
    cx.put_u32(to_flags, 0)
}

/// Only there while the plugin is made or configured; the VM's always is.
fn plugin_configuration<'a>(cx: &'a Cx<'_>) -> Result<&'a [u8], Status> {
    let state = cx.state();
    let plugin = state.plugin().filter(|_| state.configuring).ok_or(Status::NotFound)?;
    Ok(&plugin.config)
}

fn body(buffer: u32) -> Option<Direction> {
    match buffer {
        0 => Some(Direction::Request),
        1 => Some(Direction::Response),
        _ => None,
    }
}

/// The bytes that the filter sees; `None` outside of the body's callbacks.
fn view<'a>(stream: &StreamContext, direction: Direction, lane: &'a Lane) -> Option<&'a [u8]> {
    match stream.access.of(direction).body {
        View::None => None,
        View::Piece => Some(&lane.piece),
        View::Held => lane.held.as_deref(),
    }
}

fn unavailable(buffer: u32) -> Status {
    if buffer <= 8 { Status::NotFound } else { Status::BadArgument }
}
