//! Which bytes to take out of an object so that members are gone.

use std::ops::Range;

use crate::Member;

/// See [`crate::Scanner::removals`].
///
/// A member goes together with the white space and the comma before it; the first one, and others
/// with it if they follow, with those behind. So what is left is laid out as it was.
pub(crate) fn removals<'a, I: Iterator<Item = &'a Member>>(
    members: impl Fn() -> I,
) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    // From where on keys have not been looked at.
    let mut from = 0;
    // Where the first key that is left would begin.
    let mut first_left = None;
    // There are 32 at most: looking for the next one each time needs less code than sorting.
    let next = |from| {
        members().filter(|m| m.range.is_some() && m.place.key >= from).min_by_key(|m| m.place.key)
    };
    while let Some(Member { place, range: Some(Range { end, .. }), .. }) = next(from) {
        let is_first = place.previous_end.is_none() || first_left == Some(place.key);
        let range = match place.previous_end {
            Some(previous_end) if !is_first => previous_end..*end,
            _ => {
                first_left = place.next_key;
                place.key..place.next_key.unwrap_or(*end)
            }
        };
        match ranges.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => ranges.push(range),
        }
        from = place.key.saturating_add(1);
    }
    ranges
}
