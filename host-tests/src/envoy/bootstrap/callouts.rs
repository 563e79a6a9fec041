//! What the bootstrap has for callouts: their clusters, and the barrier.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{loopback, typed, with_buffer_limit};
use crate::plan::Plan;

/// The name of a listener that answers by itself, without filters: its answer comes after whatever
/// the worker was doing.
pub(crate) const BARRIER: &str = "barrier";

/// What stands for the name of cluster number `index` in the names of its stats: Envoy changes some
/// characters there.
pub(crate) fn stat_name(index: usize) -> String {
    format!("callouts-{index}")
}

/// A cluster per script, named as in the scenario.
pub(super) fn clusters(plan: &Plan, ports: &BTreeMap<String, u16>) -> Vec<Value> {
    let scripted = ports
        .iter()
        .enumerate()
        .map(|(i, (name, port))| cluster(plan, name, &stat_name(i), json!([endpoint(*port)])));
    let empty = (plan.callouts.keys())
        .filter(|name| !ports.contains_key(*name))
        .map(|name| cluster(plan, name, "without-endpoint", json!([])));
    scripted.chain(empty).collect()
}

fn endpoint(port: u16) -> Value {
    json!({"lb_endpoints": [{"endpoint": {"address": loopback(port)}}]})
}

fn cluster(plan: &Plan, name: &str, stat_name: &str, endpoints: Value) -> Value {
    let protocol = typed(
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        json!({"explicit_http_config": {"http2_protocol_options": {}}}),
    );
    with_buffer_limit(
        plan,
        json!({
            "name": name,
            "alt_stat_name": stat_name,
            "type": "STATIC",
            "connect_timeout": "2s",
            "load_assignment": {"cluster_name": name, "endpoints": endpoints},
            "typed_extension_protocol_options": {
                "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": protocol,
            },
        }),
    )
}

pub(super) fn barrier() -> Value {
    let manager = typed(
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        json!({
            "stat_prefix": BARRIER,
            "route_config": {"name": BARRIER, "virtual_hosts": [{
                "name": BARRIER,
                "domains": ["*"],
                "routes": [{"match": {"prefix": "/"}, "direct_response": {"status": 200}}],
            }]},
            "http_filters": [{
                "name": "envoy.filters.http.router",
                "typed_config": typed("envoy.extensions.filters.http.router.v3.Router", json!({})),
            }],
        }),
    );
    json!({
        "name": BARRIER,
        "address": loopback(0),
        "filter_chains": [{"filters": [{
            "name": "envoy.filters.network.http_connection_manager",
            "typed_config": manager,
        }]}],
    })
}
