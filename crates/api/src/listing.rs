//! Paths that list models.

use crate::{Dialect, Paths, pattern, segments};

/// A path that asks which models there are: `GET /v1/models` or `GET /v1/models/{id}`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listing {
    /// The model asked for, percent-decoded; `None`: all. It is for comparing with the names of a
    /// catalogue, and nothing is checked of it.
    pub id: Option<String>,
    /// The dialect of the answer. Clients of Anthropic and of Gemini call `/v1/models` too; only their
    /// headers `anthropic-version` and `x-goog-api-client` tell them from OpenAI's.
    pub dialect: Dialect,
}

const LISTINGS: [(&[u8], Dialect); 6] = [
    (b"/v1/models", Dialect::OpenAi),
    (b"/models", Dialect::OpenAi),
    (b"/openai/v1/models", Dialect::OpenAi),
    (b"/v1beta/openai/models", Dialect::OpenAi),
    (b"/v1beta/models", Dialect::Gemini),
    (b"/anthropic/v1/models", Dialect::Anthropic),
];

impl Listing {
    /// The listing at `path`, also below the configured prefixes. What is an operation, such as
    /// `/v1beta/models/{m}:countTokens`, is none. As the gateway answers itself, a path is read in
    /// the loosest way.
    pub fn of_path(paths: &Paths, path: &[u8]) -> Option<Self> {
        let path = segments::loosely(path);
        if !matches!(paths.call(&path), Ok(None)) {
            return None;
        }
        let prefixes = paths.prefixes().map(str::as_bytes);
        [&b""[..]]
            .into_iter()
            .chain(prefixes)
            .find_map(|prefix| below(pattern::strip(&path, prefix)?))
    }
}

fn below(path: &[u8]) -> Option<Listing> {
    LISTINGS.iter().find_map(|(listing, dialect)| {
        let id = match pattern::strip(path, listing)? {
            b"" => None,
            id => Some(String::from_utf8_lossy(id.strip_prefix(b"/")?).into_owned()),
        };
        Some(Listing { id, dialect: *dialect })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listings_are_found_however_they_are_written() {
        let prefixes = vec!["/serving/*".to_owned()];
        let paths = Paths::new(Vec::new(), prefixes).expect("a good configuration");
        let all = |dialect| Some(Listing { id: None, dialect });
        let one = |id: &str, dialect| Some(Listing { id: Some(id.to_owned()), dialect });
        for (path, listing) in [
            ("/v1/models", all(Dialect::OpenAi)),
            ("/v1/models/?limit=20", all(Dialect::OpenAi)),
            ("//v1/%6dodels", all(Dialect::OpenAi)),
            ("/V1/MODELS", all(Dialect::OpenAi)),
            ("/models", all(Dialect::OpenAi)),
            ("/openai/v1/models", all(Dialect::OpenAi)),
            ("/v1beta/openai/models/a", one("a", Dialect::OpenAi)),
            ("/anthropic/v1/models/a", one("a", Dialect::Anthropic)),
            ("/v1beta/models", all(Dialect::Gemini)),
            ("/v1beta/models/a-1.5", one("a-1.5", Dialect::Gemini)),
            ("/v1/models/a/b:c", one("a/b:c", Dialect::OpenAi)),
            ("/v1/models/A%2Fb%3Ac", one("A/b:c", Dialect::OpenAi)),
            ("/v1/models/a/../b", one("b", Dialect::OpenAi)),
            ("/v1/models/%FF", one("\u{fffd}", Dialect::OpenAi)),
            ("/serving/x/v1/models/a", one("a", Dialect::OpenAi)),
            ("/serving/x/y/v1/models/a", None),
            ("/v1/models/a:countTokens", None),
            ("/v1/models/..:countTokens", None),
            ("/models/chat/completions", None),
            ("/v1/modelsx", None),
            ("/x/v1/models", None),
            ("/v1", None),
            ("", None),
        ] {
            assert_eq!(Listing::of_path(&paths, path.as_bytes()), listing, "{path}");
        }
    }
}
