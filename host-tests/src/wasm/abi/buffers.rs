//! Body buffers and configurations.

use super::{Answer, Cx, Status};
use crate::wasm::callouts::reply::Part;
use crate::wasm::guest::GuestState;
use crate::wasm::profile::SetBuffer;
use crate::wasm::stream::{Direction, Lane, StreamContext, View};

/// Which buffer a number means.
enum Buffer {
    Body(Direction),
    /// What a TCP connection's client has sent, or its upstream.
    Data(Direction),
    /// The answer to an HTTP callout.
    CalloutBody,
    /// A message of a gRPC callout.
    GrpcMessage,
    VmConfiguration,
    PluginConfiguration,
    /// Of foreign calls: outside of their callbacks always there, and always empty. So are gRPC
    /// messages.
    Other,
}

/// `proxy_get_buffer_bytes`: what is behind the end is empty, for which nothing is allocated.
pub(super) fn get_bytes(
    cx: &mut Cx<'_>,
    buffer: u32,
    start: u32,
    most: u32,
    to: u32,
    to_size: u32,
) -> Answer {
    let strict = cx.state().profile.strict_range;
    let (start, most) = (start as usize, most as usize);
    let bytes = with(cx, buffer, |bytes| {
        if strict && start > bytes.len() {
            return Err(Status::BadArgument);
        }
        let end = start.saturating_add(most).min(bytes.len());
        Ok(bytes.get(start.min(end)..end).unwrap_or_default().to_vec())
    })??;
    cx.give(&bytes, to, to_size)
}

/// `proxy_set_buffer_bytes`: a body, in its callbacks; what of it depends on the host.
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
    let state = cx.state();
    let direction = match which(buffer)? {
        Buffer::Body(direction) | Buffer::Data(direction) => direction,
        // What a callout brought is for reading.
        Buffer::CalloutBody => {
            told(state, buffer).ok_or(Status::NotFound)?;
            return Err(Status::BadArgument.into());
        }
        Buffer::PluginConfiguration => {
            plugin_configuration(cx)?;
            return Err(Status::BadArgument.into());
        }
        Buffer::VmConfiguration | Buffer::GrpcMessage | Buffer::Other => {
            return Err(Status::BadArgument.into());
        }
    };
    let unavailable =
        if state.profile.body_not_found { Status::NotFound } else { Status::BadArgument };
    // A stream has nothing in the buffers of TCP connections, nor they in its own.
    let stream = state.stream().filter(|stream| stream.network == (buffer >= 2));
    let stream = stream.ok_or(unavailable)?;
    let mut wire = stream.wire.borrow_mut();
    let lane = wire.of_mut(direction);
    let bytes = match stream.access.of(direction).body {
        View::None => return Err(unavailable.into()),
        View::Piece => &mut lane.piece,
        View::Held => lane.held.get_or_insert_default(),
    };
    let (start, size) = (start as usize, size as usize);
    let possible = match state.profile.set_buffer {
        SetBuffer::Anywhere => true,
        SetBuffer::FrontOrEnd => start == 0 || start >= bytes.len(),
        SetBuffer::AllOrEnds => {
            (start == 0 && (size == 0 || size >= bytes.len())) || start >= bytes.len().max(1)
        }
    };
    if !possible {
        return Err(Status::BadArgument.into());
    }
    // What is behind moves.
    cx.charge(bytes.len());
    let start = start.min(bytes.len());
    let end = start.saturating_add(size).min(bytes.len());
    bytes.splice(start..end, new);
    Ok(())
}

/// `proxy_get_buffer_status`: the size; the flags are always 0.
pub(super) fn get_status(cx: &mut Cx<'_>, buffer: u32, to_size: u32, to_flags: u32) -> Answer {
    let size = with(cx, buffer, <[u8]>::len)?;
    cx.put_u32(to_size, u32::try_from(size).map_err(|_| Status::InternalFailure)?)?;
    cx.put_u32(to_flags, 0)
}

fn which(buffer: u32) -> Result<Buffer, Status> {
    Ok(match buffer {
        0 => Buffer::Body(Direction::Request),
        1 => Buffer::Body(Direction::Response),
        2 => Buffer::Data(Direction::Request),
        3 => Buffer::Data(Direction::Response),
        8 => Buffer::Other,
        5 => Buffer::GrpcMessage,
        4 => Buffer::CalloutBody,
        6 => Buffer::VmConfiguration,
        7 => Buffer::PluginConfiguration,
        _ => return Err(Status::BadArgument),
    })
}

/// Reads a buffer. A body that is not there now counts as empty, unless the host has it otherwise.
fn with<T>(cx: &Cx<'_>, buffer: u32, read: impl FnOnce(&[u8]) -> T) -> Result<T, Status> {
    let state = cx.state();
    match which(buffer)? {
        Buffer::Body(direction) | Buffer::Data(direction) => {
            let Some(stream) = state.stream().filter(|stream| stream.network == (buffer >= 2))
            else {
                return if state.profile.body_not_found {
                    Err(Status::NotFound)
                } else {
                    Ok(read(&[]))
                };
            };
            let wire = stream.wire.borrow();
            match view(stream, direction, wire.of(direction)) {
                None if state.profile.body_not_found => Err(Status::NotFound),
                bytes => Ok(read(bytes.unwrap_or_default())),
            }
        }
        Buffer::CalloutBody => told(state, buffer).map(read).ok_or(Status::NotFound),
        Buffer::GrpcMessage => match told(state, buffer) {
            None if state.profile.body_not_found => Err(Status::NotFound),
            message => Ok(read(message.unwrap_or_default())),
        },
        Buffer::VmConfiguration => Ok(read(&state.vm.config)),
        Buffer::PluginConfiguration => Ok(read(plugin_configuration(cx)?)),
        Buffer::Other if state.profile.body_not_found => Err(Status::NotFound),
        Buffer::Other => Ok(read(&[])),
    }
}

/// What the root context is told of a callout right now.
fn told(state: &GuestState, buffer: u32) -> Option<&[u8]> {
    let told = state.told.as_ref().filter(|told| told.root == state.root())?;
    match (buffer, &told.part) {
        (4, Part::Http { body, .. }) => Some(body),
        (5, Part::Message(message)) => Some(message),
        _ => None,
    }
}

/// Only there while the plugin is made or configured; the VM's always is.
fn plugin_configuration<'a>(cx: &'a Cx<'_>) -> Result<&'a [u8], Status> {
    let state = cx.state();
    let plugin = state.plugin().filter(|_| state.configuring).ok_or(Status::NotFound)?;
    Ok(&plugin.config)
}

/// The bytes that the filter sees; `None` outside of the body's callbacks.
fn view<'a>(stream: &StreamContext, direction: Direction, lane: &'a Lane) -> Option<&'a [u8]> {
    match stream.access.of(direction).body {
        View::None => None,
        View::Piece => Some(&lane.piece),
        View::Held => lane.held.as_deref(),
    }
}
