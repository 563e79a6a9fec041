//! The chain for hosts without the header-hold, as manifests and as Envoy's own configuration: what body-model tells must
//! be what the host makes headers of, or a route waits for a header that nobody writes.

use serde_json::{Value, json};

use super::{Manifest, manifests};
use crate::root;

/// What body-model can tell: the field of `publish`, the key in filter state, and the header if it is told by default.
const FACTS: [(&str, &str, Option<&str>); 7] = [
    ("model", "model", Some("x-gateway-model-name")),
    ("stream", "stream", Some("x-gateway-stream")),
    ("baseModel", "base_model", None),
    ("tags", "tags", None),
    ("fallbacks", "fallbacks", None),
    ("promptTokens", "prompt_tokens", None),
    ("context", "context", None),
];

/// The names of a WasmPlugin's filter by release of Istio, without namespace and name.
const ANCHORS: [(&str, &str); 3] = [
    ("extensions.istio.io/trafficextension/", "~istio-translated-wasmplugin"),
    ("extensions.istio.io/wasmplugin/", ""),
    ("extenstions.istio.io/wasmplugin/", ""),
];

fn mesh() -> Vec<Manifest> {
    manifests(&root().join("kuadrant/hold-host"))
}

fn named<'a>(all: &'a [Manifest], kind: &str, name: &str) -> &'a Value {
    let mut found = all.iter().filter(|m| m.kind() == kind && m.text("/metadata/name") == name);
    &found.next().unwrap_or_else(|| panic!("no {kind} {name}")).value
}

fn array<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The mutations that `config` needs, each header taken off before any is written.
fn mutations(config: &Value) -> Vec<Value> {
    let told = |field: &str, default: Option<&str>| match config["publish"].get(field) {
        Some(name) => name.as_str().map(str::to_owned),
        None => default.map(str::to_owned),
    };
    let headers: Vec<(String, &str)> = FACTS
        .into_iter()
        .filter_map(|(field, key, default)| Some((told(field, default)?, key)))
        .collect();
    let removed = headers.iter().map(|(header, _)| json!({"remove": header}));
    let written = headers.iter().map(|(header, key)| {
        let value = format!("%FILTER_STATE(wasm.tollgate.{key}:PLAIN)%");
        json!({"append": {"header": {"key": header, "value": value}}})
    });
    removed.chain(written).collect()
}

/// Holds `filter` (a `header_mutation`) to what `config` tells.
fn assert_tells(filter: &Value, config: &Value) {
    assert_eq!(config["hold"], "host");
    assert_eq!(config["requireCaller"], true);
    let found = array(filter, "/typed_config/mutations/request_mutations");
    let writes = |m: &&Value| m.get("append").is_some();
    assert!(found.iter().skip_while(|m| !writes(m)).all(|m| writes(&m)), "removed after written");
    let sorted = |mutations: &[Value]| {
        let mut text: Vec<String> = mutations.iter().map(Value::to_string).collect();
        text.sort();
        text
    };
    assert_eq!(sorted(found), sorted(&mutations(config)));
}

fn type_of(filter: &Value) -> &str {
    let url = filter["typed_config"]["@type"].as_str().unwrap();
    url.rsplit('.').next().unwrap()
}

#[test]
fn the_plugins_and_the_native_filters_of_the_mesh_fit_each_other() {
    let all = mesh();
    let [key_check, body_model] = ["key-check", "body-model"].map(|name| {
        let plugin = named(&all, "WasmPlugin", name);
        assert_eq!(plugin["spec"]["pluginName"], name);
        assert_eq!(plugin["spec"]["phase"], "AUTHN", "{name}");
        assert_eq!(plugin["spec"]["failStrategy"], "FAIL_RELOAD", "{name}");
        plugin
    });
    let priority = |plugin: &Value| plugin["spec"]["priority"].as_i64().unwrap();
    assert!(priority(key_check) > priority(body_model), "key-check runs first");

    let patches = array(named(&all, "EnvoyFilter", "routing-headers"), "/spec/configPatches");
    let name = format!("{}.body-model", body_model["metadata"]["namespace"].as_str().unwrap());
    let filter = "/match/listener/filterChain/filter";
    for (before, behind) in ANCHORS {
        let anchor = format!("{before}{name}{behind}");
        let found: Vec<&Value> = patches
            .iter()
            .filter(|p| p.pointer(&format!("{filter}/subFilter/name")) == Some(&json!(anchor)))
            .collect();
        let [headers, hold] = found.as_slice() else { panic!("{anchor}: {} patches", found.len()) };
        for patch in [headers, hold] {
            assert_eq!(patch["applyTo"], "HTTP_FILTER");
            assert_eq!(patch["match"]["context"], "GATEWAY");
            assert_eq!(patch["patch"]["operation"], "INSERT_AFTER");
        }
        // Both go directly behind the anchor, so the later patch is the filter that runs first.
        let [headers, hold] = [headers, hold].map(|patch| &patch["patch"]["value"]);
        assert_eq!(type_of(hold), "Buffer", "{anchor}");
        assert_eq!(type_of(headers), "HeaderMutation", "{anchor}");
        assert_tells(headers, &body_model["spec"]["pluginConfig"]);
    }
    assert_eq!(patches.len(), 2 * ANCHORS.len());
}

#[test]
fn routes_of_the_mesh_match_what_serves_the_models() {
    let all = mesh();
    let config = &named(&all, "WasmPlugin", "body-model")["spec"]["pluginConfig"];
    let mut models: Vec<&Value> = array(config, "/models").iter().map(|m| &m["name"]).collect();
    let mut routed = Vec::new();
    for route in all.iter().filter(|manifest| manifest.kind() == "HTTPRoute") {
        for rule in array(&route.value, "/spec/rules") {
            for matched in array(rule, "/matches") {
                let [header] = array(matched, "/headers") else { panic!("{}", route.name()) };
                assert_eq!(header["name"], config["publish"]["baseModel"], "{}", route.name());
                routed.push(&header["value"]);
            }
            for backend in array(rule, "/backendRefs") {
                named(&all, "Service", backend["name"].as_str().unwrap());
            }
        }
    }
    models.sort_by_key(|model| model.as_str());
    routed.sort_by_key(|model| model.as_str());
    assert_eq!(models, routed);
}

#[test]
fn the_chain_of_envoys_own_configuration_fits_body_model() {
    let file = root().join("envoy-configs/hold-host/envoy.yaml");
    let envoy: Value = serde_yaml_ng::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let filters = array(
        &envoy,
        "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters",
    );
    let types: Vec<&str> = filters.iter().map(type_of).collect();
    assert_eq!(types, ["Wasm", "Wasm", "Buffer", "HeaderMutation", "Router"]);
    let body_model = &filters[1]["typed_config"]["config"];
    assert_eq!(body_model["name"], "body-model");
    assert_eq!(body_model.get("allow_on_headers_stop_iteration"), None, "a chain without the hold");
    let config = body_model["configuration"]["value"].as_str().unwrap();
    assert_tells(&filters[3], &serde_json::from_str(config).unwrap());
}
