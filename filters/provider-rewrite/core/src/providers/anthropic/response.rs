//! From an answer of the Messages API to a chat completion.

use serde_json::value::RawValue;

use super::wire::{self, AnswerBlock, Message};
use crate::chat::response::{Answer, ToolCall};
use crate::chat::tool_names::ToolNames;
use crate::json::{document, read};
use crate::providers::Unreadable;

/// Translates a complete answer.
///
/// # Errors
///
/// If it is not a message.
pub(crate) fn translate(body: &[u8], names: &ToolNames) -> Result<Answer, Unreadable> {
    let message: Message<'_> = document(body).ok_or(Unreadable)?;
    let mut answer = Answer {
        id: message.id.map(|id| id.0.into_owned()).unwrap_or_default(),
        finish: wire::finish(message.stop_reason.as_deref().unwrap_or_default()),
        usage: message.usage.unwrap_or_default().into(),
        ..Answer::default()
    };
    for raw in message.content.ok_or(Unreadable)? {
        let block: AnswerBlock<'_> = read(raw).ok_or(Unreadable)?;
        match &*block.kind {
            "text" => append(&mut answer.content, &block.text.ok_or(Unreadable)?),
            "thinking" => {
                append(&mut answer.reasoning, &block.thinking.unwrap_or_default());
                answer.thinking_blocks.push(raw.to_owned());
            }
            "redacted_thinking" => answer.thinking_blocks.push(raw.to_owned()),
            "tool_use" => {
                let name = block.name.ok_or(Unreadable)?;
                answer.tool_calls.push(ToolCall {
                    id: block.id.ok_or(Unreadable)?.0.into_owned(),
                    name: names.original(&name).to_owned(),
                    arguments: block.input.map_or("{}", RawValue::get).to_owned(),
                });
            }
            // Calls that the provider serves itself, and their results.
            _ => {}
        }
    }
    Ok(answer)
}

fn append(to: &mut Option<String>, text: &str) {
    to.get_or_insert_default().push_str(text);
}
