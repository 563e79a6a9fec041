//! Custom resource definitions as JSON Schemas that are as strict as an API server with
//! `fieldValidation: Strict`.
//!
//! A definition's schema is OpenAPI 3.0, so JSON Schema of draft 4 but for a few words of its own;
//! and it does not say, but the API server holds, that a field which it does not name is a mistake.

use std::collections::BTreeMap;
use std::path::Path;

use jsonschema::{Draft, Validator};
use serde::Deserialize as _;
use serde_json::{Map, Value, json};

use crate::files;

/// Kinds that Kubernetes or its tools define themselves: no definition to compare with.
const BUILT_IN: [&str; 3] = ["ConfigMap", "Kustomization", "Service"];

/// Validators by `apiVersion` and `kind`.
pub(super) struct Definitions(BTreeMap<(String, String), Validator>);

impl Definitions {
    /// Every definition below `folder`.
    pub(super) fn load(folder: &Path) -> Self {
        let mut validators = BTreeMap::new();
        for file in files(folder, &[".yaml"]) {
            let text = std::fs::read_to_string(&file).unwrap();
            for document in serde_yaml_ng::Deserializer::from_str(&text) {
                let definition = Value::deserialize(document).unwrap();
                for (version, schema) in versions(&definition) {
                    let validator = jsonschema::options()
                        .with_draft(Draft::Draft4)
                        .build(&schema)
                        .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
                    validators.insert(version, validator);
                }
            }
        }
        assert!(!validators.is_empty(), "no definition in {}", folder.display());
        Self(validators)
    }

    /// What is wrong with `manifest`.
    pub(super) fn problems(&self, manifest: &Value) -> Vec<String> {
        let [version, kind] = ["apiVersion", "kind"].map(|member| {
            manifest.get(member).and_then(Value::as_str).unwrap_or_default().to_owned()
        });
        if BUILT_IN.contains(&kind.as_str()) {
            return Vec::new();
        }
        match self.0.get(&(version.clone(), kind.clone())) {
            None => vec![format!("there is no {kind} in {version}")],
            Some(validator) => validator
                .iter_errors(manifest)
                .map(|error| format!("{}: {error}", error.instance_path()))
                .collect(),
        }
    }
}

/// The schemas of the versions that `definition` serves, by `apiVersion` and `kind`.
fn versions(definition: &Value) -> Vec<((String, String), Value)> {
    let spec = &definition["spec"];
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (group, kind) = (text(&spec["group"]), text(&spec["names"]["kind"]));
    let served = spec["versions"].as_array().unwrap().iter().filter(|v| v["served"] == true);
    served
        .map(|version| {
            let mut schema = version["schema"]["openAPIV3Schema"].clone();
            let members = schema["properties"].as_object_mut().unwrap();
            members.insert("apiVersion".into(), json!({"type": "string"}));
            members.insert("kind".into(), json!({"type": "string"}));
            members.insert("metadata".into(), metadata());
            let version = format!("{group}/{}", text(&version["name"]));
            ((version, kind.clone()), strict(schema))
        })
        .collect()
}

/// What manifests say of themselves.
fn metadata() -> Value {
    let words = json!({"type": "object", "additionalProperties": {"type": "string"}});
    json!({
        "type": "object",
        "required": ["name", "namespace"],
        "properties": {
            "name": {"type": "string", "minLength": 1},
            "namespace": {"type": "string", "minLength": 1},
            "labels": words,
            "annotations": words,
        },
    })
}

/// `schema` with the words of OpenAPI and Kubernetes put into those of JSON Schema, and closed to
/// fields that it does not name. Alternatives (`oneOf` and so on) stay open, as they only add
/// conditions to what stands beside them.
fn strict(schema: Value) -> Value {
    let Value::Object(mut schema) = schema else { return schema };
    for word in ["properties", "additionalProperties", "items"] {
        let Some(below) = schema.remove(word) else { continue };
        let below = match (word, below) {
            ("properties", Value::Object(members)) => {
                members.into_iter().map(|(name, schema)| (name, strict(schema))).collect()
            }
            (_, below) => strict(below),
        };
        schema.insert(word.to_owned(), below);
    }
    let says = |schema: &Map<String, Value>, word: &str| {
        schema.get(word).is_some_and(|value| *value == true)
    };
    if says(&schema, "x-kubernetes-int-or-string") {
        schema.remove("type");
        schema.insert("type".into(), json!(["integer", "string"]));
    } else if says(&schema, "nullable")
        && let Some(kind) = schema.remove("type")
    {
        schema.insert("type".into(), json!([kind, "null"]));
    }
    let is_object =
        schema.contains_key("properties") || schema.get("type") == Some(&"object".into());
    if is_object && !says(&schema, "x-kubernetes-preserve-unknown-fields") {
        schema.entry("additionalProperties").or_insert(Value::Bool(false));
    }
    Value::Object(schema)
}
