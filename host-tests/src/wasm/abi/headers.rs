//! Header maps: who may read and write which, and when (E6–E10).

use super::version::Version;
use super::{Answer, Cx, Status};
use crate::wasm::callouts::reply::Part;
use crate::wasm::guest::GuestState;
use crate::wasm::headers::{HeaderMap, SharedMap, from_wire};
use crate::wasm::stream::{Direction, StreamContext, View};

/// `proxy_get_header_map_size`: Envoy's getter of the writable map, with its side effect (E9).
pub(super) fn get_size(cx: &mut Cx<'_>, map: u32, to: u32) -> Answer {
    let size = if cx.state().profile.serialized_map_size {
        let map = readable(cx, map)?.ok_or(Status::NotFound)?;
        map.borrow().wire().len()
    } else {
        writable(cx, map)?.borrow().byte_size()
    };
    cx.put_u32(to, u32::try_from(size).map_err(|_| Status::InternalFailure)?)
}

/// `proxy_get_header_map_pairs`: empty when out of phase.
pub(super) fn get_pairs(cx: &mut Cx<'_>, map: u32, to: u32, to_size: u32) -> Answer {
    let map = readable(cx, map)?;
    // Nothing, not even a count, if there are none.
    let wire = map.filter(|map| map.borrow().len() > 0);
    let wire = wire.map(|map| map.borrow().wire()).unwrap_or_default();
    cx.give(&wire, to, to_size)
}

/// `proxy_set_header_map_pairs`: removes all, adds each.
pub(super) fn set_pairs(cx: &mut Cx<'_>, map: u32, at: u32, size: u32) -> Answer {
    let pairs = from_wire(cx.bytes(at, size)?);
    cx.keep(size as usize)?;
    writable(cx, map)?.borrow_mut().replace_all(&pairs);
    let has_proto = pairs.iter().any(|(name, _)| name.eq_ignore_ascii_case(PROTO));
    changed(cx, map, Some(has_proto));
    Ok(())
}

/// `proxy_get_header_map_value`: the first value (E10). Out of phase: a bad argument, but in
/// `on_log` not found (E6).
pub(super) fn get(
    cx: &mut Cx<'_>,
    map: u32,
    key: u32,
    key_size: u32,
    to: u32,
    to_size: u32,
) -> Answer {
    let name = cx.bytes(key, key_size)?.to_vec();
    let value = match readable(cx, map)? {
        Some(map) => map.borrow().get(&name).map(<[u8]>::to_vec),
        None if cx.state().stream().is_some_and(|s| s.logging) => None,
        None => return Err(Status::BadArgument.into()),
    };
    match value {
        Some(value) => cx.give(&value, to, to_size),
        // ABI 0.1.0 has no status for it.
        None if cx.state().version == Version::V0_1_0 => cx.give(&[], to, to_size),
        None => Err(Status::NotFound.into()),
    }
}

/// `proxy_add_header_map_value`: to a well-known name that is there, appends (E11).
pub(super) fn add(
    cx: &mut Cx<'_>,
    map: u32,
    key: u32,
    key_size: u32,
    value: u32,
    value_size: u32,
) -> Answer {
    let to = writable(cx, map)?;
    cx.keep(key_size as usize + value_size as usize)?;
    to.borrow_mut().add(cx.bytes(key, key_size)?, cx.bytes(value, value_size)?);
    let is_proto = cx.bytes(key, key_size)?.eq_ignore_ascii_case(PROTO);
    changed(cx, map, is_proto.then_some(true));
    Ok(())
}

/// `proxy_replace_header_map_value`: one value, whatever was there.
pub(super) fn replace(
    cx: &mut Cx<'_>,
    map: u32,
    key: u32,
    key_size: u32,
    value: u32,
    value_size: u32,
) -> Answer {
    let to = writable(cx, map)?;
    cx.keep(key_size as usize + value_size as usize)?;
    to.borrow_mut().set(cx.bytes(key, key_size)?, cx.bytes(value, value_size)?);
    let is_proto = cx.bytes(key, key_size)?.eq_ignore_ascii_case(PROTO);
    changed(cx, map, is_proto.then_some(true));
    Ok(())
}

/// `proxy_remove_header_map_value`: Ok also when there is none; nothing guards pseudo-headers (E12).
pub(super) fn remove(cx: &mut Cx<'_>, map: u32, key: u32, key_size: u32) -> Answer {
    let to = writable(cx, map)?;
    to.borrow_mut().remove(cx.bytes(key, key_size)?);
    let is_proto = cx.bytes(key, key_size)?.eq_ignore_ascii_case(PROTO);
    changed(cx, map, is_proto.then_some(false));
    Ok(())
}

/// What Envoy adds to every request, and finds no route without.
const PROTO: &[u8] = b"x-forwarded-proto";

/// E13: after a change of request headers the route is chosen again. `has_proto` says whether they
/// have [`PROTO`] now, if that changed.
fn changed(cx: &Cx<'_>, map: u32, has_proto: Option<bool>) {
    if map == 0 {
        if let (Some(has_proto), Some(stream)) = (has_proto, cx.state().stream()) {
            stream.info.borrow_mut().route.set_has_proto(has_proto);
        }
        super::foreign::clear_route_cache(cx);
    }
}

/// Which map a number means.
struct Which {
    direction: Direction,
    trailers: bool,
}

/// What looking at an entry costs, in bytes moved: maps are searched from the front.
const ENTRY: usize = 16;

fn which(map: u32) -> Result<Option<Which>, Status> {
    let (direction, trailers) = match map {
        0 => (Direction::Request, false),
        1 => (Direction::Request, true),
        2 => (Direction::Response, false),
        3 => (Direction::Response, true),
        // Maps of callouts, which nobody may write.
        4..=7 => return Ok(None),
        _ => return Err(Status::BadArgument),
    };
    Ok(Some(Which { direction, trailers }))
}

/// The map for reading; `None` out of phase.
fn readable(cx: &Cx<'_>, map: u32) -> Result<Option<SharedMap>, Status> {
    let map = found(cx, map)?;
    cx.charge(map.as_ref().map_or(0, |map| map.borrow().len() * ENTRY));
    Ok(map)
}

fn found(cx: &Cx<'_>, map: u32) -> Result<Option<SharedMap>, Status> {
    let Some(which) = which(map)? else { return Ok(told(cx.state(), map)) };
    let Some(stream) = cx.state().stream() else { return Ok(None) };
    if stream.logging {
        let info = stream.info.borrow();
        return Ok(match (which.direction, which.trailers) {
            (Direction::Request, false) => Some(info.request_headers.clone()),
            // Envoy keeps no request trailers for the log (E7).
            (Direction::Request, true) => None,
            (Direction::Response, false) => info.response_headers.clone(),
            (Direction::Response, true) => info.response_trailers.clone(),
        });
    }
    Ok(in_phase(stream, &which))
}

/// A map of the callout that the root context is told of right now.
fn told(state: &GuestState, map: u32) -> Option<SharedMap> {
    let told = state.told.as_ref().filter(|told| told.root == state.root())?;
    match (map, &told.part) {
        (4, Part::InitialMetadata(map)) | (5, Part::TrailingMetadata(map)) => Some(map.clone()),
        (6, Part::Http { headers, .. }) => Some(headers.clone()),
        (7, Part::Http { trailers, .. }) => trailers.clone(),
        _ => None,
    }
}

/// The map for writing. Asking for trailers in the last body callback makes them (E9).
fn writable(cx: &mut Cx<'_>, map: u32) -> Result<SharedMap, Status> {
    let map = found_writable(cx, map)?;
    cx.charge(map.borrow().len() * ENTRY);
    Ok(map)
}

fn found_writable(cx: &mut Cx<'_>, map: u32) -> Result<SharedMap, Status> {
    let which = which(map)?.ok_or(Status::BadArgument)?;
    let stream = cx.state_mut().stream_mut().ok_or(Status::BadArgument)?;
    if let Some(map) = in_phase(stream, &which) {
        return Ok(map);
    }
    let access = stream.access.of_mut(which.direction);
    if !which.trailers || access.body == View::None || !stream.end_of_stream {
        return Err(Status::BadArgument);
    }
    access.trailers = true;
    let made = match which.direction {
        Direction::Request => HeaderMap::trailers(&[]),
        Direction::Response => HeaderMap::response_trailers(&[]),
    };
    let mut wire = stream.wire.borrow_mut();
    let made = wire.of_mut(which.direction).trailers.get_or_insert_with(|| made.shared());
    Ok(made.clone())
}

fn in_phase(stream: &StreamContext, which: &Which) -> Option<SharedMap> {
    let access = stream.access.of(which.direction);
    let wire = stream.wire.borrow();
    let lane = wire.of(which.direction);
    match which.trailers {
        false if access.headers => lane.headers.clone(),
        true if access.trailers => lane.trailers.clone(),
        _ => None,
    }
}
