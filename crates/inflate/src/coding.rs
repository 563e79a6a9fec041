//! Which coding a message has.

/// A content coding that can be decoded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Coding {
    /// `deflate`: the zlib format (RFC 9110, section 8.4.1.2; RFC 1950).
    Deflate,
    /// `gzip`, or `x-gzip` (RFC 9110, section 8.4.1.3; RFC 1952).
    Gzip,
}

/// The body is encoded in a way that cannot be undone here: another coding, or more than one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Unsupported;

impl Coding {
    /// The coding by all values of `content-encoding`; `None` if there is none but `identity`.
    /// Codings are compared without case.
    ///
    /// # Errors
    ///
    /// [`Unsupported`] for any other coding, and for several, listed or in repeated headers, even if
    /// all but one are `identity`.
    pub fn of<'a>(values: impl Iterator<Item = &'a [u8]>) -> Result<Option<Self>, Unsupported> {
        let mut found = None;
        let mut count = 0_usize;
        for value in values.flat_map(|value| value.split(|b| *b == b',')).map(<[u8]>::trim_ascii) {
            if value.is_empty() {
                continue;
            }
            count = count.saturating_add(1);
            if let Some(coding) = Self::by_name(value)? {
                found = Some(coding);
            }
        }
        if found.is_some() && count > 1 { Err(Unsupported) } else { Ok(found) }
    }

    fn by_name(name: &[u8]) -> Result<Option<Self>, Unsupported> {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        if is("identity") {
            Ok(None)
        } else if is("gzip") || is("x-gzip") {
            Ok(Some(Self::Gzip))
        } else if is("deflate") {
            Ok(Some(Self::Deflate))
        } else {
            Err(Unsupported)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_known_coding_and_nothing_else() {
        for (values, expected) in [
            (&[][..], Ok(None)),
            (&[""], Ok(None)),
            (&["identity"], Ok(None)),
            (&["Identity, identity"], Ok(None)),
            (&["gzip"], Ok(Some(Coding::Gzip))),
            (&[" GZip\t"], Ok(Some(Coding::Gzip))),
            (&["x-gzip"], Ok(Some(Coding::Gzip))),
            (&["deflate"], Ok(Some(Coding::Deflate))),
            (&["gzip", ""], Ok(Some(Coding::Gzip))),
            (&["br"], Err(Unsupported)),
            (&["zstd"], Err(Unsupported)),
            (&["compress"], Err(Unsupported)),
            (&["gzip;q=1"], Err(Unsupported)),
            (&["gzip, gzip"], Err(Unsupported)),
            (&["gzip", "gzip"], Err(Unsupported)),
            (&["identity, gzip"], Err(Unsupported)),
            (&["gzip", "identity"], Err(Unsupported)),
            (&["deflate, br"], Err(Unsupported)),
        ] {
            let found = Coding::of(values.iter().map(|value| value.as_bytes()));
            assert_eq!(found, expected, "{values:?}");
        }
    }
}
