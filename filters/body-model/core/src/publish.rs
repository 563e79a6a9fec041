//! What is told to routes, policies, later filters and access logs, and under which names.

use std::borrow::Cow;

use tollgate_effects::{Direction, Effect, Effects, Headers};
use tollgate_facts::{Request, key};

/// Owned whatever the configuration says: a route or a policy may trust them by their names.
pub(crate) const OWNED_HEADERS: [&str; 7] = [
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
pub(crate) struct Publish {
    /// The model after aliases.
    pub(crate) model: Option<String>,
    /// `true` or `false`.
    pub(crate) stream: Option<String>,
    /// The model that serves it.
    pub(crate) base_model: Option<String>,
}

impl Publish {
    /// Takes off what only this filter may write, each name once, and only what is there.
    pub(crate) fn strip(&self, headers: &Headers<'_>, out: &mut Effects) {
        let mut taken: Vec<&[u8]> = Vec::new();
        for (name, _) in headers.iter() {
            if self.owns(name) && !taken.contains(&name) {
                taken.push(name);
                let name = Cow::Owned(String::from_utf8_lossy(name).into_owned());
                out.push(Effect::RemoveHeader { on: Direction::Request, name });
            }
        }
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

    fn owns(&self, name: &[u8]) -> bool {
        let is = |owned: &str| {
            owned.len() == name.len()
                && name.iter().map(folded).eq(owned.bytes().map(|b| folded(&b)))
        };
        let configured = [&self.model, &self.stream, &self.base_model];
        OWNED_HEADERS.into_iter().any(is)
            || configured.into_iter().flatten().any(|name| is(name.as_str()))
    }
}

/// `_` counts as `-`, since CGI and WSGI backends cannot tell the two apart.
fn folded(byte: &u8) -> u8 {
    match byte {
        b'_' => b'-',
        other => other.to_ascii_lowercase(),
    }
}

/// Whether two header names are the same, as [`Publish::strip`] compares them.
pub(crate) fn same_header(one: &str, other: &str) -> bool {
    one.bytes().map(|b| folded(&b)).eq(other.bytes().map(|b| folded(&b)))
}
