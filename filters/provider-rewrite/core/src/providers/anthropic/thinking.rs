//! Reasoning effort as a thinking budget.

use super::wire;
use crate::chat::ChatRequest;
use crate::chat::message::Role;
use crate::chat::request::ToolChoice;
use crate::providers::To;
use crate::refusal::Refusal;

/// Sets `thinking` from `reasoning_effort`, unless the client gave it itself.
pub(crate) fn translate(
    chat: &ChatRequest<'_>,
    to: &To<'_>,
    request: &mut wire::Request<'_>,
) -> Result<(), Refusal> {
    let Some(effort) = &chat.reasoning_effort else { return Ok(()) };
    let budget_tokens = match &**effort {
        "none" => return Ok(()),
        "minimal" | "low" => 1024,
        "medium" => 2048,
        "high" => 4096,
        "xhigh" => 8192,
        "max" => 16384,
        _ => {
            return Err(Refusal::invalid(
                "reasoning_effort",
                "`none`, `minimal`, `low`, `medium`, `high`, `xhigh` or `max`",
            ));
        }
    };
    if request.thinking.is_some() || answers_unsigned_call(chat) {
        return Ok(());
    }
    if let Some(ToolChoice::Named(_) | ToolChoice::Required) = chat.tool_choice {
        // Anthropic does not think before a forced call. The call is what the client insists on.
        to.on_unsupported.meets("reasoning_effort")?;
        return Ok(());
    }
    // The budget is part of `max_tokens`, so it must leave room for the answer.
    if request.max_tokens <= budget_tokens {
        request.max_tokens = request.max_tokens.saturating_add(budget_tokens);
    }
    request.thinking = Some(wire::Thinking::Budget { r#type: "enabled", budget_tokens });
    Ok(())
}

/// Whether the request continues a turn whose tool calls came without signed reasoning, as from
/// another provider or a client that did not keep it. Anthropic refuses to think on from there, so
/// this step of the loop goes without.
fn answers_unsigned_call(chat: &ChatRequest<'_>) -> bool {
    let current = chat.messages.iter().rev().take_while(|message| message.role != Role::User);
    current
        .filter(|message| message.role == Role::Assistant)
        .any(|message| !message.tool_calls.is_empty() && message.thinking_blocks.is_empty())
}
