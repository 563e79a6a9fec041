//! The request body: which model, whether a stream, and how to make that stream report its usage.

use tollgate_effects::Edit;
use tollgate_json::{Kind, Limits, Scanner, Wanted};

/// Longer model names are not read: nothing serves them.
const MOST_MODEL_BYTES: usize = 1024;

/// A longer `stream_options` is replaced as a whole, since what it says cannot be seen.
const MOST_OPTIONS_BYTES: usize = 4096;

const MODEL: usize = 0;
const STREAM: usize = 1;
const STREAM_OPTIONS: usize = 2;

static MEMBERS: [Wanted; 3] = [
    Wanted { key: "model", keep: MOST_MODEL_BYTES },
    Wanted { key: "stream", keep: 8 },
    Wanted { key: "stream_options", keep: MOST_OPTIONS_BYTES },
];

static OPTIONS: [Wanted; 1] = [Wanted { key: "include_usage", keep: 8 }];

/// A request body as it flows by. Its memory is bounded by the `keep`s above.
pub(crate) struct RequestScan {
    scanner: Scanner,
    seen: usize,
}

impl RequestScan {
    pub(crate) fn new() -> Self {
        Self { scanner: Scanner::new(&MEMBERS, Limits::default()), seen: 0 }
    }

    /// Takes the next piece. An error in it shows at the end: whether a request is right is not
    /// decided here.
    pub(crate) fn push(&mut self, piece: &[u8]) {
        self.seen = self.seen.saturating_add(piece.len());
        let _ = self.scanner.push(piece);
    }

    /// Bytes so far.
    pub(crate) fn seen(&self) -> usize {
        self.seen
    }

    /// Whether the body, now complete, is a JSON object.
    pub(crate) fn is_object(&mut self) -> bool {
        self.scanner.finish().is_ok()
    }

    /// The model that the body names.
    pub(crate) fn model(&self) -> Option<String> {
        self.scanner.member(MODEL).text()
    }

    /// Whether the body asks for a stream. Of several members the last counts, as in most parsers.
    pub(crate) fn streams(&self) -> bool {
        self.scanner.member(STREAM).raw() == Some(b"true")
    }

    /// What makes a stream report its usage: the least change that sets
    /// `stream_options.include_usage` to true. `None` if it is true already, or if `stream_options` is
    /// nothing that a server would accept.
    pub(crate) fn ask_for_usage(&self) -> Option<Edit> {
        const OBJECT: &[u8] = br#"{"include_usage":true}"#;
        let options = self.scanner.member(STREAM_OPTIONS);
        match (options.kind, &options.range) {
            // The comma needs a member behind it, and what streams has one.
            (Kind::Absent, _) if self.streams() => Some(Edit {
                start: self.scanner.object_start()?,
                len: 0,
                with: br#""stream_options":{"include_usage":true},"#.to_vec(),
            }),
            (Kind::Null, Some(range)) => {
                Some(Edit { start: range.start, len: range.len(), with: OBJECT.to_vec() })
            }
            (Kind::Object, Some(range)) => match options.raw() {
                Some(raw) => {
                    let edit = include_usage(raw)?;
                    Some(Edit { start: range.start.checked_add(edit.start)?, ..edit })
                }
                None => Some(Edit { start: range.start, len: range.len(), with: OBJECT.to_vec() }),
            },
            _ => None,
        }
    }
}

/// The edit of `options` (a JSON object) that sets `include_usage` to true.
fn include_usage(options: &[u8]) -> Option<Edit> {
    let mut scanner = Scanner::new(&OPTIONS, Limits::default());
    scanner.push(options).ok()?;
    scanner.finish().ok()?;
    let found = scanner.member(0);
    if let Some(range) = &found.range {
        let is_true = found.raw() == Some(b"true");
        return (!is_true).then(|| Edit {
            start: range.start,
            len: range.len(),
            with: b"true".to_vec(),
        });
    }
    let start = scanner.object_start()?;
    let is_empty = options.get(start..)?.trim_ascii() == b"}";
    let with = if is_empty { r#""include_usage":true"# } else { r#""include_usage":true,"# };
    Some(Edit { start, len: 0, with: with.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(body: &str) -> String {
        let mut scan = RequestScan::new();
        for byte in body.as_bytes() {
            scan.push(std::slice::from_ref(byte));
        }
        assert!(scan.is_object(), "{body}");
        let mut body = body.to_owned();
        if let Some(Edit { start, len, with }) = scan.ask_for_usage() {
            body.replace_range(start..start + len, std::str::from_utf8(&with).unwrap());
        }
        body
    }

    #[test]
    fn only_what_must_change_is_changed() {
        for (case, body, expected) in [
            (
                "absent",
                r#" { "stream" : true, "n": 1.0 }"#,
                r#" {"stream_options":{"include_usage":true}, "stream" : true, "n": 1.0 }"#,
            ),
            (
                "null",
                r#"{"stream_options": null ,"stream":true}"#,
                r#"{"stream_options": {"include_usage":true} ,"stream":true}"#,
            ),
            (
                "empty",
                r#"{"stream_options":{ },"stream":true}"#,
                r#"{"stream_options":{"include_usage":true },"stream":true}"#,
            ),
            (
                "false, with neighbours",
                r#"{"stream":true,"stream_options":{"a":[1],"include_usage" : false,"b":{}}}"#,
                r#"{"stream":true,"stream_options":{"a":[1],"include_usage" : true,"b":{}}}"#,
            ),
            (
                "missing, with neighbours",
                r#"{"stream":true,"stream_options":{"continuous_usage_stats":true}}"#,
                r#"{"stream":true,"stream_options":{"include_usage":true,"continuous_usage_stats":true}}"#,
            ),
            (
                "true",
                r#"{"stream_options":{"include_usage":true},"stream":true}"#,
                r#"{"stream_options":{"include_usage":true},"stream":true}"#,
            ),
            (
                "null inside",
                r#"{"stream_options":{"include_usage":null},"stream":true}"#,
                r#"{"stream_options":{"include_usage":true},"stream":true}"#,
            ),
            (
                "not an object",
                r#"{"stream_options":7,"stream":true}"#,
                r#"{"stream_options":7,"stream":true}"#,
            ),
            (
                "twice: the last counts",
                r#"{"stream_options":{"include_usage":true},"stream":true,"stream_options":{}}"#,
                r#"{"stream_options":{"include_usage":true},"stream":true,"stream_options":{"include_usage":true}}"#,
            ),
            (
                "escaped keys and text of several bytes",
                r#"{"x":"日本😀","stream":true,"stream_\u006fptions":{"include_us\u0061ge":false}}"#,
                r#"{"x":"日本😀","stream":true,"stream_\u006fptions":{"include_us\u0061ge":true}}"#,
            ),
        ] {
            assert_eq!(asked(body), expected, "{case}");
        }
    }

    #[test]
    fn options_too_long_to_read_are_replaced() {
        let padding = " ".repeat(MOST_OPTIONS_BYTES);
        let body =
            format!(r#"{{"stream":true,"stream_options":{{"include_usage":false{padding}}}}}"#);
        assert_eq!(asked(&body), r#"{"stream":true,"stream_options":{"include_usage":true}}"#);
    }

    #[test]
    fn model_and_stream_are_the_last_ones() {
        let mut scan = RequestScan::new();
        scan.push(br#"{"model":"a","stream":false,"model":"b\u0021","stream":true}"#);
        assert!(scan.is_object());
        assert_eq!(scan.model().as_deref(), Some("b!"));
        assert!(scan.streams());
    }

    #[test]
    fn what_is_no_object_asks_nothing() {
        for body in ["", "[]", "{", r#"{"stream":true"#, "\u{1f}\u{8b}", "null"] {
            let mut scan = RequestScan::new();
            scan.push(body.as_bytes());
            assert!(!scan.is_object(), "{body}");
        }
    }
}
