//! A vector of wasm's `simd128`, which every host we name has (`.cargo/config.toml`).
//!
//! By hand, since the optimizer makes no vectors of loops in a build for size (`benchmarks/record/`).

use core::arch::wasm32::{
    i8x16_lt, i8x16_splat, u8x16, u8x16_bitmask, u8x16_eq, u8x16_ne, u8x16_shr, u8x16_shuffle,
    u8x16_splat, u8x16_sub_sat, u8x16_swizzle, u64x2, v128, v128_and, v128_any_true, v128_or,
    v128_xor,
};

use super::Wide;

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

    /// What of it is not ASCII.
    #[inline(always)]
    pub(super) fn wide(bytes: &[u8; Self::LEN]) -> Wide {
        let mut before = u8x16_splat(0);
        let mut wide = Wide { bytes: 0, errors: 0 };
        for (n, word) in bytes.as_chunks::<{ Word::LEN }>().0.iter().enumerate() {
            let word = Word::new(word).0;
            wide.bytes |= u64::from(u8x16_bitmask(word)) << (n * Word::LEN);
            let errors = u8x16_ne(utf8_errors(before, word), u8x16_splat(0));
            wide.errors |= u64::from(u8x16_bitmask(errors)) << (n * Word::LEN);
            before = word;
        }
        wide
    }
}

/// Not 0 for every byte of `word`, which comes behind `before`, that cannot stand behind the three
/// before it in UTF-8.
///
/// Every way in which two bytes can be wrong together is a bit, and three tables tell which are possible
/// by the first's halves and by the second's upper half. (Keiser and Lemire, "Validating UTF-8 In Less
/// Than One Instruction Per Byte", §6.) The bit of a tail behind a tail is right where a third or fourth
/// byte has to be.
#[inline(always)]
fn utf8_errors(before: v128, word: v128) -> v128 {
    /// A first byte, and no tail behind it.
    const CUT: u8 = 1;
    /// ASCII, and a tail behind it.
    const LONE: u8 = 1 << 1;
    /// E0, and 80 to 9F behind it: two bytes would do.
    const LONG_3: u8 = 1 << 2;
    /// F4, and 90 to BF behind it, or F5 and above: beyond Unicode.
    const BEYOND: u8 = 1 << 3;
    /// ED, and A0 to BF behind it.
    const SURROGATE: u8 = 1 << 4;
    /// C0 or C1: ASCII.
    const LONG_2: u8 = 1 << 5;
    /// F0, and 80 to 8F behind it: three bytes would do. F5 and above with the same: beyond Unicode.
    const LONG_4: u8 = 1 << 6;
    /// A tail behind a tail.
    const TAILS: u8 = 1 << 7;
    /// What the lower half of the first byte does not matter for.
    const ANY: u8 = CUT | LONE | TAILS;
    const E: u8 = CUT | LONG_3 | SURROGATE;
    const F: u8 = CUT | BEYOND | LONG_4;
    const HIGH: u8 = ANY | BEYOND | LONG_4;
    const TAIL: u8 = LONE | LONG_2 | TAILS;
    const TAIL_8: u8 = TAIL | LONG_3 | LONG_4;
    const TAIL_9: u8 = TAIL | LONG_3 | BEYOND;
    const TAIL_A: u8 = TAIL | SURROGATE | BEYOND;

    #[rustfmt::skip]
    let first_high = u8x16(
        LONE, LONE, LONE, LONE, LONE, LONE, LONE, LONE,
        TAILS, TAILS, TAILS, TAILS, CUT | LONG_2, CUT, E, F,
    );
    #[rustfmt::skip]
    let first_low = u8x16(
        ANY | LONG_2 | LONG_3 | LONG_4, ANY | LONG_2, ANY, ANY, ANY | BEYOND, HIGH, HIGH, HIGH,
        HIGH, HIGH, HIGH, HIGH, HIGH, HIGH | SURROGATE, HIGH, HIGH,
    );
    #[rustfmt::skip]
    let second_high = u8x16(
        CUT, CUT, CUT, CUT, CUT, CUT, CUT, CUT,
        TAIL_8, TAIL_9, TAIL_A, TAIL_A, CUT, CUT, CUT, CUT,
    );

    let back_1 = u8x16_shuffle::<15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30>(
        before, word,
    );
    let back_2 = u8x16_shuffle::<14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29>(
        before, word,
    );
    let back_3 = u8x16_shuffle::<13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28>(
        before, word,
    );
    let pair = v128_and(
        v128_and(
            u8x16_swizzle(first_high, u8x16_shr(back_1, 4)),
            u8x16_swizzle(first_low, v128_and(back_1, u8x16_splat(0x0f))),
        ),
        u8x16_swizzle(second_high, u8x16_shr(word, 4)),
    );
    // The high bit where E0 or above is two bytes back, or F0 or above three.
    let tail = v128_or(
        u8x16_sub_sat(back_2, u8x16_splat(0xe0 - 0x80)),
        u8x16_sub_sat(back_3, u8x16_splat(0xf0 - 0x80)),
    );
    v128_xor(pair, v128_and(tail, u8x16_splat(TAILS)))
}

/// What holds of each byte.
#[inline(always)]
fn bits(bytes: &[u8; Block::LEN], holds: impl Fn(v128) -> v128) -> u64 {
    let words = bytes.as_chunks::<{ Word::LEN }>().0.iter().rev();
    words.fold(0, |bits, word| bits << 16 | u64::from(u8x16_bitmask(holds(Word::new(word).0))))
}
