//! Runs, against readings by the byte. In wasm they test the vectors.

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

/// As [`text_run`], or as [`wide_run`] if it went on to the end, but by the character.
fn text(bytes: &[u8], wide: bool) -> usize {
    let mut done = 0;
    while let Some(byte) = bytes.get(done) {
        done += match (byte, bytes.get(done + 1)) {
            (b'\\', Some(short)) if b"\"\\/bfnrt".contains(short) => 2,
            (b'"' | b'\\' | 0..=0x1f, _) => break,
            (0x80..=0xff, _) if !wide => break,
            (0x80..=0xff, _) => match (2..=4).find(|len| is_character(&bytes[done..], *len)) {
                Some(len) => len,
                None => break,
            },
            _ => 1,
        };
    }
    done
}

fn is_character(bytes: &[u8], len: usize) -> bool {
    bytes.get(..len).is_some_and(|bytes| std::str::from_utf8(bytes).is_ok())
}

/// Text with every kind of byte often, and series of backslashes of every length over bounds of blocks.
fn texts(others: &[&str], mut judge: impl FnMut(&[u8])) {
    let kinds = br#"\\\\"nu/tbrfax "#;
    let mut number = 1u32;
    let mut next = |bound: usize| {
        number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (number >> 8) as usize % bound
    };
    for round in 0..20_000 {
        // Mostly what does not end a run, or it never gets far.
        let mut bytes: Vec<u8> = Vec::new();
        while bytes.len() < 300 {
            match next(40 + round % 400) {
                0 => bytes.push(kinds[next(kinds.len())]),
                1 => bytes.push(next(256) as u8),
                n if n % 3 == 0 => bytes.extend([b'\\', b"\"\\/bfnrt"[next(8)]]),
                n if n % 3 == 1 && !others.is_empty() => {
                    bytes.extend(others[next(others.len())].as_bytes());
                }
                _ => bytes.push(b'a' + next(26) as u8),
            }
        }
        judge(&bytes);
    }
}

#[test]
fn a_run_of_text_goes_over_escapes_and_ends_before_anything_else() {
    let mut reached = 0;
    texts(&[], |bytes| {
        let (expected, run) = (text(bytes, false), text_run(bytes));
        assert!(run <= expected, "{run} of {expected} in {bytes:?}");
        // It stops early only where no whole block is left, and never inside an escape.
        assert!(run == expected || bytes.len() - run < Block::LEN, "{run} of {expected}");
        assert_eq!(run + text(&bytes[run..], false), expected, "{bytes:?}");
        reached = reached.max(run);
    });
    assert!(reached > 200);
}

#[test]
fn a_run_of_wide_text_goes_over_whole_characters_and_escapes() {
    for others in
        [&["ä", "哪", "😀"][..], &["ö"], &["哪", "。"], &["😀"], &["\u{80}", "\u{7ff}", "\u{800}"]]
    {
        let (mut reached, mut early) = (0, 0);
        texts(others, |bytes| {
            let bytes = [others[0].as_bytes(), bytes].concat();
            let (expected, run) = (text(&bytes, true), wide_run(&bytes));
            assert!(run <= expected, "{run} of {expected} in {bytes:?}");
            assert_eq!(run + text(&bytes[run..], true), expected, "not between two: {bytes:?}");
            // Before the block with the end it may stop only behind ASCII.
            let near = expected.min(bytes.len()) - run < Block::LEN;
            let ascii = run >= Block::LEN && bytes[run - Block::LEN + 1..run].is_ascii();
            let alone = run == 0 && bytes[4..Block::LEN].is_ascii();
            assert!(near || ascii || alone, "{run} of {expected} in {bytes:?}");
            reached = reached.max(run);
            early += usize::from(run < expected);
        });
        assert!(reached > 200 && early > 100, "{others:?}: {reached}, {early}");
    }
}

/// Asserts that a run goes over `sequence`, put at `at` into ASCII, if that is UTF-8, and else not beyond
/// the characters in it that are whole.
fn judge(sequence: &[u8], at: usize) {
    let mut bytes = [b'a'; 2 * Block::LEN];
    // No run stops for having nothing but ASCII to go over.
    for wide in [0, 5, 125] {
        bytes[wide..wide + 2].copy_from_slice("ä".as_bytes());
    }
    bytes[at..at + sequence.len()].copy_from_slice(sequence);
    let (whole, run) = (text(sequence, true), wide_run(&bytes));
    let is_right = if whole == sequence.len() { run > at + whole } else { run <= at + whole };
    assert!(is_right, "{sequence:x?} at {at}: {run}");
}

#[test]
fn every_sequence_is_judged_as_the_standard_library_does() {
    // Inside a word, over the bound of two, at the end of the block and over it.
    let places = [8, 13, 14, 15, 16, 60, 61, 62, 63];
    // Bounds of every range in which a byte is judged differently.
    let tails = [
        0x20, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xed, 0xf0,
        0xf4, 0xf5, 0xff,
    ];
    for first in 0x80..=0xff {
        for second in 0x20..=0xff {
            if b"\"\\".contains(&second) {
                continue;
            }
            for at in places {
                judge(&[first, second], at);
                for third in tails {
                    judge(&[first, second, third], at);
                }
            }
        }
    }
    for first in 0xe0..=0xff {
        for second in tails {
            for third in tails {
                for fourth in tails {
                    for at in places {
                        judge(&[first, second, third, fourth], at);
                    }
                }
            }
        }
    }
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
