//! The body as a multipart form: what it says about the model, or why it cannot be trusted to.
//!
//! The counterpart of [`crate::document`] for audio transcriptions and translations and for edits of
//! images.

use tollgate_multipart::{Error, Field, Reason, Scanner, Wanted, boundary};

use crate::body::Named;
use crate::config::MOST_MODEL_BYTES;
use crate::document::{MODEL, STREAM, check_model};
use crate::refusal::{InvalidModel, Refusal};

/// At the places of the members of a JSON body.
const WANTED: &[Wanted] =
    &[Wanted { name: "model", keep: MOST_MODEL_BYTES }, Wanted { name: "stream", keep: 5 }];

/// A body under way.
#[derive(Debug)]
pub(crate) struct Form {
    scanner: Scanner,
    max_model_bytes: usize,
}

impl Form {
    /// A body of this `content-type`.
    pub(crate) fn new(content_type: &[u8], max_model_bytes: usize) -> Result<Self, Refusal> {
        let boundary = boundary(content_type).map_err(Refusal::ContentType)?;
        let scanner = Scanner::new(&boundary, WANTED, tollgate_multipart::Limits::default());
        Ok(Self { scanner, max_model_bytes })
    }

    /// As [`crate::document::Document::push`].
    pub(crate) fn push(&mut self, piece: &[u8], stop: u32) -> Result<usize, Refusal> {
        self.scanner.push_to_field(piece, stop).map_err(Refusal::Form)
    }

    /// As [`crate::document::Document::has`].
    pub(crate) fn has(&self, fields: u32) -> bool {
        [MODEL, STREAM]
            .iter()
            .all(|n| fields & (1 << n) == 0 || self.scanner.field(*n).range.is_some())
    }

    /// Ends the body.
    pub(crate) fn finish(&mut self) -> Result<(), Refusal> {
        self.scanner.finish().map_err(Refusal::Form)
    }

    /// As [`crate::document::Document::check_one_model`].
    pub(crate) fn check_one_model(&self) -> Result<(), Refusal> {
        self.field(MODEL, "model").map(drop)
    }

    /// The model, and where its text is in the body; `None` if there is no such field.
    pub(crate) fn model(&self) -> Result<Option<Named>, Refusal> {
        let field = self.field(MODEL, "model")?;
        let Some(at) = field.range.clone() else {
            return if field.count == 0 { Ok(None) } else { Err(Refusal::MissingModel) };
        };
        if field.is_file {
            return Err(InvalidModel::NotText.into());
        }
        // What is too long to be kept is longer than any limit.
        if field.too_long() {
            return Err(InvalidModel::TooLong { limit: self.max_model_bytes }.into());
        }
        // A byte order mark is taken off by some (WHATWG's `formData()`).
        let model = field.text().filter(|text| !text.starts_with('\u{feff}'));
        let model = model.ok_or(InvalidModel::NotText)?;
        check_model(model, self.max_model_bytes)?;
        Ok(Some(Named { name: model.to_owned(), at }))
    }

    /// FastAPI takes `True`, `1`, `on` and more for true, Go other ones, JavaScript none of them.
    pub(crate) fn stream(&self) -> Result<bool, Refusal> {
        let field = self.field(STREAM, "stream")?;
        match (field.count, field.raw()) {
            (0, _) => Ok(false),
            (_, Some(b"true")) if !field.is_file => Ok(true),
            (_, Some(b"false")) if !field.is_file => Ok(false),
            _ => Err(Refusal::StreamNotBoolean),
        }
    }

    /// What to write at the model's place in the body for another model. Refuses a body whose
    /// boundary is in that model's name, which the client would have to have guessed.
    pub(crate) fn replacement(&self, model: &str) -> Result<Vec<u8>, Refusal> {
        if self.scanner.can_hold(model.as_bytes()) {
            return Ok(model.as_bytes().to_vec());
        }
        let offset = self.scanner.field(MODEL).range.as_ref().map_or(0, |at| at.start);
        Err(Refusal::Form(Error::Malformed { offset, reason: Reason::Delimiter }))
    }

    fn field(&self, index: usize, name: &'static str) -> Result<&Field, Refusal> {
        let field = self.scanner.field(index);
        if field.count > 1 { Err(Refusal::Duplicate(name)) } else { Ok(field) }
    }
}

#[cfg(test)]
mod tests;
