//! Form fields: which are wanted, and what was found of them.

use std::ops::Range;

/// A form field to look for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Its name: ASCII letters, digits and `_`, in lower case. No two wanted names may be equal.
    pub name: &'static str,
    /// The most bytes of its content to keep.
    pub keep: usize,
}

/// What was found of a [`Wanted`] field. The content is that of the last part with exactly the name.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Field {
    /// Parts that some parser takes for it: also when case, escapes or a suffix in brackets differ.
    pub count: u32,
    /// Parts with exactly the name.
    pub exact: u32,
    /// Where the content is in the body. `None` until its end.
    pub range: Option<Range<usize>>,
    /// Whether some parser takes one of the parts for a file: it has a file name, or is of type
    /// `application/octet-stream`.
    pub is_file: bool,
    raw: Vec<u8>,
    too_long: bool,
}

impl Field {
    pub(crate) const ABSENT: Self =
        Self { count: 0, exact: 0, range: None, is_file: false, raw: Vec::new(), too_long: false };

    /// The content. `None` if there is none, if it has not ended yet, or if it is longer than
    /// [`Wanted::keep`].
    pub fn raw(&self) -> Option<&[u8]> {
        (self.range.is_some() && !self.too_long).then_some(self.raw.as_slice())
    }

    /// Whether the content is longer than [`Wanted::keep`].
    pub fn too_long(&self) -> bool {
        self.too_long
    }

    /// The content as text, if it was kept and is UTF-8.
    pub fn text(&self) -> Option<&str> {
        self.raw().and_then(|raw| std::str::from_utf8(raw).ok())
    }

    pub(crate) fn begin(&mut self) {
        self.range = None;
        self.too_long = false;
        self.raw.clear();
    }

    /// Keeps the next bytes, which may turn out to be part of a delimiter; hence `most` has room
    /// for one.
    pub(crate) fn keep(&mut self, bytes: &[u8], most: usize) {
        if self.too_long || bytes.len() > most.saturating_sub(self.raw.len()) {
            self.drop_content();
        } else {
            self.raw.extend_from_slice(bytes);
        }
    }

    /// The content is what is at `range`, of which at most `most` bytes are wanted.
    pub(crate) fn end(&mut self, range: Range<usize>, most: usize) {
        if range.len() > most {
            self.drop_content();
        }
        self.raw.truncate(range.len());
        self.range = Some(range);
    }

    #[cfg(test)]
    pub(crate) fn raw_len(&self) -> usize {
        self.raw.len()
    }

    fn drop_content(&mut self) {
        self.too_long = true;
        self.raw = Vec::new();
    }
}
