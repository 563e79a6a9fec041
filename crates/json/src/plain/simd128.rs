//! A vector of wasm's `simd128`, which every host we name has (`.cargo/config.toml`).
//!
//! By hand, since the optimizer makes no vectors of loops in a build for size (`benchmarks/record/`).

use core::arch::wasm32::{
    i8x16_lt, i8x16_splat, u8x16, u8x16_bitmask, u8x16_eq, u8x16_ne, u8x16_shr, u8x16_splat,
    u8x16_swizzle, u64x2, v128, v128_and, v128_any_true, v128_or,
};

/// Bytes that are judged at once.
#[derive(Clone, Copy)]
pub(super) struct Word(v128);

/// Bytes of which some are marked.
#[derive(Clone, Copy)]
pub(super) struct Marks(v128);

impl Word {
    pub(super) const LEN: usize = 16;

    #[inline(always)]
    pub(super) fn new(bytes: &[u8; Self::LEN]) -> Self {
        // The optimizer makes one load of it.
        let both = u128::from_le_bytes(*bytes);
        Self(u64x2(both as u64, (both >> 64) as u64))
    }

    /// All ones for every byte that is not plain.
    #[inline(always)]
    pub(super) fn special(self) -> Marks {
        // What is not ASCII is negative, and so below the first character that is plain.
        let control = i8x16_lt(self.0, i8x16_splat(0x20));
        let quote = u8x16_eq(self.0, u8x16_splat(b'"'));
        let backslash = u8x16_eq(self.0, u8x16_splat(b'\\'));
        Marks(v128_or(control, v128_or(quote, backslash)))
    }
}

impl Marks {
    pub(super) const NONE: Self = Self(u64x2(0, 0));

    #[inline(always)]
    pub(super) fn or(self, other: Self) -> Self {
        Self(v128_or(self.0, other.0))
    }

    #[inline(always)]
    pub(super) fn any(self) -> bool {
        v128_any_true(self.0)
    }

    /// Index of the first marked byte.
    #[inline(always)]
    pub(super) fn first(self) -> Option<usize> {
        let bits = u8x16_bitmask(self.0);
        (bits != 0).then_some(bits.trailing_zeros() as usize)
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

    #[inline(always)]
    pub(super) fn new(bytes: &[u8; Self::LEN]) -> Self {
        Self {
            quotes: bits(bytes, |word| u8x16_eq(word, u8x16_splat(b'"'))),
            backslashes: bits(bytes, |word| u8x16_eq(word, u8x16_splat(b'\\'))),
            others: bits(bytes, |word| i8x16_lt(word, i8x16_splat(0x20))),
        }
    }

    /// Which of the bytes marked are one that `\` and no more can stand before.
    ///
    /// Each half of a byte says which sets the byte can be in: those of 2_, of 5_, of 6_ and of 7_.
    #[inline(always)]
    pub(super) fn escapable(bytes: &[u8; Self::LEN], marked: u64) -> u64 {
        let low = u8x16(0, 0, 1 | 4 | 8, 0, 8, 0, 4, 0, 0, 0, 0, 0, 2, 0, 4, 1);
        let high = u8x16(0, 0, 1, 0, 0, 2, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0);
        let half = u8x16_splat(0x0f);
        marked
            & bits(bytes, |word| {
                let low = u8x16_swizzle(low, v128_and(word, half));
                let high = u8x16_swizzle(high, u8x16_shr(word, 4));
                u8x16_ne(v128_and(low, high), u8x16_splat(0))
            })
    }
}

/// What holds of each byte.
#[inline(always)]
fn bits(bytes: &[u8; Block::LEN], holds: impl Fn(v128) -> v128) -> u64 {
    let words = bytes.as_chunks::<{ Word::LEN }>().0.iter().rev();
    words.fold(0, |bits, word| bits << 16 | u64::from(u8x16_bitmask(holds(Word::new(word).0))))
}
