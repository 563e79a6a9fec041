//! Stage one: JSON to a raw struct, past every mistake on the way.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::deserializer::{Node, Segment};
use crate::fields::{FromValue, Place};
use crate::json::Json;
use crate::{Problem, Problems, nearest};

/// More mistakes than this are not listed: the reader has enough to do.
const MOST_PROBLEMS: usize = 50;

/// Collects the problems of one configuration through both stages.
#[derive(Debug)]
pub struct Reader {
    filter: &'static str,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
    /// Where stage one took a value out: stage two must not complain that it is missing.
    taken_out: Vec<String>,
}

/// Reads `config` (JSON; empty, or only white space, means `{}`) into `T`, noting every mistake.
/// What could not be read is left at its default.
pub fn read<T: DeserializeOwned + Default>(filter: &'static str, config: &[u8]) -> (T, Reader) {
    let mut reader = Reader::new(filter);
    let mut value: Value = match serde_json::from_slice(or_empty(config)) {
        Ok(value) => value,
        Err(error) => {
            reader.take_out(String::new(), format!("not valid JSON: {error}"));
            return (T::default(), reader);
        }
    };
    for _ in 0..MOST_PROBLEMS {
        let error = match T::deserialize(Node(&value)) {
            Ok(raw) => return (raw, reader),
            Err(error) => error,
        };
        let path = error.path();
        reader.take_out(written(&path), reworded(error.message));
        if !disarm::<T>(&mut value, &path) {
            break;
        }
    }
    (T::default(), reader)
}

/// As [`read()`], with a table of fields instead of serde.
pub fn read_fields<T: FromValue + Default>(filter: &'static str, config: &[u8]) -> (T, Reader) {
    let mut reader = Reader::new(filter);
    let raw = match Json::parse(or_empty(config)) {
        Ok(value) => T::from_value(&value, &mut Place { reader: &mut reader, path: String::new() }),
        Err(error) => {
            reader.take_out(String::new(), format!("not valid JSON: {error}"));
            None
        }
    };
    (raw.unwrap_or_default(), reader)
}

fn or_empty(config: &[u8]) -> &[u8] {
    if config.trim_ascii().is_empty() { b"{}" } else { config }
}

impl Reader {
    fn new(filter: &'static str) -> Self {
        Self { filter, problems: Vec::new(), warnings: Vec::new(), taken_out: Vec::new() }
    }

    /// Notes a problem of stage two, unless stage one already complained about the same place.
    pub fn problem(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.note(Problem { path: path.into(), message: message.into() });
    }

    /// Notes something that the operator should know but that works.
    pub fn warning(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.warnings.push(Problem { path: path.into(), message: message.into() });
    }

    /// The warnings, if there was no problem.
    ///
    /// # Errors
    ///
    /// Every problem of both stages.
    pub fn finish(self) -> Result<Vec<Problem>, Problems> {
        if self.problems.is_empty() {
            Ok(self.warnings)
        } else {
            Err(Problems { filter: self.filter, list: self.problems })
        }
    }

    // Once, not at each of the many places that find a problem.
    #[inline(never)]
    fn note(&mut self, problem: Problem) {
        if !self.taken_out.iter().any(|out| covers(out, &problem.path)) {
            self.problems.push(problem);
        }
    }

    pub(crate) fn take_out(&mut self, path: String, message: String) {
        if self.problems.len() >= MOST_PROBLEMS {
            return;
        }
        self.taken_out.push(path.clone());
        self.problems.push(Problem { path, message });
    }
}

/// Whether a complaint about `outer` makes one about `inner` superfluous.
fn covers(outer: &str, inner: &str) -> bool {
    outer.is_empty()
        || inner
            .strip_prefix(outer)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

fn written(path: &[Segment]) -> String {
    let mut out = String::new();
    for segment in path {
        match segment {
            Segment::Index(index) => out.push_str(&format!("[{index}]")),
            Segment::Key(key) => {
                if !out.is_empty() {
                    out.push('.');
                }
                out.push_str(key);
            }
        }
    }
    out
}

/// Takes the mistaken value at `path` out, so that reading can go on behind it: a member is removed,
/// an element replaced by something empty that the type accepts (removing it would renumber the rest).
/// False if there is nothing to take out.
fn disarm<T: DeserializeOwned>(root: &mut Value, path: &[Segment]) -> bool {
    match path.split_last() {
        None => false,
        Some((Segment::Key(key), parents)) => at(root, parents)
            .and_then(Value::as_object_mut)
            .is_some_and(|members| members.remove(key).is_some()),
        Some((Segment::Index(_), _)) => {
            let harmless =
                [Value::Object(serde_json::Map::new()), "".into(), 0.into(), Value::Array(vec![])];
            harmless.into_iter().any(|candidate| {
                let Some(place) = at(root, path) else { return false };
                *place = candidate;
                T::deserialize(Node(root)).map_or_else(|error| error.path() != path, |_| true)
            })
        }
    }
}

/// The value at the end of `path`.
fn at<'a>(root: &'a mut Value, path: &[Segment]) -> Option<&'a mut Value> {
    path.iter().try_fold(root, |value, segment| match segment {
        Segment::Index(index) => value.get_mut(*index),
        Segment::Key(key) => value.get_mut(key.as_str()),
    })
}

/// Serde's message, with the nearest right word for a wrong one.
fn reworded(message: String) -> String {
    let words: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    if (message.starts_with("unknown field") || message.starts_with("unknown variant"))
        && let Some((found, expected)) = words.split_first()
        && let Some(near) = nearest(found, expected.iter().copied())
    {
        return format!("{message}; did you mean `{near}`?");
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Default, Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields, default)]
    struct Raw {
        keys: Vec<RawKey>,
        max_bytes: Option<u32>,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields, default)]
    struct RawKey {
        id: Option<String>,
        models: Vec<String>,
    }

    fn problems(config: &str) -> Vec<String> {
        let (raw, mut reader) = read::<Raw>("test", config.as_bytes());
        for (i, key) in raw.keys.iter().enumerate() {
            if key.id.is_none() {
                reader.problem(format!("keys[{i}].id"), "missing");
            }
        }
        match reader.finish() {
            Ok(_) => Vec::new(),
            Err(problems) => problems.list.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn nothing_is_an_empty_object() {
        assert!(problems("").is_empty());
        assert!(problems(" \n").is_empty());
    }

    #[test]
    fn all_mistakes_of_both_stages_are_named() {
        let found = problems(
            r#"{"keys": [{"id": 3, "models": ["a", 7]}, {"idd": "x"}, 9], "maxBytes": "1"}"#,
        );
        assert_eq!(
            found,
            [
                "keys[0].id: invalid type: integer `3`, expected a string",
                "keys[0].models[1]: invalid type: integer `7`, expected a string",
                "keys[1].idd: unknown field `idd`, expected `id` or `models`; did you mean `id`?",
                "keys[2]: invalid type: integer `9`, expected struct RawKey",
                "maxBytes: invalid type: a string, expected u32",
                "keys[1].id: missing",
            ]
        );
    }

    #[test]
    fn broken_json_is_one_problem_without_a_path() {
        let found = problems(r#"{"keys": "#);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("not valid JSON: EOF"), "{found:?}");
    }

    #[test]
    fn a_string_of_the_configuration_is_never_repeated() {
        let found = problems(r#"{"keys": "sk-\"secret, expected"}"#);
        assert_eq!(found, ["keys: invalid type: a string, expected a sequence"]);
    }
}
