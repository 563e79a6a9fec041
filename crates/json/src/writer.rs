//! Writes JSON, piece by piece: for small answers and facts, in filters that need no tree.

/// Writes one JSON value. Commas and colons come by themselves.
///
/// ```
/// # use tollgate_json::Writer;
/// let mut json = Writer::default();
/// json.open('{');
/// json.key("id");
/// json.string("gpt-4o");
/// json.key("created");
/// json.number(0);
/// json.close('}');
/// assert_eq!(json.into_bytes(), br#"{"id":"gpt-4o","created":0}"#);
/// ```
#[derive(Debug, Default)]
pub struct Writer {
    out: Vec<u8>,
    /// Whether a comma comes before the next key or element.
    comma: bool,
}

impl Writer {
    /// With room for so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { out: Vec::with_capacity(bytes), comma: false }
    }

    /// Begins an object (`{`) or an array (`[`).
    pub fn open(&mut self, bracket: char) {
        self.separate();
        self.push(bracket);
        self.comma = false;
    }

    /// Ends it (`}` or `]`).
    pub fn close(&mut self, bracket: char) {
        self.push(bracket);
        self.comma = true;
    }

    /// The key of the next value.
    pub fn key(&mut self, key: &str) {
        self.string(key);
        self.push(':');
        self.comma = false;
    }

    /// A string.
    pub fn string(&mut self, text: &str) {
        self.separate();
        self.out.push(b'"');
        let mut plain = 0;
        for (at, byte) in text.bytes().enumerate() {
            if byte >= b' ' && byte != b'"' && byte != b'\\' {
                continue;
            }
            self.raw_bytes(text.as_bytes().get(plain..at));
            plain = at + 1;
            match byte {
                b'"' | b'\\' => self.out.extend_from_slice(&[b'\\', byte]),
                b'\n' => self.out.extend_from_slice(b"\\n"),
                b'\r' => self.out.extend_from_slice(b"\\r"),
                b'\t' => self.out.extend_from_slice(b"\\t"),
                _ => {
                    let digit = |n: u8| char::from_digit(n.into(), 16).unwrap_or('0');
                    self.out.extend_from_slice(b"\\u00");
                    self.push(digit(byte >> 4));
                    self.push(digit(byte & 15));
                }
            }
        }
        self.raw_bytes(text.as_bytes().get(plain..));
        self.out.push(b'"');
    }

    fn raw_bytes(&mut self, bytes: Option<&[u8]>) {
        self.out.extend_from_slice(bytes.unwrap_or_default());
    }

    /// A number.
    pub fn number(&mut self, number: u64) {
        self.raw(&number.to_string());
    }

    /// `true` or `false`.
    pub fn bool(&mut self, value: bool) {
        self.raw(if value { "true" } else { "false" });
    }

    /// A string, or `null`.
    pub fn string_or_null(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.string(text),
            None => self.raw("null"),
        }
    }

    /// A key and a string.
    pub fn member(&mut self, key: &str, text: &str) {
        self.key(key);
        self.string(text);
    }

    /// What was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    fn raw(&mut self, text: &str) {
        self.separate();
        self.out.extend_from_slice(text.as_bytes());
    }

    fn separate(&mut self) {
        if self.comma {
            self.push(',');
        }
        self.comma = true;
    }

    fn push(&mut self, character: char) {
        self.out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

/// `text` as a JSON string.
pub fn quoted(text: &str) -> Vec<u8> {
    let mut json = Writer::default();
    json.string(text);
    json.into_bytes()
}

/// The strings of `raw`, a JSON array that a [`crate::Scanner`] took. `None` if it has anything else in it.
pub fn strings(raw: &[u8]) -> Option<Vec<String>> {
    let mut rest = raw.trim_ascii().strip_prefix(b"[")?.strip_suffix(b"]")?.trim_ascii();
    let mut strings = Vec::new();
    while !rest.is_empty() {
        let mut escaped = false;
        let end = rest.iter().skip(1).position(|byte| {
            let ends = *byte == b'"' && !escaped;
            escaped = *byte == b'\\' && !escaped;
            ends
        })?;
        let (string, behind) = rest.split_at_checked(end.checked_add(2)?)?;
        strings.push(crate::unescape(string)?);
        rest = match behind.trim_ascii() {
            [] => return Some(strings),
            [b',', behind @ ..] => behind.trim_ascii(),
            _ => return None,
        };
        // A comma with nothing behind it.
        if rest.is_empty() {
            return None;
        }
    }
    Some(strings)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_is_written_reads_as_what_was_meant() {
        let mut json = Writer::default();
        json.open('{');
        json.key("a");
        json.open('[');
        json.close(']');
        json.member("b\"", "\u{0}\u{1f}\n\r\t\\\"é€😀\u{7f}\u{2028}");
        json.key("c");
        json.open('[');
        json.number(u64::MAX);
        json.bool(true);
        json.bool(false);
        json.string_or_null(None);
        json.string_or_null(Some(""));
        json.open('{');
        json.close('}');
        json.close(']');
        json.close('}');
        let expected = json!({
            "a": [],
            "b\"": "\u{0}\u{1f}\n\r\t\\\"é€😀\u{7f}\u{2028}",
            "c": [u64::MAX, true, false, null, "", {}],
        });
        assert_eq!(serde_json::from_slice::<Value>(&json.into_bytes()).unwrap(), expected);
    }

    #[test]
    fn lists_of_strings_are_read_as_serde_json_reads_them() {
        for raw in [
            "[]",
            "[ ]",
            r#"["a"]"#,
            r#" [ "a" , "b\"c\\" ,"" ] "#,
            r#"["\ud83d\ude00","\u0041]","[,\""]"#,
            r#"[1]"#,
            r#"["a",1]"#,
            r#"["a",["b"]]"#,
            r#"[null]"#,
            r#"["a",]"#,
            r#"["a" "b"]"#,
            r#"["a"#,
            r#"["a\"]"#,
            r#"["\ud83d"]"#,
            r#"{"a":1}"#,
            "",
        ] {
            let expected = serde_json::from_str::<Vec<String>>(raw).ok();
            assert_eq!(strings(raw.as_bytes()), expected, "{raw}");
        }
    }
}
