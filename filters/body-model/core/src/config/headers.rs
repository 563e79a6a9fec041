//! Checks of header names: those that are written, and the one that tags are read from.

use tollgate_config::Reader;
use tollgate_owned_headers::{Forbidden, NameCheck};

use super::raw::RawPublish;
use crate::publish::{
    DEFAULT_HEADERS, DEFAULT_MODEL_HEADER, DEFAULT_STREAM_HEADER, Names, Publish,
};

/// What header names cannot be: those of credentials, and `key-check`'s.
const FORBIDDEN: &[Forbidden] = &[
    Forbidden {
        names: &["api-key", "authorization", "x-api-key", "x-goog-api-key"],
        why: "this header carries credentials: choose another one",
    },
    Forbidden {
        names: &["x-gateway-groups", "x-gateway-key-id", "x-gateway-team", "x-gateway-user"],
        why: "this header tells who is calling: choose another one",
    },
];

/// What the configuration gives headers something to tell about.
pub(super) struct Given {
    pub(super) tags: bool,
    pub(super) fallbacks: bool,
    pub(super) context_classes: bool,
}

/// The headers by what they tell, and the one that tags are read from.
pub(super) fn check(
    raw: RawPublish,
    tags_from: Option<String>,
    given: &Given,
    reader: &mut Reader,
) -> (Publish, Option<String>) {
    for (path, name, given, needs) in [
        ("publish.tags", &raw.tags, given.tags, "tags"),
        ("publish.fallbacks", &raw.fallbacks, given.fallbacks, "fallbacks"),
        ("publish.context", &raw.context, given.context_classes, "contextClasses"),
    ] {
        if name.is_some() && !given {
            reader.problem(path, format!("nothing to tell: needs `{needs}`"));
        }
    }
    if given.context_classes && raw.context.is_none() {
        reader.warning("contextClasses", "has no effect: no header `publish.context` tells them");
    }
    let mut names = NameCheck::new(FORBIDDEN, &DEFAULT_HEADERS);
    let mut check = |path, own, name| names.check(path, own, name, reader);
    let names = Names {
        model: check("publish.model", DEFAULT_MODEL_HEADER, raw.model),
        stream: check("publish.stream", DEFAULT_STREAM_HEADER, raw.stream),
        base_model: check("publish.baseModel", "x-gateway-base-model-name", raw.base_model),
        tags: check("publish.tags", "x-gateway-tags", raw.tags),
        fallbacks: check("publish.fallbacks", "x-gateway-fallbacks", raw.fallbacks),
        prompt_tokens: check("publish.promptTokens", "x-gateway-prompt-tokens", raw.prompt_tokens),
        context: check("publish.context", "x-gateway-context", raw.context),
    };
    let tags_from = check("tags.header", "x-litellm-tags", tags_from);
    (Publish::new(names, tags_from.as_deref()), tags_from)
}
