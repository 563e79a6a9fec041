//! The providers' dialects: one folder each, one row each in the matches below.
//!
//! Every folder has the same files: `mod` (API version, what is and is not supported), `wire` (its
//! JSON), `request`, `response`, `stream` (translation), `error` (what its error bodies say). OpenAI's
//! has no translation: it is the dialect that the others are translated from (`chat`). To add a
//! dialect: copy a folder, add a variant to [`Dialect`], answer the compiler, add fixtures.

pub(crate) mod anthropic;
pub(crate) mod openai;

use crate::chat::ChatRequest;
use crate::chat::response::Answer;
use crate::chat::stream::Chunks;
use crate::chat::tool_names::ToolNames;
use crate::config::OnUnsupported;
use crate::errors::ProviderError;
use crate::refusal::Refusal;

/// The API that a provider speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Dialect {
    Anthropic,
    OpenAi,
}

/// How chat completions reach a provider of another dialect.
#[derive(Clone, Copy)]
pub(crate) struct ChatTranslation {
    /// Path behind the provider's prefix.
    pub(crate) path: &'static str,
    pub(crate) request: fn(&ChatRequest<'_>, &To<'_>) -> Result<Sent, Refusal>,
    pub(crate) response: fn(&[u8], &ToolNames) -> Result<Answer, Unreadable>,
    pub(crate) stream: fn(StreamOptions) -> Box<dyn Translator>,
}

/// What a request is translated for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct To<'a> {
    /// The provider's name of the model.
    pub(crate) wire_model: &'a str,
    /// Bound on completion tokens if the client gave none.
    pub(crate) default_max_tokens: u64,
    pub(crate) on_unsupported: OnUnsupported,
}

/// A translated request.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) body: Vec<u8>,
    pub(crate) names: ToolNames,
}

/// The provider's answer is not what its API says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Unreadable;

/// What the translation of a stream needs to know of the request.
#[derive(Debug)]
pub(crate) struct StreamOptions {
    pub(crate) chunks: Chunks,
    pub(crate) names: ToolNames,
    /// Whether the client asked for a last chunk with the usage.
    pub(crate) include_usage: bool,
}

/// Translates one stream, event by event, in the call in which an event is complete.
pub(crate) trait Translator {
    /// Translates an event's data; what the client gets is appended to `out`.
    fn push(&mut self, data: &[u8], out: &mut Vec<u8>) -> Step;

    /// Appends the chunk with the usage so far, if the client asked for one and the provider gave any:
    /// for a stream that does not come to its end, whose tokens are paid for all the same.
    fn usage_so_far(&self, out: &mut Vec<u8>);
}

/// What a translated event means for the stream.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    /// The stream is complete.
    Done,
    /// The provider reported an error, of the class with this status.
    Failed(u16, ProviderError),
    More,
    /// The event is not what the provider's API says.
    Unreadable,
}

impl Dialect {
    /// The dialect of clients whose requests pass without translation.
    pub(crate) fn of_clients(self) -> tollgate_api::Dialect {
        match self {
            Self::Anthropic => tollgate_api::Dialect::Anthropic,
            Self::OpenAi => tollgate_api::Dialect::OpenAi,
        }
    }

    /// How OpenAI's chat completions are translated; `None` if they need not be.
    pub(crate) fn chat(self) -> Option<&'static ChatTranslation> {
        match self {
            Self::Anthropic => Some(&anthropic::CHAT),
            Self::OpenAi => None,
        }
    }

    /// The header that carries `secret`.
    pub(crate) fn credential_header(self, secret: &[u8]) -> (&'static str, Vec<u8>) {
        match self {
            Self::Anthropic => ("x-api-key", secret.to_vec()),
            Self::OpenAi => ("authorization", [b"Bearer ", secret].concat()),
        }
    }

    /// Headers that every request has, unless the client's (of the same dialect) or the
    /// configuration sets another value.
    pub(crate) fn default_headers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Anthropic => &[("anthropic-version", anthropic::VERSION)],
            Self::OpenAi => &[],
        }
    }

    /// Request headers of clients that speak the dialect itself.
    pub(crate) fn native_headers(self) -> &'static [&'static str] {
        match self {
            Self::Anthropic => &["anthropic-beta", "anthropic-version"],
            Self::OpenAi => &["openai-beta"],
        }
    }

    /// Reads an error body; `None` if it is not one of this dialect.
    pub(crate) fn error(self, body: &[u8]) -> Option<ProviderError> {
        match self {
            Self::Anthropic => anthropic::error::read(body),
            Self::OpenAi => openai::error::read(body),
        }
    }
}
