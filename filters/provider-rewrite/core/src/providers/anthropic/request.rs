//! From a chat completion to a request of the Messages API.

use serde_json::value::RawValue;

use super::{messages, thinking, tools, wire};
use crate::chat::ChatRequest;
use crate::chat::request::ResponseFormat;
use crate::chat::tool_names::ToolNames;
use crate::json::{Text, is_number, read};
use crate::providers::{Sent, To};
use crate::refusal::Refusal;

/// Translates a request.
///
/// # Errors
///
/// If it is not what OpenAI's API says, or asks for what Anthropic does not have (unless that is to be
/// dropped).
pub(crate) fn translate(chat: &ChatRequest<'_>, to: &To<'_>) -> Result<Sent, Refusal> {
    let mut names = ToolNames::default();
    let (system, messages) = messages::translate(chat, to, &mut names)?;
    let mut request = wire::Request {
        model: to.wire_model,
        max_tokens: chat.max_tokens.unwrap_or(to.default_max_tokens),
        system,
        messages,
        stream: chat.stream,
        ..wire::Request::default()
    };
    request.metadata = user_id(chat).map(|user_id| wire::Metadata { user_id });
    for stop in &chat.stop {
        if stop.trim().is_empty() {
            to.on_unsupported.meets("stop")?;
        } else {
            request.stop_sequences.push(stop);
        }
    }
    match &chat.response_format {
        None => {}
        Some(ResponseFormat::JsonSchema(schema)) => {
            let format = wire::OutputFormat { r#type: "json_schema", schema };
            request.output_config = Some(wire::OutputConfig { format });
        }
        Some(ResponseFormat::JsonObject | ResponseFormat::Other) => {
            to.on_unsupported.meets("response_format")?;
        }
    }
    let mut web_search = None;
    for (name, value) in &chat.rest {
        let value: &RawValue = value;
        match &**name {
            // OpenAI's range ends at 2, Anthropic's at 1.
            "temperature" => match read::<f64>(value) {
                Some(0.0..=1.0) => request.temperature = Some(value),
                Some(1.0..=2.0) => to.on_unsupported.meets("temperature")?,
                _ => return Err(Refusal::invalid("temperature", "a number from 0 to 2")),
            },
            "top_p" => match read::<f64>(value) {
                Some(0.0..=1.0) => request.top_p = Some(value),
                _ => return Err(Refusal::invalid("top_p", "a number from 0 to 1")),
            },
            "top_k" => request.top_k = Some(value),
            "thinking" => request.thinking = Some(wire::Thinking::Given(value)),
            "cache_control" => request.cache_control = Some(value),
            "service_tier" => match value.get() {
                r#""auto""# => request.service_tier = Some("auto"),
                r#""default""# => request.service_tier = Some("standard_only"),
                _ => to.on_unsupported.meets("service_tier")?,
            },
            "web_search_options" => web_search = Some(tools::web_search(value)?),
            _ => to.on_unsupported.meets(&**name)?,
        }
    }
    thinking::translate(chat, to, &mut request)?;
    tools::translate(chat, to, web_search, &mut names, &mut request)?;
    if request.thinking.is_some() {
        without_sampling(to, &mut request)?;
    }
    // Structs with string keys always serialize.
    let body = serde_json::to_vec(&request).map_err(|_| Refusal::invalid_json())?;
    Ok(Sent { body, names })
}

/// Thinking allows no other temperature than 1, and no `top_k`.
fn without_sampling(to: &To<'_>, request: &mut wire::Request<'_>) -> Result<(), Refusal> {
    let enabled = match &request.thinking {
        Some(wire::Thinking::Given(given)) => !given.get().contains("\"disabled\""),
        Some(wire::Thinking::Budget { .. }) => true,
        None => false,
    };
    if !enabled {
        return Ok(());
    }
    if request.temperature.is_some_and(|t| !is_number(t, 1.0)) {
        to.on_unsupported.meets("temperature")?;
        request.temperature = None;
    }
    if request.top_k.is_some() {
        to.on_unsupported.meets("top_k")?;
        request.top_k = None;
    }
    Ok(())
}

/// Anthropic wants an opaque id there, and nothing that tells who the user is.
fn user_id<'a>(chat: &'a ChatRequest<'_>) -> Option<&'a str> {
    chat.user.as_ref().map(|Text(user)| &**user).filter(|user| {
        let digits = user.bytes().filter(u8::is_ascii_digit).count();
        let is_phone =
            digits >= 7 && user.bytes().all(|b| b.is_ascii_digit() || b" +-().".contains(&b));
        !user.is_empty() && !user.contains('@') && !is_phone
    })
}
