//! Messages: the leading system prompt apart, turns of alternating roles, content as blocks.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::tools::{is_name_char, sent_name};
use super::wire::{Block, Input, Item, Role as TurnRole, Source, Turn};
use crate::chat::ChatRequest;
use crate::chat::media::Media;
use crate::chat::message::{Content, Message, Part, Role, ToolCall};
use crate::chat::tool_names::ToolNames;
use crate::json::{Text, read};
use crate::providers::To;
use crate::refusal::Refusal;

/// Stands where a message has no text, since Anthropic takes no empty ones.
const PLACEHOLDER: &str = "(empty)";

/// The system prompt and the turns.
pub(crate) fn translate<'a>(
    chat: &'a ChatRequest<'_>,
    to: &To<'_>,
    names: &mut ToolNames,
) -> Result<(Vec<Item<'a>>, Vec<Turn<'a>>), Refusal> {
    let mut system = Vec::new();
    let mut turns: Vec<Turn<'a>> = Vec::new();
    for (i, message) in chat.messages.iter().enumerate() {
        let param = format!("messages[{i}]");
        let mut items = Vec::new();
        if !message.thinking_blocks.is_empty() {
            items.extend(message.thinking_blocks.iter().map(|block| Item::Raw(block)));
        }
        content(message, &param, to, &mut items)?;
        let role = match message.role {
            Role::System if turns.is_empty() => {
                mark(&mut items, message.cache_control);
                system.extend(items);
                continue;
            }
            // Later instructions keep their place in the conversation.
            Role::System | Role::User => TurnRole::User,
            Role::Tool => {
                items = vec![tool_result(message, &param, items)?];
                TurnRole::User
            }
            Role::Assistant => {
                for (j, call) in message.tool_calls.iter().enumerate() {
                    let param = format!("{param}.tool_calls[{j}]");
                    items.push(Item::Block(tool_use(call, &param, names)?));
                }
                TurnRole::Assistant
            }
        };
        if items.is_empty() {
            items.push(text(PLACEHOLDER.into()));
        }
        mark(&mut items, message.cache_control);
        match turns.last_mut() {
            Some(last) if last.role == role => last.content.extend(items),
            _ => turns.push(Turn { role, content: items }),
        }
    }
    if turns.is_empty() {
        return Err(Refusal::invalid("messages", "a message that is not a system message"));
    }
    trim_prefill(&mut turns);
    Ok((system, turns))
}

/// A last assistant turn is what the model continues; it must not end in white space.
fn trim_prefill(turns: &mut Vec<Turn<'_>>) {
    if let Some(Turn { role: TurnRole::Assistant, content }) = turns.last_mut()
        && let Some(Item::Block(Block::Text { text, .. })) = content.last_mut()
    {
        let trimmed = text.trim_end().len();
        if trimmed < text.len() {
            text.to_mut().truncate(trimmed);
        }
    }
}

/// Puts a message's cache breakpoint on its last block, unless that has one.
fn mark<'a>(items: &mut [Item<'a>], cache_control: Option<&'a RawValue>) {
    if let Some(Item::Block(block)) = items.last_mut() {
        let place = block.cache_control();
        *place = place.or(cache_control);
    }
}

fn text(text: Cow<'_, str>) -> Item<'_> {
    Item::Block(Block::Text { text, cache_control: None })
}

/// The message's text and media as blocks. Text without a visible character is left out.
fn content<'a>(
    message: &'a Message<'_>,
    param: &str,
    to: &To<'_>,
    items: &mut Vec<Item<'a>>,
) -> Result<(), Refusal> {
    match &message.content {
        Content::None => {}
        Content::Text(Text(content)) => push_text(content, None, items),
        Content::Parts(parts) => {
            for (i, part) in parts.iter().enumerate() {
                let param = format!("{param}.content[{i}]");
                self::part(message.role, part, &param, to, items)?;
            }
        }
    }
    if let Some(Text(refusal)) = &message.refusal {
        push_text(refusal, None, items);
    }
    Ok(())
}

fn push_text<'a>(text: &'a str, cache_control: Option<&'a RawValue>, items: &mut Vec<Item<'a>>) {
    if !text.trim().is_empty() {
        items.push(Item::Block(Block::Text { text: text.into(), cache_control }));
    }
}

fn part<'a>(
    role: Role,
    part: &'a Part<'_>,
    param: &str,
    to: &To<'_>,
    items: &mut Vec<Item<'a>>,
) -> Result<(), Refusal> {
    let cache_control = part.cache_control;
    let missing = |what: &str| Refusal::invalid(format!("{param}.{what}"), "a value");
    match &*part.kind {
        "text" => {
            let text = part.text.as_deref().ok_or_else(|| missing("text"))?;
            push_text(text, cache_control, items);
        }
        "refusal" => {
            let text = part.refusal.as_deref().ok_or_else(|| missing("refusal"))?;
            push_text(text, cache_control, items);
        }
        "image_url" if matches!(role, Role::User | Role::Tool) => {
            let image = part.image_url.ok_or_else(|| missing("image_url"))?;
            let source = source(image_url(image, param)?, &format!("{param}.image_url"))?;
            items.push(Item::Block(Block::Image { source, cache_control }));
        }
        "file" if matches!(role, Role::User | Role::Tool) => {
            let file = part.file.ok_or_else(|| missing("file"))?;
            if let Some(document) = document(file, cache_control, param, to)? {
                items.push(Item::Block(document));
            }
        }
        _ => to.on_unsupported.meets(format!("{param}.type"))?,
    }
    Ok(())
}

/// The URL of an image part, which is an object, or in some clients a string.
fn image_url<'a>(raw: &'a RawValue, param: &str) -> Result<Text<'a>, Refusal> {
    #[derive(Deserialize)]
    struct Image<'a> {
        #[serde(borrow)]
        url: Text<'a>,
    }
    let url = if raw.get().starts_with('"') {
        read(raw)
    } else {
        read::<Image<'a>>(raw).map(|image| image.url)
    };
    url.ok_or_else(|| Refusal::invalid(format!("{param}.image_url"), "an object with `url`"))
}

fn source<'a>(Text(url): Text<'a>, param: &str) -> Result<Source<'a>, Refusal> {
    // Borrowed text stays borrowed: a data URL can be most of the body.
    match url {
        Cow::Borrowed(url) => Ok(match Media::of_url(url, param)? {
            Media::Base64 { media_type, data } => {
                Source::Base64 { media_type: media_type.into(), data: data.into() }
            }
            Media::Url(url) => Source::Url { url: url.into() },
        }),
        Cow::Owned(url) => Ok(match Media::of_url(&url, param)? {
            Media::Base64 { media_type, data } => Source::Base64 {
                media_type: media_type.to_owned().into(),
                data: data.to_owned().into(),
            },
            Media::Url(url) => Source::Url { url: url.to_owned().into() },
        }),
    }
}

/// A PDF file as a document; `None` if the file cannot be sent and is to be dropped.
fn document<'a>(
    raw: &'a RawValue,
    cache_control: Option<&'a RawValue>,
    param: &str,
    to: &To<'_>,
) -> Result<Option<Block<'a>>, Refusal> {
    #[derive(Deserialize)]
    struct File<'a> {
        #[serde(borrow, default)]
        file_data: Option<Text<'a>>,
        #[serde(borrow, default)]
        filename: Option<Text<'a>>,
    }
    let param = format!("{param}.file");
    let file: File<'a> =
        read(raw).ok_or_else(|| Refusal::invalid(&*param, "an object with `file_data`"))?;
    let Some(data) = file.file_data else {
        // A file that OpenAI stores.
        to.on_unsupported.meets(format!("{param}.file_id"))?;
        return Ok(None);
    };
    let source = source(data, &format!("{param}.file_data"))?;
    match &source {
        Source::Base64 { media_type, .. } if media_type != "application/pdf" => {
            to.on_unsupported.meets(format!("{param}.file_data"))?;
            Ok(None)
        }
        Source::Base64 { .. } | Source::Url { .. } => {
            Ok(Some(Block::Document { source, title: file.filename, cache_control }))
        }
    }
}

fn tool_result<'a>(
    message: &'a Message<'_>,
    param: &str,
    content: Vec<Item<'a>>,
) -> Result<Item<'a>, Refusal> {
    let id = message.tool_call_id.as_deref().unwrap_or_default();
    if id.is_empty() {
        return Err(Refusal::invalid(format!("{param}.tool_call_id"), "the id of a tool call"));
    }
    let tool_use_id = sent_id(id);
    Ok(Item::Block(Block::ToolResult { tool_use_id, content, cache_control: None }))
}

fn tool_use<'a>(
    call: &'a ToolCall<'_>,
    param: &str,
    names: &mut ToolNames,
) -> Result<Block<'a>, Refusal> {
    if call.id.is_empty() {
        return Err(Refusal::invalid(format!("{param}.id"), "an id"));
    }
    let arguments = call.function.arguments.trim();
    let input = if matches!(arguments, "" | "null") {
        Input::Empty {}
    } else {
        // Raw, so that integers keep all their digits.
        let object = RawValue::from_string(arguments.to_owned()).ok();
        let object = object.filter(|object| object.get().starts_with('{'));
        Input::Object(object.ok_or_else(|| {
            Refusal::invalid(format!("{param}.function.arguments"), "a JSON object as text")
        })?)
    };
    let name = sent_name(names, &call.function.name, &format!("{param}.function.name"))?;
    Ok(Block::ToolUse { id: sent_id(&call.id), name, input, cache_control: None })
}

/// Ids made by other providers may have characters that Anthropic does not take.
fn sent_id(id: &str) -> Cow<'_, str> {
    if id.chars().all(is_name_char) {
        Cow::Borrowed(id)
    } else {
        id.chars().map(|c| if is_name_char(c) { c } else { '_' }).collect()
    }
}
