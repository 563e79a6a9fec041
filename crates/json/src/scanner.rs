//! The state machine: one byte at a time between values, runs at a time inside strings.

use std::ops::Range;

use crate::depth::{Container, Depth};
use crate::member::{KeyMatch, MOST_WANTED, Place};
use crate::number::{Number, Step};
use crate::removal::removals;
use crate::string::{Hex, HexStep, Utf8, escaped, plain_run, wide};
use crate::{Error, Kind, Member, Strings, Wanted};

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

    /// Takes the byte at `at`, and those behind it that need no decision. Where to go on.
    #[inline(always)]
    fn step(&mut self, piece: &[u8], at: usize, byte: u8) -> Result<usize, Halt> {
        let bad = Error::Syntax { offset: self.before.saturating_add(at) };
        match self.state {
            State::String => return self.string(piece, at),
            State::Token => return self.token(piece, at, byte, bad),
            _ if matches!(byte, b' ' | b'\n' | b'\r' | b'\t') => {}
            State::Start if byte == b'{' => {
                self.open(Container::Object, bad)?;
                self.object_start = Some(self.before.saturating_add(at + 1));
            }
            State::Start => return Err(Error::NotAnObject.into()),
            State::FirstKey | State::Key if byte == b'"' => {
                self.in_key = true;
                self.key = match self.depth.now {
                    1 => self.member_begins(at),
                    _ => KeyMatch::default(),
                };
                self.strings.begin(true, self.reading.map(|reading| reading.member));
                self.state = State::String;
            }
            State::FirstKey if byte == b'}' => return self.close(piece, at),
            State::Colon if byte == b':' => self.state = State::Value,
            State::FirstElement if byte == b']' => return self.close(piece, at),
            State::FirstElement | State::Value => self.value(at, byte, bad)?,
            State::After => match (byte, self.depth.innermost()) {
                (b',', Container::Object) => self.state = State::Key,
                (b',', Container::Array) => self.state = State::Value,
                (b'}', Container::Object) | (b']', Container::Array) => {
                    return self.close(piece, at);
                }
                _ => return Err(bad.into()),
            },
            State::FirstKey | State::Key | State::Colon | State::End => return Err(bad.into()),
        }
        Ok(at + 1)
    }

    /// The first byte of a value.
    #[inline(always)]
    fn value(&mut self, at: usize, byte: u8, bad: Error) -> Result<(), Error> {
        let kind = match byte {
            b'"' => Kind::String,
            b'{' => Kind::Object,
            b'[' => Kind::Array,
            b't' | b'f' => Kind::Bool,
            b'n' => Kind::Null,
            b'-' | b'0'..=b'9' => Kind::Number,
            _ => return Err(bad),
        };
        if let Some(member) = self.next.take() {
            if let Some(found) = self.members.get_mut(member) {
                found.begin(kind);
            }
            let start = self.before.saturating_add(at);
            self.reading = Some(Reading { member, start, from: at });
        }
        match byte {
            b'"' => {
                self.in_key = false;
                self.strings.begin(false, self.reading.map(|reading| reading.member));
                self.state = State::String;
            }
            b'{' => {
                self.open(Container::Object, bad)?;
                self.tell_open(Kind::Object);
            }
            b'[' => {
                self.open(Container::Array, bad)?;
                self.tell_open(Kind::Array);
            }
            b't' => self.begin(Token::Literal(b"rue")),
            b'f' => self.begin(Token::Literal(b"alse")),
            b'n' => self.begin(Token::Literal(b"ull")),
            _ => {
                self.begin(Token::Number(Number::begin(byte).ok_or(bad)?));
                if let Some(reading) = self.reading {
                    self.strings.number(reading.member, self.depth.now.saturating_sub(1));
                }
            }
        }
        Ok(())
    }

    /// Inside a string: all up to its end, or to what this piece does not have all of.
    fn string(&mut self, piece: &[u8], at: usize) -> Result<usize, Halt> {
        let mut at = at;
        loop {
            let rest = piece.get(at..).unwrap_or_default();
            let run = plain_run(rest);
            if run > 0 {
                self.strings.ascii(rest.get(..run).unwrap_or_default());
            }
            if self.in_key && self.key.is_open() {
                for byte in rest.iter().take(run) {
                    self.key.push(self.wanted, u32::from(*byte));
                }
            }
            at += run;
            let bad = Error::Syntax { offset: self.before.saturating_add(at) };
            match rest.get(run..).unwrap_or_default() {
                [] => return Ok(at),
                [b'"', ..] => {
                    self.strings.end();
                    if self.in_key {
                        self.key_ended();
                        return Ok(at + 1);
                    }
                    return self.ended(piece, at + 1);
                }
                [b'\\', short, ..] if let Some(character) = escaped(*short) => {
                    self.character(u32::from(character));
                    at += 2;
                    continue;
                }
                [b'\\', ..] => self.begin(Token::Escape(None)),
                [first @ 0x80..=0xff, ..] => {
                    let run = self.wide_run(piece.get(at..).unwrap_or_default());
                    at += run;
                    if run > 0 {
                        continue;
                    }
                    // Wrong, or cut off.
                    self.begin(Token::Utf8(Utf8::begin(*first).ok_or(bad)?));
                }
                _ => return Err(bad.into()),
            }
            return Ok(at + 1);
        }
    }

    /// Length of the run of complete characters that are not ASCII.
    fn wide_run(&mut self, bytes: &[u8]) -> usize {
        let mut done = 0;
        while let Some((character, len)) = bytes.get(done..).and_then(wide) {
            self.character(character);
            done += len;
        }
        done
    }

    /// A character of a string that does not stand for itself, or is not ASCII.
    fn character(&mut self, character: u32) {
        self.strings.character(character);
        if self.in_key {
            self.key.push(self.wanted, character);
        }
    }

    fn begin(&mut self, token: Token) {
        self.state = State::Token;
        self.token = token;
    }

    /// The next byte of a number, a word, an escape, or a character that is not ASCII.
    fn token(&mut self, piece: &[u8], at: usize, byte: u8, bad: Error) -> Result<usize, Halt> {
        let character = match self.token {
            Token::Number(number) => match number.step(byte) {
                Step::Within(number) => return self.within(Token::Number(number), at),
                Step::Behind => return self.ended(piece, at),
                Step::Bad => return Err(bad.into()),
            },
            Token::Literal(missing) => {
                return match missing.split_first() {
                    Some((expected, missing)) if byte == *expected => {
                        if missing.is_empty() {
                            return self.ended(piece, at + 1);
                        }
                        self.within(Token::Literal(missing), at)
                    }
                    _ => Err(bad.into()),
                };
            }
            Token::Utf8(mut utf8) => match utf8.push(byte) {
                Ok(None) => return self.within(Token::Utf8(utf8), at),
                Ok(Some(character)) => character,
                Err(()) => return Err(bad.into()),
            },
            Token::Escape(leading) if byte == b'u' => {
                return self.within(Token::Hex(Hex::after(leading)), at);
            }
            Token::Escape(None) => u32::from(escaped(byte).ok_or(bad)?),
            Token::Leading(leading) if byte == b'\\' => {
                return self.within(Token::Escape(Some(leading)), at);
            }
            Token::Hex(hex) => match hex.push(byte) {
                HexStep::More(hex) => return self.within(Token::Hex(hex), at),
                HexStep::Leading(leading) => return self.within(Token::Leading(leading), at),
                HexStep::Character(character) => character,
                HexStep::Bad => return Err(bad.into()),
            },
            Token::Escape(Some(_)) | Token::Leading(_) => return Err(bad.into()),
        };
        self.character(character);
        self.state = State::String;
        Ok(at + 1)
    }

    /// The token goes on behind the byte at `at`.
    fn within(&mut self, token: Token, at: usize) -> Result<usize, Halt> {
        self.token = token;
        Ok(at + 1)
    }

    /// At the quote of a top-level key.
    fn member_begins(&mut self, at: usize) -> KeyMatch {
        self.key_start = self.before.saturating_add(at);
        if let Some(member) = self.previous.take().and_then(|index| self.members.get_mut(index)) {
            member.place.next_key = Some(self.key_start);
        }
        KeyMatch::new(self.wanted)
    }

    fn key_ended(&mut self) {
        self.state = State::Colon;
        let Some((index, exact)) = self.key.found(self.wanted) else { return };
        let Some(member) = self.members.get_mut(index) else { return };
        member.count = member.count.saturating_add(1);
        if exact {
            member.exact = member.exact.saturating_add(1);
            let (key, previous_end) = (self.key_start, self.previous_end);
            member.place = Place { key, previous_end, next_key: None };
            self.next = Some(index);
        }
    }

    fn open(&mut self, container: Container, bad: Error) -> Result<(), Error> {
        self.depth.open(container).map_err(|()| bad.too_deep())?;
        self.state = match container {
            Container::Array => State::FirstElement,
            Container::Object => State::FirstKey,
        };
        Ok(())
    }

    #[inline]
    fn tell_open(&mut self, kind: Kind) {
        if let Some(reading) = self.reading {
            self.strings.open(reading.member, kind, self.depth.now.saturating_sub(1));
        }
    }

    /// At the bracket that closes the innermost container.
    fn close(&mut self, piece: &[u8], at: usize) -> Result<usize, Halt> {
        self.depth.close();
        self.ended(piece, at + 1)
    }

    /// A value has ended before `at`, where to go on.
    #[inline]
    fn ended(&mut self, piece: &[u8], at: usize) -> Result<usize, Halt> {
        self.state = if self.depth.now == 0 { State::End } else { State::After };
        if self.depth.now == 1 { self.member_ended(piece, at) } else { Ok(at) }
    }

    /// A top-level value has ended before `at`.
    fn member_ended(&mut self, piece: &[u8], at: usize) -> Result<usize, Halt> {
        let end = self.before.saturating_add(at);
        self.previous_end = Some(end);
        let Some(Reading { member: index, start, from }) = self.reading.take() else {
            return Ok(at);
        };
        self.previous = Some(index);
        keep(&mut self.members, self.wanted, index, piece.get(from..at).unwrap_or_default());
        if let Some(member) = self.members.get_mut(index) {
            member.range = Some(start..end);
        }
        if self.stop & (1 << index) == 0 { Ok(at) } else { Err(Halt::Stop { at }) }
    }
}

fn keep(members: &mut [Member], wanted: &[Wanted], index: usize, part: &[u8]) {
    if let (Some(member), Some(wanted)) = (members.get_mut(index), wanted.get(index)) {
        member.keep(part, wanted.keep);
    }
}

impl Error {
    fn too_deep(self) -> Self {
        match self {
            Self::Syntax { offset } => Self::TooDeep { offset },
            other => other,
        }
    }
}

#[cfg(test)]
mod tests;
