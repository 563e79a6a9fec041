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
    let mut previous = 0;
    path.first() == Some(&b'/')
        && path.iter().all(|&byte| {
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

/// Whether the path, without query, has dot segments or empty ones, but for one slash at its end.
pub(crate) fn is_orderly(path: &[u8]) -> bool {
    path.strip_prefix(b"/").is_some_and(|path| {
        without_last_slash(path)
            .split(|b| *b == b'/')
            .all(|segment| !matches!(segment, b"" | b"." | b".."))
    })
}

/// What the loosest reader makes of a path: the query, fragment and path parameters cut off,
/// percent-decoded until nothing is left to decode, `\` as `/`, empty and dot segments resolved. No
/// allocation for plain paths.
pub(crate) fn loosely(path: &[u8]) -> Cow<'_, [u8]> {
    let path = without_query(path);
    if is_plain(path) {
        return Cow::Borrowed(without_last_slash(path));
    }
    let decoded = decoded_all(path);
    let mut segments: Vec<&[u8]> = Vec::new();
    let decoded = decoded.split(|b| matches!(b, b'?' | b'#')).next().unwrap_or_default();
    for segment in decoded.split(|b| matches!(b, b'/' | b'\\')) {
        match segment.split(|b| *b == b';').next().unwrap_or_default() {
            b"" | b"." => {}
            b".." => drop(segments.pop()),
            segment => segments.push(segment),
        }
    }
    segments.iter().flat_map(|segment| b"/".iter().chain(*segment)).copied().collect()
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

fn byte_of(high: u8, low: u8) -> Option<u8> {
    let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|d| u8::try_from(d).ok());
    Some(digit(high)? << 4 | digit(low)?)
}
