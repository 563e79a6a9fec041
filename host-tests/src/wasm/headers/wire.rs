//! How header maps and other lists of pairs are serialized between host and guest.

/// What Envoy takes from a guest at most: more is an empty list, silently.
const MOST_WIRE_BYTES: usize = 1 << 20;
const MOST_WIRE_PAIRS: usize = 1024;

/// The ABI's serialization: a count, lengths, then names and values, each with NUL behind it.
pub(crate) fn to_wire<'a>(pairs: impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone) -> Vec<u8> {
    let length = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes();
    let mut out = length(pairs.clone().count()).to_vec();
    for (name, value) in pairs.clone() {
        out.extend(length(name.len()));
        out.extend(length(value.len()));
    }
    for (name, value) in pairs {
        for part in [name, value] {
            out.extend_from_slice(part);
            out.push(0);
        }
    }
    out
}

/// Reads the serialization as Envoy does: whatever is wrong with it, the result is an empty list.
pub(crate) fn from_wire(bytes: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    read_wire(bytes).unwrap_or_default()
}

fn read_wire(bytes: &[u8]) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    let number = |at: usize| -> Option<usize> {
        let four = bytes.get(at..at.checked_add(4)?)?;
        usize::try_from(u32::from_le_bytes(four.try_into().ok()?)).ok()
    };
    let count = number(0)?;
    if bytes.len() > MOST_WIRE_BYTES || count > MOST_WIRE_PAIRS {
        return None;
    }
    let mut at = 4 + count * 8;
    let mut take = |len: usize| -> Option<Vec<u8>> {
        let end = at.checked_add(len)?;
        let part = bytes.get(at..end)?.to_vec();
        (bytes.get(end) == Some(&0)).then_some(())?;
        at = end + 1;
        Some(part)
    };
    let mut pairs = Vec::with_capacity(count);
    for i in 0..count {
        let name = take(number(4 + i * 8)?)?;
        let value = take(number(8 + i * 8)?)?;
        pairs.push((name, value));
    }
    (at == bytes.len()).then_some(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_serialization_survives_a_round_trip_and_every_cut_is_an_empty_list() {
        let pairs = [(":path", "/"), ("x-one", "1"), ("x-empty", "")];
        let wire = to_wire(pairs.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes())));
        let pairs = pairs.map(|(name, value)| (name.as_bytes().to_vec(), value.into()));
        assert_eq!(from_wire(&wire), pairs);
        for cut in 0..wire.len() {
            assert_eq!(from_wire(&wire[..cut]), [], "cut at {cut}");
        }
        assert_eq!(from_wire(&[wire, vec![0]].concat()), []);
    }
}
