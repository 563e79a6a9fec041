//! Paths that list models.

use crate::{Dialect, Paths, pattern, segments};

/// A path that asks which models there are: `GET /v1/models` or `GET /v1/models/{id}`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listing {
    /// The model asked for, percent-decoded; `None`: all. It is for comparing with the names of a
    /// catalogue, and nothing is checked of it.
    pub id: Option<String>,
    /// The dialect of the answer. Clients of Anthropic call `/v1/models` too; only their header
    /// `anthropic-version` tells them from OpenAI's.
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
