//! Checks of paths besides the built-in ones.

use tollgate_api::{Endpoint, Paths};
use tollgate_config::{Reader, nearest};

use super::raw::RawPath;

/// The built-in paths, these, and what is below the prefixes.
pub(super) fn check(more: Vec<RawPath>, prefixes: Vec<String>, reader: &mut Reader) -> Paths {
    let mut paths = Vec::new();
    for (i, raw) in more.into_iter().enumerate() {
        let name = raw.endpoint.unwrap_or_default();
        let endpoint = Endpoint::from_name(&name);
        if endpoint.is_none() {
            let near = nearest(&name, Endpoint::ALL.into_iter().map(Endpoint::name));
            let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            let expected = "expected the name of an operation, such as `chat_completions`";
            reader.problem(format!("paths[{i}].endpoint"), format!("{expected}{hint}"));
        }
        // Any will do for one that was refused: the places of the others must stay.
        let endpoint = endpoint.unwrap_or(Endpoint::ChatCompletions);
        paths.push((raw.path.unwrap_or_default(), endpoint));
    }
    Paths::new(paths, prefixes).unwrap_or_else(|problems| {
        for problem in problems {
            reader.problem(problem.at, problem.message);
        }
        Paths::default()
    })
}

/// The names of the operations that can be put at a path: those that name the model in the body.
#[cfg(feature = "schema")]
pub(super) fn endpoints() -> Vec<Option<&'static str>> {
    let in_body = Endpoint::ALL.into_iter().filter(|endpoint| !endpoint.is_named_in_path());
    in_body.map(Endpoint::name).map(Some).chain([None]).collect()
}
