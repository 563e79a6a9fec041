//! Attributes and filter state.
//!
//! Encodings are Envoy's: strings raw, numbers and times as 8 bytes little-endian, booleans as 1
//! byte, maps as pairs. Not here: connections, certificates, dynamic metadata, other than as a
//! scenario's `properties` say.

use serde_json::Value;

use super::{Answer, Cx, Status};
use crate::wasm::headers::{HeaderMap, SharedMap, to_wire};
use crate::wasm::stream::{StreamContext, StreamInfo};

/// `proxy_get_property`: a path that is no attribute is filter state under its *first part* (E27).
pub(super) fn get(cx: &mut Cx<'_>, path: u32, path_size: u32, to: u32, to_size: u32) -> Answer {
    let path = cx.bytes(path, path_size)?;
    // Envoy drops one trailing NUL, which the C++ SDK sends.
    let path = path.strip_suffix(b"\0").unwrap_or(path);
    let parts: Vec<String> =
        path.split(|b| *b == 0).map(|part| String::from_utf8_lossy(part).into_owned()).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let state = cx.state();
    let value = match (parts.as_slice(), state.plugin()) {
        (["plugin_name"], Some(plugin)) => Some(Property::text(plugin.name.as_str())),
        (["plugin_root_id"], Some(plugin)) => Some(Property::text(plugin.root_id.as_str())),
        (["plugin_vm_id"], _) => Some(Property::Bytes(state.vm.vm_id.clone())),
        _ => state.stream().and_then(|stream| {
            let now = state.world.borrow().now;
            let info = stream.info.borrow();
            let sight = Sight::of(stream);
            let old = parts.first().is_some_and(|first| TOP_LEVEL_XDS.contains(first));
            let inside = old && state.profile.top_level_xds;
            let found = inside.then(|| [&["xds"], parts.as_slice()].concat());
            let found = found.and_then(|path| lookup(&info, &path, now, &sight));
            found.or_else(|| lookup(&info, &parts, now, &sight))
        }),
    };
    let value = value.ok_or(Status::NotFound)?.encode();
    cx.give(&value, to, to_size)
}

/// `proxy_set_property`: filter state under `wasm.` and the raw path; needs a stream.
pub(super) fn set(
    cx: &mut Cx<'_>,
    path: u32,
    path_size: u32,
    value: u32,
    value_size: u32,
) -> Answer {
    let key = [b"wasm.", cx.bytes(path, path_size)?].concat();
    let value = cx.bytes(value, value_size)?.to_vec();
    let stream = cx.state().stream().ok_or(Status::NotFound)?;
    cx.keep(key.len() + value.len())?;
    stream.info.borrow_mut().filter_state.insert(key, value);
    Ok(())
}

/// A property's value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Property {
    Bytes(Vec<u8>),
    Int(i64),
    Double(f64),
    Bool(bool),
    Map(Vec<(Vec<u8>, Self)>),
    List(Vec<Self>),
}

impl Property {
    fn text(text: impl Into<Vec<u8>>) -> Self {
        Self::Bytes(text.into())
    }

    fn int(number: u64) -> Self {
        Self::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }

    /// The bytes a guest gets.
    pub(crate) fn encode(self) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Int(number) => number.to_le_bytes().to_vec(),
            Self::Double(number) => number.to_le_bytes().to_vec(),
            Self::Bool(yes) => vec![u8::from(yes)],
            Self::Map(pairs) => {
                let pairs: Vec<_> = pairs.into_iter().map(|(k, v)| (k, v.encode())).collect();
                to_wire(pairs.iter().map(|(k, v)| (k.as_slice(), v.as_slice())))
            }
            Self::List(items) => {
                let items: Vec<_> = items.into_iter().map(Self::encode).collect();
                to_wire(items.iter().map(|item| (item.as_slice(), &[][..])))
            }
        }
    }

    /// As a report shows it.
    pub(crate) fn to_json(&self) -> Value {
        match self {
            Self::Bytes(bytes) => bytes_json(bytes),
            Self::Int(number) => (*number).into(),
            Self::Double(number) => (*number).into(),
            Self::Bool(yes) => (*yes).into(),
            Self::Map(pairs) => pairs
                .iter()
                .map(|(k, v)| (String::from_utf8_lossy(k).into_owned(), v.to_json()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            Self::List(items) => items.iter().map(Self::to_json).collect::<Vec<_>>().into(),
        }
    }

    fn from_json(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Null => return None,
            Value::Bool(yes) => Self::Bool(*yes),
            Value::Number(number) => match number.as_i64() {
                Some(number) => Self::Int(number),
                None => Self::Double(number.as_f64()?),
            },
            Value::String(text) => Self::text(text.as_str()),
            Value::Array(items) => Self::List(items.iter().filter_map(Self::from_json).collect()),
            Value::Object(map) => Self::Map(
                map.iter()
                    .filter_map(|(k, v)| Some((k.as_bytes().to_vec(), Self::from_json(v)?)))
                    .collect(),
            ),
        })
    }
}

/// Which header maps attributes may read: those in phase, and in `on_log` all.
pub(crate) struct Sight {
    request_headers: Option<SharedMap>,
    response_headers: Option<SharedMap>,
    response_trailers: Option<SharedMap>,
}

impl Sight {
    fn of(stream: &StreamContext) -> Self {
        if stream.logging {
            return Self::all(&stream.info.borrow());
        }
        let wire = stream.wire.borrow();
        let access = &stream.access;
        let seen = |yes: bool, map: &Option<SharedMap>| map.clone().filter(|_| yes);
        Self {
            request_headers: seen(access.request.headers, &wire.request.headers),
            response_headers: seen(access.response.headers, &wire.response.headers),
            response_trailers: seen(access.response.trailers, &wire.response.trailers),
        }
    }

    /// Everything, as an access log sees it.
    pub(crate) fn all(info: &StreamInfo) -> Self {
        Self {
            request_headers: Some(info.request_headers.clone()),
            response_headers: info.response_headers.clone(),
            response_trailers: info.response_trailers.clone(),
        }
    }
}

/// Bytes as a report shows them: text, or `{"base64": …}`.
pub(crate) fn bytes_json(bytes: &[u8]) -> Value {
    use base64::Engine as _;
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => {
            let text = base64::engine::general_purpose::STANDARD.encode(bytes);
            serde_json::json!({ "base64": text })
        }
    }
}

/// The value at `path`: what filters set, then what the scenario says, then what the exchange implies.
pub(crate) fn lookup(
    info: &StreamInfo,
    path: &[&str],
    now: u64,
    sight: &Sight,
) -> Option<Property> {
    let (first, rest) = path.split_first()?;
    let key = [b"wasm.", first.as_bytes()].concat();
    if let Some(value) = info.filter_state.get(&key)
        && !ATTRIBUTES.contains(first)
    {
        return Some(Property::Bytes(value.clone()));
    }
    if let Some(value) = overridden(info, path) {
        return Some(value);
    }
    match *first {
        "request" => request(info, rest, now, sight),
        "response" => response(info, rest, sight),
        "upstream" => upstream(info, rest),
        "xds" => xds(info, rest),
        "filter_state" | "upstream_filter_state" => {
            let value = info.filter_state.get(rest.first()?.as_bytes())?;
            Some(Property::Bytes(value.clone()))
        }
        "connection_id" => Some(Property::int(info.exchange as u64)),
        "connection" => match rest {
            ["id"] => Some(Property::int(info.exchange as u64)),
            ["mtls"] => Some(Property::Bool(false)),
            _ => None,
        },
        "source" | "destination" => match rest {
            ["address"] => Some(Property::text("127.0.0.1:8080")),
            ["port"] => Some(Property::Int(8080)),
            _ => None,
        },
        _ => None,
    }
}

/// Attributes of `xds` that Envoy before 1.32 had outside of it.
const TOP_LEVEL_XDS: [&str; 8] = [
    "cluster_metadata",
    "cluster_name",
    "listener_direction",
    "listener_metadata",
    "node",
    "route_metadata",
    "route_name",
    "upstream_host_metadata",
];

/// First parts that never are filter state.
const ATTRIBUTES: [&str; 13] = [
    "connection",
    "connection_id",
    "destination",
    "filter_state",
    "metadata",
    "plugin_name",
    "plugin_root_id",
    "plugin_vm_id",
    "request",
    "response",
    "source",
    "upstream",
    "xds",
];

/// The scenario's `properties`: the longest dotted path that is there, then members below it.
fn overridden(info: &StreamInfo, path: &[&str]) -> Option<Property> {
    for len in (1..=path.len()).rev() {
        let (head, tail) = path.split_at_checked(len)?;
        let Some(mut value) = info.overrides.get(&head.join(".")) else { continue };
        for part in tail {
            value = value.get(part)?;
        }
        if value.is_object() && tail.is_empty() && !ATTRIBUTES.contains(path.first()?) {
            // Facts are JSON text in filter state.
            return Some(Property::text(value.to_string()));
        }
        return Property::from_json(value);
    }
    None
}

fn request(info: &StreamInfo, rest: &[&str], now: u64, sight: &Sight) -> Option<Property> {
    match rest {
        ["time"] => return Some(Property::int(info.started)),
        ["duration"] => return Some(Property::int(now.saturating_sub(info.started))),
        ["size"] => return Some(Property::int(info.request_bytes)),
        ["protocol"] => return Some(Property::text("HTTP/1.1")),
        _ => {}
    }
    let headers = sight.request_headers.as_ref()?.borrow();
    let named = |name: &str| headers.get(name.as_bytes()).map(Property::text);
    let path = || headers.text(":path");
    match rest {
        ["path"] => named(":path"),
        ["url_path"] => Some(Property::text(path()?.split('?').next()?)),
        ["query"] => Some(Property::text(path()?.split_once('?').map_or("", |(_, query)| query))),
        ["host"] => named(":authority"),
        ["scheme"] => named(":scheme"),
        ["method"] => named(":method"),
        ["referer"] => named("referer"),
        ["useragent"] => named("user-agent"),
        ["id"] => named("x-request-id"),
        ["total_size"] => Some(Property::int(info.request_bytes + headers.byte_size() as u64)),
        ["headers"] => Some(map(&headers)),
        ["headers", name] => headers.joined(name.as_bytes()).map(Property::Bytes),
        _ => None,
    }
}

fn response(info: &StreamInfo, rest: &[&str], sight: &Sight) -> Option<Property> {
    let headers = || Some(sight.response_headers.as_ref()?.borrow());
    let trailers = || Some(sight.response_trailers.as_ref()?.borrow());
    match rest {
        ["code"] => info.code.map(|code| Property::Int(code.into())),
        ["code_details"] => info.code_details.as_deref().map(Property::text),
        ["flags"] => Some(Property::int(info.flags)),
        ["size"] => Some(Property::int(info.response_bytes)),
        ["total_size"] => Some(Property::int(info.response_bytes + headers()?.byte_size() as u64)),
        ["grpc_status"] => headers()?.text("grpc-status")?.parse().ok().map(Property::Int),
        ["headers"] => Some(map(&*headers()?)),
        ["headers", name] => headers()?.joined(name.as_bytes()).map(Property::Bytes),
        ["trailers"] => Some(map(&*trailers()?)),
        ["trailers", name] => trailers()?.joined(name.as_bytes()).map(Property::Bytes),
        _ => None,
    }
}

fn upstream(info: &StreamInfo, rest: &[&str]) -> Option<Property> {
    match rest {
        ["request_attempt_count"] => Some(Property::Int(info.attempts.into())),
        ["address"] if info.attempts > 0 => Some(Property::text("127.0.0.1:80")),
        ["port"] if info.attempts > 0 => Some(Property::Int(80)),
        _ => None,
    }
}

fn xds(info: &StreamInfo, rest: &[&str]) -> Option<Property> {
    match rest {
        ["upstream_host_metadata", "filter_metadata", rest @ ..] => {
            let metadata = info.host_metadata.as_ref()?;
            let object = |entries: &[(String, String)]| {
                let pairs = entries.iter();
                Property::Map(
                    pairs
                        .map(|(k, v)| (k.as_bytes().to_vec(), Property::text(v.as_str())))
                        .collect(),
                )
            };
            let (namespace, rest) = rest.split_first()?;
            let (_, entries) = metadata.iter().find(|(name, _)| name == namespace)?;
            match rest {
                [] => Some(object(entries)),
                [key] => {
                    let (_, value) = entries.iter().find(|(k, _)| k == key)?;
                    Some(Property::text(value.as_str()))
                }
                _ => None,
            }
        }
        ["cluster_name"] => Some(Property::text("upstream")),
        ["route_name"] => Some(Property::text("default")),
        ["virtual_host_name"] => Some(Property::text("gateway")),
        // TrafficDirection.INBOUND
        ["listener_direction"] => Some(Property::Int(1)),
        _ => None,
    }
}

fn map(headers: &HeaderMap) -> Property {
    Property::Map(headers.iter().map(|(n, v)| (n.to_vec(), Property::Bytes(v.to_vec()))).collect())
}
