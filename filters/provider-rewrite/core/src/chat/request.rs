//! A chat completion request, read once for every provider.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::message::Message;
use super::neutral::is_neutral;
use crate::json::{Members, Text, document, read};
use crate::refusal::Refusal;

/// A chat completion request. Parameters that are absent, `null` or without effect are not in it.
#[derive(Debug, Default)]
pub(crate) struct ChatRequest<'a> {
    pub(crate) messages: Vec<Message<'a>>,
    pub(crate) stream: bool,
    /// `stream_options.include_usage`
    pub(crate) include_usage: bool,
    /// `max_completion_tokens`, else `max_tokens`.
    pub(crate) max_tokens: Option<u64>,
    pub(crate) stop: Vec<Text<'a>>,
    pub(crate) tools: Vec<Tool<'a>>,
    pub(crate) tool_choice: Option<ToolChoice<'a>>,
    pub(crate) parallel_tool_calls: Option<bool>,
    pub(crate) response_format: Option<ResponseFormat<'a>>,
    pub(crate) reasoning_effort: Option<Text<'a>>,
    pub(crate) user: Option<Text<'a>>,
    /// Every other parameter, in order.
    pub(crate) rest: Vec<(Text<'a>, &'a RawValue)>,
}

/// A tool that the model may call.
#[derive(Debug, Deserialize)]
pub(crate) struct Tool<'a> {
    #[serde(rename = "type", borrow)]
    pub(crate) kind: Text<'a>,
    /// `None` if `type` is not `function`.
    #[serde(borrow, default)]
    pub(crate) function: Option<Function<'a>>,
    /// Anthropic's extra.
    #[serde(borrow, default)]
    pub(crate) cache_control: Option<&'a RawValue>,
}

/// A function's declaration.
#[derive(Debug, Deserialize)]
pub(crate) struct Function<'a> {
    #[serde(borrow)]
    pub(crate) name: Text<'a>,
    #[serde(borrow, default)]
    pub(crate) description: Option<Text<'a>>,
    /// JSON Schema.
    #[serde(borrow, default)]
    pub(crate) parameters: Option<&'a RawValue>,
    #[serde(default)]
    pub(crate) strict: Option<bool>,
    /// Anthropic's extra, where some clients put it.
    #[serde(borrow, default)]
    pub(crate) cache_control: Option<&'a RawValue>,
}

/// Which tools the model must or must not call.
#[derive(Debug)]
pub(crate) enum ToolChoice<'a> {
    Auto,
    Named(Text<'a>),
    None,
    /// A choice of a kind that only OpenAI has.
    Other,
    Required,
}

/// What the answer must look like. `text` is the default and left out.
#[derive(Debug)]
pub(crate) enum ResponseFormat<'a> {
    JsonObject,
    JsonSchema(&'a RawValue),
    /// A format of a kind that only OpenAI has.
    Other,
}

impl<'a> ChatRequest<'a> {
    /// Reads a request body.
    pub(crate) fn read(body: &'a [u8]) -> Result<Self, Refusal> {
        let Members(members) = document(body).ok_or_else(Refusal::invalid_json)?;
        let mut request = Self::default();
        let mut completion_tokens = None;
        for (name, value) in members {
            if is_neutral(&name, value) {
                continue;
            }
            match &*name {
                "model" => {}
                "messages" => {
                    let list: Vec<&RawValue> = expect(value, "messages", "a list of messages")?;
                    let numbered = list.into_iter().enumerate();
                    request.messages = numbered
                        .map(|(i, raw)| Message::read(raw, &format!("messages[{i}]")))
                        .collect::<Result<_, _>>()?;
                }
                "stream" => request.stream = expect(value, "stream", "true or false")?,
                "stream_options" => {
                    let options: StreamOptions = expect(value, "stream_options", "an object")?;
                    request.include_usage = options.include_usage.unwrap_or_default();
                }
                "max_completion_tokens" => completion_tokens = Some(tokens(&name, value)?),
                "max_tokens" => request.max_tokens = Some(tokens(&name, value)?),
                "stop" => request.stop = stop(value)?,
                "tools" => request.tools = tools(value)?,
                "tool_choice" => request.tool_choice = Some(tool_choice(value)?),
                "parallel_tool_calls" => {
                    request.parallel_tool_calls = Some(expect(value, &name, "true or false")?);
                }
                "response_format" => request.response_format = response_format(value)?,
                "reasoning_effort" => {
                    request.reasoning_effort = Some(expect(value, &name, "a string")?);
                }
                "user" => request.user = Some(expect(value, "user", "a string")?),
                _ => request.rest.push((name, value)),
            }
        }
        request.max_tokens = completion_tokens.or(request.max_tokens);
        if request.messages.is_empty() {
            return Err(Refusal::invalid("messages", "at least one message"));
        }
        Ok(request)
    }
}

#[derive(Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: Option<bool>,
}

fn expect<'a, T: Deserialize<'a>>(
    value: &'a RawValue,
    name: &str,
    expected: &str,
) -> Result<T, Refusal> {
    read(value).ok_or_else(|| Refusal::invalid(name, expected))
}

fn tokens(name: &str, value: &RawValue) -> Result<u64, Refusal> {
    let tokens = read(value).filter(|tokens| *tokens > 0);
    tokens.ok_or_else(|| Refusal::invalid(name, "a whole number of at least 1"))
}

fn stop(value: &RawValue) -> Result<Vec<Text<'_>>, Refusal> {
    if value.get().starts_with('"') {
        return Ok(vec![expect(value, "stop", "a string")?]);
    }
    expect(value, "stop", "a string or a list of strings")
}

fn tools(value: &RawValue) -> Result<Vec<Tool<'_>>, Refusal> {
    let list: Vec<&RawValue> = expect(value, "tools", "a list of tools")?;
    let numbered = list.into_iter().enumerate();
    numbered
        .map(|(i, raw)| {
            let tool: Tool<'_> = expect(raw, &format!("tools[{i}]"), "an object with `type`")?;
            if &*tool.kind == "function" && tool.function.is_none() {
                return Err(Refusal::invalid(format!("tools[{i}].function"), "a function"));
            }
            Ok(tool)
        })
        .collect()
}

fn tool_choice(value: &RawValue) -> Result<ToolChoice<'_>, Refusal> {
    #[derive(Deserialize)]
    struct Choice<'a> {
        #[serde(rename = "type", borrow)]
        kind: Text<'a>,
        #[serde(borrow, default)]
        function: Option<Named<'a>>,
    }
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(borrow)]
        name: Text<'a>,
    }
    let expected = "`auto`, `none`, `required` or a function";
    let invalid = || Refusal::invalid("tool_choice", expected);
    if value.get().starts_with('"') {
        let word: Text<'_> = expect(value, "tool_choice", expected)?;
        return match &*word {
            "auto" => Ok(ToolChoice::Auto),
            "none" => Ok(ToolChoice::None),
            "required" => Ok(ToolChoice::Required),
            _ => Err(invalid()),
        };
    }
    let choice: Choice<'_> = expect(value, "tool_choice", expected)?;
    match (&*choice.kind, choice.function) {
        ("function", Some(function)) => Ok(ToolChoice::Named(function.name)),
        ("function", None) => Err(invalid()),
        _ => Ok(ToolChoice::Other),
    }
}

fn response_format(value: &RawValue) -> Result<Option<ResponseFormat<'_>>, Refusal> {
    #[derive(Deserialize)]
    struct Format<'a> {
        #[serde(rename = "type", borrow)]
        kind: Text<'a>,
        #[serde(borrow, default)]
        json_schema: Option<Schema<'a>>,
    }
    #[derive(Deserialize)]
    struct Schema<'a> {
        #[serde(borrow, default)]
        schema: Option<&'a RawValue>,
    }
    let format: Format<'_> = expect(value, "response_format", "an object with `type`")?;
    Ok(match &*format.kind {
        "text" => None,
        "json_object" => Some(ResponseFormat::JsonObject),
        "json_schema" => {
            let schema = format.json_schema.and_then(|s| s.schema).ok_or_else(|| {
                Refusal::invalid("response_format.json_schema.schema", "a JSON Schema")
            })?;
            Some(ResponseFormat::JsonSchema(schema))
        }
        _ => Some(ResponseFormat::Other),
    })
}
