//! Plugin configurations checked offline, by the filters' own code.

use schemars::Schema;
use tollgate_config::{Problems, Warning};
use tollgate_effects::{Environment, Plugin};

use crate::config_file::ConfigFile;
use crate::modules::UnknownFilter;
use crate::plan::Plan;
use crate::source::{self, Mistake, Source};

/// A filter as far as its configuration goes.
pub struct Checker {
    /// The filter's name.
    pub name: &'static str,
    check: fn(&[u8]) -> Result<Vec<Warning>, Problems>,
    schema: fn() -> Schema,
}

/// What the filters of `plan` that are ours say against their configurations, where it is written.
/// Only what is known offline: each environment variable counts as set.
pub fn refusals(plan: &Plan) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    for (i, link) in plan.scenario.chain.iter().enumerate() {
        let (Some(name), Some(filter)) = (&link.filter, plan.chain.get(i)) else { continue };
        let Ok(checker) = Checker::named(name) else { continue };
        let Err(problems) = checker.check(&filter.config) else { continue };
        // Read again: it is the exception, and the loader has forgotten places.
        let in_file = link.config_file.as_deref().and_then(|file| {
            let file = plan.path.parent()?.join(file);
            let file = ConfigFile::new(&file, source::bounded(&file, source::MOST_BYTES).ok()?);
            file.ok()
        });
        let of_file = in_file.as_ref().and_then(|file| {
            let config = file.named(link.plugin.as_ref().unwrap_or(name)).ok()?;
            Some((file, config))
        });
        let scenario = Source::read(&plan.path).ok();
        for problem in problems.list {
            mistakes.push(match (&of_file, &scenario) {
                (Some((file, config)), _) => file.locate(config, problem),
                (None, Some(scenario)) => {
                    scenario.locate_in(0, &format!("chain[{i}].config"), problem)
                }
                (None, None) => Mistake { file: plan.path.clone(), position: None, problem },
            });
        }
    }
    mistakes
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
