//! The filters of a scenario: modules found, configurations read.

use std::collections::BTreeMap;

use super::{Found, Loader};
use crate::config_file::{ConfigFile, Settings, given};
use crate::scenario::{FailurePolicy, Link, Position};
use crate::{modules, plan, source};

impl Loader {
    pub(super) fn filter(
        &mut self,
        at: &str,
        link: &Link,
        before: &[plan::Filter],
        env: &BTreeMap<String, String>,
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
        let (config, settings) = self.config(at, link);
        let settings = settings.unwrap_or_else(|| unmanaged(&name));
        Some(plan::Filter {
            name,
            wasm,
            config,
            env: self.environment(at, settings.env, env),
            root_id: link.root_id.clone().unwrap_or(settings.root_id),
            vm_id: link.vm_id.clone().unwrap_or(settings.vm_id),
            vm_config: link.vm_config.as_ref().map_or(settings.vm_config, given),
            at: link.at.unwrap_or(settings.at),
            allow_on_headers_stop_iteration: link
                .allow_on_headers_stop_iteration
                .unwrap_or(settings.allow_on_headers_stop_iteration),
            failure_policy: link.failure_policy.unwrap_or(settings.failure_policy),
        })
    }

    /// The variables of a manifest and of the scenario, whose word is the last.
    fn environment(
        &mut self,
        at: &str,
        of_manifest: BTreeMap<String, Option<String>>,
        of_scenario: &BTreeMap<String, String>,
    ) -> BTreeMap<String, String> {
        let mut all = of_scenario.clone();
        for (name, value) in of_manifest {
            if all.contains_key(&name) {
                continue;
            }
            match value {
                Some(value) => drop(all.insert(name, value)),
                None => self.note(
                    format!("{at}.configFile"),
                    format!(
                        "found a plugin that gets `{name}` from the environment of its proxy, which \
                         is not known here: give it a value in the scenario's `env`"
                    ),
                ),
            }
        }
        all
    }

    fn config(&mut self, at: &str, link: &Link) -> (Vec<u8>, Option<Settings>) {
        if link.plugin.is_some() && link.config_file.is_none() {
            self.note(format!("{at}.plugin"), "found no `configFile` that it could be of");
        }
        match (&link.config, &link.config_file) {
            (None, None) => (Vec::new(), None),
            (Some(_), Some(_)) => {
                self.note(at, "found both `config` and `configFile`, expected at most one");
                (Vec::new(), None)
            }
            (Some(value), None) => {
                if link.filter.is_some() && !value.is_object() && !value.is_string() {
                    self.note(format!("{at}.config"), "expected an object, or the text to give");
                }
                (given(value), None)
            }
            (None, Some(file)) => self.config_file(&format!("{at}.configFile"), file, link),
        }
    }

    fn config_file(&mut self, at: &str, file: &str, link: &Link) -> (Vec<u8>, Option<Settings>) {
        let Some(bytes) = self.read(at, file, source::MOST_BYTES) else {
            return (Vec::new(), None);
        };
        let read = match ConfigFile::new(&self.folder.join(file), bytes) {
            Ok(read) => read,
            Err(mistake) => {
                self.problems.push(Found::There(mistake));
                return (Vec::new(), None);
            }
        };
        let config = match link.plugin.as_ref().or(link.filter.as_ref()) {
            Some(name) => read.named(name),
            None => read.only(),
        };
        match config {
            Ok(config) => {
                self.problems.extend(read.refused(config).into_iter().map(Found::There));
                (config.bytes.clone(), config.settings.clone())
            }
            Err(message) => {
                self.note(at, message);
                (Vec::new(), None)
            }
        }
    }
}

/// Without a manifest: as the newest Envoy can be set up, so that a filter may do all it could.
fn unmanaged(name: &str) -> Settings {
    Settings {
        at: Position::Downstream,
        failure_policy: FailurePolicy::FailReload,
        allow_on_headers_stop_iteration: true,
        root_id: name.to_owned(),
        vm_id: String::new(),
        vm_config: Vec::new(),
        env: BTreeMap::new(),
    }
}
