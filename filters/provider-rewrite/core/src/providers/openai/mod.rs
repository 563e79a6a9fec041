//! OpenAI's API, and everything compatible with it: vLLM, Ollama's `/v1`, and other providers.
//!
//! Spec: <https://platform.openai.com/docs/api-reference>. Clients speak it too, so every endpoint
//! passes, and only the model's bytes are edited where the names differ (`crate::model`,
//! `crate::restamp`). Its chat completions are what other providers are translated from
//! (`crate::chat`).
//!
//! Not supported: clients of Anthropic's Messages API in front of such a provider.

pub(crate) mod error;
