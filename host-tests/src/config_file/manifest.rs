//! Plugins in what a cluster is given: Istio's `WasmPlugin`, `TrafficExtension` and `EnvoyFilter`,
//! Envoy Gateway's `EnvoyExtensionPolicy`, and Envoy's own configuration.

use serde_json::Value;

use super::Config;

const KINDS: [&str; 4] = ["WasmPlugin", "TrafficExtension", "EnvoyFilter", "EnvoyExtensionPolicy"];

/// Whether `document` is one of those, and not itself a plugin's configuration.
pub(super) fn is_one(document: &Value) -> bool {
    let kind = document.get("kind").and_then(Value::as_str);
    (is_any(document) && kind.is_some_and(|kind| KINDS.contains(&kind)))
        || document.get("static_resources").is_some_and(Value::is_object)
}

/// Whether `document` is a manifest of Kubernetes, or nothing, as between two `---`.
pub(super) fn is_any(document: &Value) -> bool {
    let text = |member| document.get(member).is_some_and(Value::is_string);
    document.is_null() || (text("apiVersion") && text("kind"))
}

/// Every plugin of `documents`.
pub(super) fn configs(documents: &[Value]) -> Vec<Config> {
    let mut found = Vec::new();
    for (document, value) in documents.iter().enumerate() {
        let name = value.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        let mut search = Search { document, name, found: &mut found };
        search.below("", value, MOST_LEVELS);
    }
    found
}

/// Of nesting that is searched; what is read is never deeper.
const MOST_LEVELS: usize = 128;

struct Search<'a> {
    document: usize,
    /// What the manifest is called: the plugin too, unless it has a name of its own.
    name: &'a str,
    found: &'a mut Vec<Config>,
}

impl Search<'_> {
    fn below(&mut self, at: &str, value: &Value, levels: usize) {
        let Some(levels) = levels.checked_sub(1) else { return };
        match value {
            Value::Object(_) if self.plugin(at, value) => {}
            Value::Object(members) => {
                for (name, member) in members {
                    let dot = if at.is_empty() { "" } else { "." };
                    self.below(&format!("{at}{dot}{name}"), member, levels);
                }
            }
            Value::Array(elements) => {
                for (i, element) in elements.iter().enumerate() {
                    self.below(&format!("{at}[{i}]"), element, levels);
                }
            }
            _ => {}
        }
    }

    /// Whether `value` is a plugin; if so it is noted.
    fn plugin(&mut self, at: &str, value: &Value) -> bool {
        let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
        let either =
            |a: &'static str, b: &'static str| [a, b].into_iter().find(|m| value.get(m).is_some());
        if let Some(vm) = either("vm_config", "vmConfig")
            && let Some(code) = value.get(vm).and_then(|vm| vm.get("code"))
        {
            // Envoy's `PluginConfig`.
            let module = ["/local/filename", "/remote/http_uri/uri", "/remote/httpUri/uri"];
            let module = module.into_iter().find_map(|at| code.pointer(at)).and_then(Value::as_str);
            let config = value.get("configuration");
            let (member, config) = match config.and_then(|any| any.get("value")) {
                Some(inner) => ("configuration.value", Some(inner)),
                None => ("configuration", config),
            };
            self.note(at, text("/name"), module, member, config);
            return true;
        }
        if let Some(url) = text("/url")
            && (value.get("pluginConfig").is_some()
                || value.get("pluginName").is_some()
                || at == "spec"
                || at == "spec.wasm")
        {
            // Istio's `WasmPlugin`, and `wasm` of its `TrafficExtension`.
            self.note(
                at,
                text("/pluginName"),
                Some(url),
                "pluginConfig",
                value.get("pluginConfig"),
            );
            return true;
        }
        if at.starts_with("spec.wasm[") && value.get("code").is_some() {
            // Envoy Gateway's.
            let module = text("/code/image/url").or_else(|| text("/code/http/url"));
            self.note(at, text("/name"), module, "config", value.get("config"));
            return true;
        }
        false
    }

    fn note(
        &mut self,
        at: &str,
        plugin: Option<&str>,
        module: Option<&str>,
        member: &str,
        config: Option<&Value>,
    ) {
        let bytes = match config {
            None | Some(Value::Null) => Vec::new(),
            // A `StringValue`: the filter gets this text as it is.
            Some(Value::String(text)) => text.clone().into_bytes(),
            Some(value) => value.to_string().into_bytes(),
        };
        // A configuration that is not there is missed in the plugin.
        let at = if config.is_some() { format!("{at}.{member}") } else { at.to_owned() };
        self.found.push(Config {
            plugin: plugin.unwrap_or(self.name).to_owned(),
            module: module.unwrap_or_default().to_owned(),
            bytes,
            document: self.document,
            at,
            is_text: config.is_some_and(Value::is_string),
        });
    }
}
