//! Stub.
use tollgate_api::Listing;
use tollgate_effects::{Context, Effect, Headers};
use crate::config::Config;
pub(crate) fn answer(_: &Config, _: &Listing, _: &Headers<'_>, _: Context<'_>) -> Effect { Effect::ClearRouteCache }
