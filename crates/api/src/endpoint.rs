//! The operations that are about one model.

use crate::Paths;

/// An operation that names a model, in its body or in its path. The paths of each are in
/// [`Paths`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Endpoint {
    /// Bedrock's CountTokens.
    BedrockCountTokens,
    /// OpenAI's chat completions.
    ChatCompletions,
    /// vLLM's classification.
    Classify,
    /// OpenAI's (legacy) completions.
    Completions,
    /// Bedrock's Converse and ConverseStream.
    Converse,
    /// Anthropic's count of a message's tokens.
    CountTokens,
    /// vLLM's way back from tokens to text.
    Detokenize,
    /// Cohere's embeddings.
    Embed,
    /// Gemini's embeddings, one or a batch.
    EmbedContent,
    /// OpenAI's embeddings.
    Embeddings,
    /// Gemini's count of a prompt's tokens.
    GeminiCountTokens,
    /// Gemini's generation, also as a stream.
    GenerateContent,
    /// OpenAI's image edits.
    ImageEdits,
    /// OpenAI's image generations.
    ImageGenerations,
    /// OpenAI's image variations.
    ImageVariations,
    /// OpenAI's count of a response's input tokens.
    InputTokens,
    /// SageMaker's invocations, as vLLM serves them: a body of any other endpoint.
    Invocations,
    /// Bedrock's InvokeModel, also as a stream.
    Invoke,
    /// Anthropic's messages.
    Messages,
    /// OpenAI's moderations.
    Moderations,
    /// Mistral's document reading.
    Ocr,
    /// vLLM's pooling.
    Pooling,
    /// Vertex AI's prediction.
    Predict,
    /// Vertex AI's prediction in the model's own format, such as Claude's.
    RawPredict,
    /// Rerank, of Cohere, Jina and vLLM.
    Rerank,
    /// OpenAI's responses.
    Responses,
    /// vLLM's score.
    Score,
    /// OpenAI's speech.
    Speech,
    /// vLLM's tokenizer.
    Tokenize,
    /// OpenAI's transcriptions.
    Transcriptions,
    /// OpenAI's translations of speech.
    Translations,
    /// OpenAI's videos.
    Videos,
}

impl Endpoint {
    /// All of them, in the order of the declaration.
    pub const ALL: [Self; 32] = [
        Self::BedrockCountTokens,
        Self::ChatCompletions,
        Self::Classify,
        Self::Completions,
        Self::Converse,
        Self::CountTokens,
        Self::Detokenize,
        Self::Embed,
        Self::EmbedContent,
        Self::Embeddings,
        Self::GeminiCountTokens,
        Self::GenerateContent,
        Self::ImageEdits,
        Self::ImageGenerations,
        Self::ImageVariations,
        Self::InputTokens,
        Self::Invocations,
        Self::Invoke,
        Self::Messages,
        Self::Moderations,
        Self::Ocr,
        Self::Pooling,
        Self::Predict,
        Self::RawPredict,
        Self::Rerank,
        Self::Responses,
        Self::Score,
        Self::Speech,
        Self::Tokenize,
        Self::Transcriptions,
        Self::Translations,
        Self::Videos,
    ];

    /// The operation at `path` whose *body* names the model; `None` for one whose path does. The
    /// query is ignored; percent-escapes, repeated slashes, a slash at the end, dot segments, path
    /// parameters and upper case do not hide an operation: backends disagree on what they mean.
    pub fn of_path(path: &[u8]) -> Option<Self> {
        match Paths::BUILT_IN.call(path) {
            Ok(Some(call)) if call.model.is_none() => Some(call.endpoint),
            _ => None,
        }
    }

    /// The endpoint with this [`name`](Self::name).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|endpoint| endpoint.name() == name)
    }

    /// The name in the fact `tollgate.request` and in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::BedrockCountTokens => "bedrock_count_tokens",
            Self::ChatCompletions => "chat_completions",
            Self::Classify => "classify",
            Self::Completions => "completions",
            Self::Converse => "converse",
            Self::CountTokens => "count_tokens",
            Self::Detokenize => "detokenize",
            Self::Embed => "embed",
            Self::EmbedContent => "embed_content",
            Self::Embeddings => "embeddings",
            Self::GeminiCountTokens => "gemini_count_tokens",
            Self::GenerateContent => "generate_content",
            Self::ImageEdits => "image_edits",
            Self::ImageGenerations => "image_generations",
            Self::ImageVariations => "image_variations",
            Self::InputTokens => "input_tokens",
            Self::Invocations => "invocations",
            Self::Invoke => "invoke",
            Self::Messages => "messages",
            Self::Moderations => "moderations",
            Self::Ocr => "ocr",
            Self::Pooling => "pooling",
            Self::Predict => "predict",
            Self::RawPredict => "raw_predict",
            Self::Rerank => "rerank",
            Self::Responses => "responses",
            Self::Score => "score",
            Self::Speech => "audio_speech",
            Self::Tokenize => "tokenize",
            Self::Transcriptions => "audio_transcriptions",
            Self::Translations => "audio_translations",
            Self::Videos => "videos",
        }
    }

    /// Whether only its path names the model, so that it cannot be put at a configured path.
    pub fn is_named_in_path(self) -> bool {
        matches!(
            self,
            Self::BedrockCountTokens
                | Self::Converse
                | Self::EmbedContent
                | Self::GeminiCountTokens
                | Self::GenerateContent
                | Self::Invoke
                | Self::Predict
                | Self::RawPredict
        )
    }

    /// Whether its body may be `multipart/form-data` instead of JSON.
    pub fn may_be_form(self) -> bool {
        matches!(
            self,
            Self::ImageEdits
                | Self::ImageVariations
                | Self::Transcriptions
                | Self::Translations
                | Self::Videos
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_endpoint_has_a_name_of_its_own() {
        for (i, endpoint) in Endpoint::ALL.into_iter().enumerate() {
            assert_eq!(endpoint as usize, i, "{endpoint:?}");
            assert_eq!(Endpoint::from_name(endpoint.name()), Some(endpoint));
        }
        assert_eq!(Endpoint::from_name("Chat_Completions"), None);
    }

    #[test]
    fn only_operations_named_in_the_body_are_found_by_path_alone() {
        for (path, found) in [
            ("/v1/chat/completions", Some(Endpoint::ChatCompletions)),
            ("/v1/audio/transcriptions", Some(Endpoint::Transcriptions)),
            ("/openai/deployments/x/chat/completions", None),
            ("/v1beta/models/x:generateContent", None),
            ("/model/x/%63onverse", None),
        ] {
            assert_eq!(Endpoint::of_path(path.as_bytes()), found, "{path}");
        }
    }
}
