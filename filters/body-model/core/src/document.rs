//! A JSON body: what it says about the model, or why it cannot be trusted to.

use tollgate_json::{Kind, Scanner, Wanted};

use crate::body::Named;
use crate::config::{Config, MOST_MODEL_BYTES};
use crate::estimate::{Estimator, MEMBERS};
use crate::options::{MOST_RAW_BYTES, Options, Places};
use crate::refusal::{InvalidModel, Refusal};

/// What the configuration allows of a body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The most bytes of a body as it is sent.
    pub(crate) body: usize,
    /// The most bytes of a body that was encoded.
    pub(crate) decompressed: usize,
    /// The most bytes of a model's name, as UTF-8.
    pub(crate) model: usize,
    /// The most arrays and objects around a value.
    pub(crate) depth: u16,
}

/// The longest raw form of a name that could be allowed: each byte as `\u00xx`, and two quotes.
const MOST_RAW_MODEL: usize = MOST_MODEL_BYTES * 6 + 2;

/// The member that names the model; as a bit, see [`Document::push`].
pub(crate) const MODEL: usize = 0;
/// The member that asks for a stream.
pub(crate) const STREAM: usize = 1;
/// Bounds on completion tokens, the one that wins first.
const MAX_TOKENS: [usize; 3] = [2, 3, 4];
const OPTIONS: Places = Places { tags: 5, metadata: 6, fallbacks: 7 };
/// The first of the members that the estimate asks for.
const PROMPT: usize = 8;

const WANTED: &[Wanted] = &[
    Wanted { key: "model", keep: MOST_RAW_MODEL },
    Wanted { key: "stream", keep: 5 },
    Wanted { key: "max_completion_tokens", keep: 20 },
    Wanted { key: "max_output_tokens", keep: 20 },
    Wanted { key: "max_tokens", keep: 20 },
    Wanted { key: "tags", keep: MOST_RAW_BYTES },
    Wanted { key: "metadata", keep: MOST_RAW_BYTES },
    Wanted { key: "fallbacks", keep: MOST_RAW_BYTES },
    // From `PROMPT` on.
    MEMBERS[0],
    MEMBERS[1],
    MEMBERS[2],
    MEMBERS[3],
    MEMBERS[4],
    MEMBERS[5],
    MEMBERS[6],
    MEMBERS[7],
    MEMBERS[8],
];
const _: () = assert!(WANTED.len() == PROMPT + MEMBERS.len());

/// A body under way.
#[derive(Debug)]
pub(crate) struct Document {
    scanner: Scanner<Option<Estimator>>,
    limits: Limits,
}

impl Document {
    /// A body whose prompt is estimated, or not.
    pub(crate) fn new(config: &Config) -> Self {
        let depth = tollgate_json::Limits { depth: config.limits.depth };
        let estimator = config.estimate.is_some().then(|| Estimator::new(PROMPT));
        // Each member that is wanted costs every request a little.
        let wanted = if estimator.is_some() {
            WANTED.len()
        } else if config.tags.body || config.fallbacks.body {
            PROMPT
        } else {
            OPTIONS.tags
        };
        let wanted = WANTED.get(..wanted).unwrap_or(WANTED);
        let scanner = Scanner::with_strings(wanted, depth, estimator);
        Self { scanner, limits: config.limits }
    }

    /// Takes the next piece, up to the end of a value of `stop` (bit n: member n). How many bytes that were.
    /// The error is that of the first offending byte, however the body is cut.
    pub(crate) fn push(&mut self, piece: &[u8], stop: u32) -> Result<usize, Refusal> {
        let taken = self.scanner.push_to_member(piece, stop);
        taken.map_err(|error| Refusal::Json(error, self.limits.depth))
    }

    /// Whether the values of all `members` (bit n: member n) have ended.
    pub(crate) fn has(&self, members: u32) -> bool {
        [MODEL, STREAM]
            .iter()
            .all(|n| members & (1 << n) == 0 || self.scanner.member(*n).range.is_some())
    }

    /// Ends the body.
    pub(crate) fn finish(&mut self) -> Result<(), Refusal> {
        self.scanner.finish().map_err(|error| Refusal::Json(error, self.limits.depth))
    }

    /// Whether no more than one model is named, so far.
    pub(crate) fn check_one_model(&self) -> Result<(), Refusal> {
        let count = self.scanner.member(MODEL).count;
        if count > 1 { Err(Refusal::Duplicate("model")) } else { Ok(()) }
    }

    /// The model; `None` if the body names none.
    pub(crate) fn model(&self) -> Result<Option<Named>, Refusal> {
        self.check_one_model()?;
        let member = self.scanner.member(MODEL);
        let (Kind::String, Some(at)) = (member.kind, member.range.clone()) else {
            // One in another case is one to some backends, whatever the path says.
            return if member.count == 0 { Ok(None) } else { Err(Refusal::MissingModel) };
        };
        // What is too long to be kept is longer than any limit.
        let Some(name) = member.text() else {
            return Err(InvalidModel::TooLong { limit: self.limits.model }.into());
        };
        check_model(&name, self.limits.model)?;
        Ok(Some(Named { name, at }))
    }

    /// Whether a stream is asked for. Backends disagree on a `stream` that is no boolean (some take `1` and `"true"`
    /// for true), on which of two counts, and on one in another case.
    pub(crate) fn stream(&self) -> Result<bool, Refusal> {
        let member = self.scanner.member(STREAM);
        if member.count > 1 {
            return Err(Refusal::Duplicate("stream"));
        }
        match (member.kind, member.raw()) {
            (Kind::Bool, raw) => Ok(raw == Some(b"true")),
            (Kind::Null, _) => Ok(false),
            (Kind::Absent, _) if member.count == 0 => Ok(false),
            _ => Err(Refusal::StreamNotBoolean),
        }
    }

    /// The bound on completion tokens.
    pub(crate) fn max_tokens(&self) -> Option<u64> {
        MAX_TOKENS.iter().find_map(|index| {
            let raw = self.scanner.member(*index).raw()?;
            std::str::from_utf8(raw).ok()?.parse().ok()
        })
    }

    /// Tags and fallbacks, of a complete body.
    pub(crate) fn options(&self, config: &Config, tags: Vec<String>) -> Result<Options, Refusal> {
        Options::read(config, &self.scanner, OPTIONS, tags)
    }

    /// The estimated tokens of the prompt, where they are estimated.
    pub(crate) fn prompt_tokens(&self) -> Option<u64> {
        self.scanner.strings().as_ref().map(|estimator| estimator.tokens(1000))
    }
}

/// Checks a model's name: it becomes a header's value, a path's segment, a metric's label.
pub(crate) fn check_model(model: &str, limit: usize) -> Result<(), InvalidModel> {
    if model.is_empty() {
        Err(InvalidModel::Empty)
    } else if model.len() > limit {
        Err(InvalidModel::TooLong { limit })
    } else if model.chars().any(char::is_control) {
        Err(InvalidModel::Control)
    } else if model.trim().len() != model.len() {
        Err(InvalidModel::Space)
    } else if matches!(model, "." | "..") {
        Err(InvalidModel::Dots)
    } else {
        Ok(())
    }
}
