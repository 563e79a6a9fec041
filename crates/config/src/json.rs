//! A configuration's JSON as a tree.
//!
//! Not serde_json's, which with its maps, floating point numbers and error texts is a tenth of a filter; numbers stay
//! text, and members stay in order. Every document that is taken means the same to serde_json.

use tollgate_json::unescape;

/// A JSON value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Json {
    /// `[…]`
    Array(Vec<Self>),
    /// `true` or `false`
    Bool(bool),
    /// `null`
    Null,
    /// A number, as written.
    Number(String),
    /// `{…}`, repeated keys included.
    Object(Vec<(String, Self)>),
    /// `"…"`
    String(String),
}

/// The most arrays and objects around a value.
const MOST_DEPTH: usize = 64;

impl Json {
    /// Reads `text`.
    ///
    /// # Errors
    ///
    /// What was expected, and where.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, String> {
        let mut parser = Parser { text, at: 0 };
        let read = parser.value(0).and_then(|value| {
            parser.space();
            if parser.peek().is_none() { Ok(value) } else { Err("expected nothing behind it") }
        });
        read.map_err(|expected| {
            let before = text.get(..parser.at).unwrap_or(text);
            let line = before.split(|b| *b == b'\n').count();
            let column = before.rsplit(|b| *b == b'\n').next().map_or(0, <[u8]>::len);
            format!("{expected} at line {line} column {}", column.saturating_add(1))
        })
    }
}

type Parsed<T> = Result<T, &'static str>;

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Parser<'a> {
    fn value(&mut self, depth: usize) -> Parsed<Json> {
        self.space();
        match self.peek() {
            Some(b'{') if depth < MOST_DEPTH => {
                let mut members = Vec::new();
                self.list(b'}', &mut |parser| {
                    parser.space();
                    let key = parser.string("expected a key in quotes")?;
                    parser.space();
                    if parser.peek() != Some(b':') {
                        return Err("expected `:`");
                    }
                    parser.at += 1;
                    members.push((key, parser.value(depth + 1)?));
                    Ok(())
                })?;
                Ok(Json::Object(members))
            }
            Some(b'[') if depth < MOST_DEPTH => {
                let mut elements = Vec::new();
                self.list(b']', &mut |parser| {
                    elements.push(parser.value(depth + 1)?);
                    Ok(())
                })?;
                Ok(Json::Array(elements))
            }
            Some(b'{' | b'[') => Err("nested too deep"),
            Some(b'"') => self.string("expected a string").map(Json::String),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) => self.word(),
            None => Err("expected a value"),
        }
    }

    /// Elements up to the bracket that closes.
    fn list(&mut self, close: u8, element: &mut dyn FnMut(&mut Self) -> Parsed<()>) -> Parsed<()> {
        self.at += 1;
        self.space();
        if self.peek() == Some(close) {
            self.at += 1;
            return Ok(());
        }
        loop {
            element(self)?;
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(byte) if byte == close => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err("expected `,` or the closing bracket"),
            }
        }
    }

    fn string(&mut self, expected: &'static str) -> Parsed<String> {
        if self.peek() != Some(b'"') {
            return Err(expected);
        }
        let mut escaped = false;
        let rest = self.text.get(self.at..).unwrap_or_default();
        let end = rest.iter().skip(1).position(|byte| {
            let ends = *byte == b'"' && !escaped;
            escaped = *byte == b'\\' && !escaped;
            ends
        });
        let Some(raw) = end.and_then(|end| rest.get(..end.checked_add(2)?)) else {
            return Err("expected the string to end");
        };
        let text = unescape(raw).ok_or("expected a string with valid characters and escapes")?;
        self.at = self.at.saturating_add(raw.len());
        Ok(text)
    }

    /// RFC 8259, section 6.
    fn number(&mut self) -> Parsed<Json> {
        let start = self.at;
        self.skip(b"-");
        let integer = self.digits();
        let leading_zero = self.text.get(self.at.saturating_sub(integer)) == Some(&b'0');
        let mut good = integer == 1 || integer > 1 && !leading_zero;
        if self.skip(b".") {
            good &= self.digits() > 0;
        }
        if self.skip(b"eE") {
            self.skip(b"+-");
            good &= self.digits() > 0;
        }
        let raw = self.text.get(start..self.at).and_then(|raw| std::str::from_utf8(raw).ok());
        raw.filter(|_| good).map(|raw| Json::Number(raw.into())).ok_or("expected a number")
    }

    fn word(&mut self) -> Parsed<Json> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let words =
            [("true", Json::Bool(true)), ("false", Json::Bool(false)), ("null", Json::Null)];
        for (word, value) in words {
            if rest.starts_with(word.as_bytes()) {
                self.at = self.at.saturating_add(word.len());
                return Ok(value);
            }
        }
        Err("expected a value")
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.skip(b"0123456789") {}
        self.at - start
    }

    /// Takes one of these bytes, if it is next.
    fn skip(&mut self, any: &[u8]) -> bool {
        let found = self.peek().is_some_and(|byte| any.contains(&byte));
        self.at += usize::from(found);
        found
    }

    fn space(&mut self) {
        while self.skip(b" \t\r\n") {}
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// As serde_json has it, for comparison.
    fn value(json: &Json) -> Value {
        match json {
            Json::Array(elements) => elements.iter().map(value).collect(),
            Json::Bool(found) => (*found).into(),
            Json::Null => Value::Null,
            Json::Number(raw) => serde_json::from_str(raw).unwrap(),
            Json::Object(members) => Value::Object(
                members.iter().map(|(key, json)| (key.clone(), value(json))).collect(),
            ),
            Json::String(text) => text.as_str().into(),
        }
    }

    const DOCUMENTS: [&str; 30] = [
        "{}",
        " [ ] ",
        r#"{"a": [1, -2.5e+3, 0, 0.1, true, false, null, "x\n\u00e9😀"], "b": {"c": {}}}"#,
        "\"a\"",
        "0",
        "-0",
        "1E5",
        "",
        " ",
        "{",
        "[1",
        "[1,]",
        "[,1]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{\"a\":1 \"b\":2}",
        "01",
        "-",
        "1.",
        ".5",
        "1e",
        "+1",
        "tru",
        "nulll",
        "\"a",
        "\"\\x\"",
        "{} {}",
        "\"\u{1}\"",
    ];

    #[test]
    fn a_document_reads_as_with_serde_json_or_not_at_all() {
        for document in DOCUMENTS {
            let found = Json::parse(document.as_bytes()).ok();
            let expected = serde_json::from_str::<Value>(document).ok();
            assert_eq!(found.as_ref().map(value), expected, "{document}");
            for end in 0..document.len() {
                let part = &document.as_bytes()[..end];
                let found = Json::parse(part).ok();
                let expected = serde_json::from_slice::<Value>(part).ok();
                assert_eq!(found.as_ref().map(value), expected, "{:?}", &part);
            }
        }
        assert!(Json::parse(b"\"\xff\"").is_err());
    }

    #[test]
    fn a_mistake_has_its_place() {
        for (document, expected) in [
            ("{\n  \"a\": x}", "expected a value at line 2 column 8"),
            ("[1 2]", "expected `,` or the closing bracket at line 1 column 4"),
            ("{} x", "expected nothing behind it at line 1 column 4"),
            ("", "expected a value at line 1 column 1"),
        ] {
            assert_eq!(Json::parse(document.as_bytes()), Err(expected.to_owned()));
        }
    }

    #[test]
    fn what_is_nested_too_deep_is_refused() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(Json::parse(nested(MOST_DEPTH).as_bytes()).is_ok());
        assert!(Json::parse(nested(MOST_DEPTH + 1).as_bytes()).is_err());
        assert!(Json::parse("[".repeat(1_000_000).as_bytes()).is_err());
    }
}
