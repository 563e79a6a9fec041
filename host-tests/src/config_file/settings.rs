//! What a plugin's manifest says of it beside its configuration: what the cluster then does, a test
//! must do too.
//!
//! Sources: the custom resource definitions of Istio and Envoy Gateway, and Envoy's `PluginConfig`,
//! <https://www.envoyproxy.io/docs/envoy/v1.40.0/api-v3/extensions/wasm/v3/wasm.proto>.

use std::collections::BTreeMap;

use serde_json::Value;
use tollgate_config::Problem;

use crate::scenario::{FailurePolicy, Position};

/// How a manifest sets a plugin up; what it leaves out is here as the gateway then has it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// Where the plugin runs.
    pub at: Position,
    /// What a crash does to later streams.
    pub failure_policy: FailurePolicy,
    /// Envoy's `allow_on_headers_stop_iteration`, which of all manifests only Envoy's own can set.
    pub allow_on_headers_stop_iteration: bool,
    /// `root_id`, which Istio calls `pluginName`.
    pub root_id: String,
    /// `vm_id`.
    pub vm_id: String,
    /// The configuration of the VM as the module gets it.
    pub vm_config: Vec<u8>,
    /// Environment variables; `None` for one that the proxy takes from its own environment.
    pub env: BTreeMap<String, Option<String>>,
}

/// What a gateway would refuse, by its path inside of the plugin.
pub(super) type Refused = Vec<Problem>;

/// Of `plugin`, Istio's `WasmPlugin` or `wasm` of its `TrafficExtension`.
pub(super) fn of_istio(plugin: &Value) -> (Settings, Refused) {
    let mut read = Reader { plugin, refused: Vec::new() };
    let policy = read.one_of("failStrategy", "failStrategy", &ISTIO_POLICIES);
    let mut env = BTreeMap::new();
    let variables = plugin.pointer("/vmConfig/env").and_then(Value::as_array);
    for variable in variables.into_iter().flatten() {
        let text = |member| variable.get(member).and_then(Value::as_str);
        let Some(name) = text("name") else { continue };
        let value = match text("valueFrom") {
            Some("HOST") => None,
            _ => Some(text("value").unwrap_or_default().to_owned()),
        };
        env.insert(name.to_owned(), value);
    }
    let at = match plugin.get("type").and_then(Value::as_str) {
        Some("NETWORK") => Position::Network,
        _ => Position::Downstream,
    };
    let settings = Settings {
        at,
        failure_policy: policy.unwrap_or(FailurePolicy::FailClosed),
        allow_on_headers_stop_iteration: false,
        root_id: read.text("pluginName", "pluginName"),
        vm_id: String::new(),
        vm_config: Vec::new(),
        env,
    };
    (settings, read.refused)
}

/// Of `plugin`, one of Envoy Gateway's `EnvoyExtensionPolicy`, which gives each a VM of its own.
pub(super) fn of_envoy_gateway(plugin: &Value, vm_id: &str) -> (Settings, Refused) {
    let mut read = Reader { plugin, refused: Vec::new() };
    let open = read.flag("failOpen", "failOpen");
    let keys = plugin.pointer("/env/hostKeys").and_then(Value::as_array);
    let keys = keys.into_iter().flatten().filter_map(Value::as_str);
    let settings = Settings {
        at: Position::Downstream,
        failure_policy: if open { FailurePolicy::FailOpen } else { FailurePolicy::FailClosed },
        allow_on_headers_stop_iteration: false,
        root_id: read.text("rootID", "rootID"),
        vm_id: vm_id.to_owned(),
        vm_config: Vec::new(),
        env: keys.map(|key| (key.to_owned(), None)).collect(),
    };
    (settings, read.refused)
}

/// Of `plugin`, Envoy's `PluginConfig` with `vm`, its `vm_config`, in a filter `at`.
pub(super) fn of_envoy(plugin: &Value, vm: &Value, at: Position) -> (Settings, Refused) {
    let mut read = Reader { plugin, refused: Vec::new() };
    let policy = read.one_of("failure_policy", "failurePolicy", &ENVOY_POLICIES);
    let open = read.flag("fail_open", "failOpen");
    if open && policy.is_some() {
        read.refuse("fail_open", "found beside `failure_policy`, expected at most one of them");
    }
    let policy = policy.or_else(|| open.then_some(FailurePolicy::FailOpen));
    let mut env = BTreeMap::new();
    if let Some(variables) = member(vm, "environment_variables", "environmentVariables") {
        let keys = member(variables, "host_env_keys", "hostEnvKeys").and_then(Value::as_array);
        for key in keys.into_iter().flatten().filter_map(Value::as_str) {
            env.insert(key.to_owned(), None);
        }
        let values = member(variables, "key_values", "keyValues").and_then(Value::as_object);
        for (name, value) in values.into_iter().flatten() {
            env.insert(name.clone(), Some(value.as_str().unwrap_or_default().to_owned()));
        }
    }
    let vm_config = vm.get("configuration").map(|any| any.get("value").unwrap_or(any));
    let vm_id = member(vm, "vm_id", "vmId").and_then(Value::as_str).unwrap_or_default();
    let settings = Settings {
        at,
        failure_policy: policy.unwrap_or(FailurePolicy::FailClosed),
        allow_on_headers_stop_iteration: read
            .flag("allow_on_headers_stop_iteration", "allowOnHeadersStopIteration"),
        root_id: read.text("root_id", "rootId"),
        vm_id: vm_id.to_owned(),
        vm_config: vm_config.map(super::given).unwrap_or_default(),
        env,
    };
    (settings, read.refused)
}

/// The value of a member under either of the names that protobuf's JSON has for it.
pub(super) fn member<'a>(value: &'a Value, snake: &str, camel: &str) -> Option<&'a Value> {
    value.get(snake).or_else(|| value.get(camel))
}

type Policies = [(&'static str, Option<FailurePolicy>)];

const ISTIO_POLICIES: [(&str, Option<FailurePolicy>); 3] = [
    ("FAIL_CLOSE", Some(FailurePolicy::FailClosed)),
    ("FAIL_OPEN", Some(FailurePolicy::FailOpen)),
    ("FAIL_RELOAD", Some(FailurePolicy::FailReload)),
];

const ENVOY_POLICIES: [(&str, Option<FailurePolicy>); 4] = [
    ("FAIL_CLOSED", Some(FailurePolicy::FailClosed)),
    ("FAIL_OPEN", Some(FailurePolicy::FailOpen)),
    ("FAIL_RELOAD", Some(FailurePolicy::FailReload)),
    ("UNSPECIFIED", None),
];

struct Reader<'a> {
    plugin: &'a Value,
    refused: Refused,
}

impl Reader<'_> {
    fn refuse(&mut self, path: &str, message: impl Into<String>) {
        self.refused.push(Problem { path: path.to_owned(), message: message.into() });
    }

    fn text(&mut self, snake: &str, camel: &str) -> String {
        match member(self.plugin, snake, camel) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => {
                self.refuse(snake, format!("found {other}, expected a text"));
                String::new()
            }
        }
    }

    fn flag(&mut self, snake: &str, camel: &str) -> bool {
        match member(self.plugin, snake, camel) {
            None | Some(Value::Null) => false,
            Some(Value::Bool(flag)) => *flag,
            Some(other) => {
                self.refuse(snake, format!("found {other}, expected `true` or `false`"));
                false
            }
        }
    }

    fn one_of(&mut self, snake: &str, camel: &str, policies: &Policies) -> Option<FailurePolicy> {
        let value = match member(self.plugin, snake, camel) {
            None | Some(Value::Null) => return None,
            Some(value) => value,
        };
        let found = policies.iter().find(|(name, _)| value.as_str() == Some(name));
        if let Some((_, policy)) = found {
            return *policy;
        }
        let names: Vec<&str> = policies.iter().map(|(name, _)| *name).collect();
        self.refuse(snake, format!("found {value}, expected one of {}", names.join(", ")));
        None
    }
}

#[cfg(test)]
mod tests;
