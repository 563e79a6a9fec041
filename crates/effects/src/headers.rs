//! All headers of one message, in the host's order, repeats included.

/// Headers as the host gave them: names lower-case, values any bytes.
///
/// Always the whole map, since the host's single-header getter hides repeats, and an ambiguous
/// message must be seen to be refused.
#[derive(Clone, Debug, Default)]
pub struct Headers<'a> {
    pairs: Vec<(&'a [u8], &'a [u8])>,
}

impl<'a> Headers<'a> {
    /// Headers from name-value pairs.
    pub fn new(pairs: Vec<(&'a [u8], &'a [u8])>) -> Self {
        Self { pairs }
    }

    /// Headers from proxy-wasm's serialized map: a count, that many pairs of lengths, then names and
    /// values, each followed by NUL (proxy-wasm ABI 0.2.1, "Serialization"). `None` if the bytes
    /// are not such a map.
    pub fn from_wire(map: &'a [u8]) -> Option<Self> {
        if map.is_empty() {
            return Some(Self::default());
        }
        let count = usize::try_from(length_at(map, 0)?).ok()?;
        let mut at = count.checked_mul(8)?.checked_add(4)?;
        // Checked against the input before reserving: a lying count must not eat memory.
        if at > map.len() {
            return None;
        }
        let mut pairs = Vec::with_capacity(count);
        for i in 0..count {
            let lengths = 4 + i * 8;
            let name = take(map, &mut at, length_at(map, lengths)?)?;
            let value = take(map, &mut at, length_at(map, lengths + 4)?)?;
            pairs.push((name, value));
        }
        Some(Self { pairs })
    }

    /// The value of `name` (lower-case); the first, if there are several.
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.all(name).next()
    }

    /// Every value of `name` (lower-case), in order.
    pub fn all<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'a [u8]> + 's {
        self.pairs.iter().filter(move |(n, _)| *n == name.as_bytes()).map(|(_, v)| *v)
    }

    /// Whether there is a header `name` (lower-case).
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// All pairs, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + '_ {
        self.pairs.iter().copied()
    }

    /// Whether the body is encoded in a way that must be undone to read it (RFC 9110, section 8.4):
    /// any content coding but `identity`, in any case, listed or in repeated headers.
    pub fn is_encoded(&self) -> bool {
        self.all("content-encoding")
            .flat_map(|value| value.split(|b| *b == b','))
            .map(<[u8]>::trim_ascii)
            .any(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity"))
    }

    /// The media type of the body, as [`media_type`]; empty if none is given.
    pub fn media_type(&self) -> Vec<u8> {
        media_type(self.get("content-type").unwrap_or_default())
    }

    /// The `content-length`, if there is exactly one that is a number.
    pub fn content_length(&self) -> Option<u64> {
        let mut values = self.all("content-length");
        let only = values.next().filter(|_| values.next().is_none())?;
        std::str::from_utf8(only).ok()?.trim().parse().ok()
    }
}

/// The media type of a `content-type` without its parameters, in lower case.
pub fn media_type(content_type: &[u8]) -> Vec<u8> {
    let essence = content_type.split(|b| *b == b';').next().unwrap_or_default();
    essence.trim_ascii().to_ascii_lowercase()
}

fn length_at(map: &[u8], at: usize) -> Option<u32> {
    let bytes = map.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

/// Takes `len` bytes and the NUL behind them.
fn take<'a>(map: &'a [u8], at: &mut usize, len: u32) -> Option<&'a [u8]> {
    let end = at.checked_add(usize::try_from(len).ok()?)?;
    let bytes = map.get(*at..end)?;
    if map.get(end) != Some(&0) {
        return None;
    }
    *at = end + 1;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(pairs: &[(&str, &str)]) -> Vec<u8> {
        let mut out = u32::try_from(pairs.len()).unwrap().to_le_bytes().to_vec();
        for (k, v) in pairs {
            out.extend(u32::try_from(k.len()).unwrap().to_le_bytes());
            out.extend(u32::try_from(v.len()).unwrap().to_le_bytes());
        }
        for (k, v) in pairs {
            out.extend([k.as_bytes(), b"\0", v.as_bytes(), b"\0"].concat());
        }
        out
    }

    #[test]
    fn reads_a_map_with_repeats_and_empty_values() {
        let map = wire(&[("a", "1"), ("b", ""), ("a", "2")]);
        let headers = Headers::from_wire(&map).unwrap();
        assert_eq!(headers.all("a").collect::<Vec<_>>(), [b"1", b"2"]);
        assert_eq!(headers.get("b"), Some(&b""[..]));
        assert!(!headers.contains("c"));
    }

    #[test]
    fn an_empty_map_has_no_headers() {
        assert_eq!(Headers::from_wire(&[]).unwrap().iter().count(), 0);
        assert_eq!(Headers::from_wire(&wire(&[])).unwrap().iter().count(), 0);
    }

    #[test]
    fn refuses_every_truncation_and_a_count_that_lies() {
        let map = wire(&[("name", "value"), ("other", "x")]);
        for len in 1..map.len() {
            assert!(Headers::from_wire(&map[..len]).is_none(), "cut at {len}");
        }
        assert!(Headers::from_wire(&[0xff; 4]).is_none());
        assert!(Headers::from_wire(&[0xff; 64]).is_none());
    }

    #[test]
    fn any_coding_but_identity_encodes() {
        for (values, encoded) in [
            (&[][..], false),
            (&[""], false),
            (&["identity"], false),
            (&["Identity, identity"], false),
            (&["gzip"], true),
            (&["identity, gzip"], true),
            (&["identity", "br"], true),
        ] {
            let pairs: Vec<_> = values.iter().map(|v| ("content-encoding", *v)).collect();
            let map = wire(&pairs);
            assert_eq!(Headers::from_wire(&map).unwrap().is_encoded(), encoded, "{values:?}");
        }
    }

    #[test]
    fn a_media_type_has_no_parameters_and_no_case() {
        let map = wire(&[("content-type", " Text/Event-Stream ; charset=utf-8")]);
        assert_eq!(Headers::from_wire(&map).unwrap().media_type(), b"text/event-stream");
        assert!(Headers::default().media_type().is_empty());
    }

    #[test]
    fn an_ambiguous_content_length_is_none() {
        let twice = wire(&[("content-length", "1"), ("content-length", "2")]);
        assert_eq!(Headers::from_wire(&twice).unwrap().content_length(), None);
        let once = wire(&[("content-length", "12")]);
        assert_eq!(Headers::from_wire(&once).unwrap().content_length(), Some(12));
    }
}
