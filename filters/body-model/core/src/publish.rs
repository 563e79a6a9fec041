//! What is told to routes, policies, later filters and access logs, and under which names.

use std::borrow::Cow;

use tollgate_effects::{Direction, Effect, Effects, Headers};
use tollgate_facts::{Request, key};
use tollgate_owned_headers::OwnedHeaders;

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

    /// The effects that tell about `request`, whose prompt is in size class `context`. The route is not
    /// chosen again yet.
    pub(crate) fn tell(&self, request: &Request, context: Option<&str>, out: &mut Effects) {
        let list = |list: &[String]| (!list.is_empty()).then(|| list.join(","));
        let names = &self.names;
        let headers = [
            (&names.model, Some(request.model.clone())),
            (&names.stream, Some(if request.stream { "true" } else { "false" }.to_owned())),
            (&names.base_model, Some(request.base_model.clone())),
            (&names.tags, list(&request.tags)),
            (&names.fallbacks, list(&request.fallbacks)),
            (&names.prompt_tokens, request.prompt_tokens.map(|tokens| tokens.to_string())),
            (&names.context, context.map(str::to_owned)),
        ];
        for (name, value) in headers {
            if let (Some(name), Some(value)) = (name, value) {
                out.push(Effect::SetHeader {
                    on: Direction::Request,
                    name: Cow::Owned(name.clone()),
                    value: value.into_bytes(),
                });
            }
        }
        out.push(tollgate_facts::publish(key::REQUEST, request));
        let value = request.model.as_bytes().to_vec();
        out.push(Effect::SetFilterState { key: key::MODEL, value });
    }
}
