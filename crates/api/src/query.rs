//! What a query says.

use crate::segments::byte_of;

/// The first parameter of this name in the query of `path`, decoded as forms are written (`+` is a space). An escape that
/// is broken stands for itself, and what is not UTF-8 for U+FFFD.
pub fn query_parameter(path: &[u8], name: &str) -> Option<String> {
    let path = path.split(|b| *b == b'#').next()?;
    let query = path.splitn(2, |b| *b == b'?').nth(1)?;
    let mut pairs = query.split(|b| *b == b'&');
    pairs.find_map(|pair| pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=")).map(decoded)
}

fn decoded(mut rest: &[u8]) -> String {
    let mut out = Vec::with_capacity(rest.len());
    while let Some((&first, behind)) = rest.split_first() {
        rest = behind;
        out.push(match (first, behind) {
            (b'%', [high, low, behind @ ..]) if let Some(byte) = byte_of(*high, *low) => {
                rest = behind;
                byte
            }
            (b'+', _) => b' ',
            _ => first,
        });
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_a_name_is_decoded() {
        for (path, expected) in [
            ("/m?limit=5", Some("5")),
            ("/m?limits=1&limit=2&limit=3", Some("2")),
            ("/m?x=1&limit=a%2Fb+c%zz%4", Some("a/b c%zz%4")),
            ("/m?limit=%ff", Some("\u{fffd}")),
            ("/m?limit=", Some("")),
            ("/m?limit", None),
            ("/m?a=1#?limit=2", None),
            ("/m", None),
        ] {
            assert_eq!(query_parameter(path.as_bytes(), "limit").as_deref(), expected, "{path}");
        }
    }
}
