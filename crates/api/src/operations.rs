//! What paths name: the built-in table that [`crate::Paths`] documents. Matching is on bytes as they are but for ASCII case; what
//! percent-escapes and dot segments may mean is the business of [`crate::Paths::call`].

use std::ops::Range;

use crate::pattern;
use crate::{Endpoint, Streams};

/// What a path names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Operation {
    pub(crate) endpoint: Endpoint,
    pub(crate) streams: Streams,
    pub(crate) model: Place,
}

/// Where the model is named.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    /// In the body.
    Body,
    /// In these bytes of the path.
    Path(Range<usize>),
    /// In the path, but which of its segments are the model is open.
    Unclear,
}

/// Where OpenAI's API is mounted; [`COMMON`] is below each. `*` is one segment.
const MOUNTS: [&[u8]; 7] = [
    b"/v1",
    b"",
    b"/openai/v1",
    b"/v1beta/openai",
    b"/models",
    b"/v1/projects/*/locations/*/endpoints/openapi",
    b"/v1beta1/projects/*/locations/*/endpoints/openapi",
];

/// OpenAI's API and what servers of open models add to it, below [`MOUNTS`] and [`DEPLOYMENTS`].
const COMMON: [(&[u8], Endpoint); 20] = [
    (b"/chat/completions", Endpoint::ChatCompletions),
    (b"/completions", Endpoint::Completions),
    (b"/embeddings", Endpoint::Embeddings),
    (b"/responses", Endpoint::Responses),
    (b"/responses/input_tokens", Endpoint::InputTokens),
    (b"/responses/compact", Endpoint::Responses),
    (b"/moderations", Endpoint::Moderations),
    (b"/images/generations", Endpoint::ImageGenerations),
    (b"/images/edits", Endpoint::ImageEdits),
    (b"/images/variations", Endpoint::ImageVariations),
    (b"/audio/speech", Endpoint::Speech),
    (b"/audio/transcriptions", Endpoint::Transcriptions),
    (b"/audio/translations", Endpoint::Translations),
    (b"/rerank", Endpoint::Rerank),
    (b"/score", Endpoint::Score),
    (b"/classify", Endpoint::Classify),
    (b"/pooling", Endpoint::Pooling),
    (b"/tokenize", Endpoint::Tokenize),
    (b"/detokenize", Endpoint::Detokenize),
    (b"/invocations", Endpoint::Invocations),
];

/// Operations with a place of their own.
const EXACT: [(&[u8], Endpoint); 12] = [
    (b"/v1/messages", Endpoint::Messages),
    (b"/anthropic/v1/messages", Endpoint::Messages),
    (b"/v1/messages/count_tokens", Endpoint::CountTokens),
    (b"/anthropic/v1/messages/count_tokens", Endpoint::CountTokens),
    (b"/v2/rerank", Endpoint::Rerank),
    (b"/cohere/v1/rerank", Endpoint::Rerank),
    (b"/cohere/v2/rerank", Endpoint::Rerank),
    (b"/v2/embed", Endpoint::Embed),
    (b"/cohere/v2/embed", Endpoint::Embed),
    (b"/v1/ocr", Endpoint::Ocr),
    (b"/v1/videos", Endpoint::Videos),
    (b"/openai/v1/videos", Endpoint::Videos),
];

/// Below these the model comes next, and then an operation of [`COMMON`] or [`EXTENSION`].
const DEPLOYMENTS: [&[u8]; 3] = [b"/openai/deployments/", b"/engines/", b"/v1/engines/"];

/// Azure's "on your data", which must not be taken for a model `…/extensions`.
const EXTENSION: (&[u8], Endpoint) = (b"/extensions/chat/completions", Endpoint::ChatCompletions);

/// Where Bedrock's runtime is mounted.
const BEDROCK: [&[u8]; 2] = [b"/model/", b"/bedrock/model/"];

const BEDROCK_VERBS: [(&[u8], Endpoint, Streams); 6] = [
    (b"converse", Endpoint::Converse, Streams::Never),
    (b"converse-stream", Endpoint::Converse, Streams::Always),
    (b"invoke", Endpoint::Invoke, Streams::Never),
    (b"invoke-with-response-stream", Endpoint::Invoke, Streams::Always),
    (b"invoke-with-bidirectional-stream", Endpoint::Invoke, Streams::Always),
    (b"count-tokens", Endpoint::BedrockCountTokens, Streams::Never),
];

/// The collections of Gemini and Vertex AI whose members answer to [`GOOGLE_VERBS`].
const COLLECTIONS: [&[u8]; 4] = [b"models", b"tunedModels", b"endpoints", b"dynamic"];

const GOOGLE_VERBS: [(&[u8], Endpoint, Streams); 14] = [
    (b"generateContent", Endpoint::GenerateContent, Streams::Never),
    (b"streamGenerateContent", Endpoint::GenerateContent, Streams::Always),
    (b"batchGenerateContent", Endpoint::GenerateContent, Streams::Never),
    (b"countTokens", Endpoint::GeminiCountTokens, Streams::Never),
    (b"computeTokens", Endpoint::GeminiCountTokens, Streams::Never),
    (b"embedContent", Endpoint::EmbedContent, Streams::Never),
    (b"batchEmbedContents", Endpoint::EmbedContent, Streams::Never),
    (b"asyncBatchEmbedContent", Endpoint::EmbedContent, Streams::Never),
    (b"predict", Endpoint::Predict, Streams::Never),
    (b"predictLongRunning", Endpoint::Predict, Streams::Never),
    (b"fetchPredictOperation", Endpoint::Predict, Streams::Never),
    (b"serverStreamingPredict", Endpoint::Predict, Streams::Always),
    (b"rawPredict", Endpoint::RawPredict, Streams::AsBodySays),
    (b"streamRawPredict", Endpoint::RawPredict, Streams::Always),
];

/// What `path`, without query, names.
pub(crate) fn find(path: &[u8]) -> Option<Operation> {
    in_body(path).or_else(|| google(path)).or_else(|| bedrock(path)).or_else(|| deployment(path))
}

/// Whether `path` starts with `prefix`, in whatever case.
pub(crate) fn starts_with(path: &[u8], prefix: &[u8]) -> bool {
    after(path, prefix).is_some()
}

impl Operation {
    /// One whose body names the model.
    pub(crate) fn in_body(endpoint: Endpoint) -> Self {
        Self { endpoint, streams: Streams::AsBodySays, model: Place::Body }
    }

    /// The same, `by` bytes further on.
    pub(crate) fn moved(mut self, by: usize) -> Self {
        if let Place::Path(range) = &mut self.model {
            *range = range.start.saturating_add(by)..range.end.saturating_add(by);
        }
        self
    }
}

fn in_body(path: &[u8]) -> Option<Operation> {
    let row = |table: &[(&[u8], Endpoint)], path: &[u8]| {
        table.iter().find(|(row, _)| row.eq_ignore_ascii_case(path)).map(|(_, found)| *found)
    };
    row(&EXACT, path)
        .or_else(|| MOUNTS.iter().find_map(|mount| row(&COMMON, pattern::strip(path, mount)?)))
        .map(Operation::in_body)
}

/// `…/models/{m}:verb`.
fn google(path: &[u8]) -> Option<Operation> {
    let last = path.iter().rposition(|b| *b == b'/')?.checked_add(1)?;
    let colon = last.checked_add(path.get(last..)?.iter().rposition(|b| *b == b':')?)?;
    let (_, endpoint, streams) = verb(&GOOGLE_VERBS, path.get(colon.checked_add(1)?..)?)?;
    // Names may have slashes, so the model is all that follows its collection.
    let mut start = None;
    let mut collections = 0_usize;
    let mut at = 0_usize;
    for segment in path.get(..last)?.split(|b| *b == b'/') {
        at = at.saturating_add(segment.len()).saturating_add(1);
        if COLLECTIONS.iter().any(|name| name.eq_ignore_ascii_case(segment)) {
            start = Some(at);
            collections = collections.saturating_add(1);
        }
    }
    let model = if collections > 1 { Place::Unclear } else { place(start?, colon) };
    Some(Operation { endpoint, streams, model })
}

/// `/model/{id}/verb`.
fn bedrock(path: &[u8]) -> Option<Operation> {
    let rest = BEDROCK.iter().find_map(|mount| after(path, mount))?;
    let slash = rest.iter().rposition(|b| *b == b'/')?;
    let (_, endpoint, streams) = verb(&BEDROCK_VERBS, rest.get(slash.checked_add(1)?..)?)?;
    let start = path.len().saturating_sub(rest.len());
    Some(Operation { endpoint, streams, model: place(start, start.saturating_add(slash)) })
}

/// `/openai/deployments/{d}/operation`.
fn deployment(path: &[u8]) -> Option<Operation> {
    let rest = DEPLOYMENTS.iter().find_map(|mount| after(path, mount))?;
    let start = path.len().saturating_sub(rest.len());
    // The longest: `chat/completions` is not the completions of a model `…/chat`.
    let (operation, endpoint) = COMMON
        .iter()
        .chain([&EXTENSION])
        .filter(|(operation, _)| ends_with(rest, operation))
        .max_by_key(|(operation, _)| operation.len())?;
    let model = place(start, path.len().saturating_sub(operation.len()));
    Some(Operation { endpoint: *endpoint, streams: Streams::AsBodySays, model })
}

fn place(start: usize, end: usize) -> Place {
    if start < end { Place::Path(start..end) } else { Place::Unclear }
}

type Verb = (&'static [u8], Endpoint, Streams);

fn verb(table: &'static [Verb], name: &[u8]) -> Option<Verb> {
    table.iter().find(|(verb, ..)| verb.eq_ignore_ascii_case(name)).copied()
}

fn after<'a>(path: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = path.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn ends_with(path: &[u8], suffix: &[u8]) -> bool {
    let start = path.len().checked_sub(suffix.len());
    start.and_then(|start| path.get(start..)).is_some_and(|end| end.eq_ignore_ascii_case(suffix))
}
