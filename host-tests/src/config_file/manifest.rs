//! Plugins in what a cluster is given: Istio's `WasmPlugin`, `TrafficExtension` and `EnvoyFilter`,
//! Envoy Gateway's `EnvoyExtensionPolicy`, and Envoy's own configuration.

use std::collections::BTreeSet;

use serde_json::Value;

use super::settings::{self, Refused, Settings, member};
use super::{Config, given};
use crate::scenario::Position;

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
    let mut mentions = Mentions::default();
    for value in documents {
        mentions.below(value, false, MOST_LEVELS);
    }
    let mut found = Vec::new();
    for (document, value) in documents.iter().enumerate() {
        let name = value.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        let mut search = Search { document, name, mentions: &mentions, found: &mut found };
        search.below("", value, Around::default(), MOST_LEVELS);
    }
    found
}

/// Of nesting that is searched; what is read is never deeper.
const MOST_LEVELS: usize = 128;

/// The filters that are configured elsewhere (`config_discovery`), by where they stand.
#[derive(Default)]
struct Mentions {
    upstream: BTreeSet<String>,
    downstream: BTreeSet<String>,
}

impl Mentions {
    fn below(&mut self, value: &Value, upstream: bool, levels: usize) {
        let Some(levels) = levels.checked_sub(1) else { return };
        match value {
            Value::Object(members) => {
                let name = value.get("name").and_then(Value::as_str);
                let elsewhere = member(value, "config_discovery", "configDiscovery").is_some();
                if let (Some(name), true) = (name, elsewhere) {
                    let place = if upstream { &mut self.upstream } else { &mut self.downstream };
                    place.insert(name.to_owned());
                }
                for (name, member) in members {
                    self.below(member, upstream || holds_upstream(name), levels);
                }
            }
            Value::Array(elements) => {
                for element in elements {
                    self.below(element, upstream, levels);
                }
            }
            _ => {}
        }
    }
}

/// Whether the filters in a member of that name run once per attempt: those of a cluster's
/// `HttpProtocolOptions`, and those of the router.
fn holds_upstream(member: &str) -> bool {
    member.ends_with("upstreams.http.v3.HttpProtocolOptions")
        || matches!(member, "upstream_http_filters" | "upstreamHttpFilters")
}

/// What a plugin is found in.
#[derive(Clone, Copy, Default)]
struct Around<'a> {
    upstream: bool,
    network: bool,
    /// The name of the filter, or of its configuration.
    filter: &'a str,
}

impl<'a> Around<'a> {
    /// Inside of `value`.
    fn inside(self, value: &'a Value) -> Self {
        let kind = value.get("@type").or_else(|| member(value, "type_url", "typeUrl"));
        let kind = kind.and_then(Value::as_str).unwrap_or_default();
        let name = value.get("name").and_then(Value::as_str);
        let filter = match member(value, "typed_config", "typedConfig") {
            Some(_) => name.unwrap_or_default(),
            None => self.filter,
        };
        let network = self.network || kind.ends_with("filters.network.wasm.v3.Wasm");
        Self { network, filter, ..self }
    }
}

struct Search<'a> {
    document: usize,
    /// What the manifest is called: the plugin too, unless it has a name of its own.
    name: &'a str,
    mentions: &'a Mentions,
    found: &'a mut Vec<Config>,
}

impl Search<'_> {
    fn below(&mut self, at: &str, value: &Value, around: Around<'_>, levels: usize) {
        let Some(levels) = levels.checked_sub(1) else { return };
        match value {
            Value::Object(_) if self.plugin(at, value, around) => {}
            Value::Object(members) => {
                let around = around.inside(value);
                for (name, member) in members {
                    let dot = if at.is_empty() { "" } else { "." };
                    let upstream = around.upstream || holds_upstream(name);
                    let around = Around { upstream, ..around };
                    self.below(&format!("{at}{dot}{name}"), member, around, levels);
                }
            }
            Value::Array(elements) => {
                for (i, element) in elements.iter().enumerate() {
                    self.below(&format!("{at}[{i}]"), element, around, levels);
                }
            }
            _ => {}
        }
    }

    /// Whether `value` is a plugin; if so it is noted.
    fn plugin(&mut self, at: &str, value: &Value, around: Around<'_>) -> bool {
        let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
        if let Some(vm) = member(value, "vm_config", "vmConfig")
            && let Some(code) = vm.get("code")
        {
            // Envoy's `PluginConfig`.
            let module = ["/local/filename", "/remote/http_uri/uri", "/remote/httpUri/uri"];
            let module = module.into_iter().find_map(|at| code.pointer(at)).and_then(Value::as_str);
            let config = value.get("configuration");
            let (member, config) = match config.and_then(|any| any.get("value")) {
                Some(inner) => ("configuration.value", Some(inner)),
                None => ("configuration", config),
            };
            let settings = settings::of_envoy(value, vm, self.position(around));
            self.note(at, text("/name"), module, member, config, settings);
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
                settings::of_istio(value),
            );
            return true;
        }
        if at.starts_with("spec.wasm[") && value.get("code").is_some() {
            // Envoy Gateway's.
            let module = text("/code/image/url").or_else(|| text("/code/http/url"));
            let vm_id = format!("{}/{at}", self.name);
            let settings = settings::of_envoy_gateway(value, &vm_id);
            self.note(at, text("/name"), module, "config", value.get("config"), settings);
            return true;
        }
        false
    }

    /// Where Envoy's filter stands; one that is configured here and stands elsewhere, where it is
    /// mentioned, as far as that is in one of both places.
    fn position(&self, around: Around<'_>) -> Position {
        let Mentions { upstream, downstream } = self.mentions;
        let mentioned = upstream.contains(around.filter) && !downstream.contains(around.filter);
        match (around.network, around.upstream || mentioned) {
            (true, _) => Position::Network,
            (false, true) => Position::Upstream,
            (false, false) => Position::Downstream,
        }
    }

    fn note(
        &mut self,
        at: &str,
        plugin: Option<&str>,
        module: Option<&str>,
        member: &str,
        config: Option<&Value>,
        (settings, mut refused): (Settings, Refused),
    ) {
        for problem in &mut refused {
            problem.path = format!("{at}.{}", problem.path);
        }
        let bytes = config.map(given).unwrap_or_default();
        // A configuration that is not there is missed in the plugin.
        let at = if config.is_some() { format!("{at}.{member}") } else { at.to_owned() };
        self.found.push(Config {
            plugin: plugin.unwrap_or(self.name).to_owned(),
            module: module.unwrap_or_default().to_owned(),
            bytes,
            document: self.document,
            at,
            is_text: config.is_some_and(Value::is_string),
            settings: Some(settings),
            refused,
        });
    }
}
