//! What is asked for.

use serde::{Deserialize, Serialize};

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
