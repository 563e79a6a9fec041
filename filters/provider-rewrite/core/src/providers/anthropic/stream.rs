//! From a stream of the Messages API to chat completion chunks.

use serde_json::value::RawValue;

use super::error;
use super::wire::{self, AnswerBlock, Delta as WireDelta, StreamEvent, Usage};
use crate::chat::response::Finish;
use crate::chat::stream::Delta;
use crate::json::{document, is_empty};
use crate::providers::{Step, StreamOptions, Translator};

/// More tool calls than this are not open at once: the API opens one at a time.
const MOST_OPEN_TOOLS: usize = 64;

/// The translation of one stream.
pub(crate) fn translator(options: StreamOptions) -> Box<dyn Translator> {
    Box::new(MessageStream {
        options,
        usage: Usage::default(),
        open_tools: Vec::new(),
        tools: 0,
        finish: None,
    })
}

struct MessageStream {
    options: StreamOptions,
    usage: Usage,
    open_tools: Vec<OpenTool>,
    /// Tool calls so far: the index of the next.
    tools: u32,
    /// Set once the finish reason was sent.
    finish: Option<Finish>,
}

/// A tool call between its start and its stop.
struct OpenTool {
    /// Index of the content block.
    block: u64,
    /// Index among the tool calls.
    index: u32,
    /// Arguments that came with the start, to be sent at the stop if none came between.
    initial: Option<String>,
}

impl Translator for MessageStream {
    fn push(&mut self, data: &[u8], out: &mut Vec<u8>) -> Step {
        let Some(event) = document::<StreamEvent<'_>>(data) else {
            return Step::Unreadable;
        };
        match &*event.kind {
            "message_start" => {
                if let Some(message) = event.message {
                    if let Some(id) = message.id.filter(|id| !id.is_empty()) {
                        self.options.chunks.set_id(&id);
                    }
                    self.usage.update(&message.usage.unwrap_or_default());
                }
                self.options.chunks.delta(Delta::role(), out);
            }
            "content_block_start" => match event.content_block {
                Some(block) => return self.block_start(event.index, block, out),
                None => return Step::Unreadable,
            },
            "content_block_delta" => match event.delta {
                Some(delta) => self.block_delta(event.index, &delta, out),
                None => return Step::Unreadable,
            },
            "content_block_stop" => self.block_stop(event.index, out),
            "message_delta" => {
                if let Some(usage) = event.usage {
                    self.usage.update(&usage);
                }
                if let Some(reason) = event.delta.and_then(|delta| delta.stop_reason) {
                    self.finish(wire::finish(&reason), out);
                }
            }
            "message_stop" => {
                self.finish(Finish::Stop, out);
                if self.options.include_usage {
                    self.options.chunks.usage(self.usage.into(), out);
                }
                return Step::Done;
            }
            "error" => {
                let Some(object) = event.error else { return Step::Unreadable };
                return Step::Failed(error::status(&object.kind), object.into());
            }
            // `ping`, and events that are yet to come: the API says to ignore them.
            _ => {}
        }
        Step::More
    }

    fn usage_so_far(&self, out: &mut Vec<u8>) {
        if self.options.include_usage && self.usage != Usage::default() {
            self.options.chunks.usage(self.usage.into(), out);
        }
    }
}

impl MessageStream {
    fn block_start(&mut self, block: u64, start: AnswerBlock<'_>, out: &mut Vec<u8>) -> Step {
        let chunks = &self.options.chunks;
        match &*start.kind {
            "text" => {
                if let Some(text) = start.text.filter(|text| !text.is_empty()) {
                    chunks.delta(Delta::content(&text), out);
                }
            }
            "thinking" => {
                if let Some(text) = start.thinking.filter(|text| !text.is_empty()) {
                    chunks.delta(Delta::reasoning(&text), out);
                }
            }
            "tool_use" => {
                let (Some(id), Some(name)) = (start.id, start.name) else {
                    return Step::Unreadable;
                };
                if self.open_tools.len() >= MOST_OPEN_TOOLS {
                    return Step::Unreadable;
                }
                let name = self.options.names.original(&name);
                chunks.delta(Delta::tool_start(self.tools, &id, name), out);
                let initial = start.input.filter(|input| !is_empty(input));
                let initial = initial.map_or("{}", RawValue::get).to_owned();
                let open = OpenTool { block, index: self.tools, initial: Some(initial) };
                self.open_tools.push(open);
                self.tools = self.tools.saturating_add(1);
            }
            // What the provider calls itself is not for the client to answer.
            _ => {}
        }
        Step::More
    }

    fn block_delta(&mut self, block: u64, delta: &WireDelta<'_>, out: &mut Vec<u8>) {
        let chunks = &self.options.chunks;
        match &*delta.kind {
            "text_delta" => {
                if let Some(text) = &delta.text {
                    chunks.delta(Delta::content(text), out);
                }
            }
            "thinking_delta" => {
                if let Some(text) = &delta.thinking {
                    chunks.delta(Delta::reasoning(text), out);
                }
            }
            "signature_delta" => {
                if let Some(signature) = &delta.signature {
                    chunks.delta(Delta::signature(signature), out);
                }
            }
            "input_json_delta" => {
                let json = delta.partial_json.as_deref().unwrap_or_default();
                let open = self.open_tools.iter_mut().find(|tool| tool.block == block);
                if let Some(tool) = open
                    && !json.is_empty()
                {
                    tool.initial = None;
                    chunks.delta(Delta::tool_arguments(tool.index, json), out);
                }
            }
            _ => {}
        }
    }

    fn block_stop(&mut self, block: u64, out: &mut Vec<u8>) {
        let Some(at) = self.open_tools.iter().position(|tool| tool.block == block) else { return };
        let tool = self.open_tools.swap_remove(at);
        if let Some(initial) = tool.initial {
            self.options.chunks.delta(Delta::tool_arguments(tool.index, &initial), out);
        }
    }

    /// Sends the finish reason, once.
    fn finish(&mut self, reason: Finish, out: &mut Vec<u8>) {
        if self.finish.is_none() {
            let reason = reason.after_tool_calls(self.tools > 0);
            self.finish = Some(reason);
            self.options.chunks.finish(reason, out);
        }
    }
}
