//! A vector of wasm's `simd128`, which every host we name has (`.cargo/config.toml`).
//!
//! By hand, since the optimizer makes no vectors of loops in a build for size (`benchmarks/record/`).

use core::arch::wasm32::{
    i8x16_lt, i8x16_splat, u8x16_bitmask, u8x16_eq, u8x16_splat, u64x2, v128, v128_any_true,
    v128_or,
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
