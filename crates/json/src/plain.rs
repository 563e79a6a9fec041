//! The plain part of strings: 16 bytes at once in wasm, 8 elsewhere.

#[cfg_attr(target_feature = "simd128", path = "plain/simd128.rs")]
#[cfg_attr(not(target_feature = "simd128"), path = "plain/swar.rs")]
mod word;

use word::{Block, Marks, Word};

/// What is not ASCII in a block that begins between two characters. Bit n: byte n.
struct Wide {
    bytes: u64,
    /// In every sequence that is not UTF-8 a mark, from its first byte to the first that makes it wrong.
    /// One that the block's end cuts off is not wrong.
    errors: u64,
}

/// How many bytes at the start of `bytes` are plain: ASCII, no quote, no backslash, no control.
#[inline]
pub(crate) fn plain_run(bytes: &[u8]) -> usize {
    let mut done = 0;
    // Short strings end within the first words, long ones go by blocks.
    let (words, rest) = bytes.as_chunks::<{ Word::LEN }>();
    for word in words.iter().take(4) {
        if let Some(at) = Word::new(word).special().first() {
            return done + at;
        }
        done += Word::LEN;
    }
    if words.len() > 4 {
        done + long_run(bytes.get(done..).unwrap_or_default())
    } else {
        done + tail(rest)
    }
}

#[inline(never)]
fn long_run(bytes: &[u8]) -> usize {
    let mut done = 0;
    for block in bytes.as_chunks::<{ 4 * Word::LEN }>().0 {
        let words = block.as_chunks::<{ Word::LEN }>().0;
        let special = words.iter().fold(Marks::NONE, |any, w| any.or(Word::new(w).special()));
        if special.any() {
            break;
        }
        done += block.len();
    }
    let (words, rest) = bytes.get(done..).unwrap_or_default().as_chunks::<{ Word::LEN }>();
    for word in words {
        if let Some(at) = Word::new(word).special().first() {
            return done + at;
        }
        done += Word::LEN;
    }
    done + tail(rest)
}

/// How many bytes at the start of `bytes` are plain or escapes of two bytes, as far as whole blocks go.
///
/// It takes the same time for a block whatever is in it: text with many line breaks costs a processor
/// its predictions otherwise.
#[inline(never)]
pub(crate) fn text_run(bytes: &[u8]) -> usize {
    blocks::<false>(bytes)
}

/// As [`text_run`], but goes over whole characters that are not ASCII too. For bytes that begin with one;
/// otherwise use that.
///
/// It may end early, but between characters: before a block with bytes that are not UTF-8, behind one
/// that is all ASCII, and at once if the first has nothing more that is not ASCII: then the plain run
/// behind the character is worth more.
#[inline(never)]
pub(crate) fn wide_run(bytes: &[u8]) -> usize {
    blocks::<true>(bytes)
}

#[inline(always)]
fn blocks<const WIDE: bool>(bytes: &[u8]) -> usize {
    let mut done = 0;
    while let Some((block, _)) = bytes.get(done..).unwrap_or_default().split_first_chunk() {
        let Block { quotes, backslashes, others } = Block::new(block);
        let (escapes, escaped) = escapes(backslashes);
        let bad = if escaped == 0 { 0 } else { escaped & !Block::escapable(block, escaped) };
        // A bad escape ends the run before its backslash. The first byte is never escaped.
        let bad = bad >> 1;
        let mut end = (quotes | others) & !escaped | bad;
        // What the last byte escapes is in the next block.
        let mut len = if escapes >> 63 == 0 { Block::LEN } else { Block::LEN - 1 };
        if WIDE && done == 0 && others >> 4 == 0 {
            return 0;
        }
        if WIDE && others != 0 {
            let Wide { bytes: wide, errors } = Block::wide(block);
            end &= !wide;
            // Up to the first bit of `end`, it included: there a character is seen to be cut off.
            if errors & (end ^ end.wrapping_sub(1)) != 0 {
                return done;
            }
            // And so is the rest of a character.
            len = match *block {
                [.., 0xf0..=0xff, _, _] => Block::LEN - 3,
                [.., 0xe0..=0xff, _] => Block::LEN - 2,
                [.., 0xc0..=0xff] => Block::LEN - 1,
                _ => len,
            };
        }
        if end != 0 {
            return done + end.trailing_zeros() as usize;
        }
        done += len;
        if WIDE && others == 0 {
            break;
        }
    }
    done
}

/// Of the backslashes in a block, those that escape what is behind them, and what they escape.
///
/// In a series of backslashes every other one is escaped, from the second on. Subtracting a series from
/// the bits behind it carries to its end, and leaves its even bits if it began at an odd one. (Langdale
/// and Lemire, "Parsing Gigabytes of JSON per Second", §3.1.1, as simplified in simdjson 3.)
#[inline(always)]
fn escapes(backslashes: u64) -> (u64, u64) {
    const ODD: u64 = 0xaaaa_aaaa_aaaa_aaaa;
    let behind = backslashes << 1;
    let codes = (behind | ODD).wrapping_sub(backslashes) ^ ODD;
    (codes & backslashes, codes ^ backslashes)
}

/// Where a piece ends.
fn tail(bytes: &[u8]) -> usize {
    let is_plain = |byte: &u8| matches!(byte, 0x20..=0x7f) && *byte != b'"' && *byte != b'\\';
    bytes.iter().take_while(|byte| is_plain(byte)).count()
}

#[cfg(test)]
mod tests;
