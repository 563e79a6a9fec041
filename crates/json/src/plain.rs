//! The plain part of strings: 16 bytes at once in wasm, 8 elsewhere.

#[cfg_attr(target_feature = "simd128", path = "plain/simd128.rs")]
#[cfg_attr(not(target_feature = "simd128"), path = "plain/swar.rs")]
mod word;

use word::{Block, Marks, Word};

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
    let mut done = 0;
    while let Some((block, _)) = bytes.get(done..).unwrap_or_default().split_first_chunk() {
        let Block { quotes, backslashes, others } = Block::new(block);
        let (escapes, escaped) = escapes(backslashes);
        let bad = if escaped == 0 { 0 } else { escaped & !Block::escapable(block, escaped) };
        // A bad escape ends the run before its backslash. The first byte is never escaped.
        let end = (quotes | others) & !escaped | bad >> 1;
        if end != 0 {
            return done + end.trailing_zeros() as usize;
        }
        // What the last byte escapes is in the next block.
        done += if escapes >> 63 == 0 { Block::LEN } else { Block::LEN - 1 };
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
mod tests {
    use super::*;

    #[test]
    fn a_plain_run_ends_at_the_first_special_byte_wherever_it_is() {
        for len in 0..200 {
            for special in [b'"', b'\\', 0, 0x1f, 0x80, 0xff] {
                let mut bytes = vec![b'a'; 200];
                // What the words above mark wrongly must not matter: put neighbours of the bounds in.
                bytes.iter_mut().skip(len).step_by(3).for_each(|b| *b = b'!');
                bytes[len] = special;
                assert_eq!(plain_run(&bytes), len, "{special} at {len}");
                assert_eq!(plain_run(&bytes[..len]), len, "nothing special in {len}");
            }
        }
    }

    /// As [`text_run`], but by the byte.
    fn text(bytes: &[u8]) -> usize {
        let mut done = 0;
        while let Some(byte) = bytes.get(done) {
            done += match (byte, bytes.get(done + 1)) {
                (b'\\', Some(short)) if b"\"\\/bfnrt".contains(short) => 2,
                (b'"' | b'\\' | 0..=0x1f | 0x80..=0xff, _) => break,
                _ => 1,
            };
        }
        done
    }

    #[test]
    fn a_run_of_text_goes_over_escapes_and_ends_before_anything_else() {
        // Every kind of byte often, and series of backslashes of every length over bounds of blocks.
        let kinds = br#"\\\\"nu/tbrfax "#;
        let mut number = 1u32;
        let mut next = |bound: usize| {
            number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (number >> 8) as usize % bound
        };
        let mut reached = 0;
        for round in 0..20_000 {
            // Mostly what does not end a run, or it never gets far.
            let mut bytes: Vec<u8> = Vec::new();
            while bytes.len() < 300 {
                match next(40 + round % 400) {
                    0 => bytes.push(kinds[next(kinds.len())]),
                    1 => bytes.push(next(256) as u8),
                    n if n % 3 == 0 => bytes.extend([b'\\', b"\"\\/bfnrt"[next(8)]]),
                    _ => bytes.push(b'a' + next(26) as u8),
                }
            }
            let (expected, run) = (text(&bytes), text_run(&bytes));
            assert!(run <= expected, "{run} of {expected} in {bytes:?}");
            // It stops early only where no whole block is left, and never inside an escape.
            assert!(run == expected || bytes.len() - run < Block::LEN, "{run} of {expected}");
            assert_eq!(run + text(&bytes[run..]), expected, "{bytes:?}");
            reached = reached.max(run);
        }
        assert!(reached > 200);
    }

    #[test]
    fn every_escape_of_two_bytes_is_known_wherever_it_is() {
        for byte in 0..=255 {
            for at in 0..130 {
                let mut bytes = [b'a'; 256];
                (bytes[at], bytes[at + 1]) = (b'\\', byte);
                let is_escape = b"\"\\/bfnrt".contains(&byte);
                assert_eq!(text_run(&bytes) >= 192, is_escape, "{byte} at {at}");
                assert!(is_escape || text_run(&bytes) == at, "{byte} at {at}");
            }
        }
    }

    #[test]
    fn every_byte_is_judged_alike_alone_and_in_a_word() {
        for byte in 0..=255 {
            let mut word = [b'a'; Word::LEN];
            word[0] = byte;
            assert_eq!(plain_run(&word[..1]) > 0, plain_run(&word) > 0, "{byte}");
            let plain = matches!(byte, 0x20..=0x7f) && byte != b'"' && byte != b'\\';
            assert_eq!(plain_run(&word) > 0, plain, "{byte}");
        }
    }
}
