//! Which operation a path names: the API, and what a configuration adds to it.

use crate::call::PathReason;
use crate::operations::{Operation, Place};
use crate::{Call, Endpoint, PathError, PathModel, operations, pattern, segments};

/// The paths of the API: the built-in ones, and those of a configuration.
///
/// The body names the model (`stream` in it asks for a stream):
///
/// | Endpoint | Path |
/// |---|---|
/// | `chat_completions`, `completions`, `embeddings`, `responses`, `input_tokens`, `moderations` | `/chat/completions`, `/completions`, `/embeddings`, `/responses` and `/responses/compact`, `/responses/input_tokens`, `/moderations`, below each of `/v1`, nothing, `/openai/v1` (Azure, KServe), `/v1beta/openai` (Gemini), `/models` (Azure AI), `/v1/projects/*/locations/*/endpoints/openapi` (Vertex AI, also `/v1beta1`) |
/// | `image_generations`, `image_edits`, `image_variations` | `/images/generations`, `/images/edits`, `/images/variations`, below the same |
/// | `audio_speech`, `audio_transcriptions`, `audio_translations` | `/audio/speech`, `/audio/transcriptions`, `/audio/translations`, below the same |
/// | `rerank`, `score`, `classify`, `pooling`, `tokenize`, `detokenize`, `invocations` | `/rerank`, … below the same; `/v2/rerank`, `/cohere/v1/rerank`, `/cohere/v2/rerank` |
/// | `embed` | `/v2/embed`, `/cohere/v2/embed` |
/// | `messages`, `count_tokens` | `/v1/messages`, `/v1/messages/count_tokens`, also below `/anthropic` |
/// | `ocr`, `videos` | `/v1/ocr`, `/v1/videos`, `/openai/v1/videos` |
///
/// The path names the model:
///
/// | Endpoint | Path | Stream |
/// |---|---|---|
/// | `generate_content` | `…/models/{m}:generateContent`, `:batchGenerateContent`, `:streamGenerateContent` | the last one |
/// | `gemini_count_tokens`, `embed_content` | `:countTokens`, `:computeTokens`; `:embedContent`, `:batchEmbedContents`, `:asyncBatchEmbedContent` | no |
/// | `predict` | `:predict`, `:predictLongRunning`, `:fetchPredictOperation`, `:serverStreamingPredict` | the last one |
/// | `raw_predict` | `:rawPredict`, `:streamRawPredict` | as the body says; yes |
/// | `converse` | `/model/{id}/converse`, `/converse-stream` | no; yes |
/// | `invoke` | `/model/{id}/invoke`, `/invoke-with-response-stream`, `/invoke-with-bidirectional-stream` | no; yes |
/// | `bedrock_count_tokens` | `/model/{id}/count-tokens` | no |
/// | `chat_completions`, … all of OpenAI's above | `/openai/deployments/{d}/…`, `/engines/{e}/…`, `/v1/engines/{e}/…` | as the body says |
///
/// For `models` also `tunedModels`, `endpoints` and `dynamic`, behind any prefix (`/v1beta`,
/// `/v1/projects/…/publishers/{p}`). Bedrock's is below `/bedrock` too. A name may have slashes,
/// escaped or not.
///
/// Not in the API, because no single model is named: batches and their files, fine-tuning, realtime
/// sessions (the model is in the query), Bedrock's asynchronous invocations (`modelId`). What a route
/// must not pass unseen, it must not match.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Paths {
    /// More paths, as patterns; the first that matches.
    more: Vec<(String, Endpoint)>,
    /// Patterns below which the built-in API is found too.
    prefixes: Vec<String>,
}

/// What is wrong with an entry of a configuration.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PathsProblem {
    /// Where, such as `paths[0].path` or `pathPrefixes[3]`.
    pub at: String,
    /// What was found, what is expected.
    pub message: String,
}

/// The most entries of `paths`, and the most of `pathPrefixes`.
const MOST_ENTRIES: usize = 64;

impl Paths {
    /// The API alone.
    pub const BUILT_IN: Self = Self { more: Vec::new(), prefixes: Vec::new() };

    /// The API with more paths and prefixes, each a pattern: `*` is any one segment.
    pub fn new(
        more: Vec<(String, Endpoint)>,
        prefixes: Vec<String>,
    ) -> Result<Self, Vec<PathsProblem>> {
        let mut problems = Vec::new();
        let mut problem = |at: String, message: String| problems.push(PathsProblem { at, message });
        for (name, count) in [("paths", more.len()), ("pathPrefixes", prefixes.len())] {
            if count > MOST_ENTRIES {
                let message = format!("{count} entries, expected at most {MOST_ENTRIES}");
                problem(name.into(), message);
            }
        }
        for (i, (path, endpoint)) in more.iter().enumerate().take(MOST_ENTRIES) {
            if let Some(message) = pattern::problem(path) {
                problem(format!("paths[{i}].path"), message);
            } else if more.iter().take(i).any(|(other, _)| other.eq_ignore_ascii_case(path)) {
                problem(format!("paths[{i}].path"), "this path is there twice".into());
            } else if let Some(known) = operations::find(path.as_bytes()) {
                let message = format!("this path is `{}` already", known.endpoint.name());
                problem(format!("paths[{i}].path"), message);
            }
            if endpoint.is_named_in_path() {
                let message = format!(
                    "`{}` names its model in the path, expected an endpoint with the model in its body; use `pathPrefixes` to serve it below another path",
                    endpoint.name()
                );
                problem(format!("paths[{i}].endpoint"), message);
            }
        }
        for (i, prefix) in prefixes.iter().enumerate().take(MOST_ENTRIES) {
            if let Some(message) = pattern::problem(prefix) {
                problem(format!("pathPrefixes[{i}]"), message);
            } else if prefixes.iter().take(i).any(|other| other.eq_ignore_ascii_case(prefix)) {
                problem(format!("pathPrefixes[{i}]"), "this prefix is there twice".into());
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self { more, prefixes: shortest_first(prefixes) })
    }

    /// What `path` (the bytes of `:path`) calls; `None` for a path outside the API.
    ///
    /// Escapes, repeated slashes, dot segments, parameters, upper case and a slash at the end do not
    /// hide an operation. A path that names the model is refused with any of them outside of the name,
    /// but for upper case and the slash at the end, and with a name that is not the same for all
    /// servers. Nothing is allocated but the
    /// model's name, unless the path is unusual: has escapes, repeated slashes, dot segments and such.
    pub fn call(&self, path: &[u8]) -> Result<Option<Call>, PathError> {
        let raw = segments::without_query(path);
        let strict = self.find(segments::without_last_slash(raw));
        if segments::is_plain(raw) {
            return strict.map(|operation| checked(operation, raw)).transpose();
        }
        self.unusual(strict, raw)
    }

    /// The patterns below which the API is found too, the shortest first.
    pub(crate) fn prefixes(&self) -> impl Iterator<Item = &str> {
        self.prefixes.iter().map(String::as_str)
    }

    /// What `raw` calls, of which something is unusual; `strict` is what it names as it is.
    #[cold]
    fn unusual(&self, strict: Option<Operation>, raw: &[u8]) -> Result<Option<Call>, PathError> {
        if let Some(call) = strict.as_ref().and_then(|strict| self.escaped_name(strict, raw)) {
            return Ok(Some(call));
        }
        let loose = segments::readings(raw).map(|path| self.find(&path));
        let mut found = strict.iter().chain(loose.iter().flatten());
        let in_path = found.find(|operation| operation.model != Place::Body);
        let Some(error) = in_path.map(|operation| unclear(operation.endpoint)) else {
            // Only the body names the model, so it is the same for all who read the path.
            let found = strict.or_else(|| loose.into_iter().flatten().next());
            return found.map(|operation| checked(operation, raw)).transpose();
        };
        // A bad name is the better reason.
        checked(strict.ok_or(error)?, raw).and(Err(error))
    }

    /// The call, where only the model's name is unusual, such as escaped by an SDK. There is one
    /// other way to read it, with the name unescaped, which must come to the same.
    fn escaped_name(&self, strict: &Operation, raw: &[u8]) -> Option<Call> {
        let Place::Path(range) = &strict.model else { return None };
        let (before, after) = (raw.get(..range.start)?, raw.get(range.end..)?);
        if !segments::is_plain(before) || !segments::is_plain_inside(after) {
            return None;
        }
        let call = checked(strict.clone(), raw).ok()?;
        let name = call.model.as_ref()?.name.as_bytes();
        let path = [before, name, segments::without_last_slash(after)].concat();
        let found = self.find(&path)?;
        let Place::Path(range) = &found.model else { return None };
        let is_same = path.get(range.clone()) == Some(name)
            && (found.endpoint, found.streams) == (call.endpoint, call.streams);
        is_same.then_some(call)
    }

    /// What `path`, without query, names as it is.
    fn find(&self, path: &[u8]) -> Option<Operation> {
        let built_in = operations::find(path);
        if self.more.is_empty() && self.prefixes.is_empty() {
            return built_in;
        }
        let below = |prefix: &String| {
            let rest = pattern::strip(path, prefix.as_bytes())?;
            operations::find(rest).map(|found| found.moved(path.len().saturating_sub(rest.len())))
        };
        let more = || {
            let is_it = |pattern: &str| pattern::strip(path, pattern.as_bytes()) == Some(b"");
            let (_, endpoint) = self.more.iter().find(|(pattern, _)| is_it(pattern))?;
            Some(Operation::in_body(*endpoint))
        };
        let mut found = built_in.or_else(more);
        for other in self.prefixes.iter().filter_map(below) {
            match &mut found {
                None => found = Some(other),
                Some(found) if found.model != Place::Body || other.model != Place::Body => {
                    if *found != other {
                        found.model = Place::Unclear;
                    }
                }
                Some(_) => {}
            }
        }
        found
    }
}

/// What is below the shortest is the longest operation. By hand, since a library's sort would be 10 KB of a filter.
fn shortest_first(prefixes: Vec<String>) -> Vec<String> {
    let segments = |prefix: &str| prefix.split('/').count();
    let mut sorted: Vec<String> = Vec::with_capacity(prefixes.len());
    for prefix in prefixes {
        let at = sorted.partition_point(|other| segments(other) <= segments(&prefix));
        sorted.insert(at, prefix);
    }
    sorted
}

/// The call of `operation`, if its model is a name.
fn checked(operation: Operation, raw: &[u8]) -> Result<Call, PathError> {
    let Operation { endpoint, streams, model } = operation;
    let model = match model {
        Place::Body => None,
        Place::Unclear => return Err(unclear(endpoint)),
        Place::Path(range) => {
            let name = raw.get(range.clone()).and_then(segments::name);
            let Some(name) = name else {
                return Err(PathError { endpoint, reason: PathReason::Model });
            };
            Some(PathModel { name, range })
        }
    };
    Ok(Call { endpoint, model, streams })
}

fn unclear(endpoint: Endpoint) -> PathError {
    PathError { endpoint, reason: PathReason::Unclear }
}

#[cfg(test)]
mod tests;
