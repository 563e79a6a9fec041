//! Checks of names: models, aliases, headers.

use std::collections::{BTreeMap, BTreeSet};

use tollgate_config::{Reader, nearest};
use tollgate_owned_headers::{Forbidden, NameCheck};

use super::{RawModel, RawPublish};
use crate::document::check_model;
use crate::publish::{DEFAULT_HEADERS, DEFAULT_MODEL_HEADER, DEFAULT_STREAM_HEADER, Publish};

/// What header names cannot be: those of credentials, and `key-check`'s.
const FORBIDDEN: &[Forbidden] = &[
    Forbidden {
        names: &["api-key", "authorization", "x-api-key", "x-goog-api-key"],
        why: "this header carries credentials: choose another one",
    },
    Forbidden {
        names: &["x-gateway-groups", "x-gateway-key-id", "x-gateway-team", "x-gateway-user"],
        why: "this header tells who is calling: choose another one",
    },
];

/// The models there are: well-formed and unique.
pub(super) fn catalogue(
    models: Vec<RawModel>,
    max_bytes: usize,
    reader: &mut Reader,
) -> BTreeSet<String> {
    if models.is_empty() {
        reader.problem("models", "empty: name at least one, or leave it out to take every name");
    }
    let mut catalogue = BTreeSet::new();
    for (i, model) in models.into_iter().enumerate() {
        let path = format!("models[{i}].name");
        let Some(name) = model.name else {
            reader.problem(path, "missing: the model's name, as clients write it");
            continue;
        };
        if let Err(reason) = check_model(&name, max_bytes) {
            reader.problem(path, reason.to_string());
        } else if !catalogue.insert(name) {
            reader.problem(path, "the same name as an earlier model");
        }
    }
    catalogue
}

/// Other names: each stands for a model, not for another alias.
pub(super) fn aliases(
    aliases: BTreeMap<String, String>,
    catalogue: Option<&BTreeSet<String>>,
    max_bytes: usize,
    reader: &mut Reader,
) -> BTreeMap<String, String> {
    for (alias, model) in &aliases {
        let path = format!("aliases.{alias}");
        if let Err(reason) = check_model(alias, max_bytes) {
            reader.problem(&path, format!("the alias {reason}"));
        }
        if let Err(reason) = check_model(model, max_bytes) {
            reader.problem(&path, format!("the model {reason}"));
        } else if alias == model {
            reader.problem(&path, "stands for itself: leave it out");
        } else if aliases.contains_key(model) {
            reader.problem(&path, "stands for another alias: name the model itself");
        } else if let Some(catalogue) = catalogue
            && !catalogue.contains(model)
        {
            let near = nearest(model, catalogue.iter().map(String::as_str));
            let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            reader.problem(&path, format!("stands for a model that is not in `models`{hint}"));
        }
        if catalogue.is_some_and(|catalogue| catalogue.contains(alias)) {
            reader.warning(path, "hides the model of the same name, which nobody can ask for");
        }
    }
    aliases
}

/// Header names by what they tell.
pub(super) fn headers(raw: RawPublish, reader: &mut Reader) -> Publish {
    let mut names = NameCheck::new(FORBIDDEN, &DEFAULT_HEADERS);
    let mut check = |path, own, name| names.check(path, own, name, reader);
    Publish::new(
        check("publish.model", DEFAULT_MODEL_HEADER, raw.model),
        check("publish.stream", DEFAULT_STREAM_HEADER, raw.stream),
        check("publish.baseModel", "x-gateway-base-model-name", raw.base_model),
    )
}
