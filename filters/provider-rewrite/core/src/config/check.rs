//! From the raw configuration to the checked one, with every problem on the way.

use std::collections::BTreeSet;

use tollgate_config::{Problems, Reader, Warning, nearest, read};
use tollgate_effects::Environment;

use super::raw::{RawConfig, RawCredential, RawDialect, RawOnUnsupported, RawProvider};
use super::{Config, Credential, Limits, NAME, OnUnsupported, Provider, Secret};
use crate::headers::{is_credential, is_hop_by_hop};
use crate::providers::Dialect;

const DEFAULT_HELD_BYTES: usize = 1024 * 1024;
const DEFAULT_EVENT_BYTES: usize = 256 * 1024;
const DEFAULT_MAX_TOKENS: u64 = 4096;
/// A module of 32 bits cannot hold much more, and hosts buffer far less.
const MOST_HELD_BYTES: u64 = 256 * 1024 * 1024;

pub(super) fn config(
    config: &[u8],
    env: &dyn Environment,
) -> Result<(Config, Vec<Warning>), Problems> {
    let (raw, mut reader) = read::<RawConfig>(NAME, config);
    let r = &mut reader;
    if raw.providers.is_empty() {
        r.problem("providers", "missing; expected at least one provider");
    }
    let mut providers: Vec<Provider> = Vec::new();
    for (i, provider) in raw.providers.into_iter().enumerate() {
        let provider = self::provider(provider, &format!("providers[{i}]"), env, r);
        if !provider.name.is_empty() && providers.iter().any(|p| p.name == provider.name) {
            r.problem(
                format!("providers[{i}].name"),
                format!(
                    "`{}` is the name of an earlier provider; expected unique names",
                    provider.name
                ),
            );
        }
        providers.push(provider);
    }
    let pass_headers = raw.pass_headers;
    for (i, name) in pass_headers.iter().enumerate() {
        pass_header(name, format!("passHeaders[{i}]"), r);
    }
    let default_provider = raw.default_provider.and_then(|name| {
        let found = providers.iter().position(|p| p.name == name);
        if found.is_none() {
            let names = || providers.iter().map(|p| p.name.as_str());
            let hint = nearest(&name, names()).map(|n| format!("; did you mean `{n}`?"));
            r.problem(
                "defaultProvider",
                format!("`{name}` is not the name of a provider{}", hint.unwrap_or_default()),
            );
        }
        found
    });
    let limits = Limits {
        max_body_bytes: limit(raw.limits.max_body_bytes, "maxBodyBytes", DEFAULT_HELD_BYTES, r),
        max_response_bytes: limit(
            raw.limits.max_response_bytes,
            "maxResponseBytes",
            DEFAULT_HELD_BYTES,
            r,
        ),
        max_event_bytes: limit(raw.limits.max_event_bytes, "maxEventBytes", DEFAULT_EVENT_BYTES, r),
    };
    let credential_headers: BTreeSet<String> = providers
        .iter()
        .filter_map(|p| match &p.credential {
            Credential::Header(name) => Some(name.clone()),
            Credential::None | Credential::Secret(_) => None,
        })
        .collect();
    let credential_headers = credential_headers.into_iter().collect();
    let pass_headers = pass_headers.iter().map(|name| name.to_ascii_lowercase()).collect();
    let warnings = reader.finish()?;
    let config = Config { providers, pass_headers, credential_headers, default_provider, limits };
    Ok((config, warnings))
}

fn limit(found: Option<u64>, name: &str, default: usize, r: &mut Reader) -> usize {
    match found {
        None => default,
        Some(bytes @ 1..=MOST_HELD_BYTES) => usize::try_from(bytes).unwrap_or(default),
        Some(bytes) => {
            r.problem(
                format!("limits.{name}"),
                format!("{bytes} is out of range; expected 1 to {MOST_HELD_BYTES} bytes"),
            );
            default
        }
    }
}

fn provider(raw: RawProvider, path: &str, env: &dyn Environment, r: &mut Reader) -> Provider {
    let name = raw.name.unwrap_or_default();
    if name.is_empty() || name.len() > 128 || !name.bytes().all(|b| b.is_ascii_graphic()) {
        let missing = if name.is_empty() { "missing; " } else { "" };
        r.problem(
            format!("{path}.name"),
            format!("{missing}expected 1 to 128 visible ASCII characters without spaces"),
        );
    }
    let dialect = match raw.dialect {
        Some(RawDialect::Anthropic) => Dialect::Anthropic,
        Some(RawDialect::OpenAi) => Dialect::OpenAi,
        None => {
            r.problem(format!("{path}.dialect"), "missing; expected `anthropic` or `openai`");
            Dialect::OpenAi
        }
    };
    if let Some(authority) = &raw.authority
        && !is_authority(authority)
    {
        r.problem(
            format!("{path}.authority"),
            "expected a host name, with a port if need be, such as `api.example.com`",
        );
    }
    let path_prefix = raw.path_prefix.map_or_else(
        || "/v1".to_owned(),
        |p| {
            let trimmed = p.trim_end_matches('/');
            if !(trimmed.is_empty() || is_path(trimmed)) {
                r.problem(
                    format!("{path}.pathPrefix"),
                    "expected a path without query, such as `/v1` or `/openai/v1`",
                );
            }
            trimmed.to_owned()
        },
    );
    for (model, wire) in &raw.models {
        if model.is_empty() || wire.is_empty() {
            r.problem(format!("{path}.models.{model}"), "an empty name; expected a model's name");
        }
    }
    for (model, tokens) in &raw.max_tokens {
        if *tokens == 0 {
            r.problem(format!("{path}.maxTokens.{model}"), "0 tokens; expected at least 1");
        }
    }
    if raw.default_max_tokens == Some(0) {
        r.problem(format!("{path}.defaultMaxTokens"), "0 tokens; expected at least 1");
    }
    Provider {
        name,
        dialect,
        authority: raw.authority,
        path_prefix,
        credential: credential(raw.credential, &format!("{path}.credential"), env, r),
        models: raw.models,
        default_max_tokens: raw.default_max_tokens.unwrap_or(DEFAULT_MAX_TOKENS),
        max_tokens: raw.max_tokens,
        on_unsupported: match raw.on_unsupported {
            Some(RawOnUnsupported::Drop) => OnUnsupported::Drop,
            Some(RawOnUnsupported::Reject) | None => OnUnsupported::Reject,
        },
        headers: raw
            .headers
            .into_iter()
            .map(|(name, value)| {
                static_header(&name, &value, format!("{path}.headers.{name}"), r);
                (name.to_ascii_lowercase(), value)
            })
            .collect(),
    }
}

fn credential(
    raw: Option<RawCredential>,
    path: &str,
    env: &dyn Environment,
    r: &mut Reader,
) -> Credential {
    let Some(raw) = raw else { return Credential::None };
    let secret = match raw {
        RawCredential { env: Some(name), header: None, value: None } => {
            let Some(secret) = env.variable(&name).filter(|value| !value.is_empty()) else {
                r.problem(
                    format!("{path}.env"),
                    format!("environment variable `{name}` is not set; set it in the plugin's vm_config.environment_variables"),
                );
                return Credential::None;
            };
            secret
        }
        RawCredential { env: None, header: Some(name), value: None } => {
            if !is_header_name(&name) {
                r.problem(format!("{path}.header"), "expected the name of a header");
            }
            return Credential::Header(name.to_ascii_lowercase());
        }
        RawCredential { env: None, header: None, value: Some(value) } => {
            r.warning(
                format!("{path}.value"),
                "a secret in plain text, which whoever reads the configuration can read; prefer `env` or `header`",
            );
            value
        }
        _ => {
            r.problem(path, "expected exactly one of `env`, `header` and `value`");
            return Credential::None;
        }
    };
    if secret.is_empty() || !is_header_value(&secret) {
        r.problem(path, "the secret is empty or has characters that a header cannot hold");
    }
    Credential::Secret(Secret::new(secret))
}

fn pass_header(name: &str, path: String, r: &mut Reader) {
    let lower = name.to_ascii_lowercase();
    if !is_header_name(&lower) {
        r.problem(path, "expected the name of a header");
    } else if is_credential(&lower) || lower == "cookie" {
        r.problem(path, format!("`{lower}` holds a credential, which never passes to a provider"));
    } else if is_hop_by_hop(&lower) || lower == "accept-encoding" || lower == "host" {
        r.problem(path, format!("`{lower}` is set by the gateway; it cannot pass"));
    }
}

fn static_header(name: &str, value: &str, path: String, r: &mut Reader) {
    let lower = name.to_ascii_lowercase();
    if !is_header_name(&lower) {
        r.problem(path, "expected the name of a header");
    } else if is_credential(&lower) {
        r.problem(path, format!("`{lower}` holds a credential; expected it in `credential`"));
    } else if is_hop_by_hop(&lower)
        || matches!(lower.as_str(), "host" | "content-length" | "accept-encoding")
    {
        r.problem(path, format!("`{lower}` is set by the gateway; it cannot be configured"));
    } else if !is_header_value(value) {
        r.problem(path, "has characters that a header cannot hold");
    }
}

/// A token of RFC 9110 §5.6.2.
fn is_header_name(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

fn is_header_value(value: &str) -> bool {
    value.bytes().all(|b| b == b'\t' || (b >= b' ' && b != 0x7f))
}

fn is_authority(authority: &str) -> bool {
    !authority.is_empty()
        && authority.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b))
}

fn is_path(path: &str) -> bool {
    path.starts_with('/')
        && path.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'?' | b'#'))
        && !path.split('/').any(|segment| matches!(segment, "." | ".."))
}
