//! Requests through body-model, as the filter and as others read what comes out of it.

use std::io::Write;

use body_model_core::{BodyModel, Request};
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use serde_json::Value;
use serde_json::value::RawValue;
use tollgate_api::{Call, Paths};
use tollgate_effects::testkit::Exchange;
use tollgate_effects::{Direction, Plugin};

use crate::NoEnvironment;
use crate::multipart::fields;
use crate::pairs::Pairs;

const CONFIGURATIONS: [&str; 8] = [
    r#"{"aliases":{"a":"alias/of:a"},"limits":{"maxBodyBytes":4096}}"#,
    r#"{"hold":"host","aliases":{"a":"b"}}"#,
    r#"{"tags":{"body":true,"header":"x-tags"},"fallbacks":{"body":true},"estimate":{},"aliases":{"fast":"llama"},
        "contextClasses":[{"name":"small","maxTokens":8},{"name":"large"}],
        "publish":{"tags":"x-t","fallbacks":"x-f","promptTokens":"x-p","context":"x-c","baseModel":"x-b"}}"#,
    r#"{"decompress":["gzip","deflate"],"aliases":{"a":"long-name"},"limits":{"maxDecompressedBytes":2000}}"#,
    r#"{"aliases":{"gpt-4*":"openai/gpt-4*","*":"x*","a*b":"*","*-x":"y-*-z"},"limits":{"maxModelBytes":40}}"#,
    r#"{"models":[{"name":"m"},{"name":"llama"}],"unknownModel":"default","defaultModel":"llama","aliases":{"a":"m"},
        "baseModels":[{"baseModel":"m","adapters":["ad"]}],"publish":{"stream":null,"baseModel":"x-b"}}"#,
    r#"{"models":[{"name":"m"},{"name":"llama"}],"pathPrefixes":["/p","/serving/*/*"],"aliases":{"*":"m"},"serveModels":true,
        "paths":[{"path":"/ask/*","endpoint":"chat_completions"}],"limits":{"maxDepth":4}}"#,
    r#"{"hold":"host","tags":{"body":true},"fallbacks":{"body":true},"decompress":["gzip"],"estimate":{},
        "aliases":{"a":"b"},"publish":{"tags":"x-t","fallbacks":"x-f","promptTokens":"x-p"}}"#,
];

/// `{}` is one of [`NAMES`].
const PATHS: [&str; 16] = [
    "/v1/chat/completions",
    "/v1/messages",
    "/v1/images/edits",
    "/v1/audio/transcriptions?x=1",
    "/v1beta/models/{}:generateContent",
    "/v1beta/models/{}:streamGenerateContent?alt=sse",
    "/model/{}/converse",
    "/model/{}/invoke-with-response-stream",
    "/openai/deployments/{}/chat/completions?api-version=1",
    "/openai/deployments/{}/images/edits",
    "/p/v1/audio/translations",
    "/serving/a/b/model/{}/invoke/",
    "/ask/it",
    "/v1/models/{}",
    "//v1/./chat%2Fcompletions/",
    "/{}",
];

const NAMES: [&str; 12] = [
    "m", "a", "fast", "gpt-4", "gpt%2D4o", "models%2Fm", "ad", "a%2Fb", "x/y", "%2e", "a%20b", "a-x",
];

const CONTENT_TYPES: [&str; 4] = [
    "application/json",
    "multipart/form-data; boundary=b",
    "Multipart/Form-Data;boundary=\"b\"; x=y",
    "multipart/form-data; boundary=b; boundary=c",
];

/// Headers that are nobody's but the filter's.
const SPOOFED: [&str; 9] = [
    "x-gateway-model-name",
    "x-gateway-stream",
    "x-gateway-base-model-name",
    "x-gateway-context",
    "x-gateway-fallbacks",
    "x-gateway-prompt-tokens",
    "x-gateway-tags",
    "x_gateway_model-name",
    "x_gateway_stream",
];

/// What a client sends, and how it arrives.
struct Input<'a> {
    configuration: &'static str,
    path: String,
    content_type: &'static str,
    /// As a recipient has it who undoes the coding.
    plain: &'a [u8],
    coding: Option<&'static str>,
    sent: Vec<u8>,
    has_length: bool,
    method: &'static str,
    tags: Option<&'static str>,
    /// Where to cut the body.
    cuts: [usize; 2],
    window: usize,
    /// Whether the end comes by itself, as with trailers.
    empty_end: bool,
}

impl<'a> Input<'a> {
    fn new(data: &'a [u8]) -> Option<Self> {
        let (choices, plain) = data.split_first_chunk::<8>()?;
        let [configuration, path, name, content, flags, cut, cut_more, window] =
            choices.map(usize::from);
        let (coding, sent) = match content >> 4 & 3 {
            1 => (Some("gzip"), encode(GzEncoder::new(Vec::new(), Compression::fast()), plain)?),
            2 => (Some("deflate"), encode(ZlibEncoder::new(Vec::new(), Compression::fast()), plain)?),
            // Not what it says, most often.
            3 => (Some("gzip"), plain.to_vec()),
            _ => (None, plain.to_vec()),
        };
        Some(Self {
            configuration: CONFIGURATIONS[configuration % CONFIGURATIONS.len()],
            path: PATHS[path % PATHS.len()].replace("{}", NAMES[name % NAMES.len()]),
            content_type: CONTENT_TYPES[content % CONTENT_TYPES.len()],
            plain,
            coding,
            sent,
            has_length: flags & 1 != 0,
            method: if flags & 6 == 6 { "GET" } else { "POST" },
            tags: [None, Some("a, b"), Some(",,a,a,"), Some("a b")][flags >> 3 & 3],
            cuts: [cut.min(cut_more), cut.max(cut_more)],
            window: window.max(1),
            empty_end: flags & 32 != 0,
        })
    }

    /// What comes of it, whole or in pieces.
    fn sent_through(&self, whole: bool) -> Exchange<Request> {
        let configured =
            BodyModel::configure(self.configuration.as_bytes(), &NoEnvironment::new());
        let Ok(configured) = configured else { panic!("{} is good", self.configuration) };
        let mut exchange = Exchange::new(configured.plugin.stream());
        let length = self.sent.len().to_string();
        let mut headers = vec![
            (":method", self.method),
            (":path", self.path.as_str()),
            ("content-type", self.content_type),
        ];
        headers.extend(self.coding.map(|coding| ("content-encoding", coding)));
        headers.extend(self.has_length.then_some(("content-length", length.as_str())));
        headers.extend(self.tags.map(|tags| ("x-tags", tags)));
        headers.extend(SPOOFED.map(|name| (name, "spoofed")));
        exchange.headers(Direction::Request, &headers, false);
        let cuts = if whole { [0, 0] } else { self.cuts };
        if !whole {
            exchange.window = self.window;
            // Less than the filter is patient for.
            exchange.tick();
        }
        let mut rest = self.sent.as_slice();
        for (cut, before) in cuts.into_iter().zip([0, cuts[0]]) {
            let (piece, behind) = rest.split_at((cut - before).min(rest.len()));
            exchange.body(Direction::Request, piece, false);
            exchange.tick();
            rest = behind;
        }
        let ends = whole || !self.empty_end;
        exchange.body(Direction::Request, rest, ends);
        if !ends {
            exchange.body(Direction::Request, b"", true);
        }
        exchange
    }

    /// Its paths, as configured.
    fn call(&self, path: &[u8]) -> Option<Call> {
        let configuration: Value = serde_json::from_str(self.configuration).unwrap_or_default();
        let texts = |of: &Value| of.as_array().cloned().unwrap_or_default();
        let prefixes = texts(&configuration["pathPrefixes"]);
        let prefixes = prefixes.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        let paths = texts(&configuration["paths"]);
        let more = paths.iter().filter_map(|entry| {
            let chat = tollgate_api::Endpoint::of_path(b"/v1/chat/completions")?;
            Some((entry["path"].as_str()?.to_owned(), chat))
        });
        let Ok(paths) = Paths::new(more.collect(), prefixes) else { panic!("they are good") };
        paths.call(path).ok().flatten()
    }
}

/// The filter does the same whole and cut, and tells a client's headers from its own. What it lets through names
/// one model, to serde_json, to `multer` and in the path: the one that it published. The rest of the body is
/// what it was, without what was asked of the gateway alone.
pub fn body_model(data: &[u8]) {
    let Some(input) = Input::new(data) else { return };
    let [whole, pieces] = [true, false].map(|whole| input.sent_through(whole));
    assert_eq!(whole.reply, pieces.reply);
    assert_eq!(whole.counters, pieces.counters);
    for exchange in [&whole, &pieces] {
        let spoofed = |(_, value): &(String, Vec<u8>)| value == b"spoofed";
        assert!(exchange.reply.is_some() || !exchange.request.headers.iter().any(spoofed));
        assert!(exchange.logs.is_empty());
    }
    if whole.reply.is_some() {
        return;
    }
    assert!(whole.request.released && pieces.request.released);
    assert!(whole.request.held.is_empty() && pieces.request.held.is_empty());
    assert_eq!(whole.request.headers, pieces.request.headers);
    assert_eq!(whole.request.body, pieces.request.body);
    assert_eq!(whole.properties.0, pieces.properties.0);
    if let Some(length) = whole.request.header("content-length") {
        assert_eq!(length, whole.request.body.len().to_string());
    }
    let Some(model) = whole.state("tollgate.model") else {
        // None of its business.
        let is_call = input.call(input.path.as_bytes()).is_some();
        assert!(!is_call || (input.method == "GET" && input.sent.is_empty()));
        assert_eq!(whole.request.body, input.sent);
        return;
    };
    if input.method == "GET" && input.sent.is_empty() {
        // Without a body it is none of its business either, but for the path.
        return;
    }
    passed(&input, &whole, &model);
}

/// Checks a request of the API that was let through, for `model`.
fn passed(input: &Input<'_>, exchange: &Exchange<Request>, model: &str) {
    let path = exchange.request.header(":path").unwrap_or_default();
    let Some(call) = input.call(path.as_bytes()) else { panic!("{path} is a call") };
    let in_path = call.model.as_ref();
    assert!(in_path.is_none_or(|named| named.name == model), "{path}");
    let configuration = input.configuration;
    if configuration.contains("\"models\"") {
        assert!(["m", "llama", "ad"].contains(&model));
    }
    let fact: Value = exchange
        .state("tollgate.request")
        .and_then(|fact| serde_json::from_str(&fact).ok())
        .unwrap_or_default();
    assert_eq!(fact["model"], model);
    let header = exchange.request.header("x-gateway-model-name");
    let held_by_host = configuration.contains("\"hold\"");
    assert_eq!(header.as_deref(), (!held_by_host).then_some(model));
    assert_eq!(exchange.request.header("x-tags").is_some(), input.tags.is_some() && !configuration.contains("x-tags"));
    assert_eq!(exchange.request.header("content-encoding"), None);
    let body = &exchange.request.body;
    if let Ok(sent) = object(body) {
        let stream = sent.iter().find(|(key, _)| key == "stream").map(|(_, value)| value.get());
        let stream = match call.streams {
            tollgate_api::Streams::Always => true,
            tollgate_api::Streams::AsBodySays => stream == Some("true"),
            tollgate_api::Streams::Never => false,
        };
        assert_eq!(fact["stream"].as_bool(), Some(stream));
        same_but_for_edits(input, &sent, model, &fact);
    } else {
        assert!(call.endpoint.may_be_form() && input.content_type != CONTENT_TYPES[0]);
        form_names(input, body, model, &fact, in_path.is_some());
    }
    if fact["model"] == fact["requestedModel"] && !configuration.contains("\"tags\"") {
        assert_eq!(body, input.plain);
    }
}

type Raw<'a> = Vec<(String, &'a RawValue)>;

/// The members of a JSON object, as they are written.
fn object(body: &[u8]) -> Result<Raw<'_>, serde_json::Error> {
    serde_json::from_slice::<Pairs<&RawValue>>(body).map(|pairs| pairs.0)
}

/// Checks the members that were let through against those that came.
fn same_but_for_edits(input: &Input<'_>, sent: &Raw<'_>, model: &str, fact: &Value) {
    let models: Vec<_> = sent.iter().filter(|(key, _)| key.eq_ignore_ascii_case("model")).collect();
    assert!(models.len() < 2);
    let is_in_path = input.call(input.path.as_bytes()).is_some_and(|call| call.model.is_some());
    assert!(is_in_path || models.len() == 1);
    for (key, value) in models {
        let value: String = serde_json::from_str(value.get()).unwrap_or_default();
        let bare = if is_in_path { value.strip_prefix("models/") } else { None };
        assert!(value == model || bare == Some(model), "{key}: {value}");
    }
    let Ok(came) = object(input.plain) else { panic!("no object came") };
    let options = input.configuration.contains("\"tags\"");
    let is_option = |key: &str| options && matches!(key, "tags" | "fallbacks");
    let is_edited = |key: &str| key == "model" || (options && key == "metadata");
    let kept: Vec<_> = came.iter().filter(|(key, _)| !is_option(key)).collect();
    let mut left = sent.iter();
    for (key, value) in kept {
        let metadata = || serde_json::from_str::<Pairs<&RawValue>>(value.get()).ok();
        let metadata = if options && key == "metadata" { metadata() } else { None };
        if let Some(metadata) = &metadata
            && metadata.0.iter().all(|(key, _)| key == "tags")
            && !metadata.0.is_empty()
        {
            continue;
        }
        let Some((left_key, left_value)) = left.next() else { panic!("{key} is gone") };
        assert_eq!(key, left_key);
        if !is_edited(key) {
            assert_eq!(value.get(), left_value.get());
        } else if let Some(metadata) = metadata {
            let Ok(left) = serde_json::from_str::<Pairs<&RawValue>>(left_value.get()) else {
                panic!("metadata is no object any more");
            };
            let kept = metadata.0.iter().filter(|(key, _)| key != "tags");
            let text = |(key, value): &(String, &RawValue)| (key.clone(), value.get().to_owned());
            assert!(kept.map(text).eq(left.0.iter().map(text)));
        }
    }
    assert!(left.next().is_none());
    let listed = fact["tags"].as_array().map_or(0, Vec::len);
    assert!(options || listed == 0);
}

/// Checks a form: with one model, and but for that what came.
fn form_names(input: &Input<'_>, body: &[u8], model: &str, fact: &Value, is_in_path: bool) {
    let edited = fact["requestedModel"].as_str().map_or(0, str::len);
    // Where the names differ: all before and behind is as it was.
    let same = body.iter().zip(input.plain).take_while(|(one, other)| one == other).count();
    let behind = |body: &[u8]| body.iter().rev().copied().collect::<Vec<u8>>();
    let same_behind =
        behind(body).iter().zip(behind(input.plain)).take_while(|(one, other)| **one == *other).count();
    assert!(same + same_behind + model.len() >= body.len());
    assert!(same + same_behind + edited >= input.plain.len());
    // The other parser may refuse it.
    let Some(fields) = fields("b", body) else { return };
    let models: Vec<_> = fields.iter().filter(|(name, _)| name == "model").collect();
    assert!(models.len() < 2 && (is_in_path || models.len() == 1));
    assert!(models.iter().all(|(_, value)| value == model.as_bytes()));
}

/// `plain`, encoded.
fn encode<W: Write + Finish>(mut encoder: W, plain: &[u8]) -> Option<Vec<u8>> {
    encoder.write_all(plain).ok()?;
    encoder.end()
}

trait Finish {
    fn end(self) -> Option<Vec<u8>>;
}

impl Finish for GzEncoder<Vec<u8>> {
    fn end(self) -> Option<Vec<u8>> {
        self.finish().ok()
    }
}

impl Finish for ZlibEncoder<Vec<u8>> {
    fn end(self) -> Option<Vec<u8>> {
        self.finish().ok()
    }
}
