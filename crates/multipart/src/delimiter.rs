//! The search for `--boundary`: by leaps where there is none, never back, across cuts.

use crate::Boundary;
use crate::content_type::MOST_BOUNDARY;

/// The longest needle.
const MOST: usize = MOST_BOUNDARY + 2;

/// `--boundary`, and what searching for it needs.
///
/// Horspool's leaps by the byte at the end of the window; where that one fits, Knuth, Morris and
/// Pratt's automaton goes on from the start of the window until nothing matches any more. Neither
/// ever looks at a byte twice, so no text is slow.
#[derive(Clone, Debug)]
pub(crate) struct Delimiter {
    needle: [u8; MOST],
    len: usize,
    /// How far to move the window by the byte at its end. 0: that of the needle.
    leap: [u8; 256],
    /// The same for the needle's last byte, where the window does not match.
    leap_last: usize,
    /// Length of the longest proper prefix that is a suffix of the first n + 1 bytes.
    border: [u8; MOST],
}

/// Where in a text the search is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    /// Bytes of the needle that match the end of the text so far.
    matched: usize,
    /// Whether they are behind CR LF.
    at_line_start: bool,
    /// The last two bytes of the text so far.
    last: [u8; 2],
}

/// A needle in a piece.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Found {
    /// Behind it.
    pub(crate) end: usize,
    /// Whether it is behind CR LF.
    pub(crate) at_line_start: bool,
}

impl Delimiter {
    pub(crate) fn new(boundary: &Boundary) -> Self {
        let mut needle = [b'-'; MOST];
        let boundary = boundary.as_bytes();
        for (place, byte) in needle.iter_mut().skip(2).zip(boundary) {
            *place = *byte;
        }
        let len = (boundary.len() + 2).min(MOST);
        let mut new =
            Self { needle, len, leap: [len as u8; 256], leap_last: len, border: [0; MOST] };
        for (at, byte) in needle.iter().enumerate().take(len) {
            let leap = new.leap.get_mut(usize::from(*byte));
            if let Some(leap) = leap {
                if at + 1 == len {
                    new.leap_last = usize::from(*leap);
                }
                *leap = (len - 1 - at) as u8;
            }
        }
        let mut border = 0;
        for (at, byte) in needle.iter().enumerate().take(len).skip(1) {
            border = new.step(border, *byte);
            if let Some(place) = new.border.get_mut(at) {
                *place = border as u8;
            }
        }
        new
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.needle.get(..self.len).unwrap_or_default()
    }

    /// Whether the needle is anywhere in `text`.
    pub(crate) fn is_in(&self, text: &[u8]) -> bool {
        self.find(&mut Progress::default(), text).is_some()
    }

    /// Goes on searching in the next piece of a text. Behind a needle the search is to begin anew.
    #[inline(never)]
    pub(crate) fn find(&self, progress: &mut Progress, piece: &[u8]) -> Option<Found> {
        let mut at = 0;
        loop {
            if progress.matched == 0 {
                at = self.leap(piece, at);
            }
            let Some(byte) = piece.get(at) else { break };
            let before = progress.matched;
            progress.matched = self.step(before, *byte);
            // A match that begins within another one is behind a byte of the needle, so not behind
            // a line break.
            if before == 0 {
                progress.at_line_start = is_line_start(progress.last, piece, at);
            } else if progress.matched <= before {
                progress.at_line_start = false;
            }
            at += 1;
            if progress.matched == self.len {
                return Some(Found { end: at, at_line_start: progress.at_line_start });
            }
        }
        progress.last = match (progress.last, piece) {
            (_, [.., a, b]) => [*a, *b],
            ([_, a], [b]) => [a, *b],
            (last, []) => last,
        };
        None
    }

    /// Where the first needle can begin, at `at` or behind it, as far as the piece says.
    #[inline]
    fn leap(&self, piece: &[u8], mut at: usize) -> usize {
        let last = self.len - 1;
        while let Some(byte) = piece.get(at + last) {
            let leap = usize::from(self.leap.get(usize::from(*byte)).copied().unwrap_or(1));
            if leap > 0 {
                at += leap;
            } else if let Some(b'-') = piece.get(at) {
                return at;
            } else {
                at += self.leap_last;
            }
        }
        // Fewer bytes than the needle has.
        at
    }

    /// How many bytes match with one more byte.
    #[inline]
    fn step(&self, mut matched: usize, byte: u8) -> usize {
        loop {
            if self.needle.get(matched) == Some(&byte) {
                return matched + 1;
            }
            let Some(shorter) = matched.checked_sub(1) else { return 0 };
            matched = usize::from(self.border.get(shorter).copied().unwrap_or(0));
        }
    }
}

/// Whether what is before `at` is CR LF.
fn is_line_start(last: [u8; 2], piece: &[u8], at: usize) -> bool {
    let before = |n: usize| match at.checked_sub(n) {
        Some(at) => piece.get(at).copied(),
        None => last.get(2 + at - n).copied(),
    };
    before(2) == Some(b'\r') && before(1) == Some(b'\n')
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use crate::boundary;

    fn delimiter(text: &str) -> Delimiter {
        let header = format!("multipart/form-data; boundary=\"{text}\"");
        Delimiter::new(&boundary(header.as_bytes()).unwrap())
    }

    /// The first needle in `text`, searched for in pieces of `size`.
    fn find(delimiter: &Delimiter, text: &[u8], size: usize) -> Option<Found> {
        let mut progress = Progress::default();
        for (n, piece) in text.chunks(size).enumerate() {
            if let Some(found) = delimiter.find(&mut progress, piece) {
                return Some(Found { end: n * size + found.end, ..found });
            }
        }
        None
    }

    fn naive(delimiter: &Delimiter, text: &[u8]) -> Option<Found> {
        let needle = delimiter.as_bytes();
        let start = text.windows(needle.len()).position(|window| window == needle)?;
        let at_line_start = text[..start].ends_with(b"\r\n");
        Some(Found { end: start + needle.len(), at_line_start })
    }

    proptest! {
        #[test]
        fn finds_the_first_needle_in_pieces_of_any_size(
            // Few letters, so that much almost matches.
            boundary in prop_oneof!["[-a]{1,8}", "-{0,40}a-{0,29}", "[-a-f]{1,70}"],
            pieces in vec(prop_oneof![
                6 => select(vec!["-", "--", "a", "\r\n", "\r", "\n", "\r\n--", "x"]).prop_map(Some),
                1 => Just(None),
            ], 0..60),
            size in 1usize..100,
        ) {
            prop_assume!(!boundary.is_empty());
            let delimiter = delimiter(&boundary);
            let needle = delimiter.as_bytes();
            let short = &needle[..needle.len() - 1];
            let pieces = pieces.iter().map(|piece| piece.map_or(short, str::as_bytes));
            let mut text = pieces.collect::<Vec<_>>().concat();
            prop_assert_eq!(find(&delimiter, &text, size), naive(&delimiter, &text));
            text.extend_from_slice(needle);
            prop_assert_eq!(find(&delimiter, &text, size), naive(&delimiter, &text));
        }
    }

    #[test]
    fn a_needle_is_found_at_every_place() {
        for boundary in ["a", "-", "aXa", &"-".repeat(70), &"ab".repeat(35)] {
            let delimiter = delimiter(boundary);
            for before in 0..200 {
                for filler in [b'-', b'a', b'b', b'.', b'\n'] {
                    let mut text = vec![filler; before];
                    text.extend_from_slice(b"\r\n");
                    text.extend_from_slice(delimiter.as_bytes());
                    text.extend_from_slice(b"tail");
                    assert_eq!(find(&delimiter, &text, 1000), naive(&delimiter, &text));
                    assert_eq!(find(&delimiter, &text, 7), naive(&delimiter, &text));
                }
            }
        }
    }
}
