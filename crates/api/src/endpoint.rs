//! Which operation a path names.

/// The wire format that a client speaks, so the one it reads errors in.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Dialect {
    /// Anthropic's Messages API.
    Anthropic,
    /// Google's Gemini API.
    Gemini,
    /// OpenAI's API, and everything compatible with it.
    #[default]
    OpenAi,
}

impl Dialect {
    /// The name in facts and configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::OpenAi => "openai",
        }
    }

    /// The dialect of errors for whatever is at `path`, inside the API or not.
    pub fn of_path(path: &[u8]) -> Self {
        if let Some(endpoint) = Endpoint::of_path(path) {
            return endpoint.dialect();
        }
        let path = normalized(path);
        if path.starts_with(b"/v1/messages/") {
            Self::Anthropic
        } else if path.starts_with(b"/v1beta/") {
            Self::Gemini
        } else {
            Self::OpenAi
        }
    }
}

/// An operation whose JSON body names a model.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Endpoint {
    /// `/v1/chat/completions`
    ChatCompletions,
    /// `/v1/completions`
    Completions,
    /// `/v1/embeddings`
    Embeddings,
    /// `/v1/images/generations`
    ImageGenerations,
    /// `/v1/messages` (Anthropic)
    Messages,
    /// `/v1/moderations`
    Moderations,
    /// `/v1/rerank`, `/v2/rerank`, `/rerank`
    Rerank,
    /// `/v1/responses`
    Responses,
    /// `/v1/score`, `/score` (vLLM)
    Score,
    /// `/v1/audio/speech`
    Speech,
    /// `/tokenize` (vLLM)
    Tokenize,
}

impl Endpoint {
    /// The operation at `path`. The query is ignored; percent-escapes, repeated slashes, a slash
    /// at the end and dot segments do not hide an operation: backends disagree on what they mean.
    pub fn of_path(path: &[u8]) -> Option<Self> {
        Some(match normalized(path).as_slice() {
            b"/v1/chat/completions" => Self::ChatCompletions,
            b"/v1/completions" => Self::Completions,
            b"/v1/embeddings" => Self::Embeddings,
            b"/v1/images/generations" => Self::ImageGenerations,
            b"/v1/messages" => Self::Messages,
            b"/v1/moderations" => Self::Moderations,
            b"/v1/rerank" | b"/v2/rerank" | b"/rerank" => Self::Rerank,
            b"/v1/responses" => Self::Responses,
            b"/v1/score" | b"/score" => Self::Score,
            b"/v1/audio/speech" => Self::Speech,
            b"/tokenize" => Self::Tokenize,
            _ => return None,
        })
    }

    /// The name in the fact `tollgate.request`.
    pub fn name(self) -> &'static str {
        match self {
            Self::ChatCompletions => "chat_completions",
            Self::Completions => "completions",
            Self::Embeddings => "embeddings",
            Self::ImageGenerations => "image_generations",
            Self::Messages => "messages",
            Self::Moderations => "moderations",
            Self::Rerank => "rerank",
            Self::Responses => "responses",
            Self::Score => "score",
            Self::Speech => "audio_speech",
            Self::Tokenize => "tokenize",
        }
    }

    /// The dialect of its bodies.
    pub fn dialect(self) -> Dialect {
        match self {
            Self::Messages => Dialect::Anthropic,
            _ => Dialect::OpenAi,
        }
    }
}

/// The path without query and fragment, percent-decoded, without empty and dot segments.
fn normalized(path: &[u8]) -> Vec<u8> {
    let path = path.split(|b| matches!(b, b'?' | b'#')).next().unwrap_or_default();
    let mut decoded: Vec<u8> = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((&first, tail)) = rest.split_first() {
        let (byte, tail) = match (first, tail) {
            (b'%', [high, low, tail @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, tail),
                _ => (first, rest.get(1..).unwrap_or_default()),
            },
            _ => (first, tail),
        };
        rest = tail;
        decoded.push(byte);
    }
    let mut segments: Vec<&[u8]> = Vec::new();
    for segment in decoded.split(|b| *b == b'/') {
        match segment {
            b"" | b"." => {}
            b".." => drop(segments.pop()),
            _ => segments.push(segment),
        }
    }
    segments.iter().flat_map(|segment| b"/".iter().chain(*segment)).copied().collect()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|d| u8::try_from(d).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variants_of_a_path_name_the_same_operation() {
        for path in [
            "/v1/chat/completions",
            "/v1/chat/completions/",
            "/v1/chat/completions?api-version=1",
            "/v1//chat/completions",
            "/v1/chat/%63ompletions",
            "/v1%2Fchat/completions",
            "/v1/./chat/completions",
            "/healthz/../v1/chat/completions",
            "/../v1/chat/x/%2e%2e/completions/.",
        ] {
            let found = Endpoint::of_path(path.as_bytes());
            assert_eq!(found, Some(Endpoint::ChatCompletions), "{path}");
        }
    }

    #[test]
    fn other_paths_are_outside() {
        for path in ["", "/", "/v1/models", "/v1/chat", "/v1/chat/completionsx", "/%", "/%zz", "*"]
        {
            assert_eq!(Endpoint::of_path(path.as_bytes()), None, "{path}");
        }
    }

    #[test]
    fn errors_outside_the_api_keep_to_the_nearest_dialect() {
        assert_eq!(Dialect::of_path(b"/v1/messages/count_tokens"), Dialect::Anthropic);
        assert_eq!(Dialect::of_path(b"/v1beta/models/x:generateContent"), Dialect::Gemini);
        assert_eq!(Dialect::of_path(b"/healthz"), Dialect::OpenAi);
    }
}
