//! A path's bytes: what is plain in it, what the loosest of all readers makes of it, what a
//! percent-encoded name says, and how a name is written.

use std::borrow::Cow;

/// The path without its query.
pub(crate) fn without_query(path: &[u8]) -> &[u8] {
    path.split(|b| *b == b'?').next().unwrap_or_default()
}

/// The path without one slash at its end.
pub(crate) fn without_last_slash(path: &[u8]) -> &[u8] {
    path.strip_suffix(b"/").unwrap_or(path)
}

/// Whether all readers take this path, without query, for the same segments: it has no escapes, no
/// empty and no dot segments, no parameters, no fragment and nothing beyond ASCII.
pub(crate) fn is_plain(path: &[u8]) -> bool {
    path.first() == Some(&b'/') && is_plain_inside(path)
}

/// The same of a part of a path that follows something within a segment.
pub(crate) fn is_plain_inside(part: &[u8]) -> bool {
    let mut previous = 0;
    part.iter().all(|&byte| {
        let odd = match byte {
            b'%' | b';' | b'\\' | b'#' => true,
            b'/' | b'.' => previous == b'/',
            0x80.. => true,
            _ => false,
        };
        previous = byte;
        !odd
    })
}

/// What the loosest reader makes of a path, for paths that only this gateway reads. No allocation
/// for plain paths.
pub(crate) fn loosely(path: &[u8]) -> Cow<'_, [u8]> {
    let path = without_query(path);
    if is_plain(path) {
        return Cow::Borrowed(without_last_slash(path));
    }
    Cow::Owned(undone(path, true, true))
}

/// What loose readers make of a path, in each order of doing it: an escaped slash may be decoded
/// before or after dot segments are resolved, and so may repeated slashes be merged.
#[cold]
pub(crate) fn readings(path: &[u8]) -> [Vec<u8>; 4] {
    [(true, true), (true, false), (false, true), (false, false)]
        .map(|(decodes_first, merges_first)| undone(path, decodes_first, merges_first))
}

/// The path without query, fragment and path parameters, percent-decoded until nothing is left to
/// decode, with `\` as `/`, and without empty and dot segments.
fn undone(path: &[u8], decodes_first: bool, merges_first: bool) -> Vec<u8> {
    let is_end = |b: &u8| matches!(b, b'?' | b'#');
    let is_slash = |b: &u8| matches!(b, b'/' | b'\\');
    let whole = if decodes_first { decoded_all(path) } else { path.to_vec() };
    let whole = whole.split(is_end).next().unwrap_or_default();
    let mut segments: Vec<Vec<u8>> = Vec::new();
    let whole = whole.split_first().filter(|(first, _)| is_slash(first)).map_or(whole, |(_, r)| r);
    for segment in whole.split(is_slash) {
        let mut segment = if decodes_first { segment.to_vec() } else { decoded_all(segment) };
        let end = segment.iter().position(|b| is_end(b) || *b == b';').unwrap_or(segment.len());
        segment.truncate(end);
        match segment.as_slice() {
            b"" if merges_first => {}
            b"." => {}
            b".." => drop(segments.pop()),
            _ => segments.push(segment),
        }
    }
    segments.retain(|segment| !segment.is_empty());
    segments.iter().flat_map(|segment| b"/".iter().chain(segment)).copied().collect()
}

/// Percent-decodes until nothing is left to decode, in one pass.
fn decoded_all(path: &[u8]) -> Vec<u8> {
    let mut decoded: Vec<u8> = Vec::with_capacity(path.len());
    for &byte in path {
        decoded.push(byte);
        // What was decoded may complete another escape.
        while let [.., b'%', high, low] = decoded.as_slice()
            && let Some(byte) = byte_of(*high, *low)
        {
            decoded.truncate(decoded.len().saturating_sub(3));
            decoded.push(byte);
        }
    }
    decoded
}

/// The name that a part of a path spells, percent-decoded once. `None`: an escape is broken, what
/// it says is not UTF-8, or it is a name that some server would not read as it stands: one with an
/// empty or dot segment, with white space, control characters, or one of ``\ % ? # ; < > " { } | ^``.
pub(crate) fn name(raw: &[u8]) -> Option<String> {
    let mut decoded = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        decoded.push(match (first, tail) {
            (b'%', [high, low, tail @ ..]) => {
                rest = tail;
                byte_of(*high, *low)?
            }
            (b'%' | 0x80.., _) => return None,
            _ => first,
        });
    }
    let name = String::from_utf8(decoded).ok()?;
    let is_good = name.split('/').all(|segment| !matches!(segment, "" | "." | ".."))
        && !name
            .chars()
            .any(|c| c.is_control() || c.is_whitespace() || r#"\%?#;<>"{}|^"#.contains(c));
    is_good.then_some(name)
}

/// Appends `name` as one segment of a path: all but RFC 3986's unreserved characters escaped.
pub(crate) fn encode(name: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte);
        } else {
            let digit = |of: u8| HEX.get(usize::from(of)).copied().unwrap_or_default();
            out.extend([b'%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
}

/// The byte that two hexadecimal digits stand for.
pub(crate) fn byte_of(high: u8, low: u8) -> Option<u8> {
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|d| u8::try_from(d).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_path_is_read_without_an_allocation() {
        for path in ["/v1/chat/completions", "/", "/v1/models/", "/a.b/c:d?x=%2e/../y"] {
            assert!(matches!(loosely(path.as_bytes()), Cow::Borrowed(_)), "{path}");
        }
        for path in ["/a%62", "/a//b", "/./a", "/a/..", "/a;b", "/a\\b", "/a#b", "a", "", "/\u{e9}"]
        {
            assert!(matches!(loosely(path.as_bytes()), Cow::Owned(_)), "{path}");
        }
    }

    #[test]
    fn readers_differ_in_the_order() {
        let text = |path: &str| {
            readings(path.as_bytes()).map(|path| String::from_utf8(path).expect("ASCII"))
        };
        assert_eq!(text("/a%2Fb/../c"), ["/a/c", "/a/c", "/c", "/c"]);
        assert_eq!(text("/a//../c"), ["/c", "/a/c", "/c", "/a/c"]);
        assert_eq!(text("/a;b%2Fc/d"), ["/a/c/d", "/a/c/d", "/a/d", "/a/d"]);
        for path in ["/a/b", "a/./b/", "//%61%2f%62//", "/a;x/%2562?c", "/c/../a\\b#c", "/a/b%23c"]
        {
            assert_eq!(text(path), ["/a/b"; 4], "{path}");
        }
    }

    #[test]
    fn decoding_goes_on_until_nothing_is_left() {
        for (path, expected) in [
            ("%2541", "A"),
            ("%25%34%31", "A"),
            ("%252525252541", "A"),
            ("%%341", "A"),
            ("%4%31", "A"),
            ("%zz%", "%zz%"),
        ] {
            assert_eq!(decoded_all(path.as_bytes()), expected.as_bytes(), "{path}");
        }
        let long = [b"%".as_slice(), &b"25".repeat(1 << 16), b"41"].concat();
        assert_eq!(decoded_all(&long), b"A");
    }

    #[test]
    fn what_is_encoded_is_one_segment_that_decodes_to_the_name() {
        for (model, encoded) in [
            ("gpt-4o_mini.x~1", "gpt-4o_mini.x~1"),
            ("meta/llama:8b@2", "meta%2Fllama%3A8b%402"),
            ("\u{e9}", "%C3%A9"),
        ] {
            let mut out = Vec::new();
            encode(model, &mut out);
            assert_eq!(out, encoded.as_bytes());
            assert_eq!(name(&out).as_deref(), Some(model));
        }
    }
}
