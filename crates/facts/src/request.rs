//! What is asked for.

use serde::{Deserialize, Serialize};
use tollgate_effects::Effect;
use tollgate_json::Writer;

/// What body-model found in the request, under [`crate::key::REQUEST`].
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// The model as the client wrote it: the name it sees in the response.
    pub requested_model: String,
    /// The model after aliases: the name that routes, limits and the caller's list are about.
    pub model: String,
    /// The model that serves it: the base of a LoRA adapter, else `model`.
    pub base_model: String,
    /// Whether the client asked for a stream.
    #[serde(default)]
    pub stream: bool,
    /// The endpoint's name, such as `chat_completions` (`tollgate_api::Endpoint::name`).
    pub endpoint: String,
    /// The dialect the client speaks: `openai`, `anthropic`, `gemini` or `bedrock`.
    pub dialect: String,
    /// Tags for routing and accounting.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Models to try in order when `model` fails.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fallbacks: Vec<String>,
    /// The client's bound on completion tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
    /// Estimated prompt tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_tokens: Option<u64>,
    /// The size class of the prompt, by the estimate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
}

impl Request {
    /// The effect that publishes it. As [`crate::publish`] does it, without serde_json.
    pub fn publish(&self) -> Effect {
        Effect::SetFilterState { key: crate::key::REQUEST, value: self.json() }
    }

    fn json(&self) -> Vec<u8> {
        let mut json = Writer::with_capacity(256);
        json.open('{');
        json.member("requestedModel", &self.requested_model);
        json.member("model", &self.model);
        json.member("baseModel", &self.base_model);
        json.key("stream");
        json.bool(self.stream);
        json.member("endpoint", &self.endpoint);
        json.member("dialect", &self.dialect);
        for (key, list) in [("tags", &self.tags), ("fallbacks", &self.fallbacks)] {
            if !list.is_empty() {
                json.key(key);
                json.open('[');
                list.iter().for_each(|item| json.string(item));
                json.close(']');
            }
        }
        for (key, number) in [("maxTokens", self.max_tokens), ("promptTokens", self.prompt_tokens)]
        {
            if let Some(number) = number {
                json.key(key);
                json.number(number);
            }
        }
        if let Some(context) = &self.context {
            json.member("context", context);
        }
        json.close('}');
        json.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_as_it_is_read() {
        let full = Request {
            requested_model: "a\"b".into(),
            model: "m".into(),
            base_model: "b".into(),
            stream: true,
            endpoint: "e".into(),
            dialect: "d".into(),
            tags: vec!["t".into(), "u".into()],
            fallbacks: vec!["f".into()],
            max_tokens: Some(1),
            prompt_tokens: Some(2),
            context: Some("large".into()),
        };
        for request in [Request::default(), full] {
            assert_eq!(request.json(), serde_json::to_vec(&request).unwrap());
        }
    }
}
