//! The state machine: one byte at a time between values, runs at a time inside strings.

use crate::depth::{Container, Depth};
use crate::member::{KeyMatch, MOST_WANTED};
use crate::number::{Number, Step};
use crate::string::{Hex, HexStep, Utf8, escaped, plain_run, wide};
use crate::{Error, Kind, Member, Wanted};

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

/// Scans one document, piece by piece.
#[derive(Clone, Debug)]
pub struct Scanner {
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
        let wanted = wanted.get(..MOST_WANTED).unwrap_or(wanted);
        Self {
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
        }
    }

    /// Takes the next piece.
    ///
    /// # Errors
    ///
    /// As soon as no continuation could make the document right; the same again for each later call.
    // Not inlined: into a caller built for size it would be built for size too.
    #[inline(never)]
    pub fn push(&mut self, piece: &[u8]) -> Result<(), Error> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let mut at = 0;
        while let Some(&byte) = piece.get(at) {
            match self.step(piece, at, byte) {
                Ok(next) => at = next,
                Err(error) => {
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
        self.before = self.before.saturating_add(piece.len());
        Ok(())
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

    /// Takes the byte at `at`, and those behind it that need no decision. Where to go on.
    #[inline(always)]
    fn step(&mut self, piece: &[u8], at: usize, byte: u8) -> Result<usize, Error> {
        let bad = Error::Syntax { offset: self.before.saturating_add(at) };
        match self.state {
            State::String => return self.string(piece, at),
            State::Token => return self.token(piece, at, byte, bad),
            _ if matches!(byte, b' ' | b'\n' | b'\r' | b'\t') => {}
            State::Start if byte == b'{' => {
                self.open(Container::Object, bad)?;
                self.object_start = Some(self.before.saturating_add(at + 1));
            }
            State::Start => return Err(Error::NotAnObject),
            State::FirstKey | State::Key if byte == b'"' => {
                self.in_key = true;
                self.key = match self.depth.now {
                    1 => KeyMatch::new(self.wanted),
                    _ => KeyMatch::default(),
                };
                self.state = State::String;
            }
            State::FirstKey if byte == b'}' => self.close(piece, at),
            State::Colon if byte == b':' => self.state = State::Value,
            State::FirstElement if byte == b']' => self.close(piece, at),
            State::FirstElement | State::Value => self.value(at, byte, bad)?,
            State::After => match (byte, self.depth.innermost()) {
                (b',', Container::Object) => self.state = State::Key,
                (b',', Container::Array) => self.state = State::Value,
                (b'}', Container::Object) | (b']', Container::Array) => self.close(piece, at),
                _ => return Err(bad),
            },
            State::FirstKey | State::Key | State::Colon | State::End => return Err(bad),
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
                self.state = State::String;
            }
            b'{' => self.open(Container::Object, bad)?,
            b'[' => self.open(Container::Array, bad)?,
            b't' => self.begin(Token::Literal(b"rue")),
            b'f' => self.begin(Token::Literal(b"alse")),
            b'n' => self.begin(Token::Literal(b"ull")),
            _ => self.begin(Token::Number(Number::begin(byte).ok_or(bad)?)),
        }
        Ok(())
    }

    /// Inside a string: all up to its end, or to what this piece does not have all of.
    fn string(&mut self, piece: &[u8], at: usize) -> Result<usize, Error> {
        let mut at = at;
        loop {
            let rest = piece.get(at..).unwrap_or_default();
            let run = plain_run(rest);
            if self.in_key && self.key.is_open() {
                for byte in rest.iter().take(run) {
                    self.key.push(self.wanted, u32::from(*byte));
                }
            }
            at += run;
            let bad = Error::Syntax { offset: self.before.saturating_add(at) };
            match rest.get(run..).unwrap_or_default() {
                [] => return Ok(at),
                [b'"', ..] if self.in_key => self.key_ended(),
                [b'"', ..] => self.ended(piece, at + 1),
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
                _ => return Err(bad),
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
        if self.in_key {
            self.key.push(self.wanted, character);
        }
    }

    fn begin(&mut self, token: Token) {
        self.state = State::Token;
        self.token = token;
    }

    /// The next byte of a number, a word, an escape, or a character that is not ASCII.
    fn token(&mut self, piece: &[u8], at: usize, byte: u8, bad: Error) -> Result<usize, Error> {
        let character = match self.token {
            Token::Number(number) => match number.step(byte) {
                Step::Within(number) => return self.within(Token::Number(number), at),
                Step::Behind => {
                    self.ended(piece, at);
                    return Ok(at);
                }
                Step::Bad => return Err(bad),
            },
            Token::Literal(missing) => {
                return match missing.split_first() {
                    Some((expected, missing)) if byte == *expected => {
                        self.token = Token::Literal(missing);
                        if missing.is_empty() {
                            self.ended(piece, at + 1);
                        }
                        Ok(at + 1)
                    }
                    _ => Err(bad),
                };
            }
            Token::Utf8(mut utf8) => match utf8.push(byte) {
                Ok(None) => return self.within(Token::Utf8(utf8), at),
                Ok(Some(character)) => character,
                Err(()) => return Err(bad),
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
                HexStep::Bad => return Err(bad),
            },
            Token::Escape(Some(_)) | Token::Leading(_) => return Err(bad),
        };
        self.character(character);
        self.state = State::String;
        Ok(at + 1)
    }

    /// The token goes on behind the byte at `at`.
    fn within(&mut self, token: Token, at: usize) -> Result<usize, Error> {
        self.token = token;
        Ok(at + 1)
    }

    fn key_ended(&mut self) {
        self.state = State::Colon;
        let Some((index, exact)) = self.key.found(self.wanted) else { return };
        let Some(member) = self.members.get_mut(index) else { return };
        member.count = member.count.saturating_add(1);
        if exact {
            member.exact = member.exact.saturating_add(1);
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

    /// At the bracket that closes the innermost container.
    fn close(&mut self, piece: &[u8], at: usize) {
        self.depth.close();
        self.ended(piece, at + 1);
    }

    /// A value has ended before `at`.
    #[inline]
    fn ended(&mut self, piece: &[u8], at: usize) {
        self.state = if self.depth.now == 0 { State::End } else { State::After };
        if self.depth.now != 1 {
            return;
        }
        let Some(Reading { member, start, from }) = self.reading.take() else { return };
        keep(&mut self.members, self.wanted, member, piece.get(from..at).unwrap_or_default());
        if let Some(member) = self.members.get_mut(member) {
            member.range = Some(start..self.before.saturating_add(at));
        }
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
