//! Checks of names: models, aliases, headers.

use std::collections::{BTreeMap, BTreeSet};

use tollgate_config::{Reader, nearest};

use super::{RawModel, RawPublish};
use crate::document::check_model;
use crate::publish::{OWNED_HEADERS, Publish, same_header};

/// Headers that mean something to HTTP, to the host, to backends, or belong to `key-check`.
const RESERVED: [&str; 22] = [
    "accept",
    "api-key",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-api-key",
    "x-gateway-groups",
    "x-gateway-key-id",
    "x-gateway-team",
    "x-gateway-user",
    "x-goog-api-key",
];

/// The longest header name.
const MAX_HEADER_BYTES: usize = 128;

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

/// Header names: tokens, not reserved, each used once.
pub(super) fn headers(raw: RawPublish, reader: &mut Reader) -> Publish {
    let mut taken: Vec<(&str, String)> = Vec::new();
    let mut check = |path: &'static str, own: &str, name: Option<String>| {
        let name = name?.to_ascii_lowercase();
        let is = |other: &&str| same_header(other, &name);
        if !is_token(&name) {
            let expected = format!(
                "not a header name: expected letters, digits, `-` and `_`, at most \
                 {MAX_HEADER_BYTES}, such as `{own}`"
            );
            reader.problem(path, expected);
        } else if RESERVED.iter().any(is) || name.starts_with("x-envoy-") {
            reader.problem(path, "this header has a meaning of its own: choose another one");
        } else if OWNED_HEADERS.iter().any(|owned| is(owned) && *owned != own) {
            reader.problem(path, format!("this header tells something else: choose `{own}`"));
        } else if let Some((other, _)) = taken.iter().find(|(_, taken)| same_header(taken, &name)) {
            reader.problem(path, format!("the same header as {other}: one would hide the other"));
        }
        taken.push((path, name.clone()));
        Some(name)
    };
    Publish {
        model: check("publish.model", "x-gateway-model-name", raw.model),
        stream: check("publish.stream", "x-gateway-stream", raw.stream),
        base_model: check("publish.baseModel", "x-gateway-base-model-name", raw.base_model),
    }
}

fn is_token(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=MAX_HEADER_BYTES).contains(&name.len()) && name.bytes().all(allowed)
}
