//! The filters of a scenario: modules found, configurations read.

use std::path::Path;

use serde_json::Value;

use super::Loader;
use crate::scenario::Link;
use crate::{modules, plan};

impl Loader {
    pub(super) fn filter(
        &mut self,
        at: &str,
        link: &Link,
        before: &[plan::Filter],
    ) -> Option<plan::Filter> {
        let (stem, wasm) = match (&link.filter, &link.wasm) {
            (Some(name), None) => match modules::path(name) {
                Ok(path) => (name.clone(), path),
                Err(unknown) => {
                    self.note(format!("{at}.filter"), unknown.to_string());
                    return None;
                }
            },
            (None, Some(file)) => {
                let path = self.folder.join(file);
                if !path.is_file() {
                    self.note(format!("{at}.wasm"), format!("no file `{}`", path.display()));
                    return None;
                }
                let stem = path.file_stem().map(|s| s.to_string_lossy().into_owned());
                (stem.unwrap_or_default(), path)
            }
            (Some(_), Some(_)) => {
                self.note(at, "found both `filter` and `wasm`, expected one of them");
                return None;
            }
            (None, None) => {
                self.note(at, "found neither `filter` nor `wasm`, expected one of them");
                return None;
            }
        };
        let taken = |name: &str| before.iter().any(|other| other.name == name);
        let name = std::iter::once(stem.clone())
            .chain((2..).map(|n: usize| format!("{stem}-{n}")))
            .find(|name| !taken(name))
            .unwrap_or(stem);
        Some(plan::Filter {
            root_id: link.root_id.clone().unwrap_or_else(|| name.clone()),
            name,
            wasm,
            config: self.config(at, link),
            vm_id: link.vm_id.clone(),
            vm_config: link.vm_config.as_ref().map(given).unwrap_or_default(),
            at: link.at,
            allow_on_headers_stop_iteration: link.allow_on_headers_stop_iteration.unwrap_or(true),
            failure_policy: link.failure_policy,
        })
    }

    fn config(&mut self, at: &str, link: &Link) -> Vec<u8> {
        match (&link.config, &link.config_file) {
            (None, None) => Vec::new(),
            (Some(_), Some(_)) => {
                self.note(at, "found both `config` and `configFile`, expected at most one");
                Vec::new()
            }
            (Some(value), None) => {
                if link.filter.is_some() && !value.is_object() && !value.is_string() {
                    self.note(format!("{at}.config"), "expected an object, or the text to give");
                }
                given(value)
            }
            (None, Some(file)) => {
                let at = format!("{at}.configFile");
                let Some(bytes) = self.read(&at, file) else { return Vec::new() };
                match config_json(Path::new(file), bytes) {
                    Ok(json) => json,
                    Err(message) => {
                        self.note(at, message);
                        Vec::new()
                    }
                }
            }
        }
    }
}

/// A configuration as its module gets it: a text as it is, anything else as JSON.
fn given(config: &Value) -> Vec<u8> {
    match config {
        Value::String(text) => text.clone().into_bytes(),
        value => value.to_string().into_bytes(),
    }
}

/// The plugin configuration that `file` holds, as JSON. Text that is JSON stays as it is, so that a
/// filter sees what its writer wrote; other than YAML or JSON (by name) it is not touched.
///
/// # Errors
///
/// What is wrong with the YAML, and where.
pub fn config_json(file: &Path, bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    let extension = file.extension().and_then(|e| e.to_str()).unwrap_or("yaml");
    let is_yaml = matches!(extension, "yaml" | "yml");
    if !is_yaml || serde_json::from_slice::<serde::de::IgnoredAny>(&bytes).is_ok() {
        return Ok(bytes);
    }
    if bytes.trim_ascii().is_empty() {
        return Ok(Vec::new());
    }
    let value: serde_yaml_ng::Value = serde_yaml_ng::from_slice(&bytes)
        .map_err(|error| format!("not valid YAML or JSON: {error}"))?;
    match value {
        // A file of comments: nothing configured.
        serde_yaml_ng::Value::Null => Ok(Vec::new()),
        value => serde_json::to_vec(&value)
            .map_err(|error| format!("YAML that JSON cannot express: {error}")),
    }
}
