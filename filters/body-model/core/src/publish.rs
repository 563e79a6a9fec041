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
#[derive(Debug)]
pub(crate) struct Publish {
    /// The model after aliases.
    pub(crate) model: Option<String>,
    /// `true` or `false`.
    pub(crate) stream: Option<String>,
    /// The model that serves it.
    pub(crate) base_model: Option<String>,
    /// These names and the default ones.
    owned: OwnedHeaders,
}

impl Publish {
    /// Under these names.
    pub(crate) fn new(
        model: Option<String>,
        stream: Option<String>,
        base_model: Option<String>,
    ) -> Self {
        let configured = [&model, &stream, &base_model].into_iter().flatten().map(String::as_str);
        let owned = DEFAULT_HEADERS.into_iter().chain(configured).collect();
        Self { model, stream, base_model, owned }
    }

    /// Takes off what only this filter may write.
    pub(crate) fn strip(&self, headers: &Headers<'_>, out: &mut Effects) {
        self.owned.strip(headers, out);
    }

    /// The effects that tell about `request`. The route is not chosen again yet.
    pub(crate) fn tell(&self, request: &Request, out: &mut Effects) {
        let stream = if request.stream { "true" } else { "false" };
        let headers = [
            (&self.model, request.model.as_str()),
            (&self.stream, stream),
            (&self.base_model, request.base_model.as_str()),
        ];
        for (name, value) in headers {
            if let Some(name) = name {
                out.push(Effect::SetHeader {
                    on: Direction::Request,
                    name: Cow::Owned(name.clone()),
                    value: value.as_bytes().to_vec(),
                });
            }
        }
        out.push(tollgate_facts::publish(key::REQUEST, request));
        let value = request.model.as_bytes().to_vec();
        out.push(Effect::SetFilterState { key: key::MODEL, value });
    }
}
