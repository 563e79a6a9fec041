//! The body as a JSON document: what it says about the model, or why it cannot be trusted to.

use std::ops::Range;

use tollgate_json::{Kind, Scanner, Wanted};

use crate::config::MOST_MODEL_BYTES;
use crate::refusal::{InvalidModel, Refusal};

/// What the configuration allows of a body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The most bytes of a body.
    pub(crate) body: usize,
    /// The most bytes of a body that was decoded.
    pub(crate) decompressed: usize,
    /// The most bytes of a model's name, as UTF-8.
    pub(crate) model: usize,
    /// The most arrays and objects around a value.
    pub(crate) depth: u16,
}

/// The longest raw form of a name that could be allowed: each byte as `\u00xx`, and two quotes.
const MOST_RAW_MODEL: usize = MOST_MODEL_BYTES * 6 + 2;

const MODEL: usize = 0;
const STREAM: usize = 1;
/// Bounds on completion tokens, the one that wins first.
const MAX_TOKENS: [usize; 3] = [2, 3, 4];

const WANTED: &[Wanted] = &[
    Wanted { key: "model", keep: MOST_RAW_MODEL },
    Wanted { key: "stream", keep: 5 },
    Wanted { key: "max_completion_tokens", keep: 20 },
    Wanted { key: "max_output_tokens", keep: 20 },
    Wanted { key: "max_tokens", keep: 20 },
];

/// A body under way.
#[derive(Debug)]
pub(crate) struct Document {
    scanner: Scanner,
    limits: Limits,
    len: usize,
}

/// What a complete body says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Found {
    /// The model, as written.
    pub(crate) model: String,
    /// Where the model's JSON string is in the body, quotes included.
    pub(crate) model_at: Range<usize>,
    /// Whether the answer shall be a stream.
    pub(crate) stream: bool,
    /// The bound on completion tokens.
    pub(crate) max_tokens: Option<u64>,
    /// Bytes of the body.
    pub(crate) len: usize,
}

impl Document {
    pub(crate) fn new(limits: Limits) -> Self {
        let depth = tollgate_json::Limits { depth: limits.depth };
        Self { scanner: Scanner::new(WANTED, depth), limits, len: 0 }
    }

    /// Whether nothing came yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes the next piece. The error is that of the first offending byte, however the body is cut:
    /// what is beyond the limit is not read.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<(), Refusal> {
        let room = self.limits.body.saturating_sub(self.len);
        let within = piece.get(..room).unwrap_or(piece);
        self.len = self.len.saturating_add(piece.len());
        self.scanner.push(within).map_err(|error| Refusal::Json(error, self.limits.depth))?;
        if within.len() < piece.len() {
            return Err(Refusal::TooLarge { limit: self.limits.body });
        }
        Ok(())
    }

    /// Ends the body.
    pub(crate) fn finish(&mut self) -> Result<Found, Refusal> {
        if self.is_empty() {
            return Err(Refusal::EmptyBody);
        }
        self.scanner.finish().map_err(|error| Refusal::Json(error, self.limits.depth))?;
        let (model, model_at) = self.model()?;
        let stream = self.stream()?;
        Ok(Found { model, model_at, stream, max_tokens: self.max_tokens(), len: self.len })
    }

    fn model(&self) -> Result<(String, Range<usize>), Refusal> {
        let member = self.scanner.member(MODEL);
        if member.count > 1 {
            return Err(Refusal::Duplicate("model"));
        }
        let (Kind::String, Some(at)) = (member.kind, member.range.clone()) else {
            return Err(Refusal::MissingModel);
        };
        // What is too long to be kept is longer than any limit.
        let Some(model) = member.text() else {
            return Err(InvalidModel::TooLong { limit: self.limits.model }.into());
        };
        check_model(&model, self.limits.model)?;
        Ok((model, at))
    }

    /// Backends disagree on a `stream` that is no boolean (some take `1` and `"true"` for true), and
    /// on which of two counts.
    fn stream(&self) -> Result<bool, Refusal> {
        let member = self.scanner.member(STREAM);
        if member.count > 1 {
            return Err(Refusal::Duplicate("stream"));
        }
        match (member.kind, member.raw()) {
            (Kind::Bool, raw) => Ok(raw == Some(b"true")),
            (Kind::Absent | Kind::Null, _) => Ok(false),
            _ => Err(Refusal::StreamNotBoolean),
        }
    }

    fn max_tokens(&self) -> Option<u64> {
        MAX_TOKENS.iter().find_map(|index| {
            let raw = self.scanner.member(*index).raw()?;
            std::str::from_utf8(raw).ok()?.parse().ok()
        })
    }
}

/// Checks a model's name: it becomes a header's value, a path's segment, a metric's label.
pub(crate) fn check_model(model: &str, limit: usize) -> Result<(), InvalidModel> {
    if model.is_empty() {
        Err(InvalidModel::Empty)
    } else if model.len() > limit {
        Err(InvalidModel::TooLong { limit })
    } else if model.chars().any(char::is_control) {
        Err(InvalidModel::Control)
    } else if model.trim().len() != model.len() {
        Err(InvalidModel::Space)
    } else {
        Ok(())
    }
}
