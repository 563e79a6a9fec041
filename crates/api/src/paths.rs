//! Which operation a path names: the API, and what a configuration adds to it.

use crate::call::PathReason;
use crate::operations::{Operation, Place};
use crate::{Call, Endpoint, PathError, PathModel, operations, pattern, segments};

/// The paths of the API: the built-in ones, and those of a configuration.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Paths {
    /// More paths, as patterns; the first that matches.
    more: Vec<(String, Endpoint)>,
    /// Patterns below which the built-in API is found too.
    prefixes: Vec<String>,
}

/// What is wrong with an entry of a configuration.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PathsProblem {
    /// Where, such as `paths[0].path` or `pathPrefixes[3]`.
    pub at: String,
    /// What was found, what is expected.
    pub message: String,
}

/// The most entries of `paths`, and the most of `pathPrefixes`.
const MOST_ENTRIES: usize = 64;

impl Paths {
    /// The API alone.
    pub const BUILT_IN: Self = Self { more: Vec::new(), prefixes: Vec::new() };

    /// The API with more paths and prefixes, each a pattern: `*` is any one segment.
    pub fn new(
        more: Vec<(String, Endpoint)>,
        mut prefixes: Vec<String>,
    ) -> Result<Self, Vec<PathsProblem>> {
        let mut problems = Vec::new();
        let mut problem = |at: String, message: String| problems.push(PathsProblem { at, message });
        for (name, count) in [("paths", more.len()), ("pathPrefixes", prefixes.len())] {
            if count > MOST_ENTRIES {
                let message = format!("{count} entries, expected at most {MOST_ENTRIES}");
                problem(name.into(), message);
            }
        }
        for (i, (path, endpoint)) in more.iter().enumerate().take(MOST_ENTRIES) {
            if let Some(message) = pattern::problem(path) {
                problem(format!("paths[{i}].path"), message);
            } else if more.iter().take(i).any(|(other, _)| other.eq_ignore_ascii_case(path)) {
                problem(format!("paths[{i}].path"), "this path is there twice".into());
            } else if let Some(known) = operations::find(path.as_bytes()) {
                let message = format!("this path is `{}` already", known.endpoint.name());
                problem(format!("paths[{i}].path"), message);
            }
            if endpoint.is_named_in_path() {
                let message = format!(
                    "`{}` names its model in the path, expected an endpoint with the model in its body; use `pathPrefixes` to serve it below another path",
                    endpoint.name()
                );
                problem(format!("paths[{i}].endpoint"), message);
            }
        }
        for (i, prefix) in prefixes.iter().enumerate().take(MOST_ENTRIES) {
            if let Some(message) = pattern::problem(prefix) {
                problem(format!("pathPrefixes[{i}]"), message);
            } else if prefixes.iter().take(i).any(|other| other.eq_ignore_ascii_case(prefix)) {
                problem(format!("pathPrefixes[{i}]"), "this prefix is there twice".into());
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        // The shortest first: what is below it is the longest operation.
        prefixes.sort_by_key(|prefix| prefix.split('/').count());
        Ok(Self { more, prefixes })
    }

    /// What `path` (the bytes of `:path`) calls; `None` for a path outside the API.
    ///
    /// Escapes, repeated slashes, dot segments, parameters, upper case and a slash at the end do not
    /// hide an operation. Where they could change which model a server reads from the path, or the
    /// model's name is not one for all servers, the path is refused. Nothing is allocated but the
    /// model's name, unless the path is unusual.
    pub fn call(&self, path: &[u8]) -> Result<Option<Call>, PathError> {
        let raw = segments::without_query(path);
        let strict = self.find(segments::without_last_slash(raw));
        if segments::is_plain(raw) {
            return strict.map(|operation| checked(operation, raw)).transpose();
        }
        self.unusual(strict, raw)
    }

    /// The patterns below which the API is found too, the shortest first.
    pub(crate) fn prefixes(&self) -> impl Iterator<Item = &str> {
        self.prefixes.iter().map(String::as_str)
    }

    /// What `raw` calls, if a server that takes it as it is (`strict`) and one that undoes all its
    /// oddities read the same model.
    #[cold]
    fn unusual(&self, strict: Option<Operation>, raw: &[u8]) -> Result<Option<Call>, PathError> {
        let undone = segments::loosely(raw);
        let loose = self.find(&undone);
        let in_body = |found: &Option<Operation>| {
            found.as_ref().is_none_or(|found| found.model == Place::Body)
        };
        if in_body(&strict) && in_body(&loose) {
            return strict.or(loose).map(|operation| checked(operation, raw)).transpose();
        }
        let (strict, loose) = match (strict, loose) {
            (Some(strict), Some(loose)) => (strict, loose),
            (Some(only), None) => {
                let call = checked(only, raw)?;
                return Err(unclear(call.endpoint));
            }
            (None, Some(only)) => return Err(unclear(only.endpoint)),
            (None, None) => return Ok(None),
        };
        let read = match &loose.model {
            Place::Path(range) => undone.get(range.clone()),
            Place::Body | Place::Unclear => None,
        };
        let call = checked(strict, raw)?;
        let is_same = call.endpoint == loose.endpoint
            && call.streams == loose.streams
            && read.is_some()
            && read == call.model.as_ref().map(|model| model.name.as_bytes())
            && segments::is_orderly(raw);
        if is_same { Ok(Some(call)) } else { Err(unclear(call.endpoint)) }
    }

    /// What `path`, without query, names as it is.
    fn find(&self, path: &[u8]) -> Option<Operation> {
        let built_in = operations::find(path);
        if self.more.is_empty() && self.prefixes.is_empty() {
            return built_in;
        }
        let below = |prefix: &String| {
            let rest = pattern::strip(path, prefix.as_bytes())?;
            operations::find(rest).map(|found| found.moved(path.len().saturating_sub(rest.len())))
        };
        let more = || {
            let is_it = |pattern: &str| pattern::strip(path, pattern.as_bytes()) == Some(b"");
            let (_, endpoint) = self.more.iter().find(|(pattern, _)| is_it(pattern))?;
            Some(Operation::in_body(*endpoint))
        };
        let mut found = built_in.or_else(more);
        for other in self.prefixes.iter().filter_map(below) {
            match &mut found {
                None => found = Some(other),
                Some(found) if found.model != Place::Body || other.model != Place::Body => {
                    if *found != other {
                        found.model = Place::Unclear;
                    }
                }
                Some(_) => {}
            }
        }
        found
    }
}

/// The call of `operation`, if its model is a name.
fn checked(operation: Operation, raw: &[u8]) -> Result<Call, PathError> {
    let Operation { endpoint, streams, model } = operation;
    let model = match model {
        Place::Body => None,
        Place::Unclear => return Err(unclear(endpoint)),
        Place::Path(range) => {
            let name = raw.get(range.clone()).and_then(segments::name);
            let Some(name) = name else {
                return Err(PathError { dialect: endpoint.dialect(), reason: PathReason::Model });
            };
            Some(PathModel { name, range })
        }
    };
    Ok(Call { endpoint, model, streams })
}

fn unclear(endpoint: Endpoint) -> PathError {
    PathError { dialect: endpoint.dialect(), reason: PathReason::Unclear }
}

#[cfg(test)]
mod tests;
