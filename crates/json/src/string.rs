//! RFC 8259 §7: what is not plain inside strings: escapes, and UTF-8 beyond ASCII.

/// The character that is not ASCII at the start of `bytes`, and its length, if all of it is there.
#[inline]
pub(crate) fn wide(bytes: &[u8]) -> Option<(u32, usize)> {
    let is_tail = |byte: u8| byte & 0xc0 == 0x80;
    let bits = |byte: u8| u32::from(byte & 0x3f);
    match *bytes {
        [a @ 0xc2..=0xdf, b, ..] if is_tail(b) => {
            return Some((u32::from(a & 0x1f) << 6 | bits(b), 2));
        }
        [a @ (0xe1..=0xec | 0xee..=0xef), b, c, ..] if is_tail(b) && is_tail(c) => {
            return Some((u32::from(a & 0x0f) << 12 | bits(b) << 6 | bits(c), 3));
        }
        _ => {}
    }
    let mut utf8 = Utf8::begin(*bytes.first()?)?;
    for (behind, byte) in bytes.iter().enumerate().skip(1) {
        if let Some(character) = utf8.push(*byte).ok()? {
            return Some((character, behind + 1));
        }
    }
    None
}

/// A UTF-8 sequence under way (Unicode, table 3-7, "Well-Formed UTF-8 Byte Sequences").
#[derive(Clone, Copy, Debug)]
pub(crate) struct Utf8 {
    /// Continuation bytes still to come; never 0.
    missing: u8,
    /// Bounds of the next byte.
    low: u8,
    high: u8,
    /// The character's bits so far.
    code: u32,
}

impl Utf8 {
    /// The sequence that a byte of 0x80 or more begins; `None` if it begins none.
    #[inline]
    pub(crate) fn begin(byte: u8) -> Option<Self> {
        let (missing, low, high, mask) = match byte {
            0xc2..=0xdf => (1, 0x80, 0xbf, 0x1f),
            0xe0 => (2, 0xa0, 0xbf, 0x0f),
            0xe1..=0xec | 0xee..=0xef => (2, 0x80, 0xbf, 0x0f),
            0xed => (2, 0x80, 0x9f, 0x0f),
            0xf0 => (3, 0x90, 0xbf, 0x07),
            0xf1..=0xf3 => (3, 0x80, 0xbf, 0x07),
            0xf4 => (3, 0x80, 0x8f, 0x07),
            _ => return None,
        };
        Some(Self { missing, low, high, code: u32::from(byte & mask) })
    }

    /// Takes the next byte: the sequence goes on (`Ok(None)`) or the character is complete.
    #[inline]
    pub(crate) fn push(&mut self, byte: u8) -> Result<Option<u32>, ()> {
        if byte < self.low || byte > self.high {
            return Err(());
        }
        self.code = self.code << 6 | u32::from(byte & 0x3f);
        self.missing -= 1;
        (self.low, self.high) = (0x80, 0xbf);
        Ok((self.missing == 0).then_some(self.code))
    }
}

/// A `\u` escape under way, and the leading surrogate before it if there was one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Hex {
    digits: u8,
    code: u32,
    leading: Option<u32>,
}

/// What came of a hex digit.
pub(crate) enum HexStep {
    /// More digits are needed.
    More(Hex),
    /// A leading surrogate: `\u` and a trailing one must follow.
    Leading(u32),
    /// A character.
    Character(u32),
    /// No digit, or a surrogate without its other half.
    Bad,
}

impl Hex {
    pub(crate) fn after(leading: Option<u32>) -> Self {
        Self { leading, ..Self::default() }
    }

    pub(crate) fn push(mut self, byte: u8) -> HexStep {
        let Some(digit) = char::from(byte).to_digit(16) else { return HexStep::Bad };
        self.code = self.code << 4 | digit;
        self.digits += 1;
        if self.digits < 4 {
            return HexStep::More(self);
        }
        match (self.leading, self.code) {
            (None, leading @ 0xd800..=0xdbff) => HexStep::Leading(leading),
            (None, 0xdc00..=0xdfff) => HexStep::Bad,
            (None, code) => HexStep::Character(code),
            (Some(leading), trailing @ 0xdc00..=0xdfff) => {
                HexStep::Character(0x1_0000 + ((leading - 0xd800) << 10) + (trailing - 0xdc00))
            }
            (Some(_), _) => HexStep::Bad,
        }
    }
}

/// The character that `\` and this byte stand for; `None` if none (`u` is not one of them).
pub(crate) fn escaped(byte: u8) -> Option<u8> {
    Some(match byte {
        b'"' | b'\\' | b'/' => byte,
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        _ => return None,
    })
}
