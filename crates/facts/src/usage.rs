//! What a request cost.

use serde::{Deserialize, Serialize};

/// The tokens of one exchange, under [`crate::key::USAGE`].
///
/// Counts follow OpenAI's inclusive rule: cached and cache-write tokens are part of `prompt`,
/// reasoning tokens part of `completion`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Prompt tokens, cache reads and writes included.
    pub prompt: u64,
    /// Completion tokens, reasoning included.
    pub completion: u64,
    /// The provider's total, else the sum.
    pub total: u64,
    /// Prompt tokens read from the provider's cache.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cached: u64,
    /// Prompt tokens written to the provider's cache.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cache_write: u64,
    /// Completion tokens spent on reasoning.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub reasoning: u64,
    /// How far the counts can be trusted.
    pub status: UsageStatus,
}

/// How far the counts of a [`Usage`] can be trusted.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum UsageStatus {
    /// Computed by the gateway, since the provider gave none.
    Estimated,
    /// The provider's own final numbers.
    Exact,
    /// The exchange broke off; the provider's numbers so far.
    Partial,
    /// No numbers could be had.
    #[default]
    Unknown,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}
