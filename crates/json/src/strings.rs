//! What is told of the text in a document, while it is scanned.

use crate::{Error, Kind, Scanner};

/// Is told of every string, as its bytes come by.
///
/// A string is [`begin`](Self::begin), then its characters in order, each either in a run of
/// [`ascii`](Self::ascii) or alone as a [`character`](Self::character), then [`end`](Self::end).
/// Runs end where pieces of the document end, so where one ends must make no difference. An error or
/// the end of the pieces can come at any point.
///
/// `()` listens to nothing, at no cost.
pub trait Strings: Sized {
    /// A string begins: a key or a value, inside the value of the given [`Wanted`](crate::Wanted)
    /// member or of none. The keys of the document's own object are inside none.
    fn begin(&mut self, is_key: bool, member: Option<usize>);

    /// Characters that stand for themselves: ASCII, no control character, quote or backslash. Not empty.
    fn ascii(&mut self, run: &[u8]);

    /// A character that was escaped, or is not ASCII: a Unicode scalar value.
    fn character(&mut self, character: u32);

    /// The string has ended.
    fn end(&mut self);

    /// An array or an object begins inside the value of a wanted member, or as that value. `depth` is
    /// 1 for the value itself, 2 for an element of it, and so on.
    fn open(&mut self, member: usize, kind: Kind, depth: u16) {
        let _ = (member, kind, depth);
    }

    /// A number begins inside the value of a wanted member, or as that value. `depth` counts the arrays
    /// and objects around it within that value: 0 if it is the value itself.
    fn number(&mut self, member: usize, depth: u16) {
        let _ = (member, depth);
    }

    /// Whether it listens to the string that has begun. What it says may change between strings, and
    /// within one at any call, to false only: then it is not told of all of the string's characters.
    #[inline(always)]
    fn listens(&self) -> bool {
        true
    }

    /// Scans a piece, by calling [`Scanner::scan`] and no more.
    ///
    /// A generic function is compiled in the crate that uses it, with its optimization level; so the
    /// scanner would be built for size in a filter. What this is written out for is compiled in the
    /// crate where it is written: `#[inline(never)] fn push(…) -> … { scanner.scan(piece, stop) }`.
    fn push(scanner: &mut Scanner<Self>, piece: &[u8], stop: u32) -> Result<usize, Error> {
        scanner.scan(piece, stop)
    }
}

impl Strings for () {
    #[inline(always)]
    fn begin(&mut self, _: bool, _: Option<usize>) {}
    #[inline(always)]
    fn ascii(&mut self, _: &[u8]) {}
    #[inline(always)]
    fn character(&mut self, _: u32) {}
    #[inline(always)]
    fn end(&mut self) {}
    #[inline(always)]
    fn listens(&self) -> bool {
        false
    }

    // Not inlined: into a caller built for size it would be built for size too.
    #[inline(never)]
    fn push(scanner: &mut Scanner, piece: &[u8], stop: u32) -> Result<usize, Error> {
        scanner.scan(piece, stop)
    }
}

/// Listens, or not.
impl<S: Strings> Strings for Option<S> {
    #[inline]
    fn begin(&mut self, is_key: bool, member: Option<usize>) {
        if let Some(strings) = self {
            strings.begin(is_key, member);
        }
    }
    #[inline]
    fn ascii(&mut self, run: &[u8]) {
        if let Some(strings) = self {
            strings.ascii(run);
        }
    }
    #[inline]
    fn character(&mut self, character: u32) {
        if let Some(strings) = self {
            strings.character(character);
        }
    }
    #[inline]
    fn end(&mut self) {
        if let Some(strings) = self {
            strings.end();
        }
    }
    #[inline]
    fn listens(&self) -> bool {
        self.as_ref().is_some_and(S::listens)
    }
    #[inline]
    fn open(&mut self, member: usize, kind: Kind, depth: u16) {
        if let Some(strings) = self {
            strings.open(member, kind, depth);
        }
    }
    #[inline]
    fn number(&mut self, member: usize, depth: u16) {
        if let Some(strings) = self {
            strings.number(member, depth);
        }
    }
}
