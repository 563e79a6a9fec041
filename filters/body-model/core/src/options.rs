//! What a body says beside the model for the gateway alone: tags, and the models to try next. Both are read,
//! checked, and taken out of the body, which a provider would refuse with them.
//!
//! Not here: whether the caller may use a model to try next ([`crate::policy`]).

use std::ops::Range;

use tollgate_effects::Headers;
use tollgate_json::{Kind, Member, Scanner, Strings, Wanted};

use crate::config::{Config, Fallbacks, Tags, is_word};
use crate::document::check_model;
use crate::refusal::{InvalidOption, Refusal};

/// How much of each of the members `tags`, `metadata` and `fallbacks` is to be kept. A longer one is refused.
pub(crate) const MOST_RAW_BYTES: usize = 16 * 1024;

/// The longest tag, in bytes.
const MOST_TAG_BYTES: usize = 64;

/// Where these are among the wanted members of a body's scanner.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Places {
    pub(crate) tags: usize,
    pub(crate) metadata: usize,
    pub(crate) fallbacks: usize,
}

/// What was asked for beside the model.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Options {
    /// Tags, each once: those of `tags`, of `metadata.tags`, of the header.
    pub(crate) tags: Vec<String>,
    /// Models to try next, as written, each once.
    pub(crate) fallbacks: Vec<String>,
    /// What to take out of the body, ascending and apart from each other. What is left is JSON.
    pub(crate) removals: Vec<Range<usize>>,
}

/// The tags in the header of the client's that is configured, if one is.
///
/// # Errors
///
/// If one is not fit, or there are too many.
pub(crate) fn header_tags(config: &Tags, headers: &Headers<'_>) -> Result<Vec<String>, Refusal> {
    let mut tags = Vec::new();
    let Some(name) = &config.header else { return Ok(tags) };
    for value in headers.all(name) {
        for tag in value.split(|b| *b == b',').map(<[u8]>::trim_ascii).filter(|t| !t.is_empty()) {
            let tag = std::str::from_utf8(tag).unwrap_or_default();
            add_tag(tag, &mut tags, "tags", config.most)?;
        }
    }
    Ok(tags)
}

impl Options {
    /// What a complete body says, and the header before it said.
    ///
    /// # Errors
    ///
    /// If a list is there twice, cannot be read, or has what is not fit.
    pub(crate) fn read<S: Strings + Default>(
        config: &Config,
        body: &Scanner<S>,
        at: Places,
        header_tags: Vec<String>,
    ) -> Result<Self, Refusal> {
        let mut whole = Vec::new();
        let mut within = Vec::new();
        let mut tags = Vec::new();
        if config.tags.body {
            let most = config.tags.most;
            let member = body.member(at.tags);
            check_case(member, "tags")?;
            for tag in strings(member, "tags")? {
                add_tag(&tag, &mut tags, "tags", most)?;
            }
            whole.extend((member.exact > 0).then_some(at.tags));

            let member = body.member(at.metadata);
            check_case(member, "metadata")?;
            if member.count > 1 {
                return Err(Refusal::Duplicate("metadata"));
            }
            if member.kind == Kind::Object {
                let metadata = Metadata::<S>::read(member, config.limits.depth)?;
                for tag in strings(metadata.tags(), "metadata.tags")? {
                    add_tag(&tag, &mut tags, "metadata.tags", most)?;
                }
                if metadata.has_nothing_else() {
                    whole.push(at.metadata);
                } else {
                    within = metadata.removals();
                }
            }
        }
        for tag in &header_tags {
            add_tag(tag, &mut tags, "tags", config.tags.most)?;
        }
        let mut fallbacks = Vec::new();
        if config.fallbacks.body {
            let member = body.member(at.fallbacks);
            check_case(member, "fallbacks")?;
            fallbacks =
                models(strings(member, "fallbacks")?, config.fallbacks, config.limits.model)?;
            whole.extend((member.exact > 0).then_some(at.fallbacks));
        }
        let mut removals = body.removals(&whole);
        let start = within.first().map_or(0, |range| range.start);
        let at = removals.partition_point(|range| range.start < start);
        // All of them are inside `metadata`, which the others are not.
        removals.splice(at..at, within);
        Ok(Self { tags, fallbacks, removals })
    }
}

/// The member `metadata`, for its own member `tags`.
struct Metadata<'a, S> {
    /// Of the same type as the body's: one of another type would be in the filter, too.
    scanner: Scanner<S>,
    raw: &'a [u8],
    /// Where it begins in the body.
    start: usize,
}

impl<'a, S: Strings + Default> Metadata<'a, S> {
    fn read(member: &'a Member, depth: u16) -> Result<Self, Refusal> {
        const WANTED: &[Wanted] = &[Wanted { key: "tags", keep: MOST_RAW_BYTES }];
        let (Some(raw), Some(range)) = (member.raw(), &member.range) else {
            let limit = MOST_RAW_BYTES;
            return Err(Refusal::Option("metadata", InvalidOption::TooLong { limit }));
        };
        let limits = tollgate_json::Limits { depth };
        let mut scanner = Scanner::with_strings(WANTED, limits, S::default());
        // It is part of a document that was taken, so this cannot fail.
        scanner.push(raw).map_err(|error| Refusal::Json(error, depth))?;
        Ok(Self { scanner, raw, start: range.start })
    }

    fn tags(&self) -> &Member {
        self.scanner.member(0)
    }

    /// What to take out of the body.
    fn removals(&self) -> Vec<Range<usize>> {
        let shift = |at: usize| at.saturating_add(self.start);
        let ranges = self.scanner.removals(&[0]).into_iter();
        ranges.map(|range| shift(range.start)..shift(range.end)).collect()
    }

    /// Whether there are tags, and nothing else is left without them.
    fn has_nothing_else(&self) -> bool {
        let removals = self.scanner.removals(&[0]);
        let is_left = |at: &usize| !removals.iter().any(|range| range.contains(at));
        let left = self.raw.iter().enumerate().filter(|(at, byte)| {
            is_left(at) && !matches!(**byte, b'{' | b'}' | b' ' | b'\t' | b'\r' | b'\n')
        });
        !removals.is_empty() && left.count() == 0
    }
}

/// Some backends take a key in another case for this one, and would read what was not checked.
fn check_case(member: &Member, key: &'static str) -> Result<(), Refusal> {
    if member.count == 1 && member.exact == 0 {
        return Err(Refusal::Option(key, InvalidOption::Case));
    }
    Ok(())
}

/// The strings of a list; none if there is no list.
fn strings(member: &Member, key: &'static str) -> Result<Vec<String>, Refusal> {
    if member.count > 1 {
        return Err(Refusal::Duplicate(key));
    }
    match (member.kind, member.raw()) {
        (Kind::Absent | Kind::Null, _) => Ok(Vec::new()),
        (Kind::Array, Some(raw)) => {
            tollgate_json::strings(raw).ok_or(Refusal::Option(key, InvalidOption::NotStrings))
        }
        (Kind::Array, None) => {
            Err(Refusal::Option(key, InvalidOption::TooLong { limit: MOST_RAW_BYTES }))
        }
        _ => Err(Refusal::Option(key, InvalidOption::NotStrings)),
    }
}

fn add_tag(
    tag: &str,
    tags: &mut Vec<String>,
    key: &'static str,
    most: usize,
) -> Result<(), Refusal> {
    if !is_word(tag, MOST_TAG_BYTES) {
        return Err(Refusal::Option(key, InvalidOption::Tag));
    }
    add(tag, tags, key, most)
}

/// Models to try next, each fit for a name and for a list in a header.
fn models(names: Vec<String>, config: Fallbacks, longest: usize) -> Result<Vec<String>, Refusal> {
    let key = "fallbacks";
    let mut models = Vec::new();
    for name in names {
        check_model(&name, longest).map_err(|reason| Refusal::Fallback(Box::new(reason.into())))?;
        if name.contains(',') {
            return Err(Refusal::Option(key, InvalidOption::Comma));
        }
        add(&name, &mut models, key, config.most)?;
    }
    Ok(models)
}

/// Adds what is not there yet.
fn add(one: &str, list: &mut Vec<String>, key: &'static str, limit: usize) -> Result<(), Refusal> {
    if list.iter().any(|other| other == one) {
        return Ok(());
    }
    if list.len() >= limit {
        return Err(Refusal::Option(key, InvalidOption::TooMany { limit }));
    }
    list.push(one.to_owned());
    Ok(())
}

#[cfg(test)]
mod tests;
