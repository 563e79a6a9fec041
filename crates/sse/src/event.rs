//! One event: its bytes and its fields.

use std::borrow::Cow;

use memchr::memchr2;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The lines up to and with an empty one. Not every event has data: comments and blank lines make
/// events too, so that their bytes are not lost.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Event<'a> {
    raw: &'a [u8],
    /// Where the fields start: behind the byte order mark, if there is one.
    fields_at: usize,
    line_feed_of_previous: bool,
}

impl<'a> Event<'a> {
    /// The event whose bytes are `raw`, for a stream that ended without the last empty line: the
    /// standard drops such an event, but many servers send one and most clients read it.
    pub fn from_raw(raw: &'a [u8]) -> Self {
        Self { raw, fields_at: 0, line_feed_of_previous: false }
    }

    /// The first event of a stream, where a byte order mark may stand.
    pub(crate) fn first(raw: &'a [u8]) -> Self {
        let fields_at = if raw.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        Self { fields_at, ..Self::from_raw(raw) }
    }

    /// The LF of a CRLF whose CR ended the event of the push before.
    pub(crate) fn line_feed(raw: &'a [u8]) -> Self {
        Self { line_feed_of_previous: true, ..Self::from_raw(raw) }
    }

    /// Its exact bytes, the empty line at the end included.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// Whether this is only the second byte of the line end of the event before, which a cut between
    /// CR and LF made come late. Whoever drops an event drops such a follower too.
    pub fn is_line_feed_of_previous(&self) -> bool {
        self.line_feed_of_previous
    }

    /// The event's type: the value of the last `event` field; `None` if there is none or it is empty.
    pub fn name(&self) -> Option<&'a [u8]> {
        let last = self.fields().filter(|(name, _)| *name == b"event").last();
        last.map(|(_, value)| value).filter(|value| !value.is_empty())
    }

    /// Whether there is a `data` field, empty or not. A comment or a keep-alive has none.
    pub fn has_data(&self) -> bool {
        self.fields().any(|(name, _)| name == b"data")
    }

    /// The values of the `data` fields, joined with LF. Copies only if there are several.
    pub fn data(&self) -> Cow<'a, [u8]> {
        let mut values = self.fields().filter(|(name, _)| *name == b"data").map(|(_, value)| value);
        let mut data = Cow::Borrowed(values.next().unwrap_or_default());
        for value in values {
            let joined = data.to_mut();
            joined.push(b'\n');
            joined.extend_from_slice(value);
        }
        data
    }

    fn fields(&self) -> Fields<'a> {
        Fields { rest: self.raw.get(self.fields_at..).unwrap_or_default() }
    }
}

/// Names and values of the lines that are fields: not comments, not empty.
struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
            // A CRLF gives an empty line between its two bytes, which is skipped like any other.
            let end = memchr2(b'\r', b'\n', self.rest).unwrap_or(self.rest.len());
            let (line, behind) = self.rest.split_at_checked(end)?;
            self.rest = behind.get(1..).unwrap_or_default();
            if let Some(field) = field(line) {
                return Some(field);
            }
        }
        None
    }
}

/// Name and value of a line; `None` for an empty line or a comment. A line without a colon is a name
/// with an empty value; one space behind the colon is not part of the value.
fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|b| *b == b':').unwrap_or(line.len());
    let (name, value) = line.split_at_checked(colon)?;
    let value = value.strip_prefix(b":").unwrap_or(value);
    (!name.is_empty()).then_some((name, value.strip_prefix(b" ").unwrap_or(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(raw: &str) -> String {
        String::from_utf8(Event::first(raw.as_bytes()).data().into_owned()).unwrap()
    }

    #[test]
    fn data_is_read_as_the_standard_says() {
        for (case, raw, expected) in [
            ("space behind the colon", "data: x\n\n", "x"),
            ("no space", "data:x\n\n", "x"),
            ("one of two spaces", "data:  x\n\n", " x"),
            ("lines joined", "data: a\r\ndata: b\rdata:c\n\n", "a\nb\nc"),
            ("an empty line of data", "data: a\ndata\ndata: b\n\n", "a\n\nb"),
            ("no colon", "data\n\n", ""),
            ("comment between", "data: a\n: note\ndata: b\n\n", "a\nb"),
            ("another field", "id: 7\nretry: 1\n\n", ""),
            ("a name with a space is another name", "data : x\n\n", ""),
            ("names are case-sensitive", "Data: x\n\n", ""),
            ("byte order mark", "\u{feff}data: x\n\n", "x"),
            ("colons in the value", "data: {\"a\":1}\n\n", "{\"a\":1}"),
        ] {
            assert_eq!(data(raw), expected, "{case}");
        }
    }

    #[test]
    fn one_line_of_data_is_not_copied() {
        let event = Event::from_raw(b"event: ping\ndata: {}\n\n");
        assert!(matches!(event.data(), Cow::Borrowed(b"{}")));
    }

    #[test]
    fn the_last_name_counts_and_an_empty_one_is_none() {
        assert_eq!(Event::from_raw(b"event: a\nevent: b\n\n").name(), Some(&b"b"[..]));
        assert_eq!(Event::from_raw(b"event: a\nevent:\n\n").name(), None);
        assert_eq!(Event::from_raw(b"data: a\n\n").name(), None);
    }

    #[test]
    fn a_comment_has_no_data_and_an_empty_field_has() {
        assert!(!Event::from_raw(b": keep-alive\n\n").has_data());
        assert!(Event::from_raw(b"data\n\n").has_data());
    }
}
