//! The state machine: one byte at a time between values, runs at a time inside strings.

use super::{Halt, Reading, Scanner, State, Token, keep};
use crate::depth::Container;
use crate::member::{KeyMatch, Place};
use crate::number::{Number, Step};
use crate::plain::{plain_run, text_run, wide_run};
use crate::string::{Hex, HexStep, Utf8, escaped, wide};
use crate::{Error, Kind, Strings};

impl<S: Strings> Scanner<S> {
    /// Takes the byte at `at`, and those behind it that need no decision. Where to go on.
    #[inline(always)]
    pub(super) fn step(&mut self, piece: &[u8], at: usize, byte: u8) -> Result<usize, Halt> {
        let bad = Error::Syntax { offset: self.before.saturating_add(at) };
        match self.state {
            State::String => return self.string(piece, at),
            State::Token => return self.token(piece, at, byte, bad),
            _ if is_space(byte) => {
                let rest = piece.get(at..).unwrap_or_default();
                return Ok(at + rest.iter().take_while(|byte| is_space(**byte)).count());
            }
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
                self.string_begins();
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
                self.string_begins();
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
                [b'"', behind @ ..] => {
                    self.strings.end();
                    if self.in_key {
                        self.key_ended();
                    }
                    // Most often another string follows at once.
                    if self.string_follows(behind) {
                        self.string_begins();
                        at += 3;
                        continue;
                    }
                    if self.in_key {
                        return Ok(at + 1);
                    }
                    return self.ended(piece, at + 1);
                }
                [b'\\', short, ..] if let Some(character) = escaped(*short) => {
                    if !self.is_heard() {
                        let run = text_run(rest.get(run..).unwrap_or_default());
                        at += run;
                        if run > 0 {
                            continue;
                        }
                    }
                    self.character(u32::from(character));
                    at += 2;
                    continue;
                }
                [b'\\', ..] => self.begin(Token::Escape(None)),
                [first @ 0x80..=0xff, ..] => {
                    let run = self.wide(piece.get(at..).unwrap_or_default());
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

    /// Whether these bytes behind a string begin another that needs no more than being begun: neither it
    /// nor the key before it is of the top level. Then `in_key` is what that one is.
    #[inline(always)]
    fn string_follows(&mut self, behind: &[u8]) -> bool {
        match behind {
            [b':', b'"', ..] if self.in_key && self.next.is_none() => self.in_key = false,
            [b',', b'"', ..] if !self.in_key && self.depth.now > 1 => {
                self.in_key = self.depth.innermost() == Container::Object;
            }
            _ => return false,
        }
        true
    }

    #[inline(always)]
    fn string_begins(&mut self) {
        self.strings.begin(self.in_key, self.reading.map(|reading| reading.member));
        self.state = State::String;
    }

    /// Whether anybody has to be told of the string's characters.
    #[inline(always)]
    fn is_heard(&self) -> bool {
        self.strings.listens() || self.in_key && self.key.is_open()
    }

    /// Length of a run of text that begins with a character that is not ASCII, if that one is complete.
    #[inline(never)]
    fn wide(&mut self, bytes: &[u8]) -> usize {
        let mut done = 0;
        // A block is too much for a string of one character.
        let is_last = matches!(bytes, [_, _, b'"', ..] | [_, _, _, b'"', ..]);
        if !is_last && !self.is_heard() {
            done = wide_run(bytes);
            if done > 0 {
                return done;
            }
        }
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
            Token::Number(number) => return self.number(piece, at, number),
            Token::Literal(missing) => {
                if piece.get(at..).unwrap_or_default().starts_with(missing) {
                    return self.ended(piece, at + missing.len());
                }
                return match missing.split_first() {
                    Some((expected, missing)) if byte == *expected => {
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

    fn number(&mut self, piece: &[u8], at: usize, number: Number) -> Result<usize, Halt> {
        let (mut at, mut number) = (at, number);
        while let Some(byte) = piece.get(at) {
            number = match number.step(*byte) {
                Step::Within(number) => number,
                Step::Behind => return self.ended(piece, at),
                Step::Bad => {
                    return Err(Error::Syntax { offset: self.before.saturating_add(at) }.into());
                }
            };
            at += 1;
        }
        self.token = Token::Number(number);
        Ok(at)
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

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

impl Error {
    fn too_deep(self) -> Self {
        match self {
            Self::Syntax { offset } => Self::TooDeep { offset },
            other => other,
        }
    }
}
