//! The scanner, from outside: pieces in, members out.

mod steps;

use std::ops::Range;

use crate::depth::Depth;
use crate::member::{KeyMatch, MOST_WANTED};
use crate::number::Number;
use crate::removal::removals;
use crate::string::{Hex, Utf8};
use crate::{Error, Member, Strings, Wanted};

/// Limits of a document.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// The most arrays and objects around a value, the outermost included; at most
    /// [`Limits::MOST_DEPTH`].
    pub depth: u16,
}

impl Limits {
    /// What [`Limits::depth`] cannot exceed.
    pub const MOST_DEPTH: u16 = 1024;
}

impl Default for Limits {
    /// 128 levels, which is what serde_json and most backends stop at.
    fn default() -> Self {
        Self { depth: 128 }
    }
}

/// Scans one document, piece by piece, and tells `S` of its strings.
#[derive(Clone, Debug)]
pub struct Scanner<S = ()> {
    strings: S,
    wanted: &'static [Wanted],
    members: Vec<Member>,
    depth: Depth,
    state: State,
    token: Token,
    failed: Option<Error>,
    /// Bytes of the pieces before this one.
    before: usize,
    object_start: Option<usize>,
    /// Whether the string being read is a key.
    in_key: bool,
    /// The top-level key being read.
    key: KeyMatch,
    /// The wanted member whose value comes next, and which it is.
    next: Option<usize>,
    /// The wanted member whose value is being read.
    reading: Option<Reading>,
    /// Where the top-level key being read begins.
    key_start: usize,
    /// Where the top-level value before it ends.
    previous_end: Option<usize>,
    /// The wanted member behind whose value the next top-level key comes.
    previous: Option<usize>,
    /// Bit n: stop behind the value of wanted member n.
    stop: u32,
}

/// Why no further byte of a piece is taken.
#[derive(Clone, Copy, Debug)]
enum Halt {
    Failed(Error),
    /// Behind a value to stop at, and its last byte.
    Stop {
        at: usize,
    },
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// A wanted value under way.
#[derive(Clone, Copy, Debug)]
struct Reading {
    member: usize,
    /// Where it begins in the document.
    start: usize,
    /// Where what is not kept yet begins in this piece.
    from: usize,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Before the document.
    Start,
    /// Behind `{`: a key or `}`.
    FirstKey,
    /// Behind a comma of an object.
    Key,
    /// Behind a key.
    Colon,
    /// Behind `[`: a value or `]`.
    FirstElement,
    /// Before a value.
    Value,
    /// Behind a value.
    After,
    /// Behind the document.
    End,
    String,
    /// Inside something that takes more than its place: see [`Token`].
    Token,
}

/// What the byte before was part of. Apart from [`State`], which changes with every token and is a
/// single byte.
#[derive(Clone, Copy, Debug)]
enum Token {
    /// Behind `\`, or between the halves of a surrogate pair.
    Escape(Option<u32>),
    /// Behind a leading surrogate.
    Leading(u32),
    Hex(Hex),
    Utf8(Utf8),
    Number(Number),
    /// What is missing of `true`, `false` or `null`.
    Literal(&'static [u8]),
}

impl Scanner {
    /// A scanner that looks for `wanted` members, 32 at most.
    pub fn new(wanted: &'static [Wanted], limits: Limits) -> Self {
        Self::with_strings(wanted, limits, ())
    }
}

impl<S: Strings> Scanner<S> {
    /// A scanner that looks for `wanted` members, 32 at most, and tells `strings` of every string.
    pub fn with_strings(wanted: &'static [Wanted], limits: Limits, strings: S) -> Self {
        let wanted = wanted.get(..MOST_WANTED).unwrap_or(wanted);
        Self {
            strings,
            wanted,
            members: vec![Member::default(); wanted.len()],
            depth: Depth::new(limits.depth),
            state: State::Start,
            token: Token::Escape(None),
            failed: None,
            before: 0,
            object_start: None,
            in_key: false,
            key: KeyMatch::default(),
            next: None,
            reading: None,
            key_start: 0,
            previous_end: None,
            previous: None,
            stop: 0,
        }
    }

    /// Takes the next piece.
    ///
    /// # Errors
    ///
    /// As soon as no continuation could make the document right; the same again for each later call.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), Error> {
        self.push_to_member(piece, 0).map(drop)
    }

    /// Takes the next piece, but stops right behind the value of a wanted member whose bit is set in
    /// `stop` (bit n: wanted member n, each time exactly its key occurs). Returns how many bytes were
    /// taken; go on with the rest.
    ///
    /// So what is decided at that point is decided at the same byte, however the document is cut. At
    /// the end of a piece, [`Member::range`] tells whether it stopped. A number ends only where the
    /// byte behind it is seen: if that is in the next piece, none of it is taken.
    ///
    /// # Errors
    ///
    /// As soon as no continuation could make the document right; the same again for each later call.
    pub fn push_to_member(&mut self, piece: &[u8], stop: u32) -> Result<usize, Error> {
        S::push(self, piece, stop)
    }

    /// [`Self::push_to_member`], for [`Strings::push`].
    #[inline]
    pub fn scan(&mut self, piece: &[u8], stop: u32) -> Result<usize, Error> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.stop = stop;
        let mut at = 0;
        while let Some(&byte) = piece.get(at) {
            match self.step(piece, at, byte) {
                Ok(next) => at = next,
                Err(Halt::Stop { at: end }) => {
                    at = end;
                    break;
                }
                Err(Halt::Failed(error)) => {
                    self.failed = Some(error);
                    return Err(error);
                }
            }
        }
        if let Some(reading) = &mut self.reading {
            let part = piece.get(reading.from..).unwrap_or_default();
            keep(&mut self.members, self.wanted, reading.member, part);
            reading.from = 0;
        }
        self.before = self.before.saturating_add(at);
        Ok(at)
    }

    /// Ends the document.
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

    /// What was found so far of wanted member `index`.
    pub fn member(&self, index: usize) -> &Member {
        const NONE: &Member = &Member::ABSENT;
        self.members.get(index).unwrap_or(NONE)
    }

    /// Offset just behind the object's `{`, once that was seen.
    pub fn object_start(&self) -> Option<usize> {
        self.object_start
    }

    /// What to take out of the document, once it has ended, so that it has none of these wanted
    /// members: ranges in ascending order, apart from each other, with the commas that go with them.
    /// What is left is JSON, and every other byte as it was.
    ///
    /// A member that does not occur is passed over. Of one whose key occurs more than once, or only in
    /// another case (see [`Member::count`] and [`Member::exact`]), not all is taken out: refuse these.
    pub fn removals(&self, members: &[usize]) -> Vec<Range<usize>> {
        removals(|| members.iter().map(|index| self.member(*index)))
    }

    /// What is told of the strings.
    pub fn strings(&self) -> &S {
        &self.strings
    }

    /// What was told of the strings.
    pub fn into_strings(self) -> S {
        self.strings
    }
}

fn keep(members: &mut [Member], wanted: &[Wanted], index: usize, part: &[u8]) {
    if let (Some(member), Some(wanted)) = (members.get_mut(index), wanted.get(index)) {
        member.keep(part, wanted.keep);
    }
}

#[cfg(test)]
mod tests;
