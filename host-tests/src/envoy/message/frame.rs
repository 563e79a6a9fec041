//! Headers and bodies as bytes for the wire.

use super::value;
use crate::plan::Headers;

/// `lines` as header lines of the wire.
pub(crate) fn write_headers(out: &mut Vec<u8>, lines: &Headers) {
    for (name, value) in lines {
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
    }
}

/// A body ready to be written: its pieces with their framing, and what ends it.
pub(crate) struct Framed {
    /// A header to add to the head.
    pub header: Option<(String, Vec<u8>)>,
    /// One write each.
    pub pieces: Vec<Vec<u8>>,
    /// Behind the last piece; absent when the message is to be cut off.
    pub end: Vec<u8>,
}

/// Frames `body` under `headers`: as it is if they give a length or it is absent, else in chunks, one
/// per piece. HTTP/1.1 has trailers only behind chunks, so trailers make it chunked, and the caller
/// leaves a `content-length` out.
pub(crate) fn frame(headers: &Headers, body: Option<&[Vec<u8>]>, trailers: &Headers) -> Framed {
    let chunked = value(headers, "transfer-encoding").is_some();
    let sized = value(headers, "content-length").is_some() && trailers.is_empty() && !chunked;
    let Some(body) = body.or(if trailers.is_empty() { None } else { Some(&[]) }) else {
        return Framed { header: None, pieces: Vec::new(), end: Vec::new() };
    };
    let full = body.iter().filter(|piece| !piece.is_empty());
    if sized {
        return Framed { header: None, pieces: full.cloned().collect(), end: Vec::new() };
    }
    let pieces = full.map(|piece| {
        let mut chunk = format!("{:x}\r\n", piece.len()).into_bytes();
        chunk.extend_from_slice(piece);
        chunk.extend_from_slice(b"\r\n");
        chunk
    });
    let mut end = b"0\r\n".to_vec();
    write_headers(&mut end, trailers);
    end.extend_from_slice(b"\r\n");
    let header = (!chunked).then(|| ("transfer-encoding".into(), b"chunked".to_vec()));
    Framed { header, pieces: pieces.collect(), end }
}
