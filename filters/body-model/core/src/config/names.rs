//! Checks of the names of models: the catalogue, adapters and their bases, aliases.

use tollgate_config::{Reader, nearest};

use super::one_of;
use super::raw::{RawBaseModel, RawModel};
use crate::document::check_model;
use crate::policy::{Aliases, Catalogue, Entry, Policy, Unknown};

/// The most models, adapters included, and the most aliases: each may be in the list of models.
const MOST_NAMES: usize = 1000;
/// The last second that RFC 3339 can write: the end of the year 9999.
const LAST_SECOND: u64 = 253_402_300_799;

/// What is wrong with a second `*`.
pub(super) const ONE_STAR: &str = "expected at most one `*`";

/// What names are made of.
pub(super) struct Names {
    pub(super) models: Option<Vec<RawModel>>,
    pub(super) unknown: Option<String>,
    pub(super) default: Option<String>,
    pub(super) aliases: Vec<(String, String)>,
    pub(super) base_models: Vec<RawBaseModel>,
    pub(super) require_caller: bool,
}

/// The names, checked one by one and against each other.
pub(super) fn policy(names: Names, max_bytes: usize, reader: &mut Reader) -> Policy {
    let closed = names.models.is_some();
    let mut catalogue = Catalogue::default();
    if let Some(models) = names.models {
        add_models(models, max_bytes, &mut catalogue, reader);
    }
    add_adapters(names.base_models, max_bytes, &mut catalogue, reader);
    if catalogue.len() > MOST_NAMES {
        let found = catalogue.len();
        let message =
            format!("{found} names with those of `baseModels`, expected at most {MOST_NAMES}");
        reader.problem("models", message);
    }
    let unknown = unknown(names.unknown.as_deref(), names.default, closed, &catalogue, reader);
    check_aliases(&names.aliases, &catalogue, &unknown, max_bytes, reader);
    let aliases = Aliases::new(names.aliases);
    check_hidden(&aliases, &catalogue, reader);
    Policy {
        catalogue,
        aliases,
        unknown,
        require_caller: names.require_caller,
        max_model_bytes: max_bytes,
    }
}

/// The models there are: well-formed and unique.
fn add_models(
    models: Vec<RawModel>,
    max_bytes: usize,
    catalogue: &mut Catalogue,
    reader: &mut Reader,
) {
    if models.is_empty() {
        reader.problem("models", "empty: name at least one, or leave it out to take every name");
    }
    for (i, model) in models.into_iter().enumerate() {
        let at = format!("models[{i}]");
        if let Some(owner) = &model.owned_by
            && let Err(reason) = check_model(owner, max_bytes)
        {
            reader.problem(format!("{at}.ownedBy"), reason.to_string());
        }
        let created = model.created.unwrap_or(0);
        if created > LAST_SECOND {
            reader.problem(format!("{at}.created"), "expected seconds since 1970, before 10000");
        }
        let path = format!("{at}.name");
        let Some(name) = model.name else {
            reader.problem(path, "missing: the model's name, as clients write it");
            continue;
        };
        if let Err(problem) = exact(&name, max_bytes) {
            reader.problem(path, problem);
            continue;
        }
        let entry = Entry { name, owned_by: model.owned_by, created, base_model: None };
        if !catalogue.add(entry) {
            reader.problem(path, "the same name as an earlier model");
        }
    }
}

/// Adapters and the models that serve them.
fn add_adapters(
    base_models: Vec<RawBaseModel>,
    max_bytes: usize,
    catalogue: &mut Catalogue,
    reader: &mut Reader,
) {
    let mut bases = Vec::new();
    for (i, raw) in base_models.into_iter().enumerate() {
        let at = format!("baseModels[{i}]");
        let path = format!("{at}.baseModel");
        let base = raw.base_model.as_deref().unwrap_or_default().trim().to_owned();
        if raw.base_model.is_none() {
            reader.problem(&path, "missing: the name of the model that serves the adapters");
        } else if let Err(problem) = exact(&base, max_bytes) {
            reader.problem(&path, problem);
        } else {
            catalogue.add(Entry { name: base.clone(), ..Entry::default() });
        }
        let adapters = raw.adapters.into_names().unwrap_or_else(|line| {
            let expected = "expected a YAML list of names, such as `- food-review`";
            reader.problem(format!("{at}.adapters"), format!("line {line}: {expected}"));
            Vec::new()
        });
        for (n, adapter) in adapters.iter().enumerate() {
            let path = format!("{at}.adapters[{n}]");
            match exact(adapter.trim(), max_bytes) {
                Err(problem) => reader.problem(path, problem),
                Ok(()) => add_adapter(adapter.trim(), &base, path, catalogue, reader),
            }
        }
        bases.push((base, path));
    }
    for (base, path) in bases {
        if catalogue.get(&base).is_some_and(|entry| entry.base_model.is_some()) {
            reader.problem(path, "an adapter itself: name the model that serves it");
        }
    }
}

fn add_adapter(
    name: &str,
    base: &str,
    path: String,
    catalogue: &mut Catalogue,
    reader: &mut Reader,
) {
    // The router takes a model for an adapter of its own.
    if name == base {
        return;
    }
    let Some(known) = catalogue.get_mut(name) else {
        let (name, base_model) = (name.to_owned(), Some(base.to_owned()));
        catalogue.add(Entry { name, base_model, ..Entry::default() });
        return;
    };
    match &known.base_model {
        Some(other) if other != base => {
            reader.problem(path, format!("an adapter of `{other}` too: one model must serve it"));
        }
        _ => known.base_model = Some(base.to_owned()),
    }
}

/// What happens to a model that is not there.
fn unknown(
    word: Option<&str>,
    default: Option<String>,
    closed: bool,
    catalogue: &Catalogue,
    reader: &mut Reader,
) -> Unknown {
    let path = "unknownModel";
    let choice = one_of(word, &["reject", "pass", "default"], path, reader);
    if word.is_some() && !closed {
        reader.problem(path, "without `models` no model is unknown: leave it out");
    }
    let path = "defaultModel";
    match (choice.unwrap_or(0), default) {
        (2, None) => reader.problem(path, "missing: the model to take for unknown ones"),
        (2, Some(default)) => {
            if let Some(hint) = not_in(catalogue, &default) {
                reader.problem(path, format!("not in `models`{hint}"));
            }
            return Unknown::Default(default);
        }
        (_, Some(_)) => reader.problem(path, "only with `unknownModel: default`"),
        (0, None) if closed => return Unknown::Reject,
        (_, None) => {}
    }
    Unknown::Pass
}

/// Other names: each stands for a model, not for another alias.
fn check_aliases(
    aliases: &[(String, String)],
    catalogue: &Catalogue,
    unknown: &Unknown,
    max_bytes: usize,
    reader: &mut Reader,
) {
    if aliases.len() > MOST_NAMES {
        let found = aliases.len();
        reader.problem("aliases", format!("{found} aliases, expected at most {MOST_NAMES}"));
    }
    for (alias, model) in aliases {
        let path = format!("aliases.{alias}");
        let stars = (alias.matches('*').count(), model.matches('*').count());
        if let Err(reason) = check_model(alias, max_bytes) {
            reader.problem(&path, format!("the alias {reason}"));
        } else if stars.0 > 1 {
            reader.problem(&path, ONE_STAR);
        }
        if let Err(reason) = check_model(model, max_bytes) {
            reader.problem(&path, format!("the model {reason}"));
        } else if stars.1 > 1 {
            reader.problem(&path, format!("{ONE_STAR} in the model"));
        } else if stars.1 > stars.0 {
            reader.problem(
                &path,
                "a `*` in the model is what that of the alias matched: it has none",
            );
        } else if alias == model {
            reader.problem(&path, "stands for itself: leave it out");
        } else if stars.1 == 1 {
            // Which models it stands for depends on the request.
        } else if aliases.iter().any(|(other, _)| other == model) {
            reader.problem(&path, "stands for another alias: name the model itself");
        } else if *unknown != Unknown::Pass
            && let Some(hint) = not_in(catalogue, model)
        {
            reader.problem(&path, format!("stands for a model that is not in `models`{hint}"));
        }
    }
}

/// Warns of models that an alias hides.
fn check_hidden(aliases: &Aliases, catalogue: &Catalogue, reader: &mut Reader) {
    for entry in catalogue.iter() {
        if let Some((alias, target)) = aliases.of(&entry.name)
            && target != entry.name
        {
            let path = format!("aliases.{alias}");
            reader.warning(path, "hides the model of the same name, which nobody can ask for");
        }
    }
}

/// Checks a name that stands for itself only.
fn exact(name: &str, max_bytes: usize) -> Result<(), String> {
    check_model(name, max_bytes).map_err(|reason| reason.to_string())?;
    if name.contains('*') {
        return Err("must have no `*`: the name is taken as it is".into());
    }
    Ok(())
}

/// `None` if the name is in the catalogue, else a hint at the name that may be meant.
fn not_in(catalogue: &Catalogue, name: &str) -> Option<String> {
    if catalogue.get(name).is_some() {
        return None;
    }
    let near = nearest(name, catalogue.iter().map(|entry| entry.name.as_str()));
    Some(near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default())
}
