//! The settings that a manifest brings to a plugin.

use std::path::Path;

use super::*;
use crate::config_file::{Config, ConfigFile};

fn only(text: &str) -> (ConfigFile, Config) {
    let file = ConfigFile::new(Path::new("f.yaml"), text.into()).unwrap();
    let config = file.only().unwrap().clone();
    (file, config)
}

fn settings(text: &str) -> Settings {
    let (file, config) = only(text);
    assert!(file.refused(&config).is_empty(), "{:?}", file.refused(&config));
    config.settings.unwrap()
}

/// What a cluster makes of a plugin whose manifest says nothing.
fn bare() -> Settings {
    Settings {
        at: Position::Downstream,
        failure_policy: FailurePolicy::FailClosed,
        allow_on_headers_stop_iteration: false,
        root_id: String::new(),
        vm_id: String::new(),
        vm_config: Vec::new(),
        env: BTreeMap::new(),
    }
}

fn istio(more: &str) -> String {
    format!("apiVersion: e/v1\nkind: WasmPlugin\nspec:\n  url: r.test/x\n{more}")
}

fn envoy(more: &str) -> String {
    format!(
        "static_resources:\n  listeners:\n    - name: f\n      typed_config:\n        config:\n          \
         name: x\n          {more}\n"
    )
}

#[test]
fn a_wasm_plugin_has_the_defaults_of_istio() {
    assert_eq!(settings(&istio("")), bare());
    let all = "  pluginName: p\n  failStrategy: FAIL_RELOAD\n  type: NETWORK\n  vmConfig:\n    env:\n      \
               - {name: A, value: a}\n      - {name: B, valueFrom: HOST}\n      - {name: C, valueFrom: INLINE}\n";
    let env = [("A", Some("a")), ("B", None), ("C", Some(""))];
    assert_eq!(
        settings(&istio(all)),
        Settings {
            at: Position::Network,
            failure_policy: FailurePolicy::FailReload,
            root_id: "p".into(),
            env: env.map(|(name, value)| (name.into(), value.map(str::to_owned))).into(),
            ..bare()
        }
    );
    // There is no such field, so it has no effect.
    assert_eq!(settings(&istio("  allow_on_headers_stop_iteration: true\n")), bare());
    let extension = "apiVersion: e/v1\nkind: TrafficExtension\nspec:\n  wasm: {url: r.test/x, failStrategy: FAIL_OPEN}\n";
    let open = Settings { failure_policy: FailurePolicy::FailOpen, ..bare() };
    assert_eq!(settings(extension), open);
}

#[test]
fn a_policy_of_envoy_gateway_gives_each_plugin_a_vm() {
    let text = |more: &str| {
        format!(
            "apiVersion: g/v1\nkind: EnvoyExtensionPolicy\nmetadata: {{name: p}}\nspec:\n  wasm:\n    \
             - {{name: w, code: {{image: {{url: r.test/w}}}}{more}}}\n"
        )
    };
    let vm_id = "p/spec.wasm[0]".to_owned();
    assert_eq!(settings(&text("")), Settings { vm_id: vm_id.clone(), ..bare() });
    assert_eq!(
        settings(&text(", failOpen: true, rootID: r, env: {hostKeys: [K]}")),
        Settings {
            failure_policy: FailurePolicy::FailOpen,
            root_id: "r".into(),
            env: [("K".into(), None)].into(),
            vm_id,
            ..bare()
        }
    );
}

#[test]
fn envoys_own_configuration_says_all_of_it() {
    assert_eq!(settings(&envoy("vm_config: {code: {}}")), bare());
    let expected = Settings {
        failure_policy: FailurePolicy::FailOpen,
        allow_on_headers_stop_iteration: true,
        root_id: "r".into(),
        vm_id: "v".into(),
        vm_config: b"c".to_vec(),
        env: [("H".into(), None), ("K".into(), Some("k".into()))].into(),
        ..bare()
    };
    for text in [
        "{root_id: r, fail_open: true, allow_on_headers_stop_iteration: true, vm_config: {code: {}, \
         vm_id: v, configuration: {value: c}, environment_variables: {host_env_keys: [H], \
         key_values: {K: k}}}}",
        "{rootId: r, failurePolicy: FAIL_OPEN, allowOnHeadersStopIteration: true, vmConfig: {code: {}, \
         vmId: v, configuration: c, environmentVariables: {hostEnvKeys: [H], keyValues: {K: k}}}}",
    ] {
        let text = format!("static_resources: {{x: {text}}}");
        assert_eq!(settings(&text), expected, "{text}");
    }
}

#[test]
fn a_plugin_stands_where_its_filter_does() {
    let plugin = "config: {vm_config: {code: {}}}";
    let http = "'@type': x/envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
    for (text, expected) in [
        (format!("a: {{http_filters: [{{name: f, typed_config: {{{plugin}}}}}]}}"), "Downstream"),
        (
            format!(
                "a: {{envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {{{http}, \
                 http_filters: [{{name: f, typed_config: {{{plugin}}}}}]}}}}"
            ),
            "Upstream",
        ),
        (
            format!("a: {{upstream_http_filters: [{{name: f, typed_config: {{{plugin}}}}}]}}"),
            "Upstream",
        ),
        (
            format!(
                "a: {{typed_config: {{'@type': e/envoy.extensions.filters.network.wasm.v3.Wasm, {plugin}}}}}"
            ),
            "Network",
        ),
        // Configured in one place, and standing in others.
        (
            format!(
                "a: {{name: f, typed_config: {{{plugin}}}}}, b: {{upstream_http_filters: \
                 [{{name: f, config_discovery: {{}}}}]}}"
            ),
            "Upstream",
        ),
        (
            format!(
                "a: {{name: f, typed_config: {{{plugin}}}}}, b: {{upstream_http_filters: \
                 [{{name: f, config_discovery: {{}}}}]}}, c: {{name: f, config_discovery: {{}}}}"
            ),
            "Downstream",
        ),
    ] {
        let found = settings(&format!("static_resources: {{{text}}}")).at;
        assert_eq!(format!("{found:?}"), expected, "{text}");
    }
}

#[test]
fn what_a_gateway_refuses_is_told_with_its_place() {
    for (text, expected) in [
        (
            istio("  failStrategy: FAIL_CLOSED\n"),
            "f.yaml:5:17: spec.failStrategy: found \"FAIL_CLOSED\", expected one of FAIL_CLOSE, \
             FAIL_OPEN, FAIL_RELOAD",
        ),
        (istio("  pluginName: 7\n"), "f.yaml:5:15: spec.pluginName: found 7, expected a text"),
        (
            "static_resources:\n  x:\n    vm_config: {code: {}}\n    fail_open: true\n    \
             failure_policy: FAIL_OPEN\n"
                .to_owned(),
            "f.yaml:4:16: static_resources.x.fail_open: found beside `failure_policy`, expected at \
             most one of them",
        ),
        (
            "static_resources:\n  x:\n    vm_config: {code: {}}\n    allow_on_headers_stop_iteration: \
             yes please\n"
                .to_owned(),
            "f.yaml:4:38: static_resources.x.allow_on_headers_stop_iteration: found \"yes please\", \
             expected `true` or `false`",
        ),
    ] {
        let (file, config) = only(&text);
        let told: Vec<String> = file.refused(&config).iter().map(ToString::to_string).collect();
        assert_eq!(told, [expected]);
    }
}
