//! A chat completion stream as the client reads it: `data:` lines, ended by `[DONE]`.

use serde::Serialize;
use tollgate_api::{ApiError, Dialect};

use super::response::{Finish, Usage, WireUsage};

/// Writes the chunks of one stream: the same id, time and model in each.
#[derive(Debug)]
pub(crate) struct Chunks {
    id: String,
    created: u64,
    model: String,
}

/// What a chunk adds to the message.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) thinking_blocks: Option<[Signature<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tool_calls: Option<[ToolCallDelta<'a>; 1]>,
}

/// The signature over the reasoning that came before it.
#[derive(Debug, Serialize)]
pub(crate) struct Signature<'a> {
    r#type: &'static str,
    thinking: &'static str,
    signature: &'a str,
}

/// What a chunk adds to a tool call.
#[derive(Debug, Serialize)]
pub(crate) struct ToolCallDelta<'a> {
    index: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'static str>,
    function: FunctionDelta<'a>,
}

#[derive(Debug, Serialize)]
struct FunctionDelta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    arguments: &'a str,
}

impl<'a> Delta<'a> {
    pub(crate) fn role() -> Self {
        Self { role: Some("assistant"), content: Some(""), ..Self::default() }
    }

    pub(crate) fn content(text: &'a str) -> Self {
        Self { content: Some(text), ..Self::default() }
    }

    pub(crate) fn reasoning(text: &'a str) -> Self {
        Self { reasoning_content: Some(text), ..Self::default() }
    }

    pub(crate) fn signature(signature: &'a str) -> Self {
        let block = Signature { r#type: "thinking", thinking: "", signature };
        Self { thinking_blocks: Some([block]), ..Self::default() }
    }

    /// The start of the tool call number `index`, counted over tool calls only.
    pub(crate) fn tool_start(index: u32, id: &'a str, name: &'a str) -> Self {
        let function = FunctionDelta { name: Some(name), arguments: "" };
        let call = ToolCallDelta { index, id: Some(id), r#type: Some("function"), function };
        Self { tool_calls: Some([call]), ..Self::default() }
    }

    pub(crate) fn tool_arguments(index: u32, arguments: &'a str) -> Self {
        let function = FunctionDelta { name: None, arguments };
        let call = ToolCallDelta { index, id: None, r#type: None, function };
        Self { tool_calls: Some([call]), ..Self::default() }
    }
}

impl Chunks {
    /// Chunks under the name the client used; `created` in seconds since 1970.
    pub(crate) fn new(model: String, created: u64) -> Self {
        Self { id: format!("chatcmpl-{created:x}"), created, model }
    }

    /// Sets the id of all chunks; to be called before the first.
    pub(crate) fn set_id(&mut self, id: &str) {
        id.clone_into(&mut self.id);
    }

    pub(crate) fn delta(&self, delta: Delta<'_>, out: &mut Vec<u8>) {
        self.chunk(&[Choice { index: 0, delta, logprobs: None, finish_reason: None }], None, out);
    }

    pub(crate) fn finish(&self, reason: Finish, out: &mut Vec<u8>) {
        let delta = Delta::default();
        let choice = Choice { index: 0, delta, logprobs: None, finish_reason: Some(reason) };
        self.chunk(&[choice], None, out);
    }

    /// The last chunk, for a client that asked for it.
    pub(crate) fn usage(&self, usage: Usage, out: &mut Vec<u8>) {
        self.chunk(&[], Some(usage.into()), out);
    }

    fn chunk(&self, choices: &[Choice<'_>], usage: Option<WireUsage>, out: &mut Vec<u8>) {
        frame(
            &Chunk {
                id: &self.id,
                object: "chat.completion.chunk",
                created: self.created,
                model: &self.model,
                choices,
                usage,
            },
            out,
        );
    }
}

/// An error where the status was sent long ago.
pub(crate) fn error(error: &ApiError, out: &mut Vec<u8>) {
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(&error.body(Dialect::OpenAi));
    out.extend_from_slice(b"\n\n");
}

/// The end of a complete stream.
pub(crate) fn done(out: &mut Vec<u8>) {
    out.extend_from_slice(b"data: [DONE]\n\n");
}

fn frame(data: &impl Serialize, out: &mut Vec<u8>) {
    out.extend_from_slice(b"data: ");
    // Writing to memory, structs with string keys: cannot fail.
    let _ = serde_json::to_writer(&mut *out, data);
    out.extend_from_slice(b"\n\n");
}

#[derive(Serialize)]
struct Chunk<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: &'a [Choice<'a>],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<WireUsage>,
}

#[derive(Serialize)]
struct Choice<'a> {
    index: u32,
    delta: Delta<'a>,
    logprobs: Option<()>,
    finish_reason: Option<Finish>,
}
