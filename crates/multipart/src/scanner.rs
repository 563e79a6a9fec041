//! The state machine: lines outside of contents, a search inside of them.

use crate::delimiter::{Delimiter, Progress};
use crate::part::{Part, Wants};
use crate::{Boundary, Error, Field, Reason, Wanted};

/// Limits of a form.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// The most bytes of a part's headers, line breaks included.
    pub header_bytes: usize,
    /// The most headers of a part.
    pub headers: u32,
    /// The most parts.
    pub parts: u32,
}

impl Default for Limits {
    /// 8 KiB and 16 headers each (no client sends more than four; python-multipart stops at 8 of
    /// 4 KiB), and 1000 parts, which is what Go stops at.
    fn default() -> Self {
        Self { header_bytes: 8 * 1024, headers: 16, parts: 1000 }
    }
}

/// Scans one body, piece by piece.
#[derive(Clone, Debug)]
pub struct Scanner {
    wanted: &'static [Wanted],
    fields: Vec<Field>,
    limits: Limits,
    delimiter: Delimiter,
    state: State,
    failed: Option<Error>,
    /// Bytes of the pieces before this one.
    before: usize,
    parts: u32,
    part: Part,
    /// Where the part's headers begin in the body.
    headers_at: usize,
    /// The header line that a cut went through, up to the cut.
    line: Vec<u8>,
    search: Progress,
    /// Where the content begins in the body.
    content_at: usize,
    /// The wanted field whose content is being read, or has just ended.
    reading: Option<usize>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Before the body.
    Start,
    /// Behind CR at the start of the body.
    StartLine,
    /// Behind so many bytes of the first delimiter.
    First(usize),
    /// Behind `--boundary`.
    Boundary,
    /// Behind `--boundary` and CR.
    Line,
    /// Behind `--boundary-`.
    Close,
    Headers,
    Content,
    /// Behind the closing delimiter.
    End,
    /// Behind CR there.
    EndLine,
}

impl Scanner {
    /// A scanner that looks for `wanted` fields.
    pub fn new(boundary: &Boundary, wanted: &'static [Wanted], limits: Limits) -> Self {
        Self {
            wanted,
            fields: vec![Field::default(); wanted.len()],
            limits,
            delimiter: Delimiter::new(boundary),
            state: State::Start,
            failed: None,
            before: 0,
            parts: 0,
            part: Part::default(),
            headers_at: 0,
            line: Vec::new(),
            search: Progress::default(),
            content_at: 0,
            reading: None,
        }
    }

    /// Takes the next piece.
    ///
    /// # Errors
    ///
    /// At the first byte, or the end of the first line, that is wrong; the same again for each later
    /// call.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), Error> {
        self.push_to_field(piece, 0).map(drop)
    }

    /// Takes the next piece, but stops where a wanted field has ended whose bit is set in `stop`
    /// (bit n: wanted field n): behind the delimiter that ends it, at the same byte however the body
    /// is cut. How many bytes of the piece were taken; all of them if it did not stop.
    ///
    /// # Errors
    ///
    /// As for [`Scanner::push`].
    // Not inlined: into a caller built for size it would be built for size too.
    #[inline(never)]
    pub fn push_to_field(&mut self, piece: &[u8], stop: u32) -> Result<usize, Error> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let mut at = 0;
        while let Some(byte) = piece.get(at) {
            let was = self.reading;
            match self.step(piece, at, *byte) {
                Ok(next) => at = next,
                Err(error) => {
                    self.failed = Some(error);
                    return Err(error);
                }
            }
            if let (Some(field), None) = (was, self.reading)
                && u32::try_from(field).is_ok_and(|n| stop.checked_shr(n).unwrap_or(0) & 1 != 0)
            {
                break;
            }
        }
        self.before = self.before.saturating_add(at);
        Ok(at)
    }

    /// Ends the body.
    ///
    /// # Errors
    ///
    /// [`Error::Incomplete`] if it is not complete, or the error of an earlier call.
    pub fn finish(&mut self) -> Result<(), Error> {
        match (self.failed, self.state) {
            (Some(error), _) => Err(error),
            (None, State::End) => Ok(()),
            (None, _) => {
                self.failed = Some(Error::Incomplete);
                Err(Error::Incomplete)
            }
        }
    }

    /// What was found so far of wanted field `index`.
    pub fn field(&self, index: usize) -> &Field {
        const NONE: &Field = &Field::ABSENT;
        self.fields.get(index).unwrap_or(NONE)
    }

    /// Whether `content` can replace that of a field: whether it has no boundary in it.
    pub fn can_hold(&self, content: &[u8]) -> bool {
        !self.delimiter.is_in(content)
    }

    /// Takes the byte at `at`, and those behind it that need no decision. Where to go on.
    fn step(&mut self, piece: &[u8], at: usize, byte: u8) -> Result<usize, Error> {
        let bad = |reason| Error::Malformed { offset: self.before.saturating_add(at), reason };
        self.state = match (self.state, byte) {
            (State::Headers, _) => return self.headers(piece, at),
            (State::Content, _) => return self.content(piece, at),
            (State::Start, b'\r') => State::StartLine,
            (State::StartLine, b'\n') => State::First(0),
            (State::Start, b'-') => State::First(1),
            (State::First(matched), _) if self.delimiter.as_bytes().get(matched) == Some(&byte) => {
                match matched + 1 {
                    all if all == self.delimiter.as_bytes().len() => State::Boundary,
                    matched => State::First(matched),
                }
            }
            (State::Start | State::StartLine | State::First(_), _) => {
                return Err(bad(Reason::Start));
            }
            (State::Boundary, b'\r') => State::Line,
            (State::Boundary, b'-') => State::Close,
            (State::Line, b'\n') => {
                if self.parts >= self.limits.parts {
                    return Err(bad(Reason::Parts));
                }
                self.parts += 1;
                self.part = Part::default();
                self.headers_at = self.before.saturating_add(at + 1);
                self.reading = None;
                State::Headers
            }
            (State::Close, b'-') => {
                self.reading = None;
                State::End
            }
            (State::Boundary, b'\n') | (State::Line, _) => return Err(bad(Reason::LineBreak)),
            (State::Boundary | State::Close, _) => return Err(bad(Reason::Delimiter)),
            (State::End, b'\r') => State::EndLine,
            (State::EndLine, b'\n') => State::End,
            (State::End | State::EndLine, _) => return Err(bad(Reason::Epilogue)),
        };
        Ok(at + 1)
    }

    /// Takes bytes of a header line.
    fn headers(&mut self, piece: &[u8], at: usize) -> Result<usize, Error> {
        let rest = piece.get(at..).unwrap_or_default();
        let ended = rest.iter().position(|b| *b == b'\n');
        let part = rest.get(..ended.map_or(rest.len(), |end| end + 1)).unwrap_or_default();
        let next = at + part.len();
        let end = self.before.saturating_add(next);
        let most = self.headers_at.saturating_add(self.limits.header_bytes);
        if end > most {
            return Err(Error::Malformed { offset: most, reason: Reason::HeaderBytes });
        }
        if ended.is_none() || !self.line.is_empty() {
            self.line.extend_from_slice(part);
        }
        if ended.is_none() {
            return Ok(next);
        }
        let kept = std::mem::take(&mut self.line);
        let line = if kept.is_empty() { part } else { &kept };
        let bad = |reason| Error::Malformed { offset: end.saturating_sub(line.len()), reason };
        let line = line.strip_suffix(b"\r\n").ok_or_else(|| bad(Reason::LineBreak))?;
        if self.delimiter.is_in(line) {
            return Err(bad(Reason::Delimiter));
        }
        if line.is_empty() {
            let wants = self.part.end().map_err(bad)?;
            self.begin(wants, end);
        } else {
            self.part.header(line, self.limits.headers, self.wanted).map_err(bad)?;
        }
        Ok(next)
    }

    /// The content begins at offset `at`.
    fn begin(&mut self, wants: Option<Wants>, at: usize) {
        self.state = State::Content;
        self.search = Progress::default();
        self.content_at = at;
        let Some(Wants { index, exact, is_file }) = wants else { return };
        let Some(field) = self.fields.get_mut(index) else { return };
        field.count = field.count.saturating_add(1);
        field.is_file |= is_file;
        if exact {
            field.exact = field.exact.saturating_add(1);
            field.begin();
            self.reading = Some(index);
        }
    }

    /// Takes bytes of a content, or of the boundary behind it.
    fn content(&mut self, piece: &[u8], at: usize) -> Result<usize, Error> {
        let rest = piece.get(at..).unwrap_or_default();
        let found = self.delimiter.find(&mut self.search, rest);
        let part = rest.get(..found.map_or(rest.len(), |found| found.end)).unwrap_or_default();
        let next = at + part.len();
        let delimiter = self.delimiter.as_bytes().len() + 2;
        let field = self.reading.and_then(|n| Some((self.fields.get_mut(n)?, self.wanted.get(n)?)));
        let field = field.map(|(field, wanted)| {
            field.keep(part, wanted.keep.saturating_add(delimiter));
            (field, wanted.keep)
        });
        let Some(found) = found else { return Ok(next) };
        let end = self.before.saturating_add(next).saturating_sub(delimiter);
        if !found.at_line_start {
            return Err(Error::Malformed { offset: end + 2, reason: Reason::Delimiter });
        }
        if let Some((field, keep)) = field {
            field.end(self.content_at..end, keep);
        }
        self.state = State::Boundary;
        Ok(next)
    }
}

#[cfg(test)]
mod tests;
