//! Changing a body that the host holds, with little of it in the filter's memory.

/// How much of a body is in the filter's memory at once. Memory of a VM never shrinks.
const BLOCK: usize = 64 * 1024;

/// Replaces `len` bytes at `start`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Edit {
    /// Offset of the first byte to replace.
    pub start: usize,
    /// How many bytes to replace; 0 inserts.
    pub len: usize,
    /// What to put there; nothing removes.
    pub with: Vec<u8>,
}

impl Edit {
    /// The length of a body of `len` bytes after `edits`.
    pub fn len_after(edits: &[Self], len: usize) -> usize {
        edits
            .iter()
            .fold(len, |len, edit| len.saturating_sub(edit.len).saturating_add(edit.with.len()))
    }

    fn end(&self) -> usize {
        self.start.saturating_add(self.len)
    }
}

/// Applies `edits` (ascending, disjoint) to a body that the filter holds itself. Whether that was done; if not, nothing was.
pub fn splice(body: &mut Vec<u8>, edits: &[Edit]) -> bool {
    let fit = fit(edits, body.len());
    // From the last one on, so that the places of the others stay.
    for edit in edits.iter().rev().filter(|_| fit) {
        body.splice(edit.start..edit.end(), edit.with.iter().copied());
    }
    fit
}

/// Whether edits are ascending, disjoint, and within a body of `len` bytes.
fn fit(edits: &[Edit], len: usize) -> bool {
    edits.is_sorted_by(|one, next| one.end() <= next.start)
        && edits.last().is_none_or(|last| last.end() <= len)
}

/// A body that the host holds. It can be changed at its ends only (`proxy_set_buffer_bytes` in Envoy).
pub trait HeldBody {
    /// Up to `max` bytes from `start`; `None` if the host refuses.
    fn read(&self, start: usize, max: usize) -> Option<Vec<u8>>;

    /// Replaces the first `len` bytes; whether the host did.
    fn replace_front(&mut self, len: usize, with: &[u8]) -> bool;

    /// Adds at the end; whether the host did.
    fn append(&mut self, with: &[u8]) -> bool;
}

/// Applies `edits` (ascending, disjoint) to a body of `len` bytes. Whether that was done; if not, the body may be
/// anything and must not be used.
///
/// Edits within the first 64 KiB replace the front up to the last of them. For others the body is turned once: block
/// by block it is taken off the front and put at the end. Hosts of before 2022 replace all of a body or nothing: there
/// all of it is read.
pub fn apply(body: &mut impl HeldBody, len: usize, edits: &[Edit]) -> bool {
    let Some(last) = edits.last() else { return true };
    if !fit(edits, len) {
        return false;
    }
    if last.end() > BLOCK {
        match turn(body, len, edits) {
            Ok(()) => return true,
            Err(Stopped { untouched: true }) => {}
            Err(_) => return false,
        }
    } else if front(body, last.end(), edits) {
        return true;
    }
    front(body, len, edits)
}

/// Replaces the first `end` bytes, in which all edits are.
fn front(body: &mut impl HeldBody, end: usize, edits: &[Edit]) -> bool {
    let Some(old) = body.read(0, end).filter(|old| old.len() == end) else { return false };
    let mut new = Vec::with_capacity(Edit::len_after(edits, end));
    let mut at = 0;
    for edit in edits {
        new.extend_from_slice(old.get(at..edit.start).unwrap_or_default());
        new.extend_from_slice(&edit.with);
        at = edit.end();
    }
    new.extend_from_slice(old.get(at..).unwrap_or_default());
    body.replace_front(end, &new)
}

/// The host refused.
struct Stopped {
    /// Before anything was changed.
    untouched: bool,
}

fn turn(body: &mut impl HeldBody, len: usize, edits: &[Edit]) -> Result<(), Stopped> {
    let mut at = 0;
    let mut untouched = true;
    for edit in edits {
        move_behind(body, edit.start.saturating_sub(at), &mut untouched)?;
        if edit.len > 0 {
            changed(body.replace_front(edit.len, &[]), &mut untouched)?;
        }
        if !edit.with.is_empty() {
            changed(body.append(&edit.with), &mut untouched)?;
        }
        at = edit.end();
    }
    move_behind(body, len.saturating_sub(at), &mut untouched)
}

/// Takes the first `len` bytes off the front and puts them at the end.
fn move_behind(body: &mut impl HeldBody, len: usize, untouched: &mut bool) -> Result<(), Stopped> {
    let mut left = len;
    while left > 0 {
        let size = left.min(BLOCK);
        let Some(block) = body.read(0, size).filter(|block| block.len() == size) else {
            return Err(Stopped { untouched: *untouched });
        };
        changed(body.replace_front(size, &[]), untouched)?;
        changed(body.append(&block), untouched)?;
        left -= size;
    }
    Ok(())
}

fn changed(done: bool, untouched: &mut bool) -> Result<(), Stopped> {
    if done {
        *untouched = false;
        Ok(())
    } else {
        Err(Stopped { untouched: *untouched })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Envoy holds one.
    impl HeldBody for Vec<u8> {
        fn read(&self, start: usize, max: usize) -> Option<Vec<u8>> {
            let rest = self.get(start..)?;
            Some(rest.get(..max).unwrap_or(rest).to_vec())
        }

        fn replace_front(&mut self, len: usize, with: &[u8]) -> bool {
            self.splice(..len.min(self.len()), with.iter().copied());
            true
        }

        fn append(&mut self, with: &[u8]) -> bool {
            self.extend_from_slice(with);
            true
        }
    }

    fn edit(start: usize, len: usize, with: &str) -> Edit {
        Edit { start, len, with: with.into() }
    }

    /// What the edits mean, done the slow way.
    fn expected(body: &[u8], edits: &[Edit]) -> Vec<u8> {
        let mut out = body.to_vec();
        for edit in edits.iter().rev() {
            out.splice(edit.start..edit.end(), edit.with.iter().copied());
        }
        out
    }

    #[test]
    fn edits_change_what_they_name_and_nothing_else() {
        let long: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
        for (body, edits) in [
            (&b"abcdef"[..], vec![]),
            (b"abcdef", vec![edit(0, 0, "x")]),
            (b"abcdef", vec![edit(1, 2, "long"), edit(3, 0, "y"), edit(5, 1, "")]),
            (b"abcdef", vec![edit(6, 0, "end")]),
            (b"", vec![edit(0, 0, "all")]),
            (&long, vec![edit(10, 5, "near the front")]),
            (&long, vec![edit(BLOCK - 4, 4, "last of the front")]),
            (&long, vec![edit(BLOCK - 4, 5, "first that turns")]),
            (&long, vec![edit(3, 1, ""), edit(70_000, 0, "insert"), edit(199_999, 1, "end")]),
            (&long, vec![edit(0, 200_000, "all")]),
            (&long, vec![edit(200_000, 0, "end")]),
        ] {
            let mut held = body.to_vec();
            assert!(apply(&mut held, body.len(), &edits), "{edits:?}");
            let wanted = expected(body, &edits);
            assert!(held == wanted, "{edits:?}");
            let mut own = body.to_vec();
            assert!(splice(&mut own, &edits) && own == wanted, "{edits:?}");
            assert_eq!(Edit::len_after(&edits, body.len()), wanted.len());
        }
    }

    #[test]
    fn edits_that_overlap_or_are_beyond_the_end_are_refused_and_change_nothing() {
        for edits in [
            vec![edit(0, 3, ""), edit(2, 1, "")],
            vec![edit(4, 1, ""), edit(0, 1, "")],
            vec![edit(5, 2, "")],
            vec![edit(usize::MAX, 1, "")],
        ] {
            let mut held = b"abcdef".to_vec();
            assert!(!apply(&mut held, 6, &edits), "{edits:?}");
            assert!(!splice(&mut held, &edits), "{edits:?}");
            assert_eq!(held, b"abcdef");
        }
    }

    /// Refuses at the n-th change, and never hands out more than a block.
    struct Stubborn(Vec<u8>, usize);

    impl HeldBody for Stubborn {
        fn read(&self, start: usize, max: usize) -> Option<Vec<u8>> {
            assert!(max <= BLOCK || self.1 == 0, "{max} bytes at once");
            self.0.read(start, max)
        }

        fn replace_front(&mut self, len: usize, with: &[u8]) -> bool {
            self.1 = self.1.saturating_sub(1);
            self.1 > 0 && self.0.replace_front(len, with)
        }

        fn append(&mut self, with: &[u8]) -> bool {
            self.1 = self.1.saturating_sub(1);
            self.1 > 0 && HeldBody::append(&mut self.0, with)
        }
    }

    /// Replaces all or nothing.
    struct Old(Vec<u8>);

    impl HeldBody for Old {
        fn read(&self, start: usize, max: usize) -> Option<Vec<u8>> {
            self.0.read(start, max)
        }

        fn replace_front(&mut self, len: usize, with: &[u8]) -> bool {
            len >= self.0.len() && self.0.replace_front(len, with)
        }

        fn append(&mut self, _: &[u8]) -> bool {
            false
        }
    }

    #[test]
    fn a_host_that_replaces_all_or_nothing_is_given_all() {
        let body = vec![7; 150_000];
        for edits in [vec![edit(3, 1, "x")], vec![edit(3, 1, "x"), edit(149_999, 1, "yz")]] {
            let mut held = Old(body.clone());
            assert!(apply(&mut held, body.len(), &edits));
            assert!(held.0 == expected(&body, &edits));
        }
    }

    #[test]
    fn a_change_that_the_host_refuses_is_told() {
        let edits = [edit(100_000, 1, "x")];
        let changes = 2 * 2 + 2 + 2;
        for refused in 1..=changes {
            assert!(!apply(&mut Stubborn(vec![0; 150_000], refused), 150_000, &edits), "{refused}");
        }
        assert!(apply(&mut Stubborn(vec![0; 150_000], changes + 1), 150_000, &edits));
        assert!(!apply(&mut Vec::new(), 150_000, &edits), "a body shorter than the host said");
    }
}
