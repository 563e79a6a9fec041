//! The body as a multipart form: what it says about the model, or why it cannot be trusted to.
//!
//! The counterpart of [`crate::document`] for audio transcriptions and translations and for edits of
//! images.

use std::ops::Range;

use tollgate_multipart::{Field, Scanner, Wanted, boundary};

use crate::config::MOST_MODEL_BYTES;
use crate::document::{Found, Limits, check_model};
use crate::refusal::{InvalidModel, Refusal};

const MODEL: usize = 0;
const STREAM: usize = 1;

const WANTED: &[Wanted] =
    &[Wanted { name: "model", keep: MOST_MODEL_BYTES }, Wanted { name: "stream", keep: 5 }];

/// A body under way.
#[derive(Debug)]
pub(crate) struct Form {
    scanner: Scanner,
    limits: Limits,
    len: usize,
}

impl Form {
    /// A body of this `content-type`.
    pub(crate) fn new(content_type: &[u8], limits: Limits) -> Result<Self, Refusal> {
        let boundary = boundary(content_type).map_err(Refusal::ContentType)?;
        let scanner = Scanner::new(&boundary, WANTED, tollgate_multipart::Limits::default());
        Ok(Self { scanner, limits, len: 0 })
    }

    /// Whether nothing came yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes the next piece. The error is that of the first offending byte, however the body is cut:
    /// what is beyond the limit is not read.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<(), Refusal> {
        self.push_until(piece, 0).map(drop)
    }

    /// As [`Form::push`], but stops behind the model, at the same byte however the body is cut. How
    /// many bytes of the piece were taken.
    pub(crate) fn push_to_model(&mut self, piece: &[u8]) -> Result<usize, Refusal> {
        self.push_until(piece, 1 << MODEL)
    }

    fn push_until(&mut self, piece: &[u8], stop: u32) -> Result<usize, Refusal> {
        let room = self.limits.body.saturating_sub(self.len);
        let within = piece.get(..room).unwrap_or(piece);
        let taken = self.scanner.push_to_field(within, stop).map_err(Refusal::Form)?;
        self.len = self.len.saturating_add(taken);
        if taken == within.len() && within.len() < piece.len() {
            return Err(Refusal::TooLarge { limit: self.limits.body });
        }
        Ok(taken)
    }

    /// Ends the body. The model's place in [`Found`] is that of its text.
    pub(crate) fn finish(&mut self) -> Result<Found, Refusal> {
        self.scanner.finish().map_err(Refusal::Form)?;
        let (model, model_at) = self.model()?;
        let stream = self.stream()?;
        Ok(Found { model, model_at, stream, max_tokens: None, len: self.len })
    }

    /// The model so far, and where its text is in the body.
    pub(crate) fn model(&self) -> Result<(String, Range<usize>), Refusal> {
        let field = self.field(MODEL, "model")?;
        let Some(at) = field.range.clone() else { return Err(Refusal::MissingModel) };
        if field.is_file {
            return Err(InvalidModel::NotText.into());
        }
        // What is too long to be kept is longer than any limit.
        if field.too_long() {
            return Err(InvalidModel::TooLong { limit: self.limits.model }.into());
        }
        // A byte order mark is taken off by some (WHATWG's `formData()`).
        let model = field.text().filter(|text| !text.starts_with('\u{feff}'));
        let model = model.ok_or(InvalidModel::NotText)?;
        check_model(model, self.limits.model)?;
        Ok((model.to_owned(), at))
    }

    /// FastAPI takes `True`, `1`, `on` and more for true, Go other ones, JavaScript none of them.
    fn stream(&self) -> Result<bool, Refusal> {
        let field = self.field(STREAM, "stream")?;
        match (field.count, field.raw()) {
            (0, _) => Ok(false),
            (_, Some(b"true")) if !field.is_file => Ok(true),
            (_, Some(b"false")) if !field.is_file => Ok(false),
            _ => Err(Refusal::StreamNotBoolean),
        }
    }

    /// What a model's name is in the body's place for it.
    pub(crate) fn replacement(&self, model: &str) -> Result<Vec<u8>, Refusal> {
        if self.scanner.can_hold(model.as_bytes()) {
            Ok(model.as_bytes().to_vec())
        } else {
            Err(Refusal::ContentType(tollgate_multipart::ContentTypeError::BadBoundary))
        }
    }

    fn field(&self, index: usize, name: &'static str) -> Result<&Field, Refusal> {
        let field = self.scanner.field(index);
        if field.count > 1 { Err(Refusal::Duplicate(name)) } else { Ok(field) }
    }
}

#[cfg(test)]
mod tests;
