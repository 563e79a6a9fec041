//! Foreign functions that Envoy registers, as far as filters here use them.

use super::{Answer, Cx, Status};

/// `proxy_call_foreign_function`: an unknown one is not found.
pub(super) fn call(
    cx: &mut Cx<'_>,
    name: u32,
    name_size: u32,
    argument: u32,
    argument_size: u32,
    to: u32,
    to_size: u32,
) -> Answer {
    let name = cx.text(name, name_size)?;
    let argument = cx.bytes(argument, argument_size)?;
    match name.as_str() {
        "clear_route_cache" => {
            let stream = cx.state().stream().ok_or(Status::InternalFailure)?;
            stream.info.borrow_mut().route_cleared += 1;
        }
        "set_envoy_filter_state" => {
            let (path, value) = path_and_value(argument).ok_or(Status::BadArgument)?;
            // Envoy only makes objects that it has a factory for.
            if !OBJECTS.contains(&path.as_slice()) {
                return Err(Status::NotFound.into());
            }
            let stream = cx.state().stream().ok_or(Status::NotFound)?;
            stream.info.borrow_mut().filter_state.insert(path, value);
        }
        // The type only matters to native readers: values are kept as bytes.
        "declare_property" => {}
        _ => return Err(Status::NotFound.into()),
    }
    cx.give(&[], to, to_size)
}

/// Filter state objects with a factory, as far as filters here may set them.
const OBJECTS: [&[u8]; 5] = [
    b"envoy.ratelimit.hits_addend",
    b"envoy.network.upstream_server_name",
    b"envoy.network.application_protocols",
    b"envoy.tcp_proxy.cluster",
    b"envoy.upstream.dynamic_host",
];

/// Fields 1 (path) and 2 (value) of the protobuf message `SetEnvoyFilterStateArguments`.
fn path_and_value(mut message: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (mut path, mut value) = (Vec::new(), Vec::new());
    while !message.is_empty() {
        let tag = varint(&mut message)?;
        match tag & 7 {
            0 => {
                varint(&mut message)?;
            }
            2 => {
                let size = usize::try_from(varint(&mut message)?).ok()?;
                let (bytes, rest) = message.split_at_checked(size)?;
                message = rest;
                match tag >> 3 {
                    1 => path = bytes.to_vec(),
                    2 => value = bytes.to_vec(),
                    _ => {}
                }
            }
            _ => return None,
        }
    }
    Some((path, value))
}

fn varint(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = message.split_first()?;
        *message = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
