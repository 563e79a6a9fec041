//! One message of a chat completion request.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::json::{Text, read};
use crate::refusal::Refusal;

/// Who speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Role {
    Assistant,
    /// `developer` too, which is its newer name.
    System,
    Tool,
    User,
}

/// A message. Its `content` is read when it is translated.
#[derive(Debug)]
pub(crate) struct Message<'a> {
    pub(crate) role: Role,
    pub(crate) content: Content<'a>,
    pub(crate) refusal: Option<Text<'a>>,
    pub(crate) tool_calls: Vec<ToolCall<'a>>,
    /// Of a `tool` message: the call that it answers.
    pub(crate) tool_call_id: Option<Text<'a>>,
    /// Anthropic's extra, on the message as a whole.
    pub(crate) cache_control: Option<&'a RawValue>,
    /// Signed reasoning of an earlier turn, as answers carry it.
    pub(crate) thinking_blocks: Vec<&'a RawValue>,
}

/// What a message says.
#[derive(Debug)]
pub(crate) enum Content<'a> {
    None,
    Parts(Vec<Part<'a>>),
    Text(Text<'a>),
}

/// A piece of content.
#[derive(Debug, Deserialize)]
pub(crate) struct Part<'a> {
    #[serde(rename = "type", borrow)]
    pub(crate) kind: Text<'a>,
    #[serde(borrow, default)]
    pub(crate) text: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(crate) refusal: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(crate) image_url: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(crate) file: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(crate) cache_control: Option<&'a RawValue>,
}

/// A tool call of an earlier turn.
#[derive(Debug, Deserialize)]
pub(crate) struct ToolCall<'a> {
    #[serde(borrow, default)]
    pub(crate) id: Text<'a>,
    #[serde(borrow)]
    pub(crate) function: Called<'a>,
}

/// What was called, with which arguments.
#[derive(Debug, Deserialize)]
pub(crate) struct Called<'a> {
    #[serde(borrow)]
    pub(crate) name: Text<'a>,
    /// JSON as text.
    #[serde(borrow, default)]
    pub(crate) arguments: Text<'a>,
}

#[derive(Deserialize)]
struct RawMessage<'a> {
    #[serde(borrow)]
    role: Text<'a>,
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    refusal: Option<Text<'a>>,
    #[serde(borrow, default)]
    tool_calls: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    tool_call_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    cache_control: Option<&'a RawValue>,
    #[serde(borrow, default)]
    thinking_blocks: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    function_call: Option<&'a RawValue>,
}

impl<'a> Message<'a> {
    /// Reads the message at `param`.
    pub(crate) fn read(raw: &'a RawValue, param: &str) -> Result<Self, Refusal> {
        let raw: RawMessage<'a> = read(raw)
            .ok_or_else(|| Refusal::invalid(param, "an object with `role` and `content`"))?;
        let role = match &*raw.role {
            "assistant" => Role::Assistant,
            "developer" | "system" => Role::System,
            "tool" => Role::Tool,
            "user" => Role::User,
            "function" => return Err(Refusal::unsupported(format!("{param}.role"))),
            _ => {
                return Err(Refusal::invalid(
                    format!("{param}.role"),
                    "`assistant`, `developer`, `system`, `tool` or `user`",
                ));
            }
        };
        if raw.function_call.is_some() {
            return Err(Refusal::unsupported(format!("{param}.function_call")));
        }
        let mut tool_calls = Vec::new();
        for (i, call) in raw.tool_calls.unwrap_or_default().into_iter().enumerate() {
            tool_calls.push(read(call).ok_or_else(|| {
                Refusal::invalid(format!("{param}.tool_calls[{i}]"), "a function call with `id`")
            })?);
        }
        Ok(Self {
            role,
            content: Content::read(raw.content, &format!("{param}.content"))?,
            refusal: raw.refusal,
            tool_calls,
            tool_call_id: raw.tool_call_id,
            cache_control: raw.cache_control,
            thinking_blocks: raw.thinking_blocks.unwrap_or_default(),
        })
    }
}

impl<'a> Content<'a> {
    fn read(raw: Option<&'a RawValue>, param: &str) -> Result<Self, Refusal> {
        let Some(raw) = raw else { return Ok(Self::None) };
        let content = match raw.get().as_bytes().first() {
            Some(b'"') => read(raw).map(Self::Text),
            Some(b'[') => read::<Vec<&'a RawValue>>(raw).and_then(|parts| {
                parts.into_iter().map(read).collect::<Option<Vec<_>>>().map(Self::Parts)
            }),
            _ => None,
        };
        content.ok_or_else(|| Refusal::invalid(param, "a string or a list of parts with `type`"))
    }
}
