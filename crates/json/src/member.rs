//! Top-level members: which are wanted, and what was found of them.

use std::ops::Range;

/// A top-level member to look for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Its key: ASCII. No two wanted keys may be equal, nor differ in case alone.
    pub key: &'static str,
    /// The most bytes of its raw value to keep.
    pub keep: usize,
}

/// What a value is, by its first byte.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Kind {
    /// There is no such member.
    #[default]
    Absent,
    /// `[…]`
    Array,
    /// `true` or `false`
    Bool,
    /// `null`
    Null,
    /// A number.
    Number,
    /// `{…}`
    Object,
    /// `"…"`
    String,
}

/// What was found of a [`Wanted`] member. The value is that of the last occurrence of exactly the key.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Member {
    /// Occurrences of the key, after unescaping and case folding.
    pub count: u32,
    /// Occurrences of exactly the key, after unescaping.
    pub exact: u32,
    /// Where the raw value is in the document, a string's quotes included. `None` until its end.
    pub range: Option<Range<usize>>,
    /// What the value is.
    pub kind: Kind,
    pub(crate) place: Place,
    raw: Vec<u8>,
    too_long: bool,
}

/// Where a member is among the others.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Place {
    /// Where its key begins, with the quote.
    pub(crate) key: usize,
    /// Where the value before it ends; `None` if it is the first member.
    pub(crate) previous_end: Option<usize>,
    /// Where the key behind it begins; `None` if it is the last member, or not seen yet.
    pub(crate) next_key: Option<usize>,
}

impl Member {
    pub(crate) const ABSENT: Self = Self {
        count: 0,
        exact: 0,
        range: None,
        kind: Kind::Absent,
        place: Place { key: 0, previous_end: None, next_key: None },
        raw: Vec::new(),
        too_long: false,
    };

    /// The raw value, a string's quotes included. `None` if there is none, if it has not ended yet,
    /// or if it is longer than [`Wanted::keep`].
    pub fn raw(&self) -> Option<&[u8]> {
        (self.range.is_some() && !self.too_long).then_some(self.raw.as_slice())
    }

    /// Whether the value is longer than [`Wanted::keep`].
    pub fn too_long(&self) -> bool {
        self.too_long
    }

    /// The value as text, if it is a string that was kept.
    pub fn text(&self) -> Option<String> {
        self.raw().and_then(crate::unescape)
    }

    pub(crate) fn begin(&mut self, kind: Kind) {
        self.kind = kind;
        self.range = None;
        self.too_long = false;
        self.raw.clear();
    }

    /// Keeps the next bytes of the value, if there is room for all of it.
    pub(crate) fn keep(&mut self, bytes: &[u8], most: usize) {
        if self.too_long || bytes.len() > most.saturating_sub(self.raw.len()) {
            self.too_long = true;
            self.raw = Vec::new();
        } else {
            self.raw.extend_from_slice(bytes);
        }
    }
}

/// Compares a key, character by character, with every wanted one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct KeyMatch {
    /// Characters so far.
    len: usize,
    /// Bit n: no character so far differs from wanted key n, case folded.
    folded: u32,
    /// Bit n: no character so far differs from wanted key n.
    exact: u32,
}

/// More wanted members than this are not looked for: they are bits of [`KeyMatch`].
pub(crate) const MOST_WANTED: usize = 32;

impl KeyMatch {
    pub(crate) fn new(wanted: &[Wanted]) -> Self {
        let all = match wanted.len() {
            0 => 0,
            n => u32::MAX >> (MOST_WANTED.saturating_sub(n)),
        };
        Self { len: 0, folded: all, exact: all }
    }

    /// Whether more characters could make a difference.
    pub(crate) fn is_open(&self) -> bool {
        self.folded != 0
    }

    #[inline]
    pub(crate) fn push(&mut self, wanted: &[Wanted], character: u32) {
        let at = self.len;
        self.len += 1;
        let folded = fold(character);
        // Of many wanted keys, few are still possible after a character or two.
        let mut open = self.folded;
        while open != 0 {
            let bit = open & open.wrapping_neg();
            open ^= bit;
            let key = wanted.get(bit.trailing_zeros() as usize).map_or("", |wanted| wanted.key);
            let expected = key.as_bytes().get(at);
            if expected.map(|b| u32::from(*b)) != Some(character) {
                self.exact &= !bit;
            }
            if expected.map(|b| u32::from(b.to_ascii_lowercase())) != Some(folded) {
                self.folded &= !bit;
            }
        }
    }

    /// The wanted key that this one is, and whether exactly.
    pub(crate) fn found(&self, wanted: &[Wanted]) -> Option<(usize, bool)> {
        if self.folded == 0 {
            return None;
        }
        let (n, _) = wanted
            .iter()
            .enumerate()
            .take(MOST_WANTED)
            .find(|(n, w)| self.folded & (1 << n) != 0 && w.key.len() == self.len)?;
        Some((n, self.exact & (1 << n) != 0))
    }
}

/// Simple case folding as far as it ends in ASCII (Unicode's CaseFolding.txt, status C and S).
fn fold(character: u32) -> u32 {
    match character {
        0x41..=0x5a => character + 0x20,
        0x17f => u32::from(b's'),
        0x212a => u32::from(b'k'),
        _ => character,
    }
}
