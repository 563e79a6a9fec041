//! The plain part of strings: 16 bytes at once in wasm, 8 elsewhere.

#[cfg_attr(target_feature = "simd128", path = "plain/simd128.rs")]
#[cfg_attr(not(target_feature = "simd128"), path = "plain/swar.rs")]
mod word;

use word::{Marks, Word};

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
