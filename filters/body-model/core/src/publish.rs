//! What is told to routes, policies, later filters and access logs, and under which names.

use std::borrow::Cow;

use tollgate_effects::{Direction, Effect, Effects, Headers};
use tollgate_facts::{Request, key};
use tollgate_owned_headers::OwnedHeaders;

use crate::config::Hold;

/// Owned whatever the configuration says: a route or a policy may trust them by their names.
pub(crate) const DEFAULT_HEADERS: [&str; 7] = [
    DEFAULT_MODEL_HEADER,
    DEFAULT_STREAM_HEADER,
    "x-gateway-base-model-name",
    "x-gateway-context",
    "x-gateway-fallbacks",
    "x-gateway-prompt-tokens",
    "x-gateway-tags",
];

/// The model's header unless configured.
pub(crate) const DEFAULT_MODEL_HEADER: &str = "x-gateway-model-name";
/// The stream flag's header unless configured.
pub(crate) const DEFAULT_STREAM_HEADER: &str = "x-gateway-stream";

/// Header names by what they tell, lower-case; `None`: not told by header.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// The model after aliases.
    pub(crate) model: Option<String>,
    /// `true` or `false`.
    pub(crate) stream: Option<String>,
    /// The model that serves it.
    pub(crate) base_model: Option<String>,
    /// The tags, separated by commas.
    pub(crate) tags: Option<String>,
    /// The models to try next, separated by commas.
    pub(crate) fallbacks: Option<String>,
    /// The estimated tokens of the prompt.
    pub(crate) prompt_tokens: Option<String>,
    /// The size class of the prompt.
    pub(crate) context: Option<String>,
}

/// What is told by header.
#[derive(Debug)]
pub(crate) struct Publish {
    pub(crate) names: Names,
    /// These names, the default ones, and one that is read and not sent on.
    owned: OwnedHeaders,
}

impl Publish {
    /// Under these names; `taken` is read by the filter, and taken off too.
    pub(crate) fn new(names: Names, taken: Option<&str>) -> Self {
        let Names { model, stream, base_model, tags, fallbacks, prompt_tokens, context } = &names;
        let configured = [model, stream, base_model, tags, fallbacks, prompt_tokens, context];
        let configured = configured.into_iter().flatten().map(String::as_str);
        let owned = DEFAULT_HEADERS.into_iter().chain(configured).chain(taken).collect();
        Self { names, owned }
    }

    /// Takes off what only this filter may write.
    pub(crate) fn strip(&self, headers: &Headers<'_>, out: &mut Effects) {
        self.owned.strip(headers, out);
    }

    /// Whether a header of this name is one that only this filter may write.
    pub(crate) fn owns(&self, name: &[u8]) -> bool {
        self.owned.contains(name)
    }

    /// The effects that tell about `request`. The route is not chosen again yet.
    ///
    /// Headers that the host holds have gone past this filter: what is told by header is filter state then, which a
    /// native filter behind the host's buffer puts into headers.
    pub(crate) fn tell(&self, request: &Request, hold: Hold, out: &mut Effects) {
        out.push(request.publish());
        let value = request.model.as_bytes().to_vec();
        out.push(Effect::SetFilterState { key: key::MODEL, value });
        let mut tell = |name: &Option<String>, key: &'static str, value: &str| {
            let Some(name) = name.as_ref().filter(|_| !value.is_empty()) else { return };
            let value = value.as_bytes().to_vec();
            match hold {
                Hold::Headers => {
                    let name = Cow::Owned(name.clone());
                    out.push(Effect::SetHeader { on: Direction::Request, name, value });
                }
                // Written above.
                Hold::Host if key == key::MODEL => {}
                Hold::Host => out.push(Effect::SetFilterState { key, value }),
            }
        };
        let names = &self.names;
        tell(&names.model, key::MODEL, &request.model);
        tell(&names.stream, key::STREAM, if request.stream { "true" } else { "false" });
        tell(&names.base_model, key::BASE_MODEL, &request.base_model);
        tell(&names.tags, key::TAGS, &request.tags.join(","));
        tell(&names.fallbacks, key::FALLBACKS, &request.fallbacks.join(","));
        let tokens = request.prompt_tokens.map(|tokens| tokens.to_string());
        tell(&names.prompt_tokens, key::PROMPT_TOKENS, tokens.as_deref().unwrap_or_default());
        tell(&names.context, key::CONTEXT, request.context.as_deref().unwrap_or_default());
    }
}
