//! The attributes of an exchange, as Envoy 1.40 has them.
//!
//! Which there are when follows from what has happened, and for headers from what the filter may
//! read. Not here: certificates and TLS (connections here have none), dynamic metadata (nothing sets
//! any), other than as a scenario's `properties` say.

use serde_json::Value;

use super::properties::Property;
use crate::wasm::headers::{HeaderMap, SharedMap};
use crate::wasm::protobuf::write_bytes;
use crate::wasm::stream::{StreamContext, StreamInfo};

/// Which header maps attributes may read: those in phase, and in `on_log` all.
pub(crate) struct Sight {
    request_headers: Option<SharedMap>,
    response_headers: Option<SharedMap>,
    response_trailers: Option<SharedMap>,
    /// The exchange is over.
    over: bool,
}

impl Sight {
    pub(super) fn of(stream: &StreamContext) -> Self {
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
            over: false,
        }
    }

    /// Everything, as an access log sees it.
    pub(crate) fn all(info: &StreamInfo) -> Self {
        Self {
            request_headers: Some(info.request_headers.clone()),
            response_headers: info.response_headers.clone(),
            response_trailers: info.response_trailers.clone(),
            over: true,
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
        return rest.is_empty().then(|| Property::Bytes(value.clone()));
    }
    if let Some(value) = overridden(info, path) {
        return Some(value);
    }
    match *first {
        "request" => request(info, rest, now, sight),
        "response" => response(info, rest, sight),
        "upstream" => upstream(info, rest),
        "xds" => xds(info, rest),
        "metadata" => message(rest, &[]),
        "filter_state" | "upstream_filter_state" => match rest {
            [] => (*first == "filter_state" || info.attempts > 0).then_some(Property::Group),
            // It has no text of its own.
            ["envoy.network.application_protocols"] => None,
            [name] => {
                let value = info.filter_state.get(name.as_bytes())?;
                Some(Property::Bytes(value.clone()))
            }
            _ => None,
        },
        "connection_id" => rest.is_empty().then(|| Property::int(info.exchange as u64)),
        "connection" => match rest {
            [] => Some(Property::Group),
            ["id"] => Some(Property::int(info.exchange as u64)),
            ["mtls"] => Some(Property::Bool(false)),
            ["requested_server_name"] => Some(Property::text("")),
            _ => None,
        },
        "source" | "destination" => match rest {
            [] => Some(Property::Group),
            ["address"] => Some(Property::text("127.0.0.1:8080")),
            ["port"] => Some(Property::Int(8080)),
            _ => None,
        },
        _ => None,
    }
}

/// Groups, and members of each: all that an expression can name.
pub(super) const TREE: &[(&str, &[&str])] = &[
    (
        "request",
        &[
            "path",
            "url_path",
            "host",
            "scheme",
            "method",
            "headers",
            "headers_bytes",
            "referer",
            "useragent",
            "time",
            "id",
            "protocol",
            "query",
            "duration",
            "size",
            "total_size",
        ],
    ),
    (
        "response",
        &[
            "code",
            "code_details",
            "flags",
            "grpc_status",
            "headers",
            "headers_bytes",
            "trailers",
            "size",
            "total_size",
            "backend_latency",
        ],
    ),
    ("source", &["address", "port"]),
    ("destination", &["address", "port"]),
    ("connection", &["id", "mtls", "requested_server_name"]),
    (
        "upstream",
        &[
            "address",
            "port",
            "num_endpoints",
            "local_address",
            "transport_failure_reason",
            "request_attempt_count",
            "cx_pool_ready_duration",
        ],
    ),
    (
        "xds",
        &[
            "cluster_name",
            "listener_direction",
            "route_name",
            "virtual_host_name",
            "filter_chain_name",
        ],
    ),
];

/// First parts that never are filter state.
const ATTRIBUTES: [&str; 14] = [
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
    "upstream_filter_state",
    "xds",
];

/// The scenario's `properties`: the longest dotted path that is there, then members below it, and
/// elements of lists by their index.
fn overridden(info: &StreamInfo, path: &[&str]) -> Option<Property> {
    // A guest's path may have any number of parts: only as many are joined as a key has.
    let parts = info.overrides.keys().map(|key| key.split('.').count()).max().unwrap_or(0);
    for len in (1..=path.len().min(parts)).rev() {
        let (head, tail) = path.split_at_checked(len)?;
        let Some(mut value) = info.overrides.get(&head.join(".")) else { continue };
        for part in tail {
            value = match value {
                Value::Array(items) => items.get(part.parse::<usize>().ok()?)?,
                value => value.get(part)?,
            };
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
    let headers = sight.request_headers.as_ref().map(|headers| headers.borrow());
    let headers = headers.as_deref();
    let named = |name: &str| headers?.get(name.as_bytes()).map(Property::text);
    let path = || headers?.text(":path");
    let header_bytes = headers.map_or(0, |headers| headers.byte_size() as u64);
    match rest {
        [] => Some(Property::Group),
        ["time"] => Some(Property::Time(Property::nanos(info.started))),
        // Not before its end.
        ["duration"] => {
            sight.over.then(|| Property::Span(Property::nanos(now.saturating_sub(info.started))))
        }
        ["size"] => {
            let declared = headers.and_then(|headers| headers.text("content-length"));
            let declared = declared.and_then(|length| length.parse().ok());
            Some(Property::int(declared.unwrap_or(info.request_bytes)))
        }
        ["total_size"] => Some(Property::int(info.request_bytes + header_bytes)),
        ["headers_bytes"] => Some(Property::int(header_bytes)),
        ["protocol"] => Some(Property::text("HTTP/1.1")),
        ["path"] => named(":path"),
        ["url_path"] => Some(Property::text(path()?.split('?').next()?)),
        ["query"] => Some(Property::text(path()?.split_once('?').map_or("", |(_, query)| query))),
        ["host"] => named(":authority"),
        ["scheme"] => named(":scheme"),
        ["method"] => named(":method"),
        ["referer"] => named("referer"),
        ["useragent"] => named("user-agent"),
        ["id"] => named("x-request-id"),
        ["headers", rest @ ..] => map(headers, rest),
        _ => None,
    }
}

fn response(info: &StreamInfo, rest: &[&str], sight: &Sight) -> Option<Property> {
    let headers = sight.response_headers.as_ref().map(|headers| headers.borrow());
    let headers = headers.as_deref();
    let trailers = sight.response_trailers.as_ref().map(|trailers| trailers.borrow());
    let trailers = trailers.as_deref();
    let bytes = |map: Option<&HeaderMap>| map.map_or(0, |map| map.byte_size() as u64);
    match rest {
        [] => Some(Property::Group),
        ["code"] => info.code.map(|code| Property::Int(code.into())),
        ["code_details"] => info.code_details.as_deref().map(Property::text),
        ["flags"] => Some(Property::int(info.flags)),
        ["size"] => Some(Property::int(info.response_bytes)),
        ["headers_bytes"] => Some(Property::int(bytes(headers))),
        ["total_size"] => {
            Some(Property::int(info.response_bytes + bytes(headers) + bytes(trailers)))
        }
        ["grpc_status"] => {
            let status = |map: Option<&HeaderMap>| map?.text("grpc-status")?.parse().ok();
            let status = status(trailers).or_else(|| status(headers));
            status.or_else(|| info.code.map(grpc_status)).map(Property::Int)
        }
        // Not before the upstream has answered all; it takes no time here.
        ["backend_latency"] => (sight.over && info.attempts > 0).then_some(Property::Span(0)),
        ["headers", rest @ ..] => map(headers, rest),
        ["trailers", rest @ ..] => map(trailers, rest),
        _ => None,
    }
}

/// The gRPC status that an HTTP status stands for.
fn grpc_status(code: u16) -> i64 {
    match code {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502..=504 => 14,
        _ => 2,
    }
}

fn upstream(info: &StreamInfo, rest: &[&str]) -> Option<Property> {
    let chosen = |property: Property| (info.attempts > 0).then_some(property);
    match rest {
        [] => Some(Property::Group),
        ["num_endpoints"] => Some(Property::int(info.endpoints)),
        ["request_attempt_count"] => Some(Property::Int(info.attempts.into())),
        ["address"] => chosen(Property::text("127.0.0.1:80")),
        ["port"] => chosen(Property::Int(80)),
        ["local_address"] => chosen(Property::text("127.0.0.1:8081")),
        ["transport_failure_reason" | "locality"] => chosen(Property::text("")),
        ["cx_pool_ready_duration"] => chosen(Property::Span(0)),
        _ => None,
    }
}

fn xds(info: &StreamInfo, rest: &[&str]) -> Option<Property> {
    match rest {
        [] => Some(Property::Group),
        ["node"] => {
            // Field 6 of the message: user_agent_name.
            let mut node = Vec::new();
            write_bytes(&mut node, 6, b"envoy");
            Some(Property::Bytes(node))
        }
        ["node", "id" | "cluster"] => Some(Property::text("")),
        ["node", "user_agent_name"] => Some(Property::text("envoy")),
        ["upstream_host_metadata", rest @ ..] => message(rest, info.host_metadata.as_ref()?),
        ["upstream_host_locality_metadata"] => (info.attempts > 0).then_some(Property::Group),
        ["cluster_name"] => Some(Property::text("upstream")),
        ["route_name"] => info.route.name().map(Property::text),
        ["virtual_host_name"] => Some(Property::text("gateway")),
        ["filter_chain_name"] => Some(Property::text("")),
        // TrafficDirection.UNSPECIFIED
        ["listener_direction"] => Some(Property::Int(0)),
        [
            "cluster_metadata" | "listener_metadata" | "route_metadata" | "virtual_host_metadata",
            rest @ ..,
        ] => message(rest, &[]),
        _ => None,
    }
}

/// Repeated names are joined. What may not be read is an empty map.
fn map(headers: Option<&HeaderMap>, rest: &[&str]) -> Option<Property> {
    match rest {
        [] => {
            let mut pairs: Vec<(Vec<u8>, Property)> = Vec::new();
            for (name, _) in headers.into_iter().flat_map(HeaderMap::iter) {
                if !pairs.iter().any(|(n, _)| n == name)
                    && let Some(value) = headers.and_then(|headers| headers.joined(name))
                {
                    pairs.push((name.to_vec(), Property::Bytes(value)));
                }
            }
            Some(Property::Map(pairs))
        }
        [name] => headers?.joined(name.as_bytes()).map(Property::Bytes),
        _ => None,
    }
}

/// A message `envoy.config.core.v3.Metadata`: serialized, or a part of it.
fn message(rest: &[&str], metadata: &[(String, Vec<(String, String)>)]) -> Option<Property> {
    let object = |entries: &[(String, String)]| {
        let pairs = entries.iter();
        pairs.map(|(k, v)| (k.as_bytes().to_vec(), Property::text(v.as_str()))).collect()
    };
    match rest {
        [] => Some(Property::Bytes(serialized(metadata))),
        ["filter_metadata"] => {
            let pairs = metadata.iter();
            let pairs =
                pairs.map(|(name, of)| (name.as_bytes().to_vec(), Property::Map(object(of))));
            Some(Property::Map(pairs.collect()))
        }
        ["typed_filter_metadata"] => Some(Property::Map(Vec::new())),
        ["filter_metadata", namespace, rest @ ..] => {
            let (_, entries) = metadata.iter().find(|(name, _)| name == namespace)?;
            match rest {
                [] => Some(Property::Map(object(entries))),
                [key] => {
                    let (_, value) = entries.iter().find(|(k, _)| k == key)?;
                    Some(Property::text(value.as_str()))
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// Field 1 is a map of structs, these have a map of values in field 1, and texts are their field 3.
fn serialized(metadata: &[(String, Vec<(String, String)>)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (namespace, entries) in metadata {
        let mut of = Vec::new();
        for (key, value) in entries {
            let (mut text, mut entry) = (Vec::new(), Vec::new());
            write_bytes(&mut text, 3, value.as_bytes());
            write_bytes(&mut entry, 1, key.as_bytes());
            write_bytes(&mut entry, 2, &text);
            write_bytes(&mut of, 1, &entry);
        }
        let mut entry = Vec::new();
        write_bytes(&mut entry, 1, namespace.as_bytes());
        write_bytes(&mut entry, 2, &of);
        write_bytes(&mut out, 1, &entry);
    }
    out
}
