//! Patterns of paths: segments, of which `*` stands for any one that is not empty.

/// What follows `pattern` in `path`: nothing, or something that starts with a slash. `None`: the
/// path does not start with the pattern. A literal segment matches in whatever case.
pub(crate) fn strip<'a>(path: &'a [u8], pattern: &[u8]) -> Option<&'a [u8]> {
    let mut rest = path;
    for expected in pattern.split(|b| *b == b'/').skip(1) {
        let after = rest.strip_prefix(b"/")?;
        let end = after.iter().position(|b| *b == b'/').unwrap_or(after.len());
        let (found, after) = after.split_at_checked(end)?;
        let matches = match expected {
            b"*" => !found.is_empty(),
            expected => expected.eq_ignore_ascii_case(found),
        };
        if !matches {
            return None;
        }
        rest = after;
    }
    Some(rest)
}

/// Why `pattern` is none.
pub(crate) fn problem(pattern: &str) -> Option<String> {
    let mut segments = pattern.split('/');
    if segments.next() != Some("") || pattern.len() < 2 {
        return Some("expected a path that starts with `/`, such as `/serving/*`".into());
    }
    if pattern.len() > MOST_BYTES {
        return Some(format!("{} bytes, expected at most {MOST_BYTES}", pattern.len()));
    }
    let count = segments.clone().count();
    if count > MOST_SEGMENTS {
        return Some(format!("{count} segments, expected at most {MOST_SEGMENTS}"));
    }
    if !pattern.bytes().all(|b| b.is_ascii_graphic() && !b"?#%;\\".contains(&b)) {
        return Some(
            "expected printable ASCII as it is after percent-decoding, without `?`, `#`, `%`, `;` and `\\`"
                .into(),
        );
    }
    for segment in segments {
        match segment {
            "" => {
                return Some(
                    "has an empty segment; write one `/` between two segments, and none at the end"
                        .into(),
                );
            }
            "." | ".." => {
                return Some(format!(
                    "has the segment `{segment}`; write the path that it leads to"
                ));
            }
            "*" => {}
            _ if segment.contains('*') => {
                return Some(format!(
                    "`{segment}`: a `*` stands for one whole segment; expected `*` alone"
                ));
            }
            _ => {}
        }
    }
    None
}

const MOST_BYTES: usize = 1024;
const MOST_SEGMENTS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_one_segment() {
        for (path, pattern, rest) in [
            ("/a/b/c", "/a", Some("/b/c")),
            ("/a/b/c", "/*/B", Some("/c")),
            ("/a/b/c", "/a/b/c", Some("")),
            ("/a/b/c", "/a/b/c/*", None),
            ("/a/b/c", "/*/c", None),
            ("/ab/c", "/a", None),
            ("//c", "/*", None),
            ("/", "/*", None),
            ("a", "/*", None),
            ("/a", "", Some("/a")),
            ("", "", Some("")),
        ] {
            let found = strip(path.as_bytes(), pattern.as_bytes());
            assert_eq!(found, rest.map(str::as_bytes), "{path} {pattern}");
        }
    }

    #[test]
    fn what_can_match_nothing_is_a_problem() {
        let long = "/a".repeat(33);
        let longer = format!("/{}", "a".repeat(1024));
        for (pattern, problem_with) in [
            ("/serving/*/*", None),
            ("/a:b/@c", None),
            ("", Some("starts with `/`")),
            ("/", Some("starts with `/`")),
            ("a/b", Some("starts with `/`")),
            ("/a/", Some("empty segment")),
            ("/a//b", Some("empty segment")),
            ("/a/./b", Some("segment `.`")),
            ("/..", Some("segment `..`")),
            ("/a*", Some("`a*`")),
            ("/**", Some("`**`")),
            ("/a?b", Some("printable")),
            ("/a%20", Some("printable")),
            ("/ä", Some("printable")),
            (&long, Some("33 segments")),
            (&longer, Some("1025 bytes")),
        ] {
            let found = problem(pattern);
            match problem_with {
                None => assert_eq!(found, None, "{pattern}"),
                Some(text) => assert!(found.is_some_and(|found| found.contains(text)), "{pattern}"),
            }
        }
        assert_eq!(problem(&"/a".repeat(32)), None);
    }
}
