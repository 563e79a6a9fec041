//! What a plan becomes in the configuration of Envoy.

use std::path::PathBuf;

use super::*;
use crate::plan::Request;
use crate::scenario::{Expect, Scenario};

fn filter(name: &str, at: Position) -> Filter {
    Filter {
        name: name.into(),
        wasm: PathBuf::from("filter.wasm"),
        config: b"{}".to_vec(),
        vm_id: String::new(),
        vm_config: vec![],
        env: [("KEY".into(), "v".into())].into(),
        root_id: name.into(),
        at,
        allow_on_headers_stop_iteration: true,
        failure_policy: FailurePolicy::FailReload,
    }
}

fn upstream(provider: &str) -> Upstream {
    Upstream {
        host_metadata: vec![("tollgate".into(), vec![("provider".into(), provider.into())])],
        status: 200,
        headers: vec![],
        body: None,
        trailers: vec![],
        reset: false,
        early: false,
    }
}

fn exchange(upstream: Vec<Upstream>) -> Exchange {
    Exchange {
        name: "1".into(),
        advance_nanos: 0,
        concurrent: false,
        worker: None,
        request: Request {
            method: "GET".into(),
            path: "/".into(),
            authority: "gateway.test".into(),
            headers: vec![],
            body: None,
            trailers: vec![],
            abort_after_bytes: None,
            reset: false,
        },
        upstream,
        expect: Expect::default(),
    }
}

fn plan(scenario: Value, exchanges: Vec<Exchange>) -> Plan {
    let mut fields = json!({"description": "d", "chain": [], "exchanges": []});
    if let (Some(fields), Value::Object(more)) = (fields.as_object_mut(), scenario) {
        fields.extend(more);
    }
    let scenario: Scenario = serde_json::from_value(fields).unwrap();
    let chain = vec![
        filter("first", Position::Downstream),
        filter("per-attempt", Position::Upstream),
        filter("second", Position::Downstream),
    ];
    let callouts = BTreeMap::new();
    let path = PathBuf::from("scenario.yaml");
    Plan {
        connections: Vec::new(),
        path,
        scenario,
        profile: crate::scenario::Profile::Envoy,
        clock_nanos: None,
        callouts,
        chain,
        exchanges,
    }
}

fn make(plan: &Plan) -> Value {
    let ports: Vec<Vec<u16>> = (plan.exchanges.iter())
        .map(|exchange| (9001..).take(exchange.upstream.len()).collect())
        .collect();
    bootstrap(plan, &ports, &BTreeMap::new(), Path::new("access.log"))
}

const MANAGER: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
const CLUSTER: &str = "/static_resources/clusters/0";

fn names(filters: &Value) -> Vec<&str> {
    filters.as_array().unwrap().iter().map(|filter| filter["name"].as_str().unwrap()).collect()
}

#[test]
fn filters_run_where_the_chain_says() {
    let config = make(&plan(json!({}), vec![exchange(vec![upstream("a")])]));
    let manager = config.pointer(MANAGER).unwrap();
    assert_eq!(names(&manager["http_filters"]), ["first", "second", "envoy.filters.http.router"]);
    let options = &config.pointer(CLUSTER).unwrap()["typed_extension_protocol_options"]["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"];
    assert_eq!(
        names(&options["http_filters"]),
        ["per-attempt", "envoy.filters.http.upstream_codec"]
    );
    let wasm = &manager["http_filters"][0]["typed_config"]["config"];
    assert_eq!(wasm["failure_policy"], "FAIL_RELOAD");
    assert_eq!(wasm["allow_on_headers_stop_iteration"], true);
    assert_eq!(wasm["configuration"]["value"], "{}");
    assert_eq!(wasm["vm_config"]["environment_variables"]["key_values"], json!({"KEY": "v"}));
    assert_eq!(wasm["vm_config"]["code"]["local"]["filename"], "filter.wasm");
}

#[test]
fn a_binary_configuration_stays_binary() {
    let mut plan = plan(json!({}), vec![exchange(vec![])]);
    plan.chain[0].config = vec![0xff];
    let config = make(&plan);
    let configuration =
        config.pointer(&format!("{MANAGER}/http_filters/0/typed_config/config/configuration"));
    assert_eq!(
        configuration.unwrap(),
        &json!({"@type": "type.googleapis.com/google.protobuf.BytesValue", "value": "/w=="})
    );
}

#[test]
fn each_attempt_has_its_priority_and_metadata() {
    let scenario = json!({"route": {"retryOn": [429, 503], "retriableHeaders": ["x-retry"]}});
    let config = make(&plan(scenario, vec![exchange(vec![upstream("a"), upstream("b")])]));
    let endpoints = config.pointer(&format!("{CLUSTER}/load_assignment/endpoints")).unwrap();
    for (attempt, provider) in ["a", "b"].into_iter().enumerate() {
        let endpoint = &endpoints[attempt];
        assert_eq!(endpoint["priority"], attempt);
        let host = &endpoint["lb_endpoints"][0];
        assert_eq!(
            host["metadata"]["filter_metadata"],
            json!({"tollgate": {"provider": provider}})
        );
        let port = host.pointer("/endpoint/address/socket_address/port_value");
        assert_eq!(port.unwrap(), &json!(9001 + attempt));
    }
    let route = format!("{MANAGER}/route_config/virtual_hosts/0/routes/0/route");
    let policy = &config.pointer(&route).unwrap()["retry_policy"];
    assert_eq!(policy["retry_on"], "retriable-status-codes,retriable-headers");
    assert_eq!(policy["retriable_status_codes"], json!([429, 503]));
    assert_eq!(policy["retriable_headers"], json!([{"name": "x-retry", "present_match": true}]));
    assert_eq!(policy["num_retries"], 1);
}

#[test]
fn routes_are_in_order_and_the_default_is_behind_them() {
    let names = |default: Option<bool>| {
        let choices = json!([{"name": "a", "headers": {"X-A": 1}, "pathPrefix": "/v1"},
            {"name": "b", "headers": {"x-b": "two"}}]);
        let route = json!({"route": {"choices": choices, "default": default}});
        let config = make(&plan(route, vec![exchange(vec![upstream("a")])]));
        let routes = config.pointer(&format!("{MANAGER}/route_config/virtual_hosts/0/routes"));
        let routes = routes.unwrap().as_array().unwrap().clone();
        let header = json!([{"name": "x-a", "string_match": {"exact": "1"}}]);
        assert_eq!(routes[0]["match"], json!({"prefix": "/v1", "headers": header}));
        assert_eq!(routes[1]["match"]["prefix"], "/");
        assert!(routes.iter().all(|route| route["route"]["cluster"] == "exchange-0"));
        let names = routes.iter().map(|route| route["name"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(names(None), ["a", "b", "default"]);
    assert_eq!(names(Some(false)), ["a", "b"]);
}

#[test]
fn one_attempt_is_not_retried() {
    let scenario = json!({"route": {"retryOn": [503]}});
    for attempts in [vec![], vec![upstream("a")]] {
        let config = make(&plan(scenario.clone(), vec![exchange(attempts)]));
        let route = format!("{MANAGER}/route_config/virtual_hosts/0/routes/0/route");
        assert!(config.pointer(&route).unwrap().get("retry_policy").is_none());
    }
}

#[test]
fn limits_hold_on_both_sides() {
    let scenario = json!({"limits": {"bufferBytes": 4096}});
    let config = make(&plan(scenario, vec![exchange(vec![])]));
    for of in ["/static_resources/listeners/0", CLUSTER] {
        assert_eq!(config.pointer(of).unwrap()["per_connection_buffer_limit_bytes"], 4096, "{of}");
    }
}

#[test]
fn properties_are_printed_as_state_or_attribute() {
    assert_eq!(
        property_format("tollgate.model").unwrap(),
        "%FILTER_STATE(wasm.tollgate.model:PLAIN)%"
    );
    assert_eq!(
        property_format("response.code_details").unwrap(),
        "%TYPED_CEL(response.code_details)%"
    );
    assert_eq!(property_format("a%b"), None);
    let mut of_client = exchange(vec![]);
    of_client.expect.properties.insert("theirs".into(), Value::Null);
    let config = make(&plan(json!({}), vec![of_client]));
    let format = config.pointer(&format!("{MANAGER}/access_log/0/typed_config/log_format"));
    let properties = &format.unwrap()["json_format"]["properties"];
    assert_eq!(properties["theirs"], "%FILTER_STATE(wasm.theirs:PLAIN)%");
    assert_eq!(properties["tollgate.usage"], "%FILTER_STATE(wasm.tollgate.usage:PLAIN)%");
}

#[test]
fn clusters_of_callouts_have_their_endpoint_or_none() {
    let mut plan = plan(json!({"limits": {"bufferBytes": 4096}}), vec![]);
    for name in ["auth", "outbound|80||b.test"] {
        plan.callouts.insert(name.into(), vec![]);
    }
    let ports = [("outbound|80||b.test".to_owned(), 9001)].into();
    let config = bootstrap(&plan, &[], &ports, Path::new("access.log"));
    let clusters = config.pointer("/static_resources/clusters").unwrap();
    let [scripted, empty] = clusters.as_array().unwrap().as_slice() else { panic!("{clusters}") };
    assert_eq!(
        (&scripted["name"], &empty["name"]),
        (&json!("outbound|80||b.test"), &json!("auth"))
    );
    assert_eq!(scripted["alt_stat_name"], stat_name(0));
    let endpoint = "/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address/socket_address";
    assert_eq!(scripted.pointer(endpoint).unwrap()["port_value"], 9001);
    assert_eq!(empty["load_assignment"]["endpoints"], json!([]));
    assert_eq!(scripted["per_connection_buffer_limit_bytes"], 4096);
    let names = names(config.pointer("/static_resources/listeners").unwrap());
    assert_eq!(names, [BARRIER]);
}
