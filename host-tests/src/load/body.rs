//! Bodies: where their bytes come from, the headers they imply, and how they are cut.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::plan::Headers;
use crate::scenario::{Chunks, SseItem};

/// The fields of the file that can give a body; at most one may be there.
pub(super) struct Source<'a> {
    pub(super) json: Option<&'a Value>,
    pub(super) text: Option<&'a str>,
    pub(super) base64: Option<&'a str>,
    pub(super) file: Option<&'a str>,
    pub(super) sse: Option<&'a [SseItem]>,
}

/// A body with the content type that its form implies.
type Body = (Vec<u8>, Option<&'static str>);

impl Source<'_> {
    /// The fields that are there, by name.
    pub(super) fn given(&self) -> Vec<&'static str> {
        [
            ("`json`", self.json.is_some()),
            ("`body`", self.text.is_some()),
            ("`bodyBase64`", self.base64.is_some()),
            ("`bodyFile`", self.file.is_some()),
            ("`sse`", self.sse.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, there)| there.then_some(name))
        .collect()
    }

    /// The body, unless it is in a file; an error names the field.
    pub(super) fn inline(&self) -> Result<Option<Body>, (&'static str, String)> {
        if let Some(json) = self.json {
            return Ok(Some((json.to_string().into_bytes(), Some("application/json"))));
        }
        if let Some(text) = self.text {
            return Ok(Some((text.as_bytes().to_vec(), None)));
        }
        if let Some(base64) = self.base64 {
            // White space, so that long ones can be folded.
            let base64: String = base64.split_whitespace().collect();
            return match STANDARD.decode(base64) {
                Ok(bytes) => Ok(Some((bytes, None))),
                Err(error) => Err(("bodyBase64", format!("{error}, expected padded base64"))),
            };
        }
        Ok(self.sse.map(|items| (event_stream(items).into_bytes(), Some("text/event-stream"))))
    }
}

/// The event stream of `items`; the data of several lines takes several `data:` lines.
fn event_stream(items: &[SseItem]) -> String {
    let mut out = String::new();
    for item in items {
        if let Some(event) = &item.event {
            out.push_str(&format!("event: {event}\n"));
        }
        let data = match &item.data {
            Value::String(text) => text.clone(),
            value => value.to_string(),
        };
        for line in data.split('\n') {
            out.push_str(&format!("data: {line}\n"));
        }
        out.push('\n');
    }
    out
}

/// Adds header `name` unless it is there.
pub(super) fn imply(headers: &mut Headers, name: &str, value: Option<&str>) {
    if let Some(value) = value
        && !headers.iter().any(|(n, _)| n == name)
    {
        headers.push((name.to_owned(), value.as_bytes().to_vec()));
    }
}

/// Adds `content-length` unless the file says itself how the body ends.
pub(super) fn imply_length(headers: &mut Headers, length: usize) {
    if !headers.iter().any(|(name, _)| name == "transfer-encoding") {
        imply(headers, "content-length", Some(&length.to_string()));
    }
}

/// The pieces of `bytes`, none of them empty.
pub(crate) fn cut(bytes: &[u8], chunks: &Chunks) -> Result<Vec<Vec<u8>>, String> {
    let mut pieces = Vec::new();
    let mut rest = bytes;
    let mut take = |rest: &mut &[u8], size: usize| {
        let (piece, behind) = rest.split_at(size.min(rest.len()));
        *rest = behind;
        if !piece.is_empty() {
            pieces.push(piece.to_vec());
        }
    };
    match chunks {
        Chunks::Whole => {}
        Chunks::EveryByte => {
            while !rest.is_empty() {
                take(&mut rest, 1);
            }
        }
        Chunks::At(offsets) => {
            if let Some(beyond) = offsets.iter().find(|&&offset| offset >= bytes.len()) {
                return Err(format!(
                    "found offset {beyond}, expected offsets inside the body of {} bytes",
                    bytes.len()
                ));
            }
            let mut start = 0;
            for offset in offsets {
                take(&mut rest, offset.saturating_sub(start));
                start = *offset;
            }
        }
        Chunks::Seed(seed) => {
            let mut state = *seed;
            while !rest.is_empty() {
                // Sizes of every order of magnitude, 1 byte to about 4 KiB.
                let magnitude = 1_u64 << (next(&mut state) % 13);
                let size = 1 + next(&mut state) % magnitude;
                take(&mut rest, usize::try_from(size).unwrap_or(1));
            }
        }
    }
    take(&mut rest, usize::MAX);
    Ok(pieces)
}

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers on every machine.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_cut_keeps_every_byte() {
        let body: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        for chunks in [
            Chunks::Whole,
            Chunks::EveryByte,
            Chunks::At(vec![1, 2, 9_999]),
            Chunks::Seed(7),
            Chunks::Seed(8),
        ] {
            let pieces = cut(&body, &chunks).unwrap();
            assert_eq!(pieces.concat(), body, "{chunks:?}");
            assert!(pieces.iter().all(|p| !p.is_empty()), "{chunks:?}");
        }
        assert_eq!(cut(&body, &Chunks::Seed(7)), cut(&body, &Chunks::Seed(7)));
        assert_ne!(cut(&body, &Chunks::Seed(7)), cut(&body, &Chunks::Seed(8)));
    }

    #[test]
    fn offsets_are_cuts_inside_the_body() {
        let pieces = cut(b"abcdef", &Chunks::At(vec![1, 4])).unwrap();
        assert_eq!(pieces, [b"a".to_vec(), b"bcd".to_vec(), b"ef".to_vec()]);
        assert_eq!(
            cut(b"abc", &Chunks::At(vec![3])).unwrap_err(),
            "found offset 3, expected offsets inside the body of 3 bytes"
        );
    }

    #[test]
    fn an_empty_body_has_no_pieces() {
        assert!(cut(b"", &Chunks::Whole).unwrap().is_empty());
        assert!(cut(b"", &Chunks::EveryByte).unwrap().is_empty());
    }

    #[test]
    fn events_are_written_as_the_standard_says() {
        let items = [
            SseItem { event: None, data: "[DONE]".into() },
            SseItem { event: Some("ping".into()), data: serde_json::json!({"a": 1}) },
            SseItem { event: None, data: "two\nlines".into() },
        ];
        assert_eq!(
            event_stream(&items),
            "data: [DONE]\n\nevent: ping\ndata: {\"a\":1}\n\ndata: two\ndata: lines\n\n"
        );
    }
}
