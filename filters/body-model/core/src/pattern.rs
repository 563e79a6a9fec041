//! Names with at most one `*`, and which of them a name belongs to.
//!
//! Not here: what a match means (aliases in [`crate::policy`], factors in [`crate::config`]).

use std::cmp::Reverse;

/// A set of patterns, each known by its place among those it was made of.
///
/// Of the patterns that a name matches, the one counts that is the name itself; else the one with the most
/// characters besides `*`, of those the one with the most in front of it, of those the first in alphabetical
/// order. So the order in which they were written never matters.
///
/// Names without `*` are looked up; those with one are tried one by one.
#[derive(Debug, Default)]
pub(crate) struct Patterns {
    /// Ascending.
    exact: Vec<(String, usize)>,
    /// In the order in which they are tried.
    wild: Vec<Wild>,
}

/// A pattern with a `*`.
#[derive(Debug)]
struct Wild {
    before: String,
    behind: String,
    index: usize,
}

/// What a name matched.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Match<'a> {
    /// The pattern's place among those that the set was made of.
    pub(crate) index: usize,
    /// What `*` stands for, perhaps nothing; `None` if the pattern has none.
    pub(crate) star: Option<&'a str>,
}

impl Patterns {
    /// The set of these patterns. A second `*` is an ordinary character; of equal patterns the last counts.
    pub(crate) fn new<'a>(patterns: impl Iterator<Item = &'a str>) -> Self {
        let mut set = Self::default();
        for (index, pattern) in patterns.enumerate() {
            match pattern.split_once('*') {
                None => match set.place(pattern) {
                    Ok(at) => set.exact.get_mut(at).into_iter().for_each(|same| same.1 = index),
                    Err(at) => set.exact.insert(at, (pattern.to_owned(), index)),
                },
                Some((before, behind)) => {
                    let (before, behind) = (before.to_owned(), behind.to_owned());
                    let wild = Wild { before, behind, index };
                    // Each to its place: a sort is more code than all the rest of this.
                    let at = set.wild.partition_point(|other| other.rank() < wild.rank());
                    set.wild.insert(at, wild);
                }
            }
        }
        set
    }

    /// The pattern that `name` belongs to.
    pub(crate) fn find<'a>(&self, name: &'a str) -> Option<Match<'a>> {
        if let Ok(at) = self.place(name) {
            return self.exact.get(at).map(|(_, index)| Match { index: *index, star: None });
        }
        self.wild.iter().find_map(|wild| {
            let star = name.strip_prefix(wild.before.as_str())?;
            let star = star.strip_suffix(wild.behind.as_str())?;
            Some(Match { index: wild.index, star: Some(star) })
        })
    }
}

impl Patterns {
    fn place(&self, name: &str) -> Result<usize, usize> {
        self.exact.binary_search_by(|(exact, _)| exact.as_str().cmp(name))
    }
}

impl Wild {
    /// What is tried first is least.
    fn rank(&self) -> (Reverse<usize>, Reverse<usize>, &str, &str, Reverse<usize>) {
        let literal = self.before.len().saturating_add(self.behind.len());
        let prefix = self.before.len();
        (Reverse(literal), Reverse(prefix), &self.before, &self.behind, Reverse(self.index))
    }
}

/// `target` with what `*` matched in place of its `*`.
pub(crate) fn fill(target: &str, star: Option<&str>) -> String {
    match (target.split_once('*'), star) {
        (Some((before, behind)), Some(star)) => [before, star, behind].concat(),
        _ => target.to_owned(),
    }
}

#[cfg(test)]
mod tests;
