//! Plugin configurations checked offline, by the filters' own code.

use schemars::Schema;
use tollgate_config::{Problems, Warning};
use tollgate_effects::{Environment, Plugin};

use crate::modules::UnknownFilter;

/// A filter as far as its configuration goes.
pub struct Checker {
    /// The filter's name.
    pub name: &'static str,
    check: fn(&[u8]) -> Result<Vec<Warning>, Problems>,
    schema: fn() -> Schema,
}

/// In request order.
const CHECKERS: &[Checker] = &[
    Checker::of::<key_check_core::KeyCheck>(key_check_core::config_schema),
    Checker::of::<body_model_core::BodyModel>(body_model_core::config_schema),
    Checker::of::<token_count_core::TokenCount>(token_count_core::config_schema),
    Checker::of::<provider_rewrite_core::ProviderRewrite>(provider_rewrite_core::config_schema),
];

impl Checker {
    /// The checker of filter `name`.
    ///
    /// # Errors
    ///
    /// [`UnknownFilter`], with the nearest name.
    pub fn named(name: &str) -> Result<&'static Self, UnknownFilter> {
        CHECKERS.iter().find(|c| c.name == name).ok_or_else(|| UnknownFilter::new(name))
    }

    /// Every filter, in request order.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        CHECKERS.iter()
    }

    /// What the filter says about `config` (JSON). Environment variables of the VM cannot be known
    /// here, so each counts as set.
    ///
    /// # Errors
    ///
    /// Every problem, as the filter logs them when it refuses the configuration.
    pub fn check(&self, config: &[u8]) -> Result<Vec<Warning>, Problems> {
        (self.check)(config)
    }

    /// The JSON Schema of the configuration, as in the filter's `config/schema.json`.
    ///
    /// # Errors
    ///
    /// None that a schema could cause: writing JSON into memory.
    pub fn schema(&self) -> serde_json::Result<String> {
        Ok(serde_json::to_string_pretty(&(self.schema)())? + "\n")
    }

    const fn of<P: Plugin>(schema: fn() -> Schema) -> Self {
        Self { name: P::NAME, check: check::<P>, schema }
    }
}

fn check<P: Plugin>(config: &[u8]) -> Result<Vec<Warning>, Problems> {
    P::configure(config, &AllSet).map(|configured| configured.warnings)
}

/// An environment in which every variable is set.
struct AllSet;

impl Environment for AllSet {
    fn variable(&self, _: &str) -> Option<String> {
        Some("set".to_owned())
    }
}
