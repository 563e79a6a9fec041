//! Who is calling.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The caller that key-check found, under [`crate::key::CALLER`].
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Caller {
    /// The key's id in key-check's configuration; never the key or its hash.
    pub key_id: String,
    /// The user the key belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The team the key belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// The groups the key belongs to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// The models the caller may use, by resolved name or with one `*` at the end. `None`: no list
    /// was published, so the key is not limited to models; an empty list allows nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<Vec<String>>,
    /// Limits by name, for token-count.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub limits: Map<String, Value>,
    /// Free data of the operator, for access logs.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
}

impl Caller {
    /// Whether the caller may use `model` (the name after aliases, before LoRA base).
    pub fn allows(&self, model: &str) -> bool {
        self.models.as_ref().is_none_or(|models| allows(models, model))
    }
}

/// Whether `model` is on the list.
pub(crate) fn allows(models: &[String], model: &str) -> bool {
    models.iter().any(|allowed| match allowed.strip_suffix('*') {
        Some(prefix) => model.starts_with(prefix),
        None => allowed == model,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_list_allows_all_and_an_empty_list_nothing() {
        let mut caller = Caller::default();
        assert!(caller.allows("gpt-4o"));
        caller.models = Some(vec![]);
        assert!(!caller.allows("gpt-4o"));
    }

    #[test]
    fn a_name_is_exact_and_a_star_ends_it() {
        let models = Some(vec!["gpt-4o".into(), "claude-*".into()]);
        let caller = Caller { models, ..Caller::default() };
        assert!(caller.allows("gpt-4o"));
        assert!(!caller.allows("gpt-4o-mini"));
        assert!(caller.allows("claude-sonnet-4"));
        assert!(!caller.allows("Claude-sonnet-4"));
    }
}
