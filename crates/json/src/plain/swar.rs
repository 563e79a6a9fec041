//! A machine word as a vector: where there are no instructions for vectors that we know of.

use core::str;

use super::Wide;
use crate::string::escaped;

/// Bytes that are judged at once.
#[derive(Clone, Copy)]
pub(super) struct Word(u64);

/// Bytes of which some are marked.
#[derive(Clone, Copy)]
pub(super) struct Marks(u64);

impl Word {
    pub(super) const LEN: usize = 8;

    #[inline(always)]
    pub(super) fn new(bytes: &[u8; Self::LEN]) -> Self {
        Self(u64::from_le_bytes(*bytes))
    }

    /// The high bit of every byte that is not plain; above such a byte others may be marked wrongly.
    ///
    /// `x - n` has the high bit set if `x < n`, or if `x` had it already, which marks x as not ASCII;
    /// so does a byte equal to c in `(x ^ c) - 1`.
    #[inline(always)]
    pub(super) fn special(self) -> Marks {
        const ONES: u64 = 0x0101_0101_0101_0101;
        let control = self.0.wrapping_sub(ONES * 0x20);
        let quote = (self.0 ^ (ONES * b'"' as u64)).wrapping_sub(ONES);
        let backslash = (self.0 ^ (ONES * b'\\' as u64)).wrapping_sub(ONES);
        Marks((control | quote | backslash | self.0) & (ONES * 0x80))
    }
}

impl Marks {
    pub(super) const NONE: Self = Self(0);

    #[inline(always)]
    pub(super) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[inline(always)]
    pub(super) fn any(self) -> bool {
        self.0 != 0
    }

    /// Index of the first marked byte.
    #[inline(always)]
    pub(super) fn first(self) -> Option<usize> {
        self.any().then_some((self.0.trailing_zeros() / 8) as usize)
    }
}

/// Bytes of which those that are not plain are known one by one. Bit n: byte n.
pub(super) struct Block {
    pub(super) quotes: u64,
    pub(super) backslashes: u64,
    /// Control characters, and what is not ASCII.
    pub(super) others: u64,
}

impl Block {
    pub(super) const LEN: usize = 64;

    pub(super) fn new(bytes: &[u8; Self::LEN]) -> Self {
        let mut block = Self { quotes: 0, backslashes: 0, others: 0 };
        for (n, word) in bytes.as_chunks::<8>().0.iter().enumerate() {
            // Words without any are frequent.
            if !Word::new(word).special().any() {
                continue;
            }
            for (m, byte) in word.iter().enumerate() {
                let bit = 1 << (n * 8 + m);
                match byte {
                    b'"' => block.quotes |= bit,
                    b'\\' => block.backslashes |= bit,
                    0x20..=0x7f => {}
                    _ => block.others |= bit,
                }
            }
        }
        block
    }

    /// Which of the bytes marked are one that `\` and no more can stand before.
    pub(super) fn escapable(bytes: &[u8; Self::LEN], marked: u64) -> u64 {
        let mut found = 0;
        for (n, byte) in bytes.iter().enumerate() {
            let bit = 1 << n;
            if marked & bit != 0 && escaped(*byte).is_some() {
                found |= bit;
            }
        }
        found
    }

    /// What of it is not ASCII.
    pub(super) fn wide(bytes: &[u8; Self::LEN]) -> Wide {
        let is_wide = |n: &usize| bytes.get(*n).is_some_and(|byte| !byte.is_ascii());
        let wide = (0..Self::LEN).filter(is_wide).fold(0, |bits, n| bits | 1 << n);
        let errors = match str::from_utf8(bytes) {
            Err(error) if error.error_len().is_some() => 1 << error.valid_up_to(),
            _ => 0,
        };
        Wide { bytes: wide, errors }
    }
}
