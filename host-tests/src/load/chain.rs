//! The filters of a scenario: modules found, configurations read.

use serde_json::Value;

use super::{Found, Loader};
use crate::config_file::ConfigFile;
use crate::scenario::Link;
use crate::{modules, plan, source};

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
        if link.plugin.is_some() && link.config_file.is_none() {
            self.note(format!("{at}.plugin"), "found no `configFile` that it could be of");
        }
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
            (None, Some(file)) => self.config_file(&format!("{at}.configFile"), file, link),
        }
    }

    fn config_file(&mut self, at: &str, file: &str, link: &Link) -> Vec<u8> {
        let Some(bytes) = self.read(at, file, source::MOST_BYTES) else { return Vec::new() };
        let read = match ConfigFile::new(&self.folder.join(file), bytes) {
            Ok(read) => read,
            Err(mistake) => {
                self.problems.push(Found::There(mistake));
                return Vec::new();
            }
        };
        let config = match link.plugin.as_ref().or(link.filter.as_ref()) {
            Some(name) => read.named(name),
            None => read.only(),
        };
        match config {
            Ok(config) => config.bytes.clone(),
            Err(message) => {
                self.note(at, message);
                Vec::new()
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
