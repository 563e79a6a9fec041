//! What an estimate of a prompt's tokens is multiplied by, and which size class it falls in.
//!
//! Not here: the estimate itself ([`crate::estimate`]).

use tollgate_config::{Reader, Thousandths};

use super::raw::{RawContextClass, RawFamily};
use crate::document::check_model;
use crate::pattern::Patterns;
use crate::policy::Resolved;

/// The most families, each of which may be tried for each request.
const MOST_FAMILIES: usize = 100;
/// The most size classes.
const MOST_CLASSES: usize = 16;
/// The longest name of a size class, in bytes.
const MOST_CLASS_BYTES: usize = 64;

/// Factors by families of models.
#[derive(Debug, Default)]
pub(crate) struct Factors {
    models: Patterns,
    /// In thousandths, by the place of the pattern.
    factors: Vec<u32>,
}

/// Size classes by the most tokens in them, ascending.
#[derive(Debug, Default)]
pub(crate) struct ContextClasses {
    classes: Vec<(u64, String)>,
}

impl Factors {
    pub(super) fn check(families: Vec<RawFamily>, max_bytes: usize, reader: &mut Reader) -> Self {
        if families.len() > MOST_FAMILIES {
            let found = families.len();
            reader.problem(
                "estimate.families",
                format!("{found} families, expected at most {MOST_FAMILIES}"),
            );
        }
        let mut names: Vec<&String> = Vec::new();
        let mut factors = Vec::new();
        for (i, family) in families.iter().enumerate() {
            let at = format!("estimate.families[{i}]");
            factors.push(permille(family.factor, format!("{at}.factor"), reader));
            let path = format!("{at}.models");
            let Some(models) = &family.models else {
                reader.problem(path, "missing: a model's name, or one with a `*`");
                continue;
            };
            if let Err(reason) = check_model(models, max_bytes) {
                reader.problem(path, reason.to_string());
            } else if models.matches('*').count() > 1 {
                reader.problem(path, super::names::ONE_STAR);
            } else if names.contains(&models) {
                reader.problem(path, "the same models as an earlier family");
            } else {
                names.push(models);
            }
        }
        let models = families.iter().map(|family| family.models.as_deref().unwrap_or_default());
        Self { models: Patterns::new(models), factors }
    }

    /// The estimate for `model` of a prompt with usually `tokens`, rounded up: by the family of the model,
    /// or else by that of the model that serves it.
    pub(crate) fn apply(&self, tokens: u64, model: &Resolved) -> u64 {
        let of = |name: &str| {
            self.models.find(name).and_then(|found| self.factors.get(found.index)).copied()
        };
        let factor = of(&model.model).or_else(|| of(&model.base_model)).unwrap_or(1000);
        tokens.saturating_mul(u64::from(factor)).div_ceil(1000)
    }
}

/// A factor in thousandths.
fn permille(factor: Option<Thousandths>, path: String, reader: &mut Reader) -> u32 {
    let Some(Thousandths(factor)) = factor else {
        reader.problem(path, "missing: what the estimate is multiplied by, such as 1.15");
        return 1000;
    };
    match u32::try_from(factor) {
        Ok(factor @ 100..=10_000) => factor,
        _ => {
            reader.problem(path, "out of range, expected 0.1 to 10");
            1000
        }
    }
}

impl ContextClasses {
    pub(super) fn check(classes: Vec<RawContextClass>, reader: &mut Reader) -> Self {
        if classes.len() > MOST_CLASSES {
            let found = classes.len();
            reader.problem("contextClasses", format!("{found}, expected at most {MOST_CLASSES}"));
        }
        let last = classes.len().saturating_sub(1);
        let mut checked: Vec<(u64, String)> = Vec::new();
        for (i, class) in classes.into_iter().enumerate() {
            let at = format!("contextClasses[{i}]");
            let name = class.name.unwrap_or_default();
            if !is_word(&name, MOST_CLASS_BYTES) {
                let expected = "expected 1 to 64 visible ASCII characters but `,`";
                reader.problem(format!("{at}.name"), expected);
            } else if checked.iter().any(|(_, other)| *other == name) {
                reader.problem(format!("{at}.name"), "the same name as an earlier class");
            }
            let path = format!("{at}.maxTokens");
            let before = checked.last().map_or(0, |(most, _)| *most);
            let most = match class.max_tokens {
                None if i == last => u64::MAX,
                None => {
                    reader.problem(path, "missing: only the last class may have no bound");
                    before
                }
                Some(most) if most > before => most,
                Some(_) => {
                    reader.problem(path, format!("expected more than {before}: smallest first"));
                    before
                }
            };
            checked.push((most, name));
        }
        Self { classes: checked }
    }

    /// The name of the class of a prompt with `tokens`; `None` if it is larger than all.
    pub(crate) fn of(&self, tokens: u64) -> Option<&str> {
        let (_, name) = self.classes.iter().find(|(most, _)| tokens <= *most)?;
        Some(name)
    }
}

/// Whether `word` can stand in a header's list: visible ASCII without the comma, at most so many bytes.
pub(crate) fn is_word(word: &str, most: usize) -> bool {
    let visible = |b: u8| b.is_ascii_graphic() && b != b',';
    (1..=most).contains(&word.len()) && word.bytes().all(visible)
}
