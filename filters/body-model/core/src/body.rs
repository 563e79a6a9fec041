//! The body of a request as it comes: its size, its coding, its format.

use std::ops::Range;

use tollgate_effects::Headers;
use tollgate_inflate::{Coding, Inflate};

use crate::config::Config;
use crate::document::Document;
use crate::form::Form;
use crate::options::Options;
use crate::refusal::Refusal;

/// A model's name, and where it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Named {
    /// As written, escapes decoded.
    pub(crate) name: String,
    /// Where it is in the body, a JSON string's quotes included.
    pub(crate) at: Range<usize>,
}

/// A body under way.
pub(crate) struct Body {
    format: Format,
    /// Boxed, as forms are: most bodies are neither.
    inflating: Option<Box<Inflating>>,
    /// Bytes that came.
    len: usize,
    limit: usize,
}

// Nearly every body is JSON, which is so spared an allocation.
#[expect(clippy::large_enum_variant)]
enum Format {
    Form(Box<Form>),
    Json(Document),
}

/// A body that is decoded while it comes, and kept to take the place of the encoded one.
struct Inflating {
    inflate: Inflate,
    decoded: Vec<u8>,
    limit: usize,
}

impl Body {
    /// The body of a request with `headers`, which may be a form or must be JSON.
    pub(crate) fn new(
        config: &Config,
        headers: &Headers<'_>,
        may_be_form: bool,
        coding: Option<Coding>,
    ) -> Result<Self, Refusal> {
        let limits = config.limits;
        let format = if may_be_form && headers.media_type() == b"multipart/form-data" {
            let content_type = headers.get("content-type").unwrap_or_default();
            Format::Form(Box::new(Form::new(content_type, limits.model)?))
        } else {
            Format::Json(Document::new(config))
        };
        let limit = limits.decompressed;
        let inflating = coding.map(|coding| {
            let inflate = Inflate::new(coding, limit);
            Box::new(Inflating { inflate, decoded: Vec::new(), limit })
        });
        Ok(Self { format, inflating, len: 0, limit: limits.body })
    }

    /// Bytes that came.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Takes the next piece, up to the end of a value of `stop` (as in [`Document::push`]; 0 of an encoded body). How
    /// many bytes that were. The error is that of the first offending byte: what is beyond the limit is not
    /// read.
    pub(crate) fn push(&mut self, piece: &[u8], stop: u32) -> Result<usize, Refusal> {
        let room = self.limit.saturating_sub(self.len);
        let within = piece.get(..room).unwrap_or(piece);
        let taken = match &mut self.inflating {
            None => self.format.push(within, stop)?,
            Some(inflating) => inflating.push(within, &mut self.format)?,
        };
        self.len = self.len.saturating_add(taken);
        if taken == within.len() && within.len() < piece.len() {
            return Err(Refusal::TooLarge { limit: self.limit });
        }
        Ok(taken)
    }

    /// Whether the values of all `members` have ended.
    pub(crate) fn has(&self, members: u32) -> bool {
        match &self.format {
            Format::Form(form) => form.has(members),
            Format::Json(document) => document.has(members),
        }
    }

    /// Ends the body.
    pub(crate) fn finish(&mut self) -> Result<(), Refusal> {
        if self.len == 0 {
            return Err(Refusal::EmptyBody);
        }
        if let Some(inflating) = &mut self.inflating {
            let finished = inflating.inflate.finish();
            finished.map_err(|error| refused(error, inflating.limit))?;
        }
        match &mut self.format {
            Format::Form(form) => form.finish(),
            Format::Json(document) => document.finish(),
        }
    }

    /// The decoded body, of a complete one that was encoded.
    pub(crate) fn take_decoded(&mut self) -> Option<Vec<u8>> {
        self.inflating.take().map(|inflating| inflating.decoded)
    }

    /// Whether no more than one model is named.
    pub(crate) fn check_one_model(&self) -> Result<(), Refusal> {
        match &self.format {
            Format::Form(form) => form.check_one_model(),
            Format::Json(document) => document.check_one_model(),
        }
    }

    pub(crate) fn model(&self) -> Result<Option<Named>, Refusal> {
        match &self.format {
            Format::Form(form) => form.model(),
            Format::Json(document) => document.model(),
        }
    }

    /// What `model` is in the place of a name.
    pub(crate) fn written(&self, model: String) -> Result<Vec<u8>, Refusal> {
        match &self.format {
            Format::Form(form) => form.replacement(&model),
            Format::Json(_) => Ok(tollgate_json::quoted(&model)),
        }
    }

    pub(crate) fn stream(&self) -> Result<bool, Refusal> {
        match &self.format {
            Format::Form(form) => form.stream(),
            Format::Json(document) => document.stream(),
        }
    }

    pub(crate) fn max_tokens(&self) -> Option<u64> {
        match &self.format {
            Format::Form(_) => None,
            Format::Json(document) => document.max_tokens(),
        }
    }

    pub(crate) fn options(&self, config: &Config, tags: Vec<String>) -> Result<Options, Refusal> {
        match &self.format {
            Format::Form(_) => Ok(Options { tags, ..Options::default() }),
            Format::Json(document) => document.options(config, tags),
        }
    }

    pub(crate) fn prompt_tokens(&self) -> Option<u64> {
        match &self.format {
            Format::Form(_) => None,
            Format::Json(document) => document.prompt_tokens(),
        }
    }
}

impl Format {
    fn push(&mut self, piece: &[u8], stop: u32) -> Result<usize, Refusal> {
        match self {
            Self::Form(form) => form.push(piece, stop),
            Self::Json(document) => document.push(piece, stop),
        }
    }
}

impl Inflating {
    fn push(&mut self, piece: &[u8], format: &mut Format) -> Result<usize, Refusal> {
        let mut rest = piece;
        while let Some(decoded) =
            self.inflate.next(&mut rest).map_err(|error| refused(error, self.limit))?
        {
            format.push(decoded, 0)?;
            self.decoded.extend_from_slice(decoded);
        }
        Ok(piece.len())
    }
}

fn refused(error: tollgate_inflate::Error, limit: usize) -> Refusal {
    match error {
        tollgate_inflate::Error::TooLarge => Refusal::TooLarge { limit },
        error => Refusal::Inflate(error),
    }
}
