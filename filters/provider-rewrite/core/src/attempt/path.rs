//! The path at the provider.

/// `path` with `prefix` for its `/v1`; a path elsewhere stays. `None` if it has dot segments, written
/// in whatever way: behind a prefix they could leave it.
pub(super) fn upstream(path: &[u8], prefix: &str) -> Option<Vec<u8>> {
    if has_dot_segments(path) {
        return None;
    }
    let Some(rest) = path.strip_prefix(b"/v1") else { return Some(path.to_vec()) };
    match rest.first() {
        None if prefix.is_empty() => Some(b"/".to_vec()),
        Some(b'?') if prefix.is_empty() => Some([b"/", rest].concat()),
        None | Some(b'/' | b'?') => Some([prefix.as_bytes(), rest].concat()),
        Some(_) => Some(path.to_vec()),
    }
}

fn has_dot_segments(path: &[u8]) -> bool {
    let path = path.split(|b| *b == b'?').next().unwrap_or_default();
    let path = String::from_utf8_lossy(path).to_ascii_lowercase();
    // Twice, for servers that decode twice.
    let decoded = path
        .replace("%25", "%")
        .replace("%2e", ".")
        .replace("%2f", "/")
        .replace("%5c", "/")
        .replace('\\', "/");
    decoded.split('/').any(|segment| matches!(segment, "." | ".."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_takes_the_place_of_v1() {
        for (path, prefix, expected) in [
            ("/v1/chat/completions", "/v1", Some("/v1/chat/completions")),
            ("/v1/chat/completions?a=b", "/openai/v1", Some("/openai/v1/chat/completions?a=b")),
            ("/v1", "/x", Some("/x")),
            ("/v1", "", Some("/")),
            ("/v1?a", "", Some("/?a")),
            ("/v1/models", "", Some("/models")),
            ("/v1x/models", "/y", Some("/v1x/models")),
            ("/tokenize", "/y", Some("/tokenize")),
            ("/v1/../admin", "/y", None),
            ("/v1/%2e%2E/admin", "/y", None),
            ("/v1/%252e%252e/admin", "/y", None),
            ("/v1/..%2fadmin", "/y", None),
            ("/v1/..\\admin", "/y", None),
            ("/v1/a..b?x=../y", "/y", Some("/y/a..b?x=../y")),
            ("", "/y", Some("")),
        ] {
            let found = upstream(path.as_bytes(), prefix);
            assert_eq!(found.as_deref(), expected.map(str::as_bytes), "{path} {prefix}");
        }
    }
}
