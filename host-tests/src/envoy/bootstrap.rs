//! The Envoy configuration of a plan: a pure function of the plan and the upstream's ports.
//!
//! Each exchange has a listener, a route and a cluster of its own, so that each can have its own
//! endpoints and metadata; the filter chain is the same everywhere, and Envoy keys VMs and plugins by
//! their configuration, so all exchanges meet the same VMs. Nothing is normalized, added or merged
//! beyond Envoy's defaults. Field names:
//! <https://www.envoyproxy.io/docs/envoy/v1.40.0/api-v3/api>.
//!
//! What cannot be the same as on the wasmtime host: `xds.cluster_name` and the like are
//! `exchange-0`, `exchange-1`, and so on.

mod callouts;

pub(crate) use callouts::{BARRIER, stat_name};

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};

use crate::plan::{Exchange, Filter, Plan, Upstream};
use crate::scenario::{FailurePolicy, HeaderValue, Position};
use crate::wasm::DEFAULT_ROUTE;

/// Filter state that Tollgate's filters set, each under `wasm.` in Envoy.
pub(crate) const TOLLGATE_STATE: [&str; 6] = [
    "tollgate.caller",
    "tollgate.request",
    "tollgate.model",
    "tollgate.original",
    "tollgate.provider",
    "tollgate.usage",
];

/// First parts of the attribute paths that Envoy knows; any other path is filter state.
/// <https://www.envoyproxy.io/docs/envoy/v1.40.0/intro/arch_overview/advanced/attributes>
const ATTRIBUTE_ROOTS: [&str; 9] = [
    "connection",
    "destination",
    "filter_state",
    "metadata",
    "request",
    "response",
    "source",
    "upstream",
    "xds",
];

/// The name of exchange `index`'s listener, route and cluster.
pub(crate) fn name(index: usize) -> String {
    format!("exchange-{index}")
}

/// The bootstrap configuration, but for TCP connections. `ports[i][k]` is where attempt `k` of exchange `i` is answered.
/// `callouts` says where each cluster that filters call is answered.
pub(crate) fn bootstrap(
    plan: &Plan,
    ports: &[Vec<u16>],
    callouts: &BTreeMap<String, u16>,
    access_log: &Path,
) -> Value {
    let exchanges = || plan.exchanges.iter().enumerate();
    let listeners: Vec<Value> = exchanges()
        .map(|(i, exchange)| listener(plan, i, exchange, access_log))
        .chain((!plan.callouts.is_empty()).then(callouts::barrier))
        .collect();
    let clusters: Vec<Value> = exchanges()
        .map(|(i, exchange)| {
            cluster(plan, i, exchange, ports.get(i).map(Vec::as_slice).unwrap_or_default())
        })
        .chain(callouts::clusters(plan, callouts))
        .collect();
    json!({
        "admin": {"address": loopback(0)},
        "static_resources": {"listeners": listeners, "clusters": clusters},
    })
}

pub(super) fn loopback(port: u16) -> Value {
    json!({"socket_address": {"address": "127.0.0.1", "port_value": port}})
}

pub(super) fn typed(kind: &str, mut fields: Value) -> Value {
    if let Some(fields) = fields.as_object_mut() {
        fields.insert("@type".into(), format!("type.googleapis.com/{kind}").into());
    }
    fields
}

fn listener(plan: &Plan, index: usize, exchange: &Exchange, access_log: &Path) -> Value {
    let mut filters = wasm_filters(plan, Position::Downstream);
    filters.push(json!({
        "name": "envoy.filters.http.router",
        // No x-envoy-* headers of the router's in either direction.
        "typed_config": typed("envoy.extensions.filters.http.router.v3.Router",
            json!({"suppress_envoy_headers": true})),
    }));
    let manager = json!({
        "stat_prefix": "gateway",
        "generate_request_id": false,
        "server_header_transformation": "PASS_THROUGH",
        "http_protocol_options": {"enable_trailers": true},
        // How long a client that was reset waits for the end; the default is a second.
        "delayed_close_timeout": "0.1s",
        "access_log": [access_log_file(exchange, index, access_log)],
        "route_config": {"name": name(index), "virtual_hosts": [{
            "name": name(index),
            "domains": ["*"],
            "routes": routes(plan, index, exchange),
        }]},
        "http_filters": filters,
    });
    let manager = typed(
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        manager,
    );
    with_buffer_limit(
        plan,
        json!({
            "name": name(index),
            "address": loopback(0),
            "filter_chains": [{"filters": [{
                "name": "envoy.filters.network.http_connection_manager",
                "typed_config": manager,
            }]}],
        }),
    )
}

fn with_buffer_limit(plan: &Plan, mut value: Value) -> Value {
    if let (Some(bytes), Some(value)) = (plan.scenario.limits.buffer_bytes, value.as_object_mut()) {
        value.insert("per_connection_buffer_limit_bytes".into(), bytes.into());
    }
    value
}

/// One JSON line at the end of the stream: what only the gateway knows of an exchange.
fn access_log_file(exchange: &Exchange, index: usize, path: &Path) -> Value {
    let mut properties = Map::new();
    for name in TOLLGATE_STATE {
        properties.insert(name.into(), state_format(name).into());
    }
    for name in exchange.expect.properties.keys() {
        if let Some(format) = property_format(name) {
            properties.insert(name.clone(), format.into());
        }
    }
    let config = typed(
        "envoy.extensions.access_loggers.file.v3.FileAccessLog",
        json!({
            "path": path,
            "log_format": {"json_format": {
                "exchange": index,
                "details": "%RESPONSE_CODE_DETAILS%",
                // Absent if no upstream began to answer.
                "answered": "%RESPONSE_DURATION%",
                "properties": properties,
            }},
        }),
    );
    json!({"name": "envoy.access_loggers.file", "typed_config": config})
}

fn state_format(name: &str) -> String {
    format!("%FILTER_STATE(wasm.{name}:PLAIN)%")
}

/// How the access log prints a property; `None` if its name cannot be written in a format.
fn property_format(name: &str) -> Option<String> {
    if name.is_empty() || name.contains(['%', '(', ')', ':']) {
        return None;
    }
    let root = name.split('.').next().unwrap_or_default();
    Some(if ATTRIBUTE_ROOTS.contains(&root) {
        format!("%TYPED_CEL({name})%")
    } else {
        state_format(name)
    })
}

/// All lead to the exchange's cluster.
fn routes(plan: &Plan, index: usize, exchange: &Exchange) -> Vec<Value> {
    // The exchange's own time limit is shorter, and tells what happened.
    let mut action = json!({"cluster": name(index), "timeout": "0s"});
    if let (Some(policy), Some(action)) = (retry_policy(plan, exchange), action.as_object_mut()) {
        action.insert("retry_policy".into(), policy);
    }
    let routes = &plan.scenario.route;
    let choices = routes.choices.iter().map(|choice| {
        let headers = choice.headers.0.iter().map(header_match);
        let headers: Vec<Value> = headers.collect();
        let prefix = choice.path_prefix.as_deref().unwrap_or("/");
        json!({"name": choice.name, "match": {"prefix": prefix, "headers": headers}, "route": action})
    });
    let default = json!({"name": DEFAULT_ROUTE, "match": {"prefix": "/"}, "route": action});
    choices.chain(routes.default.unwrap_or(true).then_some(default)).collect()
}

fn header_match((name, value): &(String, HeaderValue)) -> Value {
    let text = match value {
        HeaderValue::Values(values) => values.first().map(|value| String::from_utf8_lossy(value)),
        HeaderValue::Absent => None,
    };
    json!({"name": name, "string_match": {"exact": text.unwrap_or_default()}})
}

/// One attempt per upstream of the exchange, each on the next priority.
fn retry_policy(plan: &Plan, exchange: &Exchange) -> Option<Value> {
    let route = &plan.scenario.route;
    let retries = exchange.upstream.len().checked_sub(1).filter(|retries| *retries > 0)?;
    let mut on = Vec::new();
    if !route.retry_on.is_empty() {
        on.push("retriable-status-codes");
    }
    if !route.retriable_headers.is_empty() {
        on.push("retriable-headers");
    }
    if on.is_empty() {
        return None;
    }
    let headers: Vec<Value> = route
        .retriable_headers
        .iter()
        .map(|name| json!({"name": name, "present_match": true}))
        .collect();
    Some(json!({
        "retry_on": on.join(","),
        "retriable_status_codes": route.retry_on,
        "retriable_headers": headers,
        "num_retries": retries,
        "retry_back_off": {"base_interval": "0.001s", "max_interval": "0.001s"},
        "retry_priority": {
            "name": "envoy.retry_priorities.previous_priorities",
            "typed_config": typed(
                "envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig",
                json!({"update_frequency": 1})),
        },
        "retry_host_predicate": [{
            "name": "envoy.retry_host_predicates.previous_hosts",
            "typed_config": typed(
                "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate", json!({})),
        }],
    }))
}

fn cluster(plan: &Plan, index: usize, exchange: &Exchange, ports: &[u16]) -> Value {
    let endpoints: Vec<Value> = exchange
        .upstream
        .iter()
        .zip(ports)
        .enumerate()
        .map(|(attempt, (upstream, port))| {
            json!({
                "priority": attempt,
                "lb_endpoints": [{
                    "endpoint": {"address": loopback(*port)},
                    "metadata": {"filter_metadata": metadata(upstream)},
                }],
            })
        })
        .collect();
    let mut filters = wasm_filters(plan, Position::Upstream);
    filters.push(json!({
        "name": "envoy.filters.http.upstream_codec",
        "typed_config": typed("envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec", json!({})),
    }));
    let protocol = typed(
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        json!({
            "explicit_http_config": {"http_protocol_options": {"enable_trailers": true}},
            "http_filters": filters,
        }),
    );
    with_buffer_limit(
        plan,
        json!({
            "name": name(index),
            "type": "STATIC",
            "connect_timeout": "2s",
            // A retry must go to its priority also when only one of many is left.
            "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
            "load_assignment": {"cluster_name": name(index), "endpoints": endpoints},
            "typed_extension_protocol_options": {
                "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": protocol,
            },
        }),
    )
}

fn metadata(upstream: &Upstream) -> Value {
    let of_pairs = |pairs: &[(String, String)]| -> Value {
        pairs.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect()
    };
    upstream.host_metadata.iter().map(|(space, pairs)| (space.clone(), of_pairs(pairs))).collect()
}

fn wasm_filters(plan: &Plan, at: Position) -> Vec<Value> {
    plan.chain.iter().filter(|filter| filter.at == at).map(wasm_filter).collect()
}

/// A wasm filter of an HTTP chain, or of a TCP listener's.
pub(super) fn wasm_filter(filter: &Filter) -> Value {
    let kind = match filter.at {
        Position::Downstream | Position::Upstream => "envoy.extensions.filters.http.wasm.v3.Wasm",
        Position::Network => "envoy.extensions.filters.network.wasm.v3.Wasm",
    };
    let mut vm = json!({
        "vm_id": filter.vm_id,
        "runtime": "envoy.wasm.runtime.v8",
        "code": {"local": {"filename": filter.wasm}},
        "environment_variables": {"key_values": filter.env},
    });
    if let (false, Some(vm)) = (filter.vm_config.is_empty(), vm.as_object_mut()) {
        vm.insert("configuration".into(), any(&filter.vm_config));
    }
    let config = json!({
        "name": filter.name,
        "root_id": filter.root_id,
        "failure_policy": match filter.failure_policy {
            FailurePolicy::FailClosed => "FAIL_CLOSED",
            FailurePolicy::FailOpen => "FAIL_OPEN",
            FailurePolicy::FailReload => "FAIL_RELOAD",
        },
        "allow_on_headers_stop_iteration": filter.allow_on_headers_stop_iteration,
        "configuration": any(&filter.config),
        "vm_config": vm,
    });
    json!({
        "name": filter.name,
        "typed_config": typed(kind, json!({"config": config})),
    })
}

/// Bytes as a message that Envoy unwraps.
fn any(bytes: &[u8]) -> Value {
    match str::from_utf8(bytes) {
        Ok(text) => typed("google.protobuf.StringValue", json!({"value": text})),
        Err(_) => {
            typed("google.protobuf.BytesValue", json!({"value": BASE64_STANDARD.encode(bytes)}))
        }
    }
}

#[cfg(test)]
mod tests;
