//! A chat completion as the client reads it.

use serde::Serialize;
use serde_json::value::RawValue;

/// A complete answer, built by a provider's `response`.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// The provider's id.
    pub(crate) id: String,
    /// Text, if there is any.
    pub(crate) content: Option<String>,
    pub(crate) reasoning: Option<String>,
    /// Signed reasoning, to be sent back with the next turn.
    pub(crate) thinking_blocks: Vec<Box<RawValue>>,
    pub(crate) tool_calls: Vec<ToolCall>,
    pub(crate) finish: Finish,
    pub(crate) usage: Usage,
}

/// A function call in an answer.
#[derive(Debug)]
pub(crate) struct ToolCall {
    pub(crate) id: String,
    pub(crate) name: String,
    /// JSON as text.
    pub(crate) arguments: String,
}

/// Why the model stopped.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Finish {
    ContentFilter,
    Length,
    #[default]
    Stop,
    ToolCalls,
}

impl Finish {
    /// A provider that stops after a tool call means that call, whatever word it says.
    pub(crate) fn after_tool_calls(self, any: bool) -> Self {
        if any && self == Self::Stop { Self::ToolCalls } else { self }
    }
}

/// Tokens; cached and cache-write tokens are part of `prompt`, reasoning part of `completion`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Usage {
    pub(crate) prompt: u64,
    pub(crate) completion: u64,
    pub(crate) cached: u64,
    pub(crate) cache_write: u64,
    pub(crate) reasoning: Option<u64>,
}

/// The usage object of the API.
#[derive(Serialize)]
pub(crate) struct WireUsage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    prompt_tokens_details: PromptDetails,
    #[serde(skip_serializing_if = "Option::is_none")]
    completion_tokens_details: Option<CompletionDetails>,
}

#[derive(Serialize)]
struct PromptDetails {
    cached_tokens: u64,
    /// Not OpenAI's, but what LiteLLM's users know.
    #[serde(skip_serializing_if = "is_zero")]
    cache_creation_tokens: u64,
}

#[derive(Serialize)]
struct CompletionDetails {
    reasoning_tokens: u64,
}

impl From<Usage> for WireUsage {
    fn from(usage: Usage) -> Self {
        Self {
            prompt_tokens: usage.prompt,
            completion_tokens: usage.completion,
            total_tokens: usage.prompt.saturating_add(usage.completion),
            prompt_tokens_details: PromptDetails {
                cached_tokens: usage.cached,
                cache_creation_tokens: usage.cache_write,
            },
            completion_tokens_details: usage
                .reasoning
                .map(|reasoning_tokens| CompletionDetails { reasoning_tokens }),
        }
    }
}

impl Answer {
    /// The JSON body; `model` is the name the client used, `created` in seconds since 1970.
    pub(crate) fn body(&self, model: &str, created: u64) -> Vec<u8> {
        let made_up;
        let id = if self.id.is_empty() {
            made_up = format!("chatcmpl-{created:x}");
            &made_up
        } else {
            &self.id
        };
        let tool_calls: Vec<WireToolCall<'_>> = self.tool_calls.iter().map(Into::into).collect();
        let completion = Completion {
            id,
            object: "chat.completion",
            created,
            model,
            choices: [Choice {
                index: 0,
                message: Message {
                    role: "assistant",
                    content: self.content.as_deref(),
                    refusal: None,
                    reasoning_content: self.reasoning.as_deref(),
                    thinking_blocks: &self.thinking_blocks,
                    tool_calls: &tool_calls,
                },
                logprobs: None,
                finish_reason: self.finish.after_tool_calls(!self.tool_calls.is_empty()),
            }],
            usage: self.usage.into(),
        };
        // Structs with string keys always serialize; an empty body would be a broken answer, which a
        // client reports.
        serde_json::to_vec(&completion).unwrap_or_default()
    }
}

#[derive(Serialize)]
struct Completion<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: [Choice<'a>; 1],
    usage: WireUsage,
}

#[derive(Serialize)]
struct Choice<'a> {
    index: u32,
    message: Message<'a>,
    logprobs: Option<()>,
    finish_reason: Finish,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: Option<&'a str>,
    refusal: Option<()>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    thinking_blocks: &'a [Box<RawValue>],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    tool_calls: &'a [WireToolCall<'a>],
}

#[derive(Serialize)]
struct WireToolCall<'a> {
    id: &'a str,
    r#type: &'static str,
    function: WireFunction<'a>,
}

#[derive(Serialize)]
struct WireFunction<'a> {
    name: &'a str,
    arguments: &'a str,
}

impl<'a> From<&'a ToolCall> for WireToolCall<'a> {
    fn from(call: &'a ToolCall) -> Self {
        let function = WireFunction { name: &call.name, arguments: &call.arguments };
        Self { id: &call.id, r#type: "function", function }
    }
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}
