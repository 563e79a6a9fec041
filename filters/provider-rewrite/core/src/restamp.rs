//! The model's name in an answer of the client's own dialect: put back in place.

use std::borrow::Cow;
use std::ops::Range;

use tollgate_json::{Kind, Limits, Scanner, Wanted};
use tollgate_sse::{Framer, Piece};

use crate::model::quoted;

/// Answers name the model at the top; Anthropic's `message_start` inside `message`, events of OpenAI's
/// responses inside `response`.
static TOP: [Wanted; 3] = [
    Wanted { key: "model", keep: 0 },
    Wanted { key: "message", keep: 0 },
    Wanted { key: "response", keep: 0 },
];

static INNER: [Wanted; 1] = [Wanted { key: "model", keep: 0 }];

/// Where `document` names the model, in order; empty if it is not a JSON object.
pub(crate) fn places(document: &[u8]) -> Vec<Range<usize>> {
    let Some(top) = scanned(&TOP, document) else { return Vec::new() };
    let mut places: Vec<Range<usize>> = Vec::new();
    places.extend(string(&top, 0));
    for index in [1, 2] {
        let member = top.member(index);
        if let Some(outer) = member.range.clone()
            && member.kind == Kind::Object
            && let Some(inner) = document.get(outer.clone())
            && let Some(inner) = scanned(&INNER, inner).and_then(|inner| string(&inner, 0))
        {
            let shifted = |at: usize| at.saturating_add(outer.start);
            let place = shifted(inner.start)..shifted(inner.end);
            let at = places.partition_point(|other| other.start < place.start);
            places.insert(at, place);
        }
    }
    places
}

fn scanned(wanted: &'static [Wanted], document: &[u8]) -> Option<Scanner> {
    let mut scanner = Scanner::new(wanted, Limits::default());
    scanner.push(document).ok()?;
    scanner.finish().ok()?;
    Some(scanner)
}

fn string(scanner: &Scanner, index: usize) -> Option<Range<usize>> {
    let member = scanner.member(index);
    member.range.clone().filter(|_| member.kind == Kind::String)
}

/// Puts the client's name of the model into each event of a stream; everything else passes as it is.
pub(crate) struct StreamRestamp {
    framer: Framer,
    /// The client's name as a JSON string.
    name: Vec<u8>,
}

impl StreamRestamp {
    pub(crate) fn new(max_event_bytes: usize, name: &str) -> Self {
        Self { framer: Framer::new(max_event_bytes), name: quoted(name) }
    }

    /// Takes the next bytes of the stream; `end` if they are the last.
    pub(crate) fn push(&mut self, bytes: &[u8], end: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len().saturating_add(self.framer.held()));
        let name = &self.name;
        let mut piece = |piece: Piece<'_>| match piece {
            Piece::Event(event) => {
                let raw = event.raw();
                let mut written = 0;
                for place in in_event(raw, event.data()) {
                    out.extend_from_slice(raw.get(written..place.start).unwrap_or_default());
                    out.extend_from_slice(name);
                    written = place.end;
                }
                out.extend_from_slice(raw.get(written..).unwrap_or_default());
            }
            Piece::Raw(raw) => out.extend_from_slice(raw),
        };
        self.framer.push(bytes, &mut piece);
        if end {
            self.framer.finish(&mut piece);
        }
        out
    }
}

/// Where an event names the model, in its raw bytes. Data in several lines (which is owned) is left as
/// it is: no provider sends it, and its places are not those of the joined text.
fn in_event<'a>(raw: &'a [u8], data: Cow<'a, [u8]>) -> Vec<Range<usize>> {
    let Cow::Borrowed(data) = data else { return Vec::new() };
    let start = (data.as_ptr() as usize).saturating_sub(raw.as_ptr() as usize);
    let shifted = |at: usize| at.saturating_add(start);
    places(data).into_iter().map(|place| shifted(place.start)..shifted(place.end)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = concat!(
        ": hello\n\n",
        "data: {\"id\":1,\"model\":\"wire\",\"choices\":[{\"delta\":{\"content\":\"model\"}}]}\n\n",
        "event: message_start\r\ndata: {\"message\":{\"model\":\"wire\",\"x\":\"ä\"}}\r\n\r\n",
        "data: {\"response\":{\"model\":\"wire\"},\"model\":\"wire\"}\n\n",
        "data: {\"model\":\"wi\"\ndata: ,\"x\":1}\n\n",
        "data: [DONE]\n\ndata: {\"model\":\"wire\"",
    );

    fn expected() -> String {
        STREAM
            .replace("\"model\":\"wire\",\"choices", "\"model\":\"name\",\"choices")
            .replace("\"message\":{\"model\":\"wire\"", "\"message\":{\"model\":\"name\"")
            .replace(
                "{\"response\":{\"model\":\"wire\"},\"model\":\"wire\"}",
                "{\"response\":{\"model\":\"name\"},\"model\":\"name\"}",
            )
    }

    #[test]
    fn every_event_gets_the_name_and_nothing_else_changes() {
        let bytes = STREAM.as_bytes();
        for cut in 0..=bytes.len() {
            let mut restamp = StreamRestamp::new(1024, "name");
            let mut out = restamp.push(&bytes[..cut], false);
            out.extend(restamp.push(&bytes[cut..], true));
            assert_eq!(String::from_utf8(out).unwrap(), expected(), "cut at {cut}");
        }
        let mut restamp = StreamRestamp::new(1024, "name");
        let mut out: Vec<u8> = Vec::new();
        for byte in bytes {
            out.extend(restamp.push(&[*byte], false));
        }
        out.extend(restamp.push(&[], true));
        assert_eq!(String::from_utf8(out).unwrap(), expected());
    }

    #[test]
    fn an_event_over_the_limit_passes_as_it_is() {
        let long = format!("data: {{\"model\":\"wire\",\"x\":\"{}\"}}\n\n", "y".repeat(2000));
        let mut restamp = StreamRestamp::new(100, "name");
        let mut out = Vec::new();
        for piece in long.as_bytes().chunks(64) {
            out.extend(restamp.push(piece, false));
        }
        out.extend(restamp.push(&[], true));
        assert_eq!(out, long.as_bytes());
    }

    #[test]
    fn only_a_string_is_replaced() {
        for document in ["{\"model\":null}", "{\"model\":{\"a\":1}}", "[\"model\"]", "x", ""] {
            assert!(places(document.as_bytes()).is_empty(), "{document}");
        }
    }
}
