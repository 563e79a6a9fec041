//! Plugin configurations in files: alone, as YAML or JSON, or inside the manifest that a cluster gets.
//!
//! What a filter is given is JSON, or for any module any bytes; a YAML file is turned into JSON, as
//! Istio does with a `pluginConfig`. Text that is JSON stays as it is, so that a filter sees what its
//! writer wrote, and a file called neither `.yaml`, `.yml` nor `.json` is not touched.

mod manifest;
mod settings;

pub use settings::Settings;

use std::path::Path;

use serde_json::Value;
use tollgate_config::Problem;

use crate::source::{Mistake, Position, Source};

/// A configuration in a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Config {
    /// What a manifest calls the plugin; empty for a file that is only a configuration.
    pub plugin: String,
    /// Where the manifest has the module from; empty if it does not say.
    pub module: String,
    /// What the module is given.
    pub bytes: Vec<u8>,
    /// Which of the file's documents it is in, from 0.
    document: usize,
    /// Where in that document; empty for a file that is only a configuration.
    at: String,
    /// Whether a manifest has it as a text, whose places are its own.
    is_text: bool,
    /// What the manifest says beside it; `None` for a file that is only a configuration.
    pub settings: Option<Settings>,
    /// What a gateway refuses of that.
    refused: Vec<Problem>,
}

/// The configurations of a file.
#[derive(Debug)]
pub struct ConfigFile {
    /// The file's text.
    pub source: Source,
    /// Those of a manifest's plugins in order, or the only one.
    pub configs: Vec<Config>,
    /// Whether it is a manifest (or Envoy's own configuration), which has any number of them.
    pub is_manifest: bool,
}

impl ConfigFile {
    /// What `bytes`, the content of `file`, configure.
    ///
    /// # Errors
    ///
    /// What is wrong with the YAML, and where.
    pub fn new(file: &Path, bytes: Vec<u8>) -> Result<Self, Mistake> {
        let alone = |source: Source, bytes: Vec<u8>| {
            let (plugin, module, at) = (String::new(), String::new(), String::new());
            let (document, is_text, settings, refused) = (0, false, None, Vec::new());
            let config = Config { plugin, module, bytes, document, at, is_text, settings, refused };
            let configs = vec![config];
            Self { source, configs, is_manifest: false }
        };
        let extension = file.extension().and_then(|e| e.to_str()).unwrap_or("yaml");
        if !matches!(extension, "yaml" | "yml" | "json") {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            return Ok(alone(Source::new(file, text.into_bytes())?, bytes));
        }
        let source = Source::new(file, bytes)?;
        let text = source.text().as_bytes();
        match serde_json::from_slice::<Value>(text) {
            Ok(value) if manifest::is_one(&value) => {
                return Ok(Self {
                    configs: manifest::configs(&[value]),
                    source,
                    is_manifest: true,
                });
            }
            Ok(_) => {
                let bytes = text.to_vec();
                return Ok(alone(source, bytes));
            }
            // Said by the filter, which reads it as JSON.
            Err(_) if extension == "json" => {
                let bytes = text.to_vec();
                return Ok(alone(source, bytes));
            }
            Err(_) => {}
        }
        // A file of comments: nothing configured.
        if source.is_blank() {
            return Ok(alone(source, Vec::new()));
        }
        let mut documents = Vec::new();
        for value in source.yaml()? {
            documents.push(serde_json::to_value(&value).map_err(|error| {
                let message = format!("YAML that JSON cannot express: {error}");
                source.locate(Problem { path: String::new(), message })
            })?);
        }
        let several = documents.len() > 1 && documents.iter().all(manifest::is_any);
        if several || documents.iter().any(manifest::is_one) {
            return Ok(Self { configs: manifest::configs(&documents), source, is_manifest: true });
        }
        match documents.as_slice() {
            [] | [Value::Null] => Ok(alone(source, Vec::new())),
            [value] => {
                let bytes = value.to_string().into_bytes();
                Ok(alone(source, bytes))
            }
            several => {
                let message = format!("found {} documents, expected one", several.len());
                let path = String::new();
                Err(source.locate_in(1, "", Problem { path, message }))
            }
        }
    }

    /// Where `problem`, which a filter has with `config`, is in the file.
    pub fn locate(&self, config: &Config, problem: Problem) -> Mistake {
        let Config { document, at, .. } = config;
        let place = |inner, problem| match at.as_str() {
            "" => self.source.mistake_at(Some(inner), problem),
            at => self.source.locate_inside(*document, at, inner, problem),
        };
        // The filter read the JSON as a text, so it says the line itself.
        if problem.path.is_empty()
            && let Some((message, inner)) = told_place(&problem.message)
        {
            return place(inner, Problem { path: String::new(), message });
        }
        if config.is_text
            && let Ok(text) = Source::new(self.source.file(), config.bytes.clone())
            && let Some(inner) = text.locate(problem.clone()).position
        {
            return place(inner, problem);
        }
        self.source.locate_in(*document, at, problem)
    }

    /// What a gateway refuses of the manifest's plugin that has `config`, beside the configuration.
    pub fn refused(&self, config: &Config) -> Vec<Mistake> {
        let problems = config.refused.iter().cloned();
        problems.map(|problem| self.source.locate_in(config.document, "", problem)).collect()
    }

    /// The configuration for the module called `name`: the only one, or of a manifest the one whose
    /// plugin, or else module, is called so.
    ///
    /// # Errors
    ///
    /// That there is none, or which there are.
    pub fn named(&self, name: &str) -> Result<&Config, String> {
        if let ([only], false) = (self.configs.as_slice(), self.is_manifest) {
            return Ok(only);
        }
        let found: Vec<&Config> = self.configs.iter().filter(|c| c.is_called(name)).collect();
        let names = || {
            let names: Vec<String> =
                self.configs.iter().map(|config| format!("`{}`", config.plugin)).collect();
            names.join(", ")
        };
        match (found.as_slice(), self.configs.as_slice()) {
            // One that stands in several places, such as the clusters of several providers.
            ([one, others @ ..], _) if others.iter().all(|other| one.is_same(other)) => Ok(one),
            (_, []) => Err("found a manifest without any plugin configuration".to_owned()),
            ([], _) => Err(format!("found no plugin `{name}` in the manifest, but {}", names())),
            (_, _) => Err(format!("found several plugins `{name}` in the manifest, expected one")),
        }
    }

    /// The only configuration.
    ///
    /// # Errors
    ///
    /// The names of those that there are.
    pub fn only(&self) -> Result<&Config, String> {
        match self.configs.as_slice() {
            [only] => Ok(only),
            [] => Err("found a manifest without any plugin configuration".to_owned()),
            several => {
                let names: Vec<String> =
                    several.iter().map(|config| format!("`{}`", config.plugin)).collect();
                Err(format!("found several plugins, {}: name one with `plugin`", names.join(", ")))
            }
        }
    }
}

impl Config {
    /// Whether nothing but the place is different.
    fn is_same(&self, other: &Self) -> bool {
        let parts = |config: &Self| {
            let Self { plugin, module, bytes, settings, .. } = config.clone();
            (plugin, module, bytes, settings)
        };
        parts(self) == parts(other)
    }

    /// Whether the plugin is called `name`, or `something.name`, or its module is the file or image
    /// `name` with any tag.
    pub fn is_called(&self, name: &str) -> bool {
        let same = |found: &str| {
            found.strip_suffix(name).is_some_and(|b| b.is_empty() || b.ends_with('.'))
        };
        let file = self.module.rsplit('/').next().unwrap_or_default();
        let file = file.split(['@', ':']).next().unwrap_or_default();
        let file = file.strip_suffix(".wasm").unwrap_or(file);
        same(&self.plugin) || file.replace('_', "-") == name.replace('_', "-")
    }
}

/// A configuration as its module gets it: a text as it is, anything else as JSON.
pub(crate) fn given(config: &Value) -> Vec<u8> {
    match config {
        Value::Null => Vec::new(),
        Value::String(text) => text.clone().into_bytes(),
        value => value.to_string().into_bytes(),
    }
}

/// The plugin configuration that `file` holds, as its module gets it.
///
/// # Errors
///
/// What is wrong with the YAML, and where; that it is a manifest with several or none.
pub fn config_json(file: &Path, bytes: Vec<u8>) -> Result<Vec<u8>, Mistake> {
    let read = ConfigFile::new(file, bytes)?;
    match read.only() {
        Ok(config) => Ok(config.bytes.clone()),
        Err(message) => Err(read.source.locate(Problem { path: String::new(), message })),
    }
}

/// `… at line 2 column 3`, at the end of a message.
fn told_place(message: &str) -> Option<(String, Position)> {
    let (before, place) = message.rsplit_once(" at line ")?;
    let (line, column) = place.split_once(" column ")?;
    // serde_json counts the end of a line as column 0 of the next.
    let column = column.parse::<usize>().ok()?.max(1);
    Some((before.to_owned(), Position { line: line.parse().ok()?, column }))
}

#[cfg(test)]
mod tests;
