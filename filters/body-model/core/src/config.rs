//! The configuration: what an operator writes ([`raw`]), and what the filter works with.

mod adapters;
mod context;
mod headers;
mod names;
mod paths;
mod raw;

use tollgate_api::Paths;
use tollgate_config::{Problems, Reader, Warning, nearest};

use tollgate_effects::Headers;
use tollgate_inflate::{Coding, Unsupported};

use crate::document::Limits;
use crate::policy::{Policy, Unknown};
use crate::publish::Publish;
use crate::refusal::Refusal;
pub(crate) use context::{ContextClasses, Factors, is_word};
use raw::{Raw, RawHoldMissing, RawLimits};

/// Upper bound of `limits.maxModelBytes`: a name is kept per request, escaped.
pub(crate) const MOST_MODEL_BYTES: usize = 1024;

/// Default, lower and upper bound of `limits.maxBodyBytes`. The host holds that much per request.
const MAX_BODY_BYTES: Range = Range { default: 1 << 20, min: 1, max: 256 << 20 };
/// … of `limits.maxModelBytes`.
const MAX_MODEL_BYTES: Range = Range { default: 256, min: 1, max: MOST_MODEL_BYTES as u64 };
/// … of `limits.maxDepth`.
const MAX_DEPTH: Range =
    Range { default: 128, min: 1, max: tollgate_json::Limits::MOST_DEPTH as u64 };
/// … of `limits.maxTags`.
const MAX_TAGS: Range = Range { default: 16, min: 1, max: 64 };
/// … of `limits.maxFallbacks`.
const MAX_FALLBACKS: Range = Range { default: 5, min: 1, max: 16 };
/// … of `holdMissing.after`, in seconds.
const HOLD_MISSING_AFTER: Range = Range { default: 2, min: 1, max: 60 };

struct Range {
    default: u64,
    min: u64,
    max: u64,
}

/// A configuration that was checked.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) limits: Limits,
    pub(crate) policy: Policy,
    pub(crate) publish: Publish,
    pub(crate) hold: Hold,
    pub(crate) hold_missing: HoldMissing,
    pub(crate) tags: Tags,
    pub(crate) fallbacks: Fallbacks,
    /// How prompts are estimated; `None`: they are not.
    pub(crate) estimate: Option<Factors>,
    pub(crate) context_classes: ContextClasses,
    /// Which path is which operation.
    pub(crate) paths: Paths,
    pub(crate) decompress: Decompress,
    /// Whether the list of models is answered here.
    pub(crate) serve_models: bool,
}

impl Config {
    /// Whether what is told needs all of a body.
    pub(crate) fn needs_whole_body(&self) -> bool {
        self.tags.body || self.fallbacks.body || self.estimate.is_some()
    }

    /// Whether a body may go on with another length.
    pub(crate) fn may_edit_body(&self) -> bool {
        let renames =
            !self.policy.aliases.is_empty() || matches!(self.policy.unknown, Unknown::Default(_));
        renames || self.tags.body || self.fallbacks.body
    }
}

/// Who holds a request's headers until its body was read.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Hold {
    /// This filter.
    #[default]
    Headers,
    /// The host's own buffer filter behind this one.
    Host,
}

/// What happens to held requests where the host turns out to send no bodies meanwhile.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct HoldMissing {
    /// After how many seconds.
    pub(crate) after: u64,
    /// Whether they go on, unread; else they are answered with an error.
    pub(crate) pass: bool,
}

/// Where tags are read.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Tags {
    /// Whether in the members `tags` and `metadata.tags` of the body.
    pub(crate) body: bool,
    /// A header of the client's, lower-case.
    pub(crate) header: Option<String>,
    /// The most of them.
    pub(crate) most: usize,
}

/// Where the models to try next are read.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Fallbacks {
    /// Whether in the member `fallbacks` of the body.
    pub(crate) body: bool,
    /// The most of them.
    pub(crate) most: usize,
}

/// Content codings that are decoded.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Decompress {
    pub(crate) gzip: bool,
    pub(crate) deflate: bool,
}

impl Decompress {
    /// The coding of a body to be decoded, if it has one.
    ///
    /// # Errors
    ///
    /// If it has one that is not to be decoded.
    pub(crate) fn coding(self, headers: &Headers<'_>) -> Result<Option<Coding>, Refusal> {
        match Coding::of(headers.all("content-encoding")) {
            Ok(None) => Ok(None),
            Ok(Some(Coding::Gzip)) if self.gzip => Ok(Some(Coding::Gzip)),
            Ok(Some(Coding::Deflate)) if self.deflate => Ok(Some(Coding::Deflate)),
            Ok(Some(_)) | Err(Unsupported) => Err(Refusal::Encoded),
        }
    }
}

/// Checks `config`.
pub(crate) fn check(config: &[u8]) -> Result<(Config, Vec<Warning>), Problems> {
    let (raw, mut reader) = tollgate_config::read_fields::<Raw>("body-model", config);
    let decompress = decompress(&raw.decompress, &mut reader);
    let limits = limits(&raw.limits, &mut reader);
    let tags = bounded(raw.limits.max_tags, MAX_TAGS, "limits.maxTags", &mut reader);
    let fallbacks =
        bounded(raw.limits.max_fallbacks, MAX_FALLBACKS, "limits.maxFallbacks", &mut reader);
    let policy = names::policy(
        names::Names {
            models: raw.models,
            unknown: raw.unknown_model,
            default: raw.default_model,
            aliases: raw.aliases.0,
            base_models: raw.base_models,
            require_caller: raw.require_caller.unwrap_or(false),
        },
        limits.model,
        &mut reader,
    );
    let serve_models = raw.serve_models.unwrap_or(false);
    if serve_models && policy.catalogue.len() == 0 {
        reader.problem("serveModels", "nothing to answer with: needs `models` or `baseModels`");
    }
    let (hold, hold_missing) = hold(raw.hold.as_deref(), raw.hold_missing, &policy, &mut reader);
    let tags_from = raw.tags.unwrap_or_default();
    let tags_body = tags_from.body.unwrap_or(false);
    let fallbacks_body = raw.fallbacks.and_then(|fallbacks| fallbacks.body).unwrap_or(false);
    let given = headers::Given {
        tags: tags_body || tags_from.header.is_some(),
        fallbacks: fallbacks_body,
        context_classes: !raw.context_classes.is_empty(),
    };
    let (publish, tags_header) = headers::check(raw.publish, tags_from.header, &given, &mut reader);
    let most = |most: u64| usize::try_from(most).unwrap_or(0);
    let tags = Tags { body: tags_body, header: tags_header, most: most(tags) };
    let fallbacks = Fallbacks { body: fallbacks_body, most: most(fallbacks) };
    let context_classes = ContextClasses::check(raw.context_classes, &mut reader);
    let estimated = raw.estimate.is_some()
        || publish.names.prompt_tokens.is_some()
        || publish.names.context.is_some();
    let families = raw.estimate.map(|estimate| estimate.families).unwrap_or_default();
    let factors = Factors::check(families, limits.model, &mut reader);
    let paths = paths::check(raw.paths, raw.path_prefixes, &mut reader);
    let config = Config {
        limits,
        policy,
        publish,
        hold,
        hold_missing,
        tags,
        fallbacks,
        estimate: estimated.then_some(factors),
        context_classes,
        paths,
        decompress,
        serve_models,
    };
    let warnings = reader.finish()?;
    Ok((config, warnings))
}

/// The JSON Schema of the configuration.
#[cfg(feature = "schema")]
pub fn config_schema() -> schemars::Schema {
    schemars::schema_for!(Raw)
}

fn limits(raw: &RawLimits, reader: &mut Reader) -> Limits {
    let body = bounded(raw.max_body_bytes, MAX_BODY_BYTES, "limits.maxBodyBytes", reader);
    let path = "limits.maxDecompressedBytes";
    let decompressed = match raw.max_decompressed_bytes {
        None => body,
        found => bounded(found, MAX_BODY_BYTES, path, reader),
    };
    let model = bounded(raw.max_model_bytes, MAX_MODEL_BYTES, "limits.maxModelBytes", reader);
    let depth = bounded(raw.max_depth, MAX_DEPTH, "limits.maxDepth", reader);
    Limits {
        body: usize::try_from(body).unwrap_or(usize::MAX),
        decompressed: usize::try_from(decompressed).unwrap_or(usize::MAX),
        model: usize::try_from(model).unwrap_or(MOST_MODEL_BYTES),
        depth: u16::try_from(depth).unwrap_or(u16::MAX),
    }
}

fn hold(
    hold: Option<&str>,
    missing: Option<RawHoldMissing>,
    policy: &Policy,
    reader: &mut Reader,
) -> (Hold, HoldMissing) {
    let host = one_of(hold, &["headers", "host"], "hold", reader) == Some(1);
    if host && missing.is_some() {
        reader.problem("holdMissing", "only with `hold: headers`: the host holds, so leave it out");
    }
    let RawHoldMissing { after, then: word } = missing.unwrap_or_default();
    let after = bounded(after, HOLD_MISSING_AFTER, "holdMissing.after", reader);
    let then = "holdMissing.then";
    let pass = one_of(word.as_deref(), &["error", "pass"], then, reader) == Some(1);
    let enforces = policy.require_caller || policy.unknown != Unknown::Pass;
    if pass && enforces {
        reader.warning(
            then,
            "requests that go on unread are not checked against `models` and the caller's list",
        );
    }
    (if host { Hold::Host } else { Hold::Headers }, HoldMissing { after, pass })
}

fn decompress(codings: &[String], reader: &mut Reader) -> Decompress {
    let mut found = [false; 2];
    for (i, coding) in codings.iter().enumerate() {
        let path = format!("decompress[{i}]");
        let coding = one_of(Some(coding), &["gzip", "deflate"], &path, reader);
        if let Some(found) = coding.and_then(|coding| found.get_mut(coding))
            && std::mem::replace(found, true)
        {
            reader.problem(path, "the same coding twice");
        }
    }
    let [gzip, deflate] = found;
    Decompress { gzip, deflate }
}

fn bounded(value: Option<u64>, range: Range, path: &str, reader: &mut Reader) -> u64 {
    let Range { default, min, max } = range;
    let value = value.unwrap_or(default);
    if !(min..=max).contains(&value) {
        reader.problem(path, format!("{value} is out of range, expected {min} to {max}"));
    }
    value
}

/// Which of `words` the word is; `None` if there is none, or it is another.
fn one_of(word: Option<&str>, words: &[&str], path: &str, reader: &mut Reader) -> Option<usize> {
    let word = word?;
    let found = words.iter().position(|expected| *expected == word);
    if found.is_some() {
        return found;
    }
    let mut message = format!("expected `{}`", words.join("` or `"));
    if let Some(near) = nearest(word, words.iter().copied()) {
        message = format!("{message}; did you mean `{near}`?");
    }
    reader.problem(path, message);
    None
}

#[cfg(test)]
mod tests;
