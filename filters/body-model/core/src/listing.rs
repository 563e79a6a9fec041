//! The list of models, answered from the catalogue: what the caller may ask for, in its dialect.
//!
//! Listed are models, adapters, the models that serve these, and aliases without `*`, each if the caller may
//! use what it stands for. A single model is also found by an alias with `*`.
//!
//! Not here: which paths ask for it (`tollgate_api::Listing`).

use tollgate_api::{Dialect, Listing, query_parameter};
use tollgate_effects::{Context, Effect, Headers, Reply};
use tollgate_facts::CallerModels;
use tollgate_json::Writer;

use crate::policy::{Entry, Policy};
use crate::refusal::Refusal;

/// Models on a page of Anthropic's and of Gemini's API, unless asked for otherwise
/// (docs.anthropic.com/en/api/models-list, ai.google.dev/api/models).
const ANTHROPIC_PAGE: usize = 20;
const GEMINI_PAGE: usize = 50;
/// The most on a page of either.
const LARGEST_PAGE: usize = 1000;

/// Who models are from, where it is not known.
const OWNER: &str = "tollgate";

/// The dialect of the answer to `listing`, errors included.
pub(crate) fn dialect(listing: &Listing, headers: &Headers<'_>) -> Dialect {
    match listing.dialect {
        Dialect::OpenAi if headers.contains("anthropic-version") => Dialect::Anthropic,
        // `/v1` is a version of Gemini's API, too.
        Dialect::OpenAi if headers.contains("x-goog-api-client") => Dialect::Gemini,
        dialect => dialect,
    }
}

/// The answer to `listing`, asked for with `path` (for its query).
///
/// # Errors
///
/// As [`Policy::caller`]; if the model is not there or the caller may not use it, which look the same; if a
/// parameter of the query cannot be used.
pub(crate) fn answer(
    policy: &Policy,
    ctx: Context<'_>,
    listing: &Listing,
    dialect: Dialect,
    path: &[u8],
) -> Result<Effect, Refusal> {
    let caller = policy.caller(ctx)?;
    let mut json = Writer::default();
    match &listing.id {
        Some(id) => match policy.known(id, caller.as_ref()) {
            Some(entry) => Shown { id, entry }.write(dialect, &mut json),
            None => return Err(Refusal::NotFound(id.clone())),
        },
        None => write_page(&shown(policy, caller.as_ref()), dialect, path, &mut json)?,
    }
    Ok(Effect::Reply(Reply {
        status: 200,
        headers: vec![("content-type".into(), b"application/json".to_vec())],
        body: json.into_bytes(),
        details: "tollgate_models".into(),
    }))
}

/// A model by a name of its.
struct Shown<'a> {
    id: &'a str,
    entry: &'a Entry,
}

/// All that `caller` may ask for by a fixed name.
fn shown<'a>(policy: &'a Policy, caller: Option<&CallerModels>) -> Vec<Shown<'a>> {
    let models = policy.catalogue.iter().map(|entry| entry.name.as_str());
    let is_new = |alias: &&str| policy.catalogue.get(alias).is_none();
    let aliases = policy.aliases.exact().filter(is_new);
    models
        .chain(aliases)
        .filter_map(|id| policy.known(id, caller).map(|entry| Shown { id, entry }))
        .collect()
}

impl Shown<'_> {
    fn write(&self, dialect: Dialect, json: &mut Writer) {
        let Self { id, entry } = self;
        json.open('{');
        match dialect {
            Dialect::Anthropic => {
                json.member("type", "model");
                json.member("id", id);
                json.member("display_name", id);
                json.member("created_at", &time(entry.created));
            }
            Dialect::Gemini => {
                json.member("name", &format!("models/{id}"));
                json.member("version", "");
                json.member("displayName", id);
                json.key("supportedGenerationMethods");
                json.open('[');
                json.string("generateContent");
                json.string("countTokens");
                json.close(']');
            }
            Dialect::Bedrock | Dialect::OpenAi => {
                json.member("id", id);
                json.member("object", "model");
                json.key("created");
                json.number(entry.created);
                json.member("owned_by", entry.owned_by.as_deref().unwrap_or(OWNER));
                // As vLLM tells of adapters, and of names that a model is served under.
                if entry.base_model.is_some() || entry.name != *id {
                    json.member("root", &entry.name);
                    json.key("parent");
                    json.string_or_null(entry.base_model.as_deref());
                }
            }
        }
        json.close('}');
    }
}

/// The part of the list that is asked for.
fn write_page(
    models: &[Shown<'_>],
    dialect: Dialect,
    path: &[u8],
    json: &mut Writer,
) -> Result<(), Refusal> {
    let list = |key, models: &[Shown<'_>], json: &mut Writer| {
        json.key(key);
        json.open('[');
        models.iter().for_each(|model| model.write(dialect, json));
        json.close(']');
    };
    json.open('{');
    match dialect {
        Dialect::Bedrock | Dialect::OpenAi => {
            json.member("object", "list");
            list("data", models, json);
        }
        Dialect::Anthropic => {
            let limit = size(path, "limit", ANTHROPIC_PAGE)?;
            let after = place(path, "after_id", models)?;
            let before = place(path, "before_id", models)?;
            let from = after.map_or(0, |at| at.saturating_add(1));
            let rest = models.get(from..before.unwrap_or(models.len())).unwrap_or_default();
            let more = rest.len().saturating_sub(limit);
            // Towards the start of the list, the page is the one next to the cursor.
            let skip = if after.is_none() && before.is_some() { more } else { 0 };
            let rest = rest.get(skip..).unwrap_or_default();
            let page = rest.get(..limit).unwrap_or(rest);
            json.key("first_id");
            json.string_or_null(page.first().map(|model| model.id));
            json.key("last_id");
            json.string_or_null(page.last().map(|model| model.id));
            json.key("has_more");
            json.bool(more > 0);
            list("data", page, json);
        }
        Dialect::Gemini => {
            let limit = size(path, "pageSize", GEMINI_PAGE)?;
            let from = place(path, "pageToken", models)?.map_or(0, |at| at.saturating_add(1));
            let rest = models.get(from..).unwrap_or_default();
            let page = rest.get(..limit).unwrap_or(rest);
            list("models", page, json);
            if page.len() < rest.len()
                && let Some(last) = page.last()
            {
                json.member("nextPageToken", last.id);
            }
        }
    }
    json.close('}');
    Ok(())
}

/// How many models a page shall have.
fn size(path: &[u8], name: &'static str, default: usize) -> Result<usize, Refusal> {
    let Some(text) = query_parameter(path, name) else { return Ok(default) };
    match text.parse() {
        // Gemini's way of not saying; Anthropic has no pages without models.
        Ok(0) if name == "pageSize" => Ok(default),
        Ok(size) if size > 0 => Ok(LARGEST_PAGE.min(size)),
        _ => Err(Refusal::Query(name)),
    }
}

/// Where the model is that the cursor called `name` names.
fn place(path: &[u8], name: &'static str, models: &[Shown<'_>]) -> Result<Option<usize>, Refusal> {
    match query_parameter(path, name).as_deref() {
        None | Some("") => Ok(None),
        Some(id) => match models.iter().position(|model| model.id == id) {
            Some(at) => Ok(Some(at)),
            None => Err(Refusal::Query(name)),
        },
    }
}

/// A second since 1970 as RFC 3339 writes it: days to a date as Howard Hinnant's "chrono-Compatible Low-Level
/// Date Algorithms" does it, in eras of 400 years that begin on a first of March.
fn time(second: u64) -> String {
    let (days, second) = (second / 86_400 + 719_468, second % 86_400);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = era * 400 + year + next;
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests;
