//! Values that change nothing about the answer: they are dropped for every provider.

use serde_json::value::RawValue;

use crate::json::{is_empty, is_number};

/// Whether parameter `name` with this value can be left out without any difference.
pub(crate) fn is_neutral(name: &str, value: &RawValue) -> bool {
    let text = value.get();
    if text == "null" {
        return true;
    }
    match name {
        "n" => is_number(value, 1.0),
        "frequency_penalty" | "presence_penalty" | "top_logprobs" => is_number(value, 0.0),
        "logprobs" | "store" => text == "false",
        "logit_bias" | "functions" => is_empty(value),
        "verbosity" => text == r#""medium""#,
        "modalities" => {
            serde_json::from_str::<Vec<String>>(text).is_ok_and(|modes| modes == ["text"])
        }
        // For OpenAI's own caches, abuse reports and storage; no model sees them.
        "metadata" | "prompt_cache_key" | "prompt_cache_retention" | "safety_identifier" => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_values_without_effect_are_neutral() {
        for (name, value, neutral) in [
            ("n", "1", true),
            ("n", "1.0", true),
            ("n", "2", false),
            ("frequency_penalty", "0", true),
            ("frequency_penalty", "0.0", true),
            ("frequency_penalty", "-0", true),
            ("frequency_penalty", "0.1", false),
            ("presence_penalty", "0", true),
            ("presence_penalty", "-1", false),
            ("logprobs", "false", true),
            ("logprobs", "true", false),
            ("top_logprobs", "0", true),
            ("top_logprobs", "5", false),
            ("logit_bias", "{}", true),
            ("logit_bias", "{ }", true),
            ("logit_bias", "{\"1\":1}", false),
            ("store", "false", true),
            ("store", "true", false),
            ("modalities", "[\"text\"]", true),
            ("modalities", "[\"text\",\"audio\"]", false),
            ("verbosity", "\"medium\"", true),
            ("verbosity", "\"low\"", false),
            ("seed", "0", false),
            ("seed", "null", true),
            ("temperature", "0", false),
            ("unheard_of", "null", true),
            ("unheard_of", "1", false),
        ] {
            let raw = RawValue::from_string(value.into()).unwrap();
            assert_eq!(is_neutral(name, &raw), neutral, "{name}: {value}");
        }
    }
}
