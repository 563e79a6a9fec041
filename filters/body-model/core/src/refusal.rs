//! Why a request is refused, for the client and for the counters.
//!
//! No message repeats the body, but for a model's name that was checked before.

use std::fmt;

use tollgate_api::{ApiError, PathError, PathReason};

/// Why a request is refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Refusal {
    /// The fact `tollgate.caller` is there but is none.
    CallerUnreadable,
    /// There is no boundary to read a form by.
    ContentType(tollgate_multipart::ContentTypeError),
    /// The path and the body name different models.
    Differs,
    /// The key occurs more than once, as some backend reads keys.
    Duplicate(&'static str),
    /// No body, or one of no bytes.
    EmptyBody,
    /// The body is encoded.
    Encoded,
    /// The body is not a form that all backends read alike.
    Form(tollgate_multipart::Error),
    /// What a model to try next is refused for.
    Fallback(Box<Self>),
    /// The host does not hand over bodies while headers are held.
    HoldMissing,
    /// The body is not what its coding says.
    Inflate(tollgate_inflate::Error),
    /// The model's name is not fit for a name.
    InvalidModel(InvalidModel),
    /// The body is not a JSON object; with the depth that is allowed.
    Json(tollgate_json::Error, u16),
    /// There is no `model`, or it is no string.
    MissingModel,
    /// No caller was published, and the configuration requires one.
    NoCaller,
    /// The caller's list does not have the model.
    NotAllowed(String),
    /// The catalogue does not have the model.
    NotFound(String),
    /// A list beside the model is not fit: the parameter, and why.
    Option(&'static str, InvalidOption),
    /// The path can be read in more than one way, or what it names is no model.
    Path(PathError),
    /// A parameter of the query cannot be used: its name.
    Query(&'static str),
    /// `stream` is neither a boolean nor null.
    StreamNotBoolean,
    /// The body is longer than this.
    TooLarge { limit: usize },
    /// A change of protocol, after which bodies have no end.
    Upgrade,
}

/// Why a string is no model's name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum InvalidModel {
    /// It has a control character.
    Control,
    /// It is a dot segment, which leads elsewhere in a path.
    Dots,
    /// It has no characters.
    Empty,
    /// It is a file in a form, or not UTF-8.
    NotText,
    /// It begins or ends with white space, which a header would lose.
    Space,
    /// It has more bytes than this.
    TooLong { limit: usize },
}

/// Why a list of tags or models is not fit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum InvalidOption {
    /// Its key is there in another case, which some backends take for it.
    Case,
    /// A name in it has the character that separates names in a header.
    Comma,
    /// It is not a list of strings.
    NotStrings,
    /// A tag in it has other characters, or more of them, than a tag can have.
    Tag,
    /// It is longer than this, in bytes.
    TooLong { limit: usize },
    /// It has more elements than this.
    TooMany { limit: usize },
}

impl fmt::Display for InvalidOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Case => f.write_str("must be written in lower case"),
            Self::Comma => f.write_str("must have no commas in its names"),
            Self::NotStrings => f.write_str("must be a list of strings"),
            Self::Tag => f.write_str("must have tags of 1 to 64 visible ASCII characters but `,`"),
            Self::TooLong { limit } => write!(f, "must have at most {limit} bytes"),
            Self::TooMany { limit } => write!(f, "must have at most {limit} elements"),
        }
    }
}

impl fmt::Display for InvalidModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Control => f.write_str("must have no control characters"),
            Self::Dots => f.write_str("must not be `.` or `..`"),
            Self::Empty => f.write_str("must not be empty"),
            Self::NotText => f.write_str("must be text in UTF-8, not a file"),
            Self::Space => f.write_str("must not begin or end with white space"),
            Self::TooLong { limit } => write!(f, "must have at most {limit} bytes"),
        }
    }
}

impl From<InvalidModel> for Refusal {
    fn from(reason: InvalidModel) -> Self {
        Self::InvalidModel(reason)
    }
}

impl Refusal {
    /// The counter, out of a fixed set.
    pub(crate) fn metric(&self) -> &'static str {
        match self {
            Self::CallerUnreadable | Self::NoCaller | Self::NotAllowed(_) => {
                "tollgate_body_model.refused.model_not_allowed"
            }
            Self::Differs | Self::Duplicate("model") => {
                "tollgate_body_model.refused.duplicate_model"
            }
            Self::Duplicate(_) | Self::Option(..) | Self::Query(_) | Self::StreamNotBoolean => {
                "tollgate_body_model.refused.invalid_parameter"
            }
            Self::EmptyBody | Self::Json(..) | Self::Upgrade => {
                "tollgate_body_model.refused.invalid_json"
            }
            Self::ContentType(_) | Self::Form(_) => "tollgate_body_model.refused.invalid_multipart",
            Self::HoldMissing => "tollgate_body_model.refused.header_hold_missing",
            Self::Path(PathError { reason: PathReason::Model, .. }) => {
                "tollgate_body_model.refused.invalid_model"
            }
            Self::Path(_) => "tollgate_body_model.refused.invalid_path",
            Self::Encoded => "tollgate_body_model.refused.unsupported_content_encoding",
            Self::Inflate(_) => "tollgate_body_model.refused.invalid_content_encoding",
            Self::Fallback(refusal) => refusal.metric(),
            Self::InvalidModel(_) => "tollgate_body_model.refused.invalid_model",
            Self::MissingModel => "tollgate_body_model.refused.missing_model",
            Self::NotFound(_) => "tollgate_body_model.refused.model_not_found",
            Self::TooLarge { .. } => "tollgate_body_model.refused.request_too_large",
        }
    }

    /// What the client reads.
    pub(crate) fn error(&self) -> ApiError {
        if let Self::Fallback(refusal) = self {
            let ApiError { status, code, .. } = refusal.error();
            return ApiError::new(status, code, self.message()).param("fallbacks");
        }
        if let Self::Path(error) = self {
            return error.error();
        }
        let (status, code, param) = match self {
            Self::CallerUnreadable | Self::NoCaller | Self::NotAllowed(_) => {
                (403, "model_not_allowed", Some("model"))
            }
            Self::Differs | Self::Duplicate("model") => (400, "duplicate_model", Some("model")),
            Self::Duplicate(key) | Self::Option(key, _) | Self::Query(key) => {
                (400, "invalid_parameter", Some(*key))
            }
            Self::EmptyBody | Self::Json(..) | Self::Upgrade => (400, "invalid_json", None),
            Self::ContentType(_) | Self::Form(_) => (400, "invalid_multipart", None),
            Self::Encoded => (415, "unsupported_content_encoding", None),
            // Above.
            Self::Fallback(_) | Self::Path(_) => (400, "invalid_parameter", None),
            Self::HoldMissing => (500, "header_hold_missing", None),
            Self::Inflate(_) => (400, "invalid_content_encoding", None),
            Self::InvalidModel(_) => (400, "invalid_model", Some("model")),
            Self::MissingModel => (400, "missing_model", Some("model")),
            Self::NotFound(_) => (404, "model_not_found", Some("model")),
            Self::StreamNotBoolean => (400, "invalid_parameter", Some("stream")),
            Self::TooLarge { .. } => (413, "request_too_large", None),
        };
        let error = ApiError::new(status, code, self.message());
        match param {
            Some(param) => error.param(param),
            None => error,
        }
    }

    /// In one sentence.
    pub(crate) fn message(&self) -> String {
        use tollgate_json::Error;
        match self {
            Self::CallerUnreadable => {
                "what was published about the caller cannot be read, so no model is allowed".into()
            }
            Self::ContentType(reason) => format!("the body cannot be read as a form: {reason}"),
            Self::Differs => "the path and the body name different models: send one".into(),
            Self::HoldMissing => "the gateway gives body-model no body while it holds the headers: \
                set `allow_on_headers_stop_iteration: true` on the Wasm filter (Envoy 1.35 or later), \
                or `hold: host` in its configuration"
                .into(),
            Self::Inflate(error) => format!("the body cannot be decoded: {error}"),
            Self::Path(error) => error.error().message,
            Self::Duplicate(key) => format!(
                "more than one `{key}` in the body (keys that differ only in case count as the \
                 same): send exactly one"
            ),
            Self::EmptyBody => "the body is empty: expected a JSON object with a `model`".into(),
            Self::Encoded => "the body is encoded: send it without content-encoding".into(),
            Self::Form(reason) => format!("the body is not a valid multipart form: {reason}"),
            Self::Fallback(refusal) => match refusal.as_ref() {
                Self::InvalidModel(reason) => format!("a name in `fallbacks` {reason}"),
                refusal => refusal.message(),
            },
            Self::InvalidModel(reason) => format!("`model` {reason}"),
            Self::Json(Error::Incomplete, _) => {
                "the body ends too early: expected a complete JSON object".into()
            }
            Self::Json(Error::NotAnObject, _) => "expected the body to be a JSON object".into(),
            Self::Json(Error::Syntax { offset }, _) => {
                format!("the body is not valid JSON: unexpected byte at offset {offset}")
            }
            Self::Json(Error::TooDeep { offset }, most) => {
                format!("the body is nested deeper than {most} levels at offset {offset}")
            }
            Self::MissingModel => "expected a string `model` in the body".into(),
            Self::NoCaller => "no caller was published, so no model is allowed".into(),
            Self::NotAllowed(model) => format!("this API key may not use the model `{model}`"),
            Self::NotFound(model) => format!("the model `{model}` does not exist"),
            Self::Option(key, reason) => format!("`{key}` {reason}"),
            Self::Query(name @ ("limit" | "pageSize")) => {
                format!("expected `{name}` to be a number from 1 to 1000")
            }
            Self::Query(name) => format!("expected `{name}` to be from this list of models"),
            Self::StreamNotBoolean => "expected `stream` to be true or false".into(),
            Self::TooLarge { limit } => {
                format!("the body is larger than {limit} bytes, the most that is accepted")
            }
            Self::Upgrade => "expected a request with a JSON body, found a protocol upgrade".into(),
        }
    }
}
