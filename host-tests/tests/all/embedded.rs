//! Plugin configurations inside Envoy's configuration and inside manifests: each is accepted by the
//! filter that it is for.

use host_tests::check::Checker;
use host_tests::modules::FILTERS;
use serde::Deserialize as _;
use serde_yaml_ng::Value;

use crate::{files, none, root, short};

/// One of our filters with the configuration it is given.
struct Plugin {
    filter: &'static str,
    config: Vec<u8>,
}

#[test]
fn every_embedded_configuration_is_accepted() {
    let mut failures = Vec::new();
    for folder in ["envoy-configs", "kuadrant"].map(|name| root().join(name)) {
        let mut seen = 0;
        for file in files(&folder, &[".yaml", ".yml"]) {
            let text = std::fs::read_to_string(&file).unwrap();
            let mut plugins = Vec::new();
            for document in serde_yaml_ng::Deserializer::from_str(&text) {
                let document = Value::deserialize(document)
                    .unwrap_or_else(|error| panic!("{}: {error}", short(&file)));
                collect(&document, &mut plugins);
            }
            seen += plugins.len();
            for Plugin { filter, config } in plugins {
                match Checker::named(filter).unwrap().check(&config) {
                    Ok(_) => {}
                    Err(problems) => failures.push(format!("{}: {problems}", short(&file))),
                }
            }
        }
        // Else nothing would be checked when the search below goes blind.
        assert!(seen > 0 || !folder.is_dir(), "no plugin found in {}", short(&folder));
    }
    none(&failures);
}

/// Every plugin at or below `value`.
fn collect(value: &Value, out: &mut Vec<Plugin>) {
    match value {
        Value::Mapping(members) => {
            out.extend(envoy(value).or_else(|| istio(value)));
            members.values().for_each(|member| collect(member, out));
        }
        Value::Sequence(elements) => elements.iter().for_each(|element| collect(element, out)),
        _ => {}
    }
}

/// Envoy's `PluginConfig`, wherever it stands.
fn envoy(value: &Value) -> Option<Plugin> {
    value.get("vm_config")?;
    let filter = filter_named(value.get("name")?)?;
    let config = match value.get("configuration").map(|any| any.get("value").unwrap_or(any)) {
        None => Vec::new(),
        // A `StringValue`: the filter gets this text as it is.
        Some(Value::String(text)) => text.clone().into_bytes(),
        Some(other) => serde_json::to_vec(other).unwrap(),
    };
    Some(Plugin { filter, config })
}

/// Istio's `WasmPlugin`.
fn istio(value: &Value) -> Option<Plugin> {
    let filter = filter_named(value.get("pluginName")?)?;
    let config =
        value.get("pluginConfig").map_or_else(Vec::new, |c| serde_json::to_vec(c).unwrap());
    Some(Plugin { filter, config })
}

/// `key-check`, or `tollgate.key-check`.
fn filter_named(name: &Value) -> Option<&'static str> {
    let name = name.as_str()?;
    FILTERS.into_iter().find(|filter| {
        name.strip_suffix(filter).is_some_and(|before| before.is_empty() || before.ends_with('.'))
    })
}
