//! Anthropic's Messages API, version 2023-06-01.
//!
//! Spec: <https://docs.anthropic.com/en/api/messages>, streams:
//! <https://docs.anthropic.com/en/docs/build-with-claude/streaming>.
//!
//! Supported: text, images, PDF files, function tools (parallel too), forced tool choice, JSON Schema
//! output (`output_config.format`), extended thinking with signatures, web search, prompt caching.
//!
//! Not supported, so refused or dropped as configured: several choices (`n`), log probabilities,
//! `logit_bias`, penalties, `seed`, JSON mode without a schema, audio, OpenAI's custom tools and stored
//! files. Not translated: Anthropic's other content blocks in answers (server tools, citations).

pub(crate) mod error;
pub(crate) mod messages;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod stream;
pub(crate) mod thinking;
pub(crate) mod tools;
pub(crate) mod wire;

use super::ChatTranslation;

/// `anthropic-version`.
pub(crate) const VERSION: &str = "2023-06-01";

/// How chat completions become messages.
pub(crate) static CHAT: ChatTranslation = ChatTranslation {
    path: "/messages",
    request: request::translate,
    response: response::translate,
    stream: stream::translator,
};
