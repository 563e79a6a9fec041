//! The text of a raw JSON string.

use crate::plain::plain_run;
use crate::string::{Hex, HexStep, escaped};

/// The text of `raw`, a JSON string with its quotes. `None` if it is none.
pub fn unescape(raw: &[u8]) -> Option<String> {
    let mut rest = raw.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let mut out: Vec<u8> = Vec::with_capacity(rest.len());
    while !rest.is_empty() {
        let (plain, behind) = rest.split_at_checked(plain_run(rest))?;
        out.extend_from_slice(plain);
        rest = match behind {
            [] => behind,
            [b'\\', b'u', behind @ ..] => {
                let (character, behind) = hex(behind)?;
                let text = char::from_u32(character)?;
                out.extend_from_slice(text.encode_utf8(&mut [0; 4]).as_bytes());
                behind
            }
            [b'\\', short, behind @ ..] => {
                out.push(escaped(*short)?);
                behind
            }
            // Checked as a whole below.
            [byte @ 0x80..=0xff, behind @ ..] => {
                out.push(*byte);
                behind
            }
            _ => return None,
        };
    }
    String::from_utf8(out).ok()
}

/// The character behind `\u`, of which there may be two.
fn hex(mut rest: &[u8]) -> Option<(u32, &[u8])> {
    let mut hex = Hex::default();
    loop {
        let (digit, behind) = rest.split_first()?;
        rest = behind;
        match hex.push(*digit) {
            HexStep::More(more) => hex = more,
            HexStep::Leading(leading) => {
                rest = rest.strip_prefix(b"\\u")?;
                hex = Hex::after(Some(leading));
            }
            HexStep::Character(character) => return Some((character, rest)),
            HexStep::Bad => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_serde_json_reads() {
        for raw in [
            r#""""#,
            r#""plain""#,
            r#""a\"b\\c\/d\b\f\n\r\t""#,
            r#""\u0041\u00e9\u20ac""#,
            r#""\ud83d\ude00!""#,
            r#""\ud83d""#,
            r#""\ude00""#,
            r#""\ud83d\u0041""#,
            r#""\u12""#,
            r#""\x""#,
            "\"\n\"",
            r#""é€😀""#,
            r#"""#,
            "",
            r#"abc"#,
            r#""a"b""#,
            r#""a\""#,
            r#""\ud83dx""#,
            r#""\u+123""#,
        ] {
            let expected = serde_json::from_str::<String>(raw).ok();
            assert_eq!(unescape(raw.as_bytes()), expected, "{raw}");
        }
        assert_eq!(unescape(b"\"\xff\""), None);
        assert_eq!(unescape(b"\"\xed\xa0\x80\""), None);
    }
}
