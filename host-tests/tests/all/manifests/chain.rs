//! The quickstart's parts fit each other: what definitions cannot say, and what fails open or not at
//! all when it is wrong, since Istio skips a patch that matches nothing.

use serde_json::Value;

use super::{Manifest, manifests};
use crate::root;

/// The quickstart.
fn quickstart() -> Vec<Manifest> {
    manifests(&root().join("kuadrant/quickstart"))
}

/// A patch with the priority of its EnvoyFilter.
struct Patch {
    priority: i64,
    value: Value,
}

impl Patch {
    fn text(&self, pointer: &str) -> &str {
        self.value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }
}

/// The patches that apply to `what`.
fn patches(all: &[Manifest], what: &str) -> Vec<Patch> {
    let mut found = Vec::new();
    for manifest in all.iter().filter(|manifest| manifest.kind() == "EnvoyFilter") {
        let priority = manifest.value["spec"]["priority"].as_i64().unwrap_or_default();
        for patch in array(&manifest.value, "/spec/configPatches") {
            if patch["applyTo"] == what {
                found.push(Patch { priority, value: patch.clone() });
            }
        }
    }
    found
}

fn array<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The part of an extension's configuration that Envoy's wasm filter reads, by the filter's name.
fn plugin(all: &[Manifest], filter: &str) -> Value {
    let name = format!("tollgate.{filter}");
    let patches = patches(all, "EXTENSION_CONFIG");
    let mut found = patches.iter().filter(|patch| patch.text("/patch/value/name") == name);
    let plugin = found.next().unwrap_or_else(|| panic!("no configuration of {name}"));
    assert!(found.next().is_none(), "{name} is configured twice");
    plugin.value.pointer("/patch/value/typed_config/config").unwrap().clone()
}

/// The configuration that `filter` reads.
fn config(all: &[Manifest], filter: &str) -> Value {
    let plugin = plugin(all, filter);
    serde_json::from_str(plugin["configuration"]["value"].as_str().unwrap()).unwrap()
}

/// Filters that the discovery of `filter` (an entry of a chain) would find.
fn discovered(all: &[Manifest], filter: &Value) -> String {
    let name = filter["name"].as_str().unwrap();
    let short = name.strip_prefix("tollgate.").unwrap_or_else(|| {
        panic!("{name}: expected a name of ours, since others anchor on Envoy's and Kuadrant's")
    });
    assert!(filter["config_discovery"]["config_source"]["ads"].is_object(), "{name}");
    let types = array(filter, "/config_discovery/type_urls");
    assert!(types.contains(&WASM.into()), "{name}");
    assert_eq!(plugin(all, short)["name"], name, "names in stats and logs");
    short.to_owned()
}

const WASM: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";

#[test]
fn downstream_filters_run_in_the_order_of_the_design() {
    let all = quickstart();
    let mut inserted = patches(&all, "HTTP_FILTER");
    // Each is put in front of what is there, so the last one runs first.
    inserted.sort_by_key(|patch| std::cmp::Reverse(patch.priority));
    let mut order = Vec::new();
    for patch in &inserted {
        assert_eq!(patch.text("/patch/operation"), "INSERT_FIRST");
        order.push(discovered(&all, &patch.value["patch"]["value"]));
    }
    assert_eq!(order, ["key-check", "body-model", "token-count"]);
    let mut priorities: Vec<i64> = inserted.iter().map(|patch| patch.priority).collect();
    priorities.dedup();
    assert_eq!(priorities.len(), order.len(), "equal priorities leave the order to creation times");
}

#[test]
fn every_filter_stays_closed_when_it_fails_and_holds_headers_where_it_must() {
    let all = quickstart();
    for filter in host_tests::modules::FILTERS {
        let plugin = plugin(&all, filter);
        assert_eq!(plugin["failure_policy"], "FAIL_RELOAD", "{filter}");
        let holds = plugin["allow_on_headers_stop_iteration"] == true;
        assert_eq!(holds, filter != "key-check", "{filter}");
        let image = plugin["vm_config"]["code"]["remote"]["http_uri"]["uri"].as_str().unwrap();
        assert!(image.contains(&format!("/{filter}:")), "{filter} loads {image}");
        // Shared data belongs to a VM's id; without one, filters would share it.
        assert_eq!(plugin["vm_config"]["vm_id"], plugin["name"], "{filter}");
    }
    assert_eq!(config(&all, "body-model")["requireCaller"], true);
}

/// Else requests of a route reach its provider untranslated, with our headers on them.
#[test]
fn every_backend_has_the_upstream_filter_and_a_known_provider() {
    let all = quickstart();
    let mut backends = Vec::new();
    for route in all.iter().filter(|manifest| manifest.kind() == "HTTPRoute") {
        for rule in array(&route.value, "/spec/rules") {
            for backend in array(rule, "/backendRefs") {
                let name = backend["name"].as_str().unwrap();
                let host = if backend.get("kind") == Some(&"Hostname".into()) {
                    name.to_owned()
                } else {
                    format!("{name}.{}.svc.cluster.local", route.text("/metadata/namespace"))
                };
                backends.push((host, backend["port"].as_i64()));
            }
        }
    }
    let rewrite = config(&all, "provider-rewrite");
    let providers: Vec<&Value> = array(&rewrite, "/providers").iter().map(|p| &p["name"]).collect();
    let mut clusters = Vec::new();
    for patch in patches(&all, "CLUSTER") {
        let host = patch.text("/match/cluster/service").to_owned();
        let value = &patch.value["patch"]["value"];
        let provider = &value["metadata"]["filter_metadata"]["tollgate"]["provider"];
        assert!(providers.contains(&provider), "{host}: no provider {provider}");
        let options = value["typed_extension_protocol_options"]
            .get("envoy.extensions.upstreams.http.v3.HttpProtocolOptions")
            .unwrap_or_else(|| panic!("{host}: no HttpProtocolOptions"));
        assert!(options["explicit_http_config"].is_object(), "{host}: a protocol is needed");
        let filters = array(options, "/http_filters");
        let [rewrite, codec] = filters else { panic!("{host}: {} filters", filters.len()) };
        assert_eq!(discovered(&all, rewrite), "provider-rewrite", "{host}");
        assert_eq!(codec["name"], "envoy.filters.http.upstream_codec", "{host}: the last filter");
        clusters.push((host, patch.value["match"]["cluster"]["portNumber"].as_i64()));
    }
    backends.sort();
    clusters.sort();
    assert_eq!(backends, clusters);
}

#[test]
fn routes_match_the_models_of_body_model() {
    let all = quickstart();
    let body_model = config(&all, "body-model");
    let mut models: Vec<&Value> =
        array(&body_model, "/models").iter().map(|m| &m["name"]).collect();
    let mut routed = Vec::new();
    for route in all.iter().filter(|manifest| manifest.kind() == "HTTPRoute") {
        for rule in array(&route.value, "/spec/rules") {
            for matched in array(rule, "/matches") {
                let [header] = array(matched, "/headers") else { panic!("{}", route.name()) };
                assert_eq!(header["name"], "x-gateway-model-name", "{}", route.name());
                assert_eq!(header["type"], "Exact", "{}", route.name());
                routed.push(&header["value"]);
            }
        }
    }
    models.sort_by_key(|model| model.as_str());
    routed.sort_by_key(|model| model.as_str());
    assert_eq!(models, routed);
}

/// A header that no filter writes, and so removes from requests, could be a client's word.
#[test]
fn policies_read_only_headers_that_the_filters_write() {
    let all = quickstart();
    let key_check = config(&all, "key-check");
    let published = key_check["publish"].as_object().unwrap();
    let mut written: Vec<&str> = published.values().filter_map(Value::as_str).collect();
    written.push("x-gateway-model-name");
    let mut read = 0;
    for manifest in all.iter().filter(|manifest| manifest.kind().ends_with("Policy")) {
        let text = manifest.value.to_string();
        for part in text.split(r#"request.headers[\""#).skip(1) {
            let header = part.split('\\').next().unwrap();
            assert!(written.contains(&header), "{}: {header}", manifest.name());
            read += 1;
        }
    }
    assert!(read > 0, "no policy reads a header");
}

#[test]
fn secrets_come_from_the_environment_of_the_gateway() {
    let all = quickstart();
    let plugin = plugin(&all, "provider-rewrite");
    let passed = array(&plugin, "/vm_config/environment_variables/host_env_keys");
    let gateway = all.iter().find(|manifest| manifest.kind() == "ConfigMap").unwrap();
    let deployment: Value = serde_yaml_ng::from_str(gateway.text("/data/deployment")).unwrap();
    let variables = array(&deployment, "/spec/template/spec/containers/0/env");
    let mut secrets = 0;
    for provider in array(&config(&all, "provider-rewrite"), "/providers") {
        let Some(credential) = provider.get("credential") else { continue };
        let variable = credential.get("env").unwrap_or_else(|| panic!("a secret in a manifest"));
        assert!(passed.contains(variable), "{variable} is not passed to the VM");
        let source = variables.iter().find(|v| v["name"] == *variable);
        let source = source.unwrap_or_else(|| panic!("{variable} is not set in the gateway"));
        assert!(source["valueFrom"]["secretKeyRef"].is_object(), "{variable}: not from a secret");
        secrets += 1;
    }
    assert!(secrets > 0, "no provider has a credential");
}

/// Istio drops a patch whose types it does not know without a word to whoever wrote it.
#[test]
fn every_type_is_one_that_istio_and_envoy_know() {
    const KNOWN: [&str; 7] = [
        "envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter",
        "envoy.extensions.filters.http.rbac.v3.RBAC",
        "envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec",
        "envoy.extensions.filters.http.wasm.v3.Wasm",
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "google.protobuf.StringValue",
    ];
    for manifest in quickstart() {
        let text = manifest.value.to_string();
        for part in text.split("type.googleapis.com/").skip(1) {
            let name = part.split('"').next().unwrap();
            assert!(KNOWN.contains(&name), "{}: {name}", manifest.name());
        }
    }
}

/// Where the header-hold cannot be asked for, a filter that holds headers hangs.
#[test]
fn plain_plugins_are_filters_that_need_no_hold() {
    let all = manifests(&root().join("kuadrant/wasmplugin-only"));
    let mut found = Vec::new();
    for manifest in &all {
        let spec = &manifest.value["spec"];
        let plugin = spec.get("wasm").unwrap_or(spec);
        let name = plugin["pluginName"].as_str().unwrap();
        match name {
            "key-check" => {
                assert_eq!(spec["phase"], "AUTHN", "{}", manifest.name());
                assert_eq!(plugin["failStrategy"], "FAIL_RELOAD", "{}", manifest.name());
            }
            "token-count" => {
                assert_eq!(plugin["pluginConfig"]["askForUsage"], false, "{}", manifest.name());
            }
            _ => panic!("{}: {name} needs the header-hold", manifest.name()),
        }
        found.push((manifest.kind(), name, &plugin["pluginConfig"]));
    }
    let of = |kind| {
        found.iter().filter(move |(k, ..)| *k == kind).map(|(_, name, config)| (name, config))
    };
    assert!(of("WasmPlugin").eq(of("TrafficExtension")), "the two files say different things");
}
