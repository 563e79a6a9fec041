//! Foreign functions, as Envoy 1.40 has them.

use std::io::{Read, Write};

use super::{Answer, Cx, Status, expressions, signatures};
use crate::wasm::protobuf::{Field, fields};

/// What `uncompress` gives at most. Envoy has no limit, so that a few bytes can take all its memory.
const MOST_UNCOMPRESSED: usize = 16 << 20;

/// `proxy_call_foreign_function`: an unknown one is not found. The guest may not want the result.
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
    let argument = cx.bytes(argument, argument_size)?.to_vec();
    let result = match name.as_str() {
        "clear_route_cache" => {
            clear_route_cache(cx);
            Ok(Vec::new())
        }
        "compress" => compress(&argument),
        "declare_property" => declare_property(cx, &argument).map(|()| Vec::new()),
        "expr_create" => expressions::create(cx, &argument),
        "expr_delete" => expressions::delete(cx, &argument).map(|()| Vec::new()),
        "expr_evaluate" => expressions::evaluate(cx, &argument),
        "sign" => signatures::sign(cx, &argument),
        "set_envoy_filter_state" => set_envoy_filter_state(cx, &argument).map(|()| Vec::new()),
        "uncompress" => uncompress(cx, &argument),
        "verify_signature" => signatures::verify(cx, &argument),
        _ => return Err(Status::NotFound.into()),
    };
    // A failure has a result as well, an empty one.
    let (bytes, status) = match result {
        Ok(bytes) => (bytes, None),
        Err(status) => (Vec::new(), Some(status)),
    };
    cx.charge(bytes.len());
    if to != 0 {
        let (at, _) = cx.allocate(&bytes)?;
        cx.put_u32(to, at)?;
    }
    if to_size != 0 {
        cx.put_u32(to_size, u32::try_from(bytes.len()).map_err(|_| Status::InternalFailure)?)?;
    }
    status.map_or(Ok(()), |status| Err(status.into()))
}

/// The route is chosen again when it is asked for next (E13). Nothing happens in a root context, nor
/// by filters of attempts, which are behind the choice.
pub(super) fn clear_route_cache(cx: &Cx<'_>) {
    if let Some(stream) = cx.state().stream().filter(|stream| !stream.upstream) {
        stream.info.borrow_mut().route.clear();
    }
}

/// zlib's format; the bytes may be others than Envoy's, which compresses with zlib itself.
fn compress(bytes: &[u8]) -> Result<Vec<u8>, Status> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    written.map_err(|_| Status::SerializationFailure)
}

fn uncompress(cx: &Cx<'_>, bytes: &[u8]) -> Result<Vec<u8>, Status> {
    let mut out = Vec::new();
    let limit = MOST_UNCOMPRESSED as u64 + 1;
    let read = flate2::read::ZlibDecoder::new(bytes).take(limit).read_to_end(&mut out);
    if out.len() > MOST_UNCOMPRESSED {
        let text =
            format!("uncompress: more than {MOST_UNCOMPRESSED} bytes, the limit of this host");
        cx.state().log(3, &text);
        return Err(Status::SerializationFailure);
    }
    match read {
        Ok(_) if !bytes.is_empty() => Ok(out),
        _ => Err(Status::SerializationFailure),
    }
}

/// `DeclarePropertyArguments`: name, readonly, type, schema, span. Types and schemas matter to native
/// readers only; the span not here, where each exchange has a connection of its own. Declared in a
/// stream's context it is without effect, as in Envoy.
fn declare_property(cx: &mut Cx<'_>, argument: &[u8]) -> Result<(), Status> {
    let (mut name, mut read_only) = (Vec::new(), false);
    for field in fields(argument).ok_or(Status::BadArgument)? {
        match field {
            (1, Field::Bytes(bytes)) => name = bytes.to_vec(),
            (2, Field::Number(number)) => read_only = number != 0,
            _ => {}
        }
    }
    let key = (cx.state().current, name);
    if cx.state().declared.contains_key(&key) {
        return Err(Status::BadArgument);
    }
    if cx.state().declared.len() >= MOST_DECLARED {
        return Err(Status::InternalFailure);
    }
    cx.state_mut().declared.insert(key, read_only);
    Ok(())
}

/// Declared properties of a VM at most.
const MOST_DECLARED: usize = 10_000;

/// `SetEnvoyFilterStateArguments`: path, value, span. Envoy only makes objects that it has a factory
/// for, of values that this understands.
fn set_envoy_filter_state(cx: &Cx<'_>, argument: &[u8]) -> Result<(), Status> {
    let (mut path, mut value) = (Vec::new(), Vec::new());
    for field in fields(argument).ok_or(Status::BadArgument)? {
        match field {
            (1, Field::Bytes(bytes)) => path = bytes.to_vec(),
            (2, Field::Bytes(bytes)) => value = bytes.to_vec(),
            _ => {}
        }
    }
    if !OBJECTS.contains(&path.as_slice()) {
        return Err(Status::NotFound);
    }
    let number = str::from_utf8(&value).ok().and_then(|text| text.parse::<u64>().ok());
    if path == b"envoy.ratelimit.hits_addend" && number.is_none() {
        return Err(Status::BadArgument);
    }
    let stream = cx.state().stream().ok_or(Status::NotFound)?;
    stream.info.borrow_mut().filter_state.insert(path, value);
    Ok(())
}

/// Filter state objects with a factory that are text.
const OBJECTS: [&[u8]; 8] = [
    b"envoy.hashable_string",
    b"envoy.network.application_protocols",
    b"envoy.network.upstream_server_name",
    b"envoy.network.upstream_subject_alt_names",
    b"envoy.ratelimit.hits_addend",
    b"envoy.string",
    b"envoy.tcp_proxy.cluster",
    b"envoy.upstream.dynamic_host",
];
