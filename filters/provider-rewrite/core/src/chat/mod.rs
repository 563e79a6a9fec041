//! OpenAI's chat completions: the dialect that clients speak and providers are translated to and from.
//!
//! Spec: <https://platform.openai.com/docs/api-reference/chat>. Reading keeps every value that is only
//! passed on as raw bytes, so no number is reformatted and no integer loses digits.
//!
//! Not here: what a provider makes of it (`providers`), and OpenAI's other endpoints.

pub(crate) mod media;
pub(crate) mod message;
mod neutral;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod stream;
pub(crate) mod tool_names;

pub(crate) use request::ChatRequest;
