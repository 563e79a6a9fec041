//! Which models there are, what else they are called, and whether this caller may use one.

use tollgate_effects::Context;
use tollgate_facts::{CallerModels, Unreadable};

use crate::document::check_model;
use crate::estimate::Estimator;
use crate::pattern::{Patterns, fill};
use crate::refusal::Refusal;

/// Names, and who may use them.
#[derive(Debug, Default)]
pub(crate) struct Policy {
    /// The models that are known by name.
    pub(crate) catalogue: Catalogue,
    /// Other names of models.
    pub(crate) aliases: Aliases,
    /// What happens to a model that is not in the catalogue.
    pub(crate) unknown: Unknown,
    /// Whether a caller must have been published.
    pub(crate) require_caller: bool,
    /// The most bytes of a model's name.
    pub(crate) max_model_bytes: usize,
}

/// What a model's name stands for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Resolved {
    /// The model: the name that routes, limits and the caller's list are about.
    pub(crate) model: String,
    /// The model that serves it: the base of a LoRA adapter, else the model itself.
    pub(crate) base_model: String,
}

/// What happens to a model that is not in the catalogue.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) enum Unknown {
    /// This model is taken in its place.
    Default(String),
    /// It is taken as it is.
    #[default]
    Pass,
    /// It is answered with 404.
    Reject,
}

/// Models by name, in the order of the configuration.
#[derive(Debug, Default)]
pub(crate) struct Catalogue {
    entries: Vec<Entry>,
    /// Places of the entries, by name, ascending.
    by_name: Vec<usize>,
}

/// A model in the catalogue.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Entry {
    pub(crate) name: String,
    /// Who it is from.
    pub(crate) owned_by: Option<String>,
    /// When it was made, in seconds since 1970; 0: not known.
    pub(crate) created: u64,
    /// The model that serves it, if it is a LoRA adapter.
    pub(crate) base_model: Option<String>,
}

/// Other names of models. Each is applied once: a target is never looked up as an alias.
#[derive(Debug, Default)]
pub(crate) struct Aliases {
    patterns: Patterns,
    /// What is written for each pattern, and what for.
    pairs: Vec<(String, String)>,
}

impl Policy {
    /// Who is calling.
    ///
    /// # Errors
    ///
    /// If nobody was published where the configuration requires it, or nobody who can be read.
    pub(crate) fn caller(&self, ctx: Context<'_>) -> Result<Option<CallerModels>, Refusal> {
        let caller = CallerModels::read::<Option<Estimator>>(ctx)
            .map_err(|Unreadable| Refusal::CallerUnreadable)?;
        if caller.is_none() && self.require_caller {
            return Err(Refusal::NoCaller);
        }
        Ok(caller)
    }

    /// The model that `requested` stands for, if it exists and the caller may use it.
    ///
    /// In this order: is there a caller ([`Self::caller`]), does the model exist, may the caller use it. So
    /// nobody without a caller can find out which models exist, while a caller with a list can (it gets 404
    /// for a model that is not there and 403 for one it may not use), and a misspelt name is not
    /// taken for a missing permission.
    pub(crate) fn resolve(
        &self,
        requested: &str,
        caller: Option<&CallerModels>,
    ) -> Result<Resolved, Refusal> {
        let mut model = match self.aliases.of(requested) {
            None => requested.to_owned(),
            Some((_, target)) => {
                check_model(&target, self.max_model_bytes)?;
                target
            }
        };
        let mut entry = self.catalogue.get(&model);
        if entry.is_none() {
            match &self.unknown {
                Unknown::Pass => {}
                Unknown::Reject => return Err(Refusal::NotFound(requested.to_owned())),
                Unknown::Default(default) => {
                    model.clone_from(default);
                    entry = self.catalogue.get(&model);
                }
            }
        }
        if caller.is_some_and(|caller| !caller.allow(&model)) {
            return Err(Refusal::NotAllowed(requested.to_owned()));
        }
        let base_model =
            entry.and_then(|entry| entry.base_model.as_ref()).unwrap_or(&model).clone();
        Ok(Resolved { model, base_model })
    }

    /// The model in the catalogue that `id` stands for, if the caller may use it: for the list of models.
    pub(crate) fn known(&self, id: &str, caller: Option<&CallerModels>) -> Option<&Entry> {
        let target = self.aliases.of(id).map(|(_, target)| target);
        let entry = self.catalogue.get(target.as_deref().unwrap_or(id))?;
        caller.is_none_or(|caller| caller.allow(&entry.name)).then_some(entry)
    }

    /// The model to try next that `requested` stands for; as [`Self::resolve`], but the client reads that it
    /// is about its `fallbacks`.
    pub(crate) fn resolve_fallback(
        &self,
        requested: &str,
        caller: Option<&CallerModels>,
    ) -> Result<String, Refusal> {
        match self.resolve(requested, caller) {
            // Of one that `*` filled in: its parts were checked, the list's separator may be among them.
            Ok(Resolved { model, .. }) if !model.contains(',') => Ok(model),
            Ok(_) => Err(Refusal::Option("fallbacks", crate::refusal::InvalidOption::Comma)),
            Err(refusal) => Err(Refusal::Fallback(Box::new(refusal))),
        }
    }
}

impl Catalogue {
    /// Adds a model. False if there is one of this name, which is kept.
    pub(crate) fn add(&mut self, entry: Entry) -> bool {
        let Err(at) = self.place(&entry.name) else { return false };
        self.by_name.insert(at, self.entries.len());
        self.entries.push(entry);
        true
    }

    /// The model of this name.
    pub(crate) fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.get(*self.by_name.get(self.place(name).ok()?)?)
    }

    /// The model of this name, to change it.
    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut Entry> {
        let at = *self.by_name.get(self.place(name).ok()?)?;
        self.entries.get_mut(at)
    }

    fn place(&self, name: &str) -> Result<usize, usize> {
        let name_at = |at: &usize| self.entries.get(*at).map(|entry| entry.name.as_str());
        self.by_name.binary_search_by(|at| name_at(at).cmp(&Some(name)))
    }

    /// The models, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

impl Aliases {
    /// From pairs of a name or pattern and its target, whose `*` is what that of the pattern matched.
    pub(crate) fn new(pairs: Vec<(String, String)>) -> Self {
        let patterns = Patterns::new(pairs.iter().map(|(alias, _)| alias.as_str()));
        Self { patterns, pairs }
    }

    /// The alias that `name` is, as it is written, and the model that it stands for.
    pub(crate) fn of(&self, name: &str) -> Option<(&str, String)> {
        let found = self.patterns.find(name)?;
        let (alias, target) = self.pairs.get(found.index)?;
        Some((alias, fill(target, found.star)))
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// The aliases without `*`.
    pub(crate) fn exact(&self) -> impl Iterator<Item = &str> {
        self.pairs.iter().map(|(alias, _)| alias.as_str()).filter(|alias| !alias.contains('*'))
    }
}

#[cfg(test)]
mod tests;
