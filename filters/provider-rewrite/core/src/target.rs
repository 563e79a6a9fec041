//! Where this attempt goes: provider and model from the host's metadata.

use tollgate_effects::Context;

use crate::config::{Config, Provider};

/// Where the host says which provider an endpoint is: its own metadata, else its cluster's.
const PLACES: [[&str; 3]; 2] = [
    ["xds", "upstream_host_metadata", "filter_metadata"],
    ["xds", "cluster_metadata", "filter_metadata"],
];

/// What this attempt goes to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    /// Index in the configuration.
    pub(crate) provider: usize,
}

/// Why there is no target; for the operator's log.
#[derive(Debug)]
pub(crate) enum NoTarget {
    NoMetadata,
    /// The metadata names a provider that the configuration does not have.
    Unknown(String),
}

impl Target {
    /// The target of this attempt.
    pub(crate) fn choose(ctx: Context<'_>, config: &Config) -> Result<Self, NoTarget> {
        let provider = match metadata(ctx, "provider") {
            Some(name) => match config.provider_named(&name) {
                Some(index) => index,
                None => return Err(NoTarget::Unknown(name)),
            },
            None => config.default_provider.ok_or(NoTarget::NoMetadata)?,
        };
        Ok(Self { provider })
    }

    /// Its configuration.
    pub(crate) fn provider<'c>(&self, config: &'c Config) -> Option<&'c Provider> {
        config.providers.get(self.provider)
    }
}

/// The gateway's name of the model that this endpoint serves, if the metadata says so.
pub(crate) fn model(ctx: Context<'_>) -> Option<String> {
    metadata(ctx, "model")
}

fn metadata(ctx: Context<'_>, key: &str) -> Option<String> {
    PLACES.iter().find_map(|[xds, of, filter_metadata]| {
        let value = ctx.property(&[xds, of, filter_metadata, "tollgate", key])?;
        // Names are UTF-8; whatever else is there is no known provider, which refuses the attempt.
        Some(String::from_utf8_lossy(&value).into_owned())
    })
}

impl NoTarget {
    /// For the operator: what is wrong and how to fix it.
    pub(crate) fn log(&self, config: &Config) -> String {
        let known: Vec<&str> = config.providers.iter().map(|p| p.name.as_str()).collect();
        let known = known.join(", ");
        match self {
            Self::NoMetadata => format!(
                "provider-rewrite: no provider for this attempt: neither endpoint nor cluster has metadata `tollgate: {{provider: <name>}}`, and there is no defaultProvider; known: {known}"
            ),
            Self::Unknown(name) => format!(
                "provider-rewrite: the metadata of endpoint or cluster names provider `{}`, which the configuration does not have; known: {known}",
                name.escape_default()
            ),
        }
    }
}
