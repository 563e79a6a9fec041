//! Tools, and which of them must be called.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::wire;
use crate::chat::ChatRequest;
use crate::chat::request::{Tool, ToolChoice};
use crate::chat::tool_names::ToolNames;
use crate::json::{Text, is_empty, read};
use crate::providers::To;
use crate::refusal::Refusal;

/// The most characters in a tool's name.
const MOST_NAME: usize = 128;

/// The name to send for the client's tool `name`, which stands at `param`.
pub(crate) fn sent_name<'a>(
    names: &mut ToolNames,
    name: &'a str,
    param: &str,
) -> Result<Cow<'a, str>, Refusal> {
    names.send(name, is_name_char, MOST_NAME).map_err(|_| {
        Refusal::invalid(param, "a name that differs from the others in letters and digits too")
    })
}

/// Whether `c` may stand in names and ids (`^[a-zA-Z0-9_-]+$`).
pub(crate) fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

/// Sets `tools` and `tool_choice`.
pub(crate) fn translate<'a>(
    chat: &'a ChatRequest<'_>,
    to: &To<'_>,
    web_search: Option<wire::Tool<'a>>,
    names: &mut ToolNames,
    request: &mut wire::Request<'a>,
) -> Result<(), Refusal> {
    for (i, tool) in chat.tools.iter().enumerate() {
        let Tool { kind, function: Some(function), cache_control } = tool else {
            to.on_unsupported.meets(format!("tools[{i}].type"))?;
            continue;
        };
        if &**kind != "function" {
            to.on_unsupported.meets(format!("tools[{i}].type"))?;
            continue;
        }
        request.tools.push(wire::Tool::Function {
            name: sent_name(names, &function.name, &format!("tools[{i}].function.name"))?,
            description: function.description.as_deref(),
            input_schema: schema(function.parameters),
            strict: function.strict.unwrap_or_default(),
            cache_control: cache_control.or(function.cache_control),
        });
    }
    request.tools.extend(web_search);
    if request.tools.is_empty() {
        return undeclared(chat, names, request);
    }
    let disable_parallel_tool_use = chat.parallel_tool_calls == Some(false);
    let choice = |r#type| wire::ToolChoice { r#type, name: None, disable_parallel_tool_use };
    request.tool_choice = match &chat.tool_choice {
        None | Some(ToolChoice::Auto) => disable_parallel_tool_use.then(|| choice("auto")),
        Some(ToolChoice::None) => {
            Some(wire::ToolChoice { disable_parallel_tool_use: false, ..choice("none") })
        }
        Some(ToolChoice::Required) => Some(choice("any")),
        Some(ToolChoice::Named(name)) => {
            let name = sent_name(names, name, "tool_choice.function.name")?;
            Some(wire::ToolChoice { name: Some(name), ..choice("tool") })
        }
        Some(ToolChoice::Other) => {
            to.on_unsupported.meets("tool_choice")?;
            None
        }
    };
    Ok(())
}

/// The parameters as they are; Anthropic wants at least a type, which OpenAI does not.
fn schema(parameters: Option<&RawValue>) -> wire::Schema<'_> {
    match parameters {
        Some(parameters) if !is_empty(parameters) => wire::Schema::Given(parameters),
        _ => wire::Schema::Any { r#type: "object" },
    }
}

/// Anthropic refuses a history with tool calls where no tools are declared: those that were called
/// are, and may not be called again.
fn undeclared<'a>(
    chat: &'a ChatRequest<'_>,
    names: &mut ToolNames,
    request: &mut wire::Request<'a>,
) -> Result<(), Refusal> {
    let called = chat.messages.iter().flat_map(|message| &message.tool_calls);
    let called: BTreeSet<&str> = called.map(|call| &*call.function.name).collect();
    for name in called {
        request.tools.push(wire::Tool::Function {
            name: sent_name(names, name, "messages")?,
            description: None,
            input_schema: wire::Schema::Any { r#type: "object" },
            strict: false,
            cache_control: None,
        });
    }
    if !request.tools.is_empty() {
        request.tool_choice =
            Some(wire::ToolChoice { r#type: "none", name: None, disable_parallel_tool_use: false });
    }
    Ok(())
}

/// The server tool for `web_search_options`.
pub(crate) fn web_search(options: &RawValue) -> Result<wire::Tool<'_>, Refusal> {
    #[derive(Deserialize)]
    struct Options<'a> {
        #[serde(borrow, default)]
        search_context_size: Option<Text<'a>>,
        #[serde(borrow, default)]
        user_location: Option<UserLocation<'a>>,
    }
    #[derive(Deserialize)]
    struct UserLocation<'a> {
        #[serde(borrow, default)]
        approximate: Option<wire::Location<'a>>,
    }
    let options: Options<'_> =
        read(options).ok_or_else(|| Refusal::invalid("web_search_options", "an object"))?;
    let max_uses = match options.search_context_size.as_deref() {
        Some("low") => 1,
        None | Some("medium") => 5,
        Some("high") => 10,
        Some(_) => {
            return Err(Refusal::invalid(
                "web_search_options.search_context_size",
                "`low`, `medium` or `high`",
            ));
        }
    };
    Ok(wire::Tool::WebSearch {
        r#type: "web_search_20250305",
        name: "web_search",
        max_uses,
        user_location: options.user_location.and_then(|location| location.approximate),
    })
}
