//! The response body: usage is read as the bytes flow by.

mod events;
mod json;

use tollgate_effects::{Body, Effects, Headers};
use tollgate_facts::{Usage, UsageStatus};

use crate::config::Config;
use events::Events;
use json::Json;

/// A response that is being read.
pub(crate) enum Response {
    /// A stream of server-sent events.
    Events(Events),
    /// Anything else; only a JSON object has usage.
    Json(Box<Json>),
    /// Compressed although nobody asked for it: not read.
    Opaque,
}

impl Response {
    /// The reader for a response with `headers`. `asked`: only this filter wants the stream's usage
    /// event, so the client must not see it.
    pub(crate) fn new(headers: &Headers<'_>, asked: bool, config: &Config) -> Self {
        if headers.is_encoded() {
            return Self::Opaque;
        }
        match headers.media_type().as_slice() {
            b"text/event-stream" => Self::Events(Events::new(asked, config)),
            _ => Self::Json(Box::new(Json::new(config))),
        }
    }

    /// Whether the body may become shorter than its `content-length`.
    pub(crate) fn may_strip(&self) -> bool {
        matches!(self, Self::Events(events) if events.strips())
    }

    /// Takes the next piece.
    pub(crate) fn push(&mut self, body: Body<'_>, out: &mut Effects) {
        match self {
            Self::Events(events) => events.push(body, out),
            Self::Json(json) => json.push(body.bytes),
            Self::Opaque => {}
        }
    }

    /// The usage of a response that came to its end.
    pub(crate) fn ended(&mut self) -> Usage {
        match self {
            Self::Events(events) => events.ended(),
            Self::Json(json) => json.ended(),
            Self::Opaque => Usage::default(),
        }
    }

    /// The usage of a response that broke off.
    pub(crate) fn broken_off(&self) -> Usage {
        let seen = match self {
            Self::Events(events) => events.seen(),
            Self::Json(json) => json.seen(),
            Self::Opaque => None,
        };
        with_status(seen, UsageStatus::Partial)
    }
}

fn with_status(usage: Option<Usage>, status: UsageStatus) -> Usage {
    Usage { status, ..usage.unwrap_or_default() }
}
