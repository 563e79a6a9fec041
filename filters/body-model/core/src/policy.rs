//! Which models there are, what else they are called, and whether this caller may use one.

use std::collections::{BTreeMap, BTreeSet};

use tollgate_effects::Context;
use tollgate_facts::{Caller, key};

use crate::refusal::Refusal;

/// Names, and who may use them.
#[derive(Debug, Default)]
pub(crate) struct Policy {
    /// Other names of models; each target is a model, never another alias.
    pub(crate) aliases: BTreeMap<String, String>,
    /// The models there are; `None`: any.
    pub(crate) catalogue: Option<BTreeSet<String>>,
    /// Whether a caller must have been published.
    pub(crate) require_caller: bool,
}

impl Policy {
    /// The model that `requested` stands for, if it exists and the caller may use it.
    ///
    /// In this order: is there a caller, does the model exist, may the caller use it. So nobody
    /// without a caller can find out which models exist, while a caller with a list can (it gets 404
    /// for a model that is not there and 403 for one it may not use), and a misspelt name is not
    /// taken for a missing permission.
    pub(crate) fn resolve<'a>(
        &'a self,
        requested: &'a str,
        ctx: Context<'_>,
    ) -> Result<&'a str, Refusal> {
        let caller = tollgate_facts::read::<Caller>(ctx, key::CALLER)
            .map_err(|tollgate_facts::Unreadable| Refusal::CallerUnreadable)?;
        if caller.is_none() && self.require_caller {
            return Err(Refusal::NoCaller);
        }
        let model = self.aliases.get(requested).map_or(requested, String::as_str);
        if self.catalogue.as_ref().is_some_and(|catalogue| !catalogue.contains(model)) {
            return Err(Refusal::NotFound(requested.to_owned()));
        }
        if caller.is_some_and(|caller| !caller.allows(model)) {
            return Err(Refusal::NotAllowed(requested.to_owned()));
        }
        Ok(model)
    }
}
