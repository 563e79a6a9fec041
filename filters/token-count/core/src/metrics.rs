//! Counters per model, of which there is a bounded number.
//!
//! Names are made for Envoy's `stats_tags`: every label is a pair of name parts, `.model.<model>`, so
//! that a regular expression can turn it into a Prometheus label (the README has the snippet).
//! - `tollgate_tokens.model.<model>.direction.<prompt|completion>`: tokens
//! - `tollgate_requests.model.<model>.status.<exact|partial|estimated|unknown>`: exchanges

use std::collections::HashSet;

use tollgate_effects::{Effect, Effects};
use tollgate_facts::{Usage, UsageStatus};

/// Longer model names are cut.
const MOST_LABEL_BYTES: usize = 128;

/// The label of models beyond the bound.
const OTHER: &str = "other";

/// The label of exchanges whose model is not known.
const UNKNOWN: &str = "unknown";

/// The model labels in use. A host never forgets a metric and models can be whatever clients write, so
/// there is a bound: the first ones get a label, later ones share `other`.
pub(crate) struct Labels {
    used: HashSet<String>,
    most: usize,
}

impl Labels {
    pub(crate) fn new(most: usize) -> Self {
        Self { used: HashSet::new(), most }
    }

    /// The label for `model`.
    pub(crate) fn of(&mut self, model: Option<&str>) -> String {
        let Some(model) = model.filter(|model| !model.is_empty()) else { return UNKNOWN.into() };
        let label: String = model.chars().map(plain).take(MOST_LABEL_BYTES).collect();
        if self.used.contains(&label) {
            return label;
        }
        if self.used.len() >= self.most {
            return OTHER.into();
        }
        self.used.insert(label.clone());
        label
    }
}

/// Counts one exchange under `label`.
pub(crate) fn count(label: &str, usage: &Usage, out: &mut Effects) {
    let status = match usage.status {
        UsageStatus::Estimated => "estimated",
        UsageStatus::Exact => "exact",
        UsageStatus::Partial => "partial",
        UsageStatus::Unknown => "unknown",
    };
    let metric = format!("tollgate_requests.model.{label}.status.{status}").into();
    out.push(Effect::Count { metric, by: 1 });
    for (direction, tokens) in [("prompt", usage.prompt), ("completion", usage.completion)] {
        if tokens > 0 {
            let metric = format!("tollgate_tokens.model.{label}.direction.{direction}").into();
            out.push(Effect::Count { metric, by: tokens });
        }
    }
}

/// Only what is plain in every stats sink: no blanks, colons, quotes, or characters beyond ASCII.
fn plain(character: char) -> char {
    match character {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' | '.' | '/' | '@' => character,
        _ => '_',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_plain_and_short() {
        let mut labels = Labels::new(10);
        for (model, label) in [
            (Some("gpt-4.1"), "gpt-4.1"),
            (Some("meta-llama/Llama-3"), "meta-llama/Llama-3"),
            (Some("llama3:8b"), "llama3_8b"),
            (Some("a b\n\"c\""), "a_b__c_"),
            (Some("模型"), "__"),
            (Some(""), "unknown"),
            (None, "unknown"),
        ] {
            assert_eq!(labels.of(model), label, "{model:?}");
        }
        assert_eq!(labels.of(Some(&"x".repeat(5000))).len(), MOST_LABEL_BYTES);
    }

    #[test]
    fn ten_thousand_models_make_a_bounded_number_of_labels() {
        let mut labels = Labels::new(100);
        let distinct: HashSet<String> =
            (0..10_000).map(|n| labels.of(Some(&format!("model-{n}")))).collect();
        assert_eq!(distinct.len(), 101);
        assert_eq!(labels.of(Some("model-99")), "model-99");
        assert_eq!(labels.of(Some("model-100")), "other");
        assert_eq!(labels.used.len(), 100);
    }

    #[test]
    fn no_labels_at_all_is_a_setting() {
        assert_eq!(Labels::new(0).of(Some("gpt-4o")), "other");
    }
}
