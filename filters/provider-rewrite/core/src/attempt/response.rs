//! The response: errors mapped, answers translated, the model's name put back.

use std::ops::Range;

use tollgate_api::{ApiError, Dialect as ClientDialect};
use tollgate_effects::{Body, Context, Direction, Edit, Effect, Effects, Flow, Headers, Want};

use super::stream::Translation;
use super::{Attempt, Route};
use crate::chat::stream::Chunks;
use crate::config::Secret;
use crate::errors::{
    CONTEXT_LENGTH_EXCEEDED, ProviderError, bad_response, client_status, contains_secret,
    for_client,
};
use crate::headers::{clean_response, is_json};
use crate::model::quoted;
use crate::providers::{Dialect, StreamOptions};
use crate::restamp::{StreamRestamp, places};

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// What happens to the response's body.
pub(super) enum Answering {
    /// It is an error with this status: held, then mapped. `is_encoded`: it cannot be read.
    Error { status: u16, is_encoded: bool },
    /// It passes unread.
    Pass,
    /// JSON: held, then the model's name put back.
    Restamp,
    /// A stream: the model's name put back in each event.
    RestampStream(Box<StreamRestamp>),
    /// JSON: held, then translated.
    Translate,
    /// A stream: each event translated.
    TranslateStream(Box<Translation>),
}

impl Answering {
    pub(super) fn want(&self) -> Want {
        match self {
            Self::Error { .. } | Self::Restamp | Self::Translate => Want::Whole,
            Self::Pass => Want::Nothing,
            Self::RestampStream(_) | Self::TranslateStream(_) => Want::Pieces,
        }
    }
}

impl Attempt {
    /// Cleans the headers and decides what happens to the body.
    pub(super) fn response_headers(
        &mut self,
        ctx: Context<'_>,
        headers: &Headers<'_>,
        end: bool,
        out: &mut Effects,
    ) -> Flow {
        let Some(route) = &self.route else { return Flow::Continue };
        if is_local_reply(ctx) {
            return Flow::Continue;
        }
        clean_response(headers, out);
        let status = status(headers);
        if !(200..300).contains(&status) {
            return self.error_headers(status, headers, end, out);
        }
        let is_stream = headers.media_type().as_slice() == b"text/event-stream";
        match route.translation {
            Some(translation) => {
                if let Some(error) = unusable(headers, end, is_stream) {
                    out.push(error.reply(self.client));
                    return Flow::Pause;
                }
                if !is_stream {
                    self.answering = Answering::Translate;
                    return Flow::Pause;
                }
                let options = StreamOptions {
                    chunks: Chunks::new(self.client_model(), ctx.now / NANOS_PER_SECOND),
                    names: std::mem::take(&mut self.names.tools),
                    include_usage: self.names.include_usage,
                };
                self.answering = Answering::TranslateStream(Box::new(Translation::new(
                    self.config.limits.max_event_bytes,
                    (translation.stream)(options),
                    route.secret.clone(),
                )));
                out.push(remove("content-length"));
                out.push(set("content-type", "text/event-stream"));
                Flow::Continue
            }
            None => {
                let restamps = self.names.client_model != self.names.wire_model;
                if end || !restamps || headers.is_encoded() {
                    return Flow::Continue;
                }
                if is_stream {
                    let restamp = StreamRestamp::new(
                        self.config.limits.max_event_bytes,
                        &self.client_model(),
                    );
                    self.answering = Answering::RestampStream(Box::new(restamp));
                    out.push(remove("content-length"));
                    return Flow::Continue;
                }
                if !is_json(&headers.media_type()) {
                    return Flow::Continue;
                }
                self.answering = Answering::Restamp;
                Flow::Pause
            }
        }
    }

    /// Takes a piece of the response's body.
    pub(super) fn response_body(
        &mut self,
        ctx: Context<'_>,
        body: Body<'_>,
        out: &mut Effects,
    ) -> Flow {
        let too_large = body.held > self.config.limits.max_response_bytes;
        match &mut self.answering {
            Answering::Pass => Flow::Continue,
            Answering::TranslateStream(translation) => {
                let with = translation.push(body.bytes, body.end);
                out.push(Effect::ReplaceBody { on: Direction::Response, with });
                Flow::Continue
            }
            Answering::RestampStream(restamp) => {
                let with = restamp.push(body.bytes, body.end);
                if with != body.bytes {
                    out.push(Effect::ReplaceBody { on: Direction::Response, with });
                }
                Flow::Continue
            }
            Answering::Restamp if too_large => {
                // It passes as it is, under the provider's name of the model.
                self.answering = Answering::Pass;
                Flow::Continue
            }
            Answering::Translate if too_large => {
                let error = bad_response("the provider's answer is too long");
                out.push(error.reply(self.client));
                Flow::Pause
            }
            Answering::Error { status, .. } if too_large => {
                let error = for_client(*status, None, None);
                out.push(error.reply(self.client));
                Flow::Pause
            }
            _ if !body.end => Flow::Pause,
            Answering::Restamp => {
                self.restamp(body.bytes, out);
                Flow::Continue
            }
            Answering::Translate => {
                self.translate(ctx, body.bytes, out);
                Flow::Continue
            }
            Answering::Error { status, is_encoded } => {
                let (status, is_encoded) = (*status, *is_encoded);
                self.map_error(status, body.bytes, is_encoded, out);
                Flow::Continue
            }
        }
    }

    /// Holds an error to map it. Without a body there is nothing to map, and a reply of our own would
    /// keep the host from trying another provider: only the status changes.
    fn error_headers(
        &mut self,
        status: u16,
        headers: &Headers<'_>,
        end: bool,
        out: &mut Effects,
    ) -> Flow {
        let mapped = client_status(status);
        if mapped != status {
            out.push(set(":status", &mapped.to_string()));
        }
        if headers.contains("location") {
            out.push(remove("location"));
        }
        if end {
            return Flow::Continue;
        }
        self.answering = Answering::Error { status, is_encoded: headers.is_encoded() };
        Flow::Pause
    }

    fn restamp(&self, document: &[u8], out: &mut Effects) {
        let name = quoted(&self.client_model());
        let edit = |at: Range<usize>| Edit { start: at.start, len: at.len(), with: name.clone() };
        let edits: Vec<Edit> = places(document).into_iter().map(edit).collect();
        if edits.is_empty() {
            return;
        }
        let length = Edit::len_after(&edits, document.len());
        out.push(Effect::EditBody { on: Direction::Response, edits });
        out.push(set("content-length", &length.to_string()));
    }

    fn translate(&self, ctx: Context<'_>, document: &[u8], out: &mut Effects) {
        let Some(translation) = self.route.as_ref().and_then(|route| route.translation) else {
            return;
        };
        match (translation.response)(document, &self.names.tools) {
            Ok(answer) => {
                let created = ctx.now / NANOS_PER_SECOND;
                replace(answer.body(&self.client_model(), created), out);
            }
            // Not a reply of our own: so the host may still try another provider.
            Err(_) => {
                let error = bad_response("the provider's answer cannot be read");
                out.push(set(":status", &error.status.to_string()));
                replace(error.body(self.client), out);
            }
        }
    }

    fn map_error(&self, status: u16, body: &[u8], is_encoded: bool, out: &mut Effects) {
        let (Some(route), Some(provider)) = (&self.route, self.provider()) else { return };
        let error = if is_encoded { None } else { provider.dialect.error(body) };
        let secret = route.secret.as_ref();
        if let Some(error) = &error
            && passes(route, provider.dialect, status, error, body, secret)
        {
            return;
        }
        let error = for_client(status, error.as_ref(), secret);
        out.push(set(":status", &error.status.to_string()));
        if is_encoded {
            out.push(remove("content-encoding"));
        }
        replace(error.body(self.client), out);
    }

    fn client_model(&self) -> String {
        self.names.client_model.clone().unwrap_or_default()
    }
}

/// Whether the client may read the provider's error as it is.
fn passes(
    route: &Route,
    dialect: Dialect,
    status: u16,
    error: &ProviderError,
    body: &[u8],
    secret: Option<&Secret>,
) -> bool {
    // Only OpenAI's dialect has a word for it.
    let has_its_word = dialect.of_clients() != ClientDialect::OpenAi
        || error.code == CONTEXT_LENGTH_EXCEEDED
        || !error.is_context_window();
    route.translation.is_none()
        && error.is_native
        && has_its_word
        && (400..=599).contains(&status)
        && !matches!(status, 401 | 402)
        && !contains_secret(body, secret)
}

/// Whether the answer is the host's own, which no provider wrote.
fn is_local_reply(ctx: Context<'_>) -> bool {
    // Upstream filters run before the host sets it.
    ctx.property(&["response", "code_details"]).is_some_and(|details| details != b"via_upstream")
}

/// Why a successful answer cannot be translated, as far as the headers tell.
fn unusable(headers: &Headers<'_>, end: bool, is_stream: bool) -> Option<ApiError> {
    if headers.is_encoded() {
        // `accept-encoding` was removed.
        return Some(ApiError::new(
            502,
            "unsupported_content_encoding",
            "the provider compressed its answer without being asked",
        ));
    }
    if end {
        return Some(bad_response("the provider's answer is empty"));
    }
    let readable = is_stream || is_json(&headers.media_type());
    (!readable).then(|| bad_response("the provider's answer is neither JSON nor an event stream"))
}

fn status(headers: &Headers<'_>) -> u16 {
    let digits = headers.get(":status").and_then(|value| std::str::from_utf8(value).ok());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// Puts JSON in the place of the held body.
fn replace(with: Vec<u8>, out: &mut Effects) {
    out.push(set("content-type", "application/json"));
    out.push(set("content-length", &with.len().to_string()));
    out.push(Effect::ReplaceBody { on: Direction::Response, with });
}

fn set(name: &'static str, value: &str) -> Effect {
    Effect::SetHeader { on: Direction::Response, name: name.into(), value: value.into() }
}

fn remove(name: &'static str) -> Effect {
    Effect::RemoveHeader { on: Direction::Response, name: name.into() }
}
