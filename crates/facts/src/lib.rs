//! What the filters tell each other, through filter state.
//!
//! A client can write headers but never filter state, so these facts are the only inputs a filter
//! takes from another one. Every key has one part, since Envoy looks a custom property up by its
//! first part only. A fact that cannot be read is not the same as none: [`Unreadable`] lets a filter
//! fail closed.
//!
//! Not here: headers (outputs for routes and policies), and the rules for what to do with a fact.

mod caller;
mod caller_models;
mod request;
mod usage;

pub use caller::Caller;
pub use caller_models::CallerModels;
pub use request::Request;
pub use usage::{Usage, UsageStatus};

use serde::{Serialize, de::DeserializeOwned};
use tollgate_effects::{Context, Effect};

/// Keys of the facts in filter state. Envoy's access log reads them as
/// `%FILTER_STATE(wasm.<key>:PLAIN)%`.
pub mod key {
    /// [`crate::Caller`], by key-check.
    pub const CALLER: &str = "tollgate.caller";
    /// The resolved model as a plain string, by body-model: for native filters and access logs.
    pub const MODEL: &str = "tollgate.model";
    /// The model that serves it. This and the five keys below are plain strings by body-model, written with
    /// `hold: host` in place of the headers of its `publish`.
    pub const BASE_MODEL: &str = "tollgate.base_model";
    /// The size class of the prompt.
    pub const CONTEXT: &str = "tollgate.context";
    /// Models to try next, separated by commas.
    pub const FALLBACKS: &str = "tollgate.fallbacks";
    /// Estimated tokens of the prompt.
    pub const PROMPT_TOKENS: &str = "tollgate.prompt_tokens";
    /// `true` or `false`.
    pub const STREAM: &str = "tollgate.stream";
    /// Tags, separated by commas.
    pub const TAGS: &str = "tollgate.tags";
    /// What provider-rewrite must restore at the next attempt; private to it.
    pub const ORIGINAL: &str = "tollgate.original";
    /// The provider's name in provider-rewrite's configuration, as a plain string.
    pub const PROVIDER: &str = "tollgate.provider";
    /// [`crate::Request`], by body-model.
    pub const REQUEST: &str = "tollgate.request";
    /// [`crate::Usage`], by token-count.
    pub const USAGE: &str = "tollgate.usage";
}

/// A fact was published but is not what it should be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Unreadable;

/// Reads the JSON fact at `key`; `Ok(None)` if none was published.
///
/// # Errors
///
/// [`Unreadable`] if there is a value that is not this fact.
pub fn read<T: DeserializeOwned>(ctx: Context<'_>, key: &str) -> Result<Option<T>, Unreadable> {
    ctx.property(&[key])
        .map(|value| serde_json::from_slice(&value).map_err(|_| Unreadable))
        .transpose()
}

/// The effect that publishes `fact` at `key`.
pub fn publish<T: Serialize>(key: &'static str, fact: &T) -> Effect {
    // Facts are structs with string keys, which always serialize; were that to change, an empty
    // value reads as "none published", on which every reader fails closed.
    let value = serde_json::to_vec(fact).unwrap_or_default();
    Effect::SetFilterState { key, value }
}
