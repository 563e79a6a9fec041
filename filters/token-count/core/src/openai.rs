//! The `usage` object of OpenAI's dialect, and of all that is compatible with it.
//!
//! Chat and legacy completions say `prompt_tokens` and `completion_tokens`, the Responses and images
//! APIs `input_tokens` and `output_tokens`; embeddings have no output. What is not a whole number that
//! fits 64 bits counts as absent: servers write `null`, and sometimes fractions.
//! <https://platform.openai.com/docs/api-reference/chat/object>

use serde_json::Value;
use tollgate_facts::Usage;

/// The counts in `object` (the raw value of `usage`); `None` if it is no object or counts nothing.
/// [`Usage::status`] is left for whoever knows how the exchange ended.
pub(crate) fn usage(object: &[u8]) -> Option<Usage> {
    let object: Value = serde_json::from_slice(object).ok()?;
    let count = |paths: [&str; 2]| {
        paths.iter().find_map(|path| object.pointer(path).and_then(Value::as_u64))
    };
    let prompt = count(["/prompt_tokens", "/input_tokens"]);
    let completion = count(["/completion_tokens", "/output_tokens"]);
    let total = object.get("total_tokens").and_then(Value::as_u64);
    prompt.or(completion).or(total)?;
    let completion = completion.unwrap_or(0);
    let prompt = prompt.or_else(|| total?.checked_sub(completion)).unwrap_or(0);
    let detail = |names| count(names).unwrap_or(0);
    Some(Usage {
        prompt,
        completion,
        total: total.unwrap_or_else(|| prompt.saturating_add(completion)),
        cached: detail([
            "/prompt_tokens_details/cached_tokens",
            "/input_tokens_details/cached_tokens",
        ]),
        cache_write: detail([
            "/prompt_tokens_details/cache_write_tokens",
            "/prompt_tokens_details/cache_creation_tokens",
        ]),
        reasoning: detail([
            "/completion_tokens_details/reasoning_tokens",
            "/output_tokens_details/reasoning_tokens",
        ]),
        ..Usage::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_servers_write() {
        // prompt, completion, total, cached, cache write, reasoning
        type Counts = (u64, u64, u64, u64, u64, u64);
        let cases: [(&str, &str, Option<Counts>); 14] = [
            (
                "chat",
                r#"{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,
                    "prompt_tokens_details":{"cached_tokens":4,"audio_tokens":0},
                    "completion_tokens_details":{"reasoning_tokens":3}}"#,
                Some((10, 5, 15, 4, 0, 3)),
            ),
            (
                "responses",
                r#"{"input_tokens":10,"input_tokens_details":{"cached_tokens":2},
                    "output_tokens":5,"output_tokens_details":{"reasoning_tokens":1}}"#,
                Some((10, 5, 15, 2, 0, 1)),
            ),
            ("embeddings", r#"{"prompt_tokens":8,"total_tokens":8}"#, Some((8, 0, 8, 0, 0, 0))),
            ("only a total", r#"{"total_tokens":8}"#, Some((8, 0, 8, 0, 0, 0))),
            (
                "cache writes",
                r#"{"prompt_tokens":9,"prompt_tokens_details":{"cache_write_tokens":7}}"#,
                Some((9, 0, 9, 0, 7, 0)),
            ),
            (
                "null details",
                r#"{"prompt_tokens":1,"completion_tokens":2,"prompt_tokens_details":null}"#,
                Some((1, 2, 3, 0, 0, 0)),
            ),
            ("negative", r#"{"prompt_tokens":-1,"completion_tokens":2}"#, Some((0, 2, 2, 0, 0, 0))),
            (
                "fraction",
                r#"{"prompt_tokens":1.5,"completion_tokens":2}"#,
                Some((0, 2, 2, 0, 0, 0)),
            ),
            (
                "too large for 64 bits",
                r#"{"prompt_tokens":18446744073709551616,"completion_tokens":2}"#,
                Some((0, 2, 2, 0, 0, 0)),
            ),
            (
                "sums saturate",
                r#"{"prompt_tokens":18446744073709551615,"completion_tokens":2}"#,
                Some((u64::MAX, 2, u64::MAX, 0, 0, 0)),
            ),
            ("text", r#"{"prompt_tokens":"1"}"#, None),
            ("empty", "{}", None),
            ("null", "null", None),
            ("cut", r#"{"prompt_tokens":1"#, None),
        ];
        for (case, object, expected) in cases {
            let found = usage(object.as_bytes())
                .map(|u| (u.prompt, u.completion, u.total, u.cached, u.cache_write, u.reasoning));
            assert_eq!(found, expected, "{case}");
        }
    }
}
