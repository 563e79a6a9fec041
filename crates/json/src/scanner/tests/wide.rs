//! Long strings of characters that are not ASCII, which are taken by blocks: every error is at the byte
//! that makes it, as the standard library finds it, however the document is cut.

use super::*;

/// About 200 bytes each: characters of every length, alone, mixed, and with escapes between.
fn strings() -> [String; 6] {
    [
        "ö".repeat(100),
        "哪".repeat(67),
        "😀".repeat(50),
        "aé哪😀 ".repeat(18),
        r#"Größe\n哪\"e\\"#.repeat(12),
        format!("ö{}哪{}😀{}é", "a".repeat(64), "b".repeat(61), "c".repeat(58)),
    ]
}

fn document(string: &[u8]) -> Vec<u8> {
    [br#"{"messages":[{"content":""#, string, br#""}],"model":"gpt-4o"}"#].concat()
}

/// What reading `document` ends in, if nothing can be wrong with it but that it is not UTF-8.
fn utf8(document: &[u8]) -> Result<(), Error> {
    let Err(error) = std::str::from_utf8(document) else { return Ok(()) };
    let start = error.valid_up_to();
    let offset = match document[start] {
        0xc2..=0xf4 => start + error.error_len().unwrap(),
        _ => start,
    };
    Err(Error::Syntax { offset })
}

#[test]
fn long_strings_are_read_however_cut() {
    for string in strings() {
        let (result, scanner) = scan_all_ways(&document(string.as_bytes()));
        assert_eq!(result, Ok(()), "{string}");
        assert_eq!(scanner.member(0).text().as_deref(), Some("gpt-4o"), "{string}");
    }
}

#[test]
fn a_wrong_byte_is_named_wherever_it_is_and_however_cut() {
    const WRONG: [u8; 12] =
        [0x80, 0xbf, 0xc0, 0xc3, 0xe0, 0xe2, 0xed, 0xf0, 0xf4, 0xf5, 0xff, b'x'];
    let mut wrong = 0;
    for string in strings() {
        let string = string.as_bytes();
        let ways = (0..string.len()).flat_map(|at| WRONG.map(|byte| (at, byte)));
        for (n, (at, byte)) in ways.enumerate() {
            // An escape that is not one any more is wrong in another way.
            let is_escape = string[at] == b'\\' || at > 0 && string[at - 1] == b'\\';
            if is_escape {
                continue;
            }
            let mut string = string.to_vec();
            string[at] = byte;
            let document = document(&string);
            let expected = utf8(&document);
            wrong += usize::from(expected.is_err());
            assert_eq!(scan(&document, &[]).0, expected, "{byte:x} at {at} of {string:x?}");
            assert_eq!(scan_log(&document, &[]).0, expected, "{byte:x} at {at} of {string:x?}");
            // Each place with one of the bytes at every cut: all with all would take a minute.
            if n % WRONG.len() == at % WRONG.len() {
                for cut in 0..document.len() {
                    let result = scan(&document, &[cut]).0;
                    assert_eq!(result, expected, "{byte:x} at {at}, cut at {cut}: {string:x?}");
                }
            }
        }
    }
    assert!(wrong > 10_000, "{wrong}");
}

#[test]
fn what_is_no_text_is_named_behind_text_that_is_not_ascii() {
    for string in strings() {
        for at in (0..=string.len()).filter(|at| string.is_char_boundary(*at)) {
            if string[..at].ends_with('\\') {
                continue;
            }
            for (wrong, behind) in
                [("\0", 0), ("\n", 0), ("\u{1f}", 0), (r"\x", 1), (r"\é", 1), (r"\ud83dö", 6)]
            {
                let mut string = string.clone();
                string.insert_str(at, wrong);
                let offset = document(b"").len() - br#""}],"model":"gpt-4o"}"#.len() + at + behind;
                let document = document(string.as_bytes());
                let expected = Err(Error::Syntax { offset });
                for cuts in [&[][..], &[offset], &[offset - 1], &[30]] {
                    assert_eq!(scan(&document, cuts).0, expected, "{string:?} cut at {cuts:?}");
                }
            }
        }
    }
}
