//! Which wire format a client speaks.

use crate::operations;
use crate::{Endpoint, Paths, segments};

/// The wire format that a client speaks, so the one it reads errors in.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Dialect {
    /// Anthropic's Messages API.
    Anthropic,
    /// Amazon Bedrock's runtime API.
    Bedrock,
    /// Google's Gemini API, also as Vertex AI serves it.
    Gemini,
    /// OpenAI's API, and everything compatible with it.
    #[default]
    OpenAi,
}

/// Where errors keep to a dialect although the path names no operation.
const NEIGHBOURHOODS: [(&[u8], Dialect); 6] = [
    (b"/v1beta/openai/", Dialect::OpenAi),
    (b"/v1/messages/", Dialect::Anthropic),
    (b"/anthropic/", Dialect::Anthropic),
    (b"/v1beta/", Dialect::Gemini),
    (b"/v1beta1/", Dialect::Gemini),
    (b"/model/", Dialect::Bedrock),
];

impl Dialect {
    /// The name in facts and configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::Anthropic => "anthropic",
            Self::Bedrock => "bedrock",
            Self::Gemini => "gemini",
            Self::OpenAi => "openai",
        }
    }

    /// The dialect of errors for whatever is at `path`, inside the API or not. Configured paths
    /// are not known here: take [`Endpoint::dialect`] of a [`crate::Call`] where there is one.
    pub fn of_path(path: &[u8]) -> Self {
        match Paths::BUILT_IN.call(path) {
            Ok(Some(call)) => return call.endpoint.dialect(),
            Err(error) => return error.endpoint.dialect(),
            Ok(None) => {}
        }
        let path = segments::loosely(path);
        let near = |near: &[u8]| operations::starts_with(&path, near);
        NEIGHBOURHOODS
            .iter()
            .find(|(neighbourhood, _)| near(neighbourhood))
            .map_or_else(Self::default, |(_, dialect)| *dialect)
    }
}

impl Endpoint {
    /// The dialect of its bodies and errors.
    pub fn dialect(self) -> Dialect {
        match self {
            Self::Messages | Self::CountTokens => Dialect::Anthropic,
            Self::Converse | Self::Invoke | Self::BedrockCountTokens => Dialect::Bedrock,
            Self::GenerateContent
            | Self::GeminiCountTokens
            | Self::EmbedContent
            | Self::Predict
            | Self::RawPredict => Dialect::Gemini,
            _ => Dialect::OpenAi,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_keep_to_the_nearest_dialect() {
        for (path, dialect) in [
            ("/v1/messages/count_tokens", Dialect::Anthropic),
            ("/v1/messages/batches", Dialect::Anthropic),
            ("/anthropic/v1/messages", Dialect::Anthropic),
            ("/anthropic/v1/models", Dialect::Anthropic),
            ("/v1beta/models/x:generateContent", Dialect::Gemini),
            ("/v1beta/models/..:generateContent", Dialect::Gemini),
            ("/v1beta/cachedContents", Dialect::Gemini),
            ("/v1beta/openai/chat/completions", Dialect::OpenAi),
            ("/v1beta/openai/files", Dialect::OpenAi),
            ("/v1/projects/p/locations/l/publishers/g/models/m:predict", Dialect::Gemini),
            ("/model/x/converse", Dialect::Bedrock),
            ("/model/x/%63onverse", Dialect::Bedrock),
            ("/model/x/unheard-of", Dialect::Bedrock),
            ("/openai/deployments/x/chat/completions", Dialect::OpenAi),
            ("/healthz", Dialect::OpenAi),
            ("", Dialect::OpenAi),
        ] {
            assert_eq!(Dialect::of_path(path.as_bytes()), dialect, "{path}");
        }
    }
}
