//! Log, time, contexts, and the course of a stream.

use super::{Answer, Cx, Status};
use crate::wasm::guest::Action;
use crate::wasm::headers::from_wire;
use crate::wasm::reply::LocalReply;
use crate::wasm::stream::{Access, Direction, View};

/// Debug: the level that this host logs at, and the Envoy that scenarios run on. The guest may ask
/// for it; what is below is dropped.
const LOG_LEVEL: u32 = 1;

/// `proxy_log`: more than critical is no level (E31).
pub(super) fn log(cx: &mut Cx<'_>, level: u32, at: u32, size: u32) -> Answer {
    if level > 5 {
        return Err(Status::BadArgument.into());
    }
    let text = cx.text(at, size)?;
    if level >= LOG_LEVEL {
        cx.state().log(level, &text);
    }
    Ok(())
}

pub(super) fn get_log_level(cx: &mut Cx<'_>, to: u32) -> Answer {
    cx.put_u32(to, LOG_LEVEL)
}

/// Virtual time, which stands still within a call.
pub(super) fn get_time(cx: &mut Cx<'_>, to: u32) -> Answer {
    let now = cx.state().world.borrow().now;
    cx.put_u64(to, now)
}

/// `proxy_set_tick_period_milliseconds`: 0 is off; always of the root context, whose timer starts
/// anew, also with the same period.
pub(super) fn set_tick_period(cx: &mut Cx<'_>, period: u32) -> Answer {
    let root = cx.state().root();
    let period = (period > 0).then(|| u64::from(period) * 1_000_000);
    cx.state_mut().set_tick(root, period);
    Ok(())
}

/// `proxy_set_effective_context`: any living context of the VM (E29).
pub(super) fn set_effective_context(cx: &mut Cx<'_>, id: u32) -> Answer {
    let state = cx.state_mut();
    if !state.streams.contains_key(&id) && !state.roots.contains_key(&id) {
        return Err(Status::BadArgument.into());
    }
    state.effective = id;
    Ok(())
}

/// `proxy_done`: ends what an `on_done` put off. Envoy lets only root contexts wait; the specification
/// streams, too.
pub(super) fn done(cx: &mut Cx<'_>) -> Answer {
    let context = cx.state().effective;
    let state = cx.state_mut();
    if state.waiting.remove(&context) {
        state.released.insert(context);
        return Ok(());
    }
    let root = state.root();
    *state.ending.get_mut(&root).ok_or(Status::NotFound)? = true;
    Ok(())
}

/// `proxy_continue_stream`: done after the call returns; the request is out of reach at once (E8).
pub(super) fn continue_stream(cx: &mut Cx<'_>, stream: u32) -> Answer {
    let network = cx.state().stream().map(|stream| stream.network);
    let direction = match (stream, network) {
        (0 | 1, Some(true)) => return Ok(()),
        (0, _) | (2, Some(true)) => Direction::Request,
        (1, _) => Direction::Response,
        (2 | 3, _) => return Err(Status::Unimplemented.into()),
        _ => return Err(Status::BadArgument.into()),
    };
    let context = cx.state().effective;
    // In a root context there is nothing to continue, which is well, as in Envoy.
    let Some(stream) = cx.state_mut().stream_mut() else { return Ok(()) };
    if !stream.network {
        stream.access.request = Access { body: View::None, ..Access::default() };
    }
    cx.keep(0)?;
    cx.state_mut().actions.push_back(Action::Continue { context, direction });
    Ok(())
}

/// `proxy_continue_request` (0.1.0).
pub(super) fn continue_request(cx: &mut Cx<'_>) -> Answer {
    continue_stream(cx, 0)
}

/// `proxy_continue_response` (0.1.0).
pub(super) fn continue_response(cx: &mut Cx<'_>) -> Answer {
    continue_stream(cx, 1)
}

/// `proxy_clear_route_cache` (0.1.0); later a foreign function.
pub(super) fn clear_route_cache(cx: &mut Cx<'_>) -> Answer {
    super::foreign::clear_route_cache(cx);
    Ok(())
}

/// `proxy_get_configuration` (0.1.0): the plugin's in `on_configure`, else the VM's.
pub(super) fn get_configuration(cx: &mut Cx<'_>, to: u32, to_size: u32) -> Answer {
    let configuring = cx.state().configuring;
    let plugin = cx.state().plugin().filter(|_| configuring);
    let configuration = match plugin {
        Some(plugin) => plugin.config.clone(),
        None => cx.state().vm.config.clone(),
    };
    cx.give(&configuration, to, to_size)
}

/// `proxy_close_stream`: resets the stream after the call returns.
pub(super) fn close_stream(cx: &mut Cx<'_>, stream: u32) -> Answer {
    let context = cx.state().effective;
    let network = cx.state().stream().map(|stream| stream.network);
    match (stream, network) {
        (0 | 1, Some(true)) => Ok(()),
        // Either closes the client's connection, and that the upstream's.
        (0 | 1, Some(false)) | (2 | 3, Some(true)) => {
            cx.keep(0)?;
            cx.state_mut().actions.push_back(Action::Close { context });
            Ok(())
        }
        (2 | 3, _) => Err(Status::Unimplemented.into()),
        _ => Err(Status::BadArgument.into()),
    }
}

/// `proxy_get_status`: of the root context's last callout that failed. The code stays, as in Envoy;
/// the message is there only in the callback.
pub(super) fn get_status(cx: &mut Cx<'_>, to_code: u32, to: u32, to_size: u32) -> Answer {
    let root = cx.state().root();
    let (code, message) = cx.state().statuses.get(&root).cloned().unwrap_or_default();
    cx.put_u32(to_code, code)?;
    cx.give(message.as_bytes(), to, to_size)
}

/// `UNAUTHENTICATED`, the highest of the status codes of gRPC.
const LAST_GRPC_STATUS: u8 = 16;

/// `proxy_send_local_response`: done after the call returns; Ok even when it is too late (E14).
#[expect(clippy::too_many_arguments, reason = "the ABI's")]
pub(super) fn send_local_response(
    cx: &mut Cx<'_>,
    code: u32,
    details: u32,
    details_size: u32,
    body: u32,
    body_size: u32,
    headers: u32,
    headers_size: u32,
    grpc_status: u32,
) -> Answer {
    let context = cx.state().effective;
    if cx.state().stream().is_none() {
        // In a root context there is nothing to answer, which is well, as in Envoy.
        return Ok(());
    }
    let reply = LocalReply {
        status: u16::try_from(code).map_err(|_| Status::BadArgument)?,
        details: cx.text(details, details_size)?.replace(|c: char| c.is_whitespace(), "_"),
        body: cx.bytes(body, body_size)?.to_vec(),
        headers: from_wire(cx.bytes(headers, headers_size)?),
        flags: 0,
        // -1, or what no status is: it follows from the HTTP status.
        grpc_status: u8::try_from(grpc_status).ok().filter(|code| *code <= LAST_GRPC_STATUS),
    };
    cx.keep(reply.body.len() + headers_size as usize)?;
    cx.state_mut().actions.push_back(Action::Reply { context, reply });
    Ok(())
}
