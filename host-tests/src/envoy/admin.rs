//! Questions to a running Envoy's admin interface.
//! <https://www.envoyproxy.io/docs/envoy/v1.40.0/operations/admin>

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::bootstrap::stat_name;
use super::callouts::Count;
use super::client::{self, Call};

/// What Envoy puts before the name of a metric that a filter defines.
const METRIC_PREFIX: &str = "wasmcustom.";

/// The body of a 200 answer to `GET path`.
///
/// # Errors
/// No answer by `deadline`, or another status.
pub(crate) fn get(admin: SocketAddr, path: &str, deadline: Instant) -> Result<Vec<u8>> {
    let call = Call { head: head("GET", path), ..Call::default() };
    let answer = client::call(admin, &call, deadline)?;
    let status = answer.message.start.status;
    ensure!(status == 200 && !answer.reset, "envoy's admin answered {path} with {status}");
    Ok(answer.message.body)
}

/// Asks it to end its plugins and exit.
///
/// # Errors
/// No answer by `deadline`.
pub(crate) fn quit(admin: SocketAddr, deadline: Instant) -> Result<()> {
    let call = Call { head: head("POST", "/quitquitquit"), ..Call::default() };
    client::call(admin, &call, deadline).map(|_| ())
}

fn head(method: &str, path: &str) -> Vec<u8> {
    format!("{method} {path} HTTP/1.1\r\nhost: admin\r\n\r\n").into_bytes()
}

/// The port of every listener, by name.
pub(crate) fn listeners(admin: SocketAddr, deadline: Instant) -> Result<BTreeMap<String, u16>> {
    let body = get(admin, "/listeners?format=json", deadline)?;
    parse_listeners(&body).context("envoy's list of listeners")
}

/// The counters and gauges of the filters, by the name that the filter gave, and of Envoy's own
/// about VMs (`wasm.…`) those that `expected` names.
pub(crate) fn metrics(
    admin: SocketAddr,
    expected: &BTreeMap<String, i64>,
    deadline: Instant,
) -> Result<BTreeMap<String, i64>> {
    let body = get(admin, "/stats?format=json&filter=%5Ewasm(custom)%3F%5C.", deadline)?;
    parse_metrics(&body, expected).context("envoy's stats")
}

/// How many calls the clusters of callouts have been sent, and how many of them wait for an answer,
/// by number of the cluster. One that waits for a connection counts as both.
pub(crate) fn calls(admin: SocketAddr, clusters: usize, deadline: Instant) -> Result<Vec<Count>> {
    let path = "/stats?format=json&filter=%5Ecluster%5C.callouts-%5B0-9%5D%2B%5C.upstream_rq_";
    let body = get(admin, path, deadline)?;
    parse_calls(&body, clusters).context("envoy's stats of the callouts")
}

fn parse_calls(json: &[u8], clusters: usize) -> Result<Vec<Count>> {
    let json: Value = serde_json::from_slice(json)?;
    let all = json.get("stats").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let value = |name: &str| {
        let of = |stat: &&Value| stat.get("name").and_then(Value::as_str) == Some(name);
        all.iter().find(of).and_then(|stat| stat.get("value")?.as_u64()).unwrap_or(0)
    };
    let count = |cluster: usize| {
        let of = |stat| value(&format!("cluster.{}.upstream_rq_{stat}", stat_name(cluster)));
        let pending = of("pending_active");
        Count { arrived: of("total") + pending, open: of("active") + pending }
    };
    Ok((0..clusters).map(count).collect())
}

fn parse_listeners(json: &[u8]) -> Result<BTreeMap<String, u16>> {
    let json: Value = serde_json::from_slice(json)?;
    let all = json.get("listener_statuses").and_then(Value::as_array);
    let port = |listener: &Value| {
        let port = listener.pointer("/local_address/socket_address/port_value")?.as_u64()?;
        Some((listener.get("name")?.as_str()?.to_owned(), u16::try_from(port).ok()?))
    };
    Ok(all.into_iter().flatten().filter_map(port).collect())
}

/// Histograms have no `value` and are left out.
fn parse_metrics(json: &[u8], expected: &BTreeMap<String, i64>) -> Result<BTreeMap<String, i64>> {
    let json: Value = serde_json::from_slice(json)?;
    let all = json.get("stats").and_then(Value::as_array);
    let metric = |stat: &Value| {
        let (name, value) = (stat.get("name")?.as_str()?, stat.get("value")?.as_i64()?);
        let own = || (expected.contains_key(name) && value != 0).then_some(name);
        Some((name.strip_prefix(METRIC_PREFIX).or_else(own)?.to_owned(), value))
    };
    Ok(all.into_iter().flatten().filter_map(metric).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_are_read() {
        let json = br#"{"listener_statuses":[{"name":"exchange-0","local_address":
            {"socket_address":{"address":"127.0.0.1","port_value":45773}}},{"name":"pipe"}]}"#;
        assert_eq!(parse_listeners(json).unwrap(), [("exchange-0".to_owned(), 45773)].into());
        assert!(parse_listeners(b"{}").unwrap().is_empty());
        assert!(parse_listeners(b"not json").is_err());
    }

    #[test]
    fn metrics_of_filters_are_read() {
        let json = br#"{"stats":[{"name":"wasmcustom.a.b","value":3},{"name":"wasm.x","value":1},
            {"name":"wasm.y","value":2},{"name":"wasm.z","value":0},{"histograms":{"supported_quantiles":[0]}}]}"#;
        assert_eq!(parse_metrics(json, &BTreeMap::new()).unwrap(), [("a.b".to_owned(), 3)].into());
        let expected = ["wasm.y", "wasm.z"].map(|name| (name.to_owned(), 0)).into();
        let all = [("a.b".to_owned(), 3), ("wasm.y".to_owned(), 2)];
        assert_eq!(parse_metrics(json, &expected).unwrap(), all.into());
    }
}
