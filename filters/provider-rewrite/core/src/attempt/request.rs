//! The request: where it goes, under which headers, with which body.

use tollgate_api::{ApiError, Dialect as ClientDialect, Endpoint};
use tollgate_effects::{
    Body, Context, Direction, Edit, Effect, Effects, Flow, Headers, LogLevel, media_type,
};
use tollgate_facts::{Caller, Request, key};

use super::{Attempt, Names, Route, Sending, path};
use crate::chat::ChatRequest;
use crate::config::{Credential, Provider, Secret};
use crate::headers::{NoCredential, Outgoing, is_json};
use crate::model;
use crate::original::Original;
use crate::providers::{ChatTranslation, To};
use crate::target::{self, Target};

impl Attempt {
    /// Decides the route and sets the headers; holds them if the body must be read.
    pub(super) fn request_headers(
        &mut self,
        ctx: Context<'_>,
        headers: &Headers<'_>,
        end: bool,
        out: &mut Effects,
    ) -> Result<Flow, ApiError> {
        let original = Original::restore_or_save(ctx, headers, &self.config, out)
            .map_err(|_| misconfigured("filter state tollgate.original is not readable", out))?;
        let client_path = original.header(":path").unwrap_or_default();
        self.client = ClientDialect::of_path(&client_path);
        let endpoint = Endpoint::of_path(&client_path);

        let config = std::rc::Rc::clone(&self.config);
        let target =
            Target::choose(ctx, &config).map_err(|none| misconfigured(&none.log(&config), out))?;
        let Some(provider) = target.provider(&config) else {
            return Err(misconfigured("the provider is not in the configuration", out));
        };
        out.push(Effect::SetFilterState {
            key: key::PROVIDER,
            value: provider.name.clone().into_bytes(),
        });
        let translation = translation(self.client, endpoint, provider)?;

        let caller: Option<Caller> = tollgate_facts::read(ctx, key::CALLER)
            .map_err(|_| ApiError::new(403, "model_not_allowed", "the caller is not known"))?;
        let requested: Option<Request> = tollgate_facts::read(ctx, key::REQUEST)
            .map_err(|_| misconfigured("filter state tollgate.request is not readable", out))?;
        let endpoint_model = target::model(ctx);
        let model = endpoint_model.or_else(|| requested.as_ref().map(|r| r.model.clone()));
        if let Some(model) = &model {
            allowed(caller.as_ref(), model)?;
        }

        let native = translation.is_none();
        let mut outgoing = Outgoing::new(&original, &config, provider, native)
            .map_err(|NoCredential| misconfigured(&no_credential(provider), out))?;
        let prefix = &provider.path_prefix;
        let path = match translation {
            Some(translation) => [prefix.as_bytes(), translation.path.as_bytes()].concat(),
            None => path::upstream(&client_path, prefix).ok_or_else(|| {
                ApiError::new(400, "invalid_path", "the path has `.` or `..` segments")
            })?,
        };
        outgoing.set(":path", &path);
        outgoing.apply(headers, out);

        let route = Route {
            provider: target.provider,
            translation,
            model,
            caller,
            requested,
            is_operation: endpoint.is_some(),
            secret: secret(provider, &original),
        };
        let content_type = original.header("content-type");
        let content_type = media_type(content_type.as_deref().unwrap_or_default());
        self.sending = sending(&route, provider, end, &content_type)?;
        if self.sending == Sending::Pass {
            self.names = unread_names(&route, provider);
        }
        self.route = Some(route);
        if self.sending == Sending::Pass {
            return Ok(Flow::Continue);
        }
        if headers.is_encoded() {
            return Err(ApiError::new(
                415,
                "unsupported_content_encoding",
                "the body is compressed; send it without content-encoding",
            ));
        }
        let limit = config.limits.max_body_bytes;
        let too_large = |bytes: u64| usize::try_from(bytes).is_ok_and(|bytes| bytes > limit);
        if headers.content_length().is_some_and(too_large) {
            return Err(too_large_error(limit));
        }
        Ok(Flow::Pause)
    }

    /// Edits or translates the body once it is complete.
    pub(super) fn request_body(
        &mut self,
        body: Body<'_>,
        out: &mut Effects,
    ) -> Result<Flow, ApiError> {
        let limit = self.config.limits.max_body_bytes;
        if body.held > limit {
            return Err(too_large_error(limit));
        }
        if !body.end {
            return Ok(Flow::Pause);
        }
        let found = model::find(body.bytes)?;
        let (Some(route), Some(provider)) = (&self.route, self.provider()) else {
            return Ok(Flow::Continue);
        };
        let in_body = found.as_ref().map(|found| found.name.as_str());
        let Some(model) = route.model.as_deref().or(in_body) else {
            if route.is_operation {
                return Err(model::missing());
            }
            if limited(route.caller.as_ref()) {
                return Err(not_allowed("this request"));
            }
            return Ok(Flow::Continue);
        };
        allowed(route.caller.as_ref(), model)?;
        let wire = provider.wire_model(model);
        let mut names = Names {
            client_model: Some(client_model(route, in_body.unwrap_or(model))),
            wire_model: Some(wire.to_owned()),
            ..Names::default()
        };
        let sent = match route.translation {
            Some(translation) => {
                let chat = ChatRequest::read(body.bytes)?;
                names.include_usage = chat.include_usage;
                let to = To {
                    wire_model: wire,
                    default_max_tokens: provider.max_tokens_for(model),
                    on_unsupported: provider.on_unsupported,
                };
                let sent = (translation.request)(&chat, &to)?;
                names.tools = sent.names;
                out.push(set("content-type", b"application/json"));
                let length = sent.body.len();
                out.push(Effect::ReplaceBody { on: Direction::Request, with: sent.body });
                Some(length)
            }
            None => match &found {
                Some(found) if found.name != wire => {
                    let with = model::quoted(wire);
                    let (start, len) = (found.range.start, found.range.len());
                    let length = body.held.saturating_sub(len).saturating_add(with.len());
                    let edits = vec![Edit { start, len, with }];
                    out.push(Effect::EditBody { on: Direction::Request, edits });
                    Some(length)
                }
                Some(_) => None,
                // The endpoint's model is known, the body names none and the operation needs one.
                None if route.is_operation => return Err(model::missing()),
                None => None,
            },
        };
        if let Some(length) = sent {
            out.push(set("content-length", length.to_string().as_bytes()));
        }
        self.names = names;
        Ok(Flow::Continue)
    }
}

/// How the request is translated, if it must be.
fn translation(
    client: ClientDialect,
    endpoint: Option<Endpoint>,
    provider: &Provider,
) -> Result<Option<&'static ChatTranslation>, ApiError> {
    if client == provider.dialect.of_clients() {
        return Ok(None);
    }
    match (endpoint, provider.dialect.chat()) {
        (Some(Endpoint::ChatCompletions), Some(translation)) => Ok(Some(translation)),
        _ => Err(ApiError::new(
            400,
            "unsupported_endpoint",
            "the provider of this model does not serve this endpoint",
        )),
    }
}

/// What happens to the body. It is read only if something in it may have to change.
fn sending(
    route: &Route,
    provider: &Provider,
    end: bool,
    content_type: &[u8],
) -> Result<Sending, ApiError> {
    if route.translation.is_some() {
        if end {
            return Err(ApiError::new(400, "invalid_json", "the body is empty; expected JSON"));
        }
        return Ok(Sending::Translate);
    }
    let settled = match (&route.model, &route.requested) {
        _ if end => true,
        // body-model made sure that the body names this model.
        (Some(model), Some(requested)) => {
            *model == requested.model && provider.wire_model(model) == model
        }
        (Some(_), None) => false,
        (None, _) => provider.models.is_empty() && !limited(route.caller.as_ref()),
    };
    if settled {
        return Ok(Sending::Pass);
    }
    // body-model read the model from JSON, whatever the body is called (`curl -d` calls it a form). Without
    // body-model, no content type is a client that forgot it.
    if route.requested.is_some() || content_type.is_empty() || is_json(content_type) {
        return Ok(Sending::EditModel);
    }
    Err(ApiError::new(
        415,
        "unsupported_media_type",
        "the model of this request can only be set in a JSON body: send it with `content-type: application/json`",
    ))
}

/// The names where the body is not read: body-model's, if it ran.
fn unread_names(route: &Route, provider: &Provider) -> Names {
    let Some(requested) = &route.requested else { return Names::default() };
    Names {
        client_model: Some(requested.requested_model.clone()),
        wire_model: Some(provider.wire_model(&requested.model).to_owned()),
        ..Names::default()
    }
}

/// The name that the client used.
fn client_model(route: &Route, in_body: &str) -> String {
    match &route.requested {
        Some(requested) => requested.requested_model.clone(),
        None => in_body.to_owned(),
    }
}

fn secret(provider: &Provider, original: &Original) -> Option<Secret> {
    match &provider.credential {
        Credential::None => None,
        Credential::Secret(secret) => Some(secret.clone()),
        Credential::Header(name) => {
            let value = original.header(name)?;
            Some(Secret::new(String::from_utf8_lossy(&value).into_owned()))
        }
    }
}

fn no_credential(provider: &Provider) -> String {
    let header = match &provider.credential {
        Credential::Header(name) => name.as_str(),
        Credential::None | Credential::Secret(_) => "",
    };
    format!(
        "provider-rewrite: no credential for provider `{}`: the request has no header `{header}`; a filter before this one must set it",
        provider.name
    )
}

/// Whether the caller may use some models only.
fn limited(caller: Option<&Caller>) -> bool {
    caller.is_some_and(|caller| caller.models.is_some())
}

fn allowed(caller: Option<&Caller>, model: &str) -> Result<(), ApiError> {
    if caller.is_none_or(|caller| caller.allows(model)) {
        return Ok(());
    }
    Err(not_allowed(&format!("model {model:?}")))
}

fn not_allowed(what: &str) -> ApiError {
    ApiError::new(403, "model_not_allowed", format!("this key may not use {what}")).param("model")
}

/// Fails closed: the operator's log says why, the client learns nothing.
fn misconfigured(log: &str, out: &mut Effects) -> ApiError {
    out.push(Effect::Log { level: LogLevel::Error, message: log.to_owned() });
    ApiError::new(500, "internal_error", "the gateway is not configured for this upstream")
}

fn too_large_error(limit: usize) -> ApiError {
    let message = format!("the body is too large; the limit is {limit} bytes");
    ApiError::new(413, "request_too_large", message)
}

fn set(name: &'static str, value: &[u8]) -> Effect {
    Effect::SetHeader { on: Direction::Request, name: name.into(), value: value.to_vec() }
}
