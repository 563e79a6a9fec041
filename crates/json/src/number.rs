//! RFC 8259 §6: numbers, checked but not converted.

/// Where in a number the scanner is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Number {
    /// Behind `-`.
    Minus,
    /// Behind a leading `0`.
    Zero,
    /// In the integer part.
    Integer,
    /// Behind `.`.
    Point,
    /// In the fraction.
    Fraction,
    /// Behind `e`.
    Exponent,
    /// Behind the exponent's sign.
    ExponentSign,
    /// In the exponent.
    ExponentDigits,
}

/// What a byte does to a number.
pub(crate) enum Step {
    /// It belongs to it.
    Within(Number),
    /// It is the first byte behind it.
    Behind,
    /// It is an error.
    Bad,
}

impl Number {
    /// The state behind the first byte; `None` if no number begins so.
    pub(crate) fn begin(byte: u8) -> Option<Self> {
        match byte {
            b'-' => Some(Self::Minus),
            b'0' => Some(Self::Zero),
            b'1'..=b'9' => Some(Self::Integer),
            _ => None,
        }
    }

    #[inline]
    pub(crate) fn step(self, byte: u8) -> Step {
        Step::Within(match (self, byte) {
            (Self::Minus, b'0') => Self::Zero,
            (Self::Minus, b'1'..=b'9') | (Self::Integer, b'0'..=b'9') => Self::Integer,
            (Self::Zero | Self::Integer, b'.') => Self::Point,
            (Self::Point | Self::Fraction, b'0'..=b'9') => Self::Fraction,
            (Self::Zero | Self::Integer | Self::Fraction, b'e' | b'E') => Self::Exponent,
            (Self::Exponent, b'+' | b'-') => Self::ExponentSign,
            (Self::Exponent | Self::ExponentSign | Self::ExponentDigits, b'0'..=b'9') => {
                Self::ExponentDigits
            }
            (Self::Zero | Self::Integer | Self::Fraction | Self::ExponentDigits, _) => {
                return Step::Behind;
            }
            (Self::Minus | Self::Point | Self::Exponent | Self::ExponentSign, _) => {
                return Step::Bad;
            }
        })
    }
}
