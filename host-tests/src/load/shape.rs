//! Stage one: YAML to the structs of the format, and serde's messages in the words of those who write
//! the files.

use serde_yaml_ng::Value;
use tollgate_config::{Problem, nearest};

use super::problem;
use crate::scenario::Scenario;
use crate::source::{Mistake, Position, Source, without_place};

/// More misspelt fields than this are not listed: the reader has enough to do.
const MOST_PROBLEMS: usize = 50;

/// The scenario that `source` holds.
///
/// # Errors
///
/// YAML that is none, or the first mistake of shape and every field that has no such name.
pub(super) fn read(source: &Source) -> Result<Scenario, Vec<Mistake>> {
    if source.is_blank() {
        let message = "found nothing, expected a scenario: `description`, `chain` and `exchanges` \
                       (`tollgate init` writes an example)";
        return Err(vec![source.mistake_at(None, problem("", message))]);
    }
    // Into `Value` first: only there does a duplicate key in a free-form part (`json:`) not pass.
    let documents = source.yaml().map_err(|mistake| vec![mistake])?;
    if documents.len() > 1 {
        let message = format!("found {} documents, expected one scenario", documents.len());
        return Err(vec![source.locate_in(1, "", problem("", message))]);
    }
    let yaml = serde_yaml_ng::Deserializer::from_str(source.text());
    serde_path_to_error::deserialize(yaml).map_err(|error| {
        let path = written(error.path());
        let place = error.inner().location();
        let place = place.map(|at| Position { line: at.line(), column: at.column() });
        let message = reworded(&path, &without_place(&error.inner().to_string(), place));
        let mut problems = vec![problem(path, message)];
        if let Some(document) = documents.into_iter().next() {
            let more = misspelt(document);
            let first = problems.first().map(|first| first.path.clone());
            problems.extend(more.into_iter().filter(|more| Some(&more.path) != first.as_ref()));
        }
        let mut mistakes: Vec<Mistake> =
            problems.into_iter().map(|problem| source.locate(problem)).collect();
        mistakes.sort_by_key(|mistake| mistake.position);
        mistakes
    })
}

/// Every field of `document` that the format does not have, as far as its shape can be read.
fn misspelt(mut document: Value) -> Vec<Problem> {
    let mut problems = Vec::new();
    // Each round takes out what is wrong, so that the next one finds what is behind it.
    for _ in 0..MOST_PROBLEMS {
        let Err(error) = serde_path_to_error::deserialize::<_, Scenario>(&document) else { break };
        let path = written(error.path());
        let message = reworded(&path, &error.inner().to_string());
        // What is read from the text can be of a shape that is not accepted here: a number as a text.
        if message.starts_with("unknown field") {
            problems.push(problem(path, message));
        }
        if !take_out(&mut document, error.path()) {
            break;
        }
    }
    problems
}

/// Whether there was a member at `path`, which is gone now.
fn take_out(document: &mut Value, path: &serde_path_to_error::Path) -> bool {
    use serde_path_to_error::Segment;
    let mut segments: Vec<&Segment> = path.iter().collect();
    let Some(Segment::Map { key }) = segments.pop() else { return false };
    let mut at = document;
    for segment in segments {
        let next = match segment {
            Segment::Seq { index } => at.get_mut(index),
            Segment::Map { key } => at.get_mut(key),
            Segment::Enum { .. } | Segment::Unknown => None,
        };
        let Some(next) = next else { return false };
        at = next;
    }
    at.as_mapping_mut().is_some_and(|members| members.remove(key.as_str()).is_some())
}

fn written(path: &serde_path_to_error::Path) -> String {
    match path.to_string() {
        dot if dot == "." => String::new(),
        path => path,
    }
}

/// Serde's message without the path that we print ourselves, as found and expected, and with the
/// nearest right word for a misspelt one.
fn reworded(path: &str, message: &str) -> String {
    let message = match message.strip_prefix(path).and_then(|rest| rest.strip_prefix(": ")) {
        Some(rest) if !path.is_empty() => rest,
        _ => message,
    };
    // It names the parent for an unknown field.
    let message = message
        .find("unknown ")
        .filter(|&at| message.get(..at).is_some_and(|before| before.ends_with(": ")))
        .and_then(|at| message.get(at..))
        .unwrap_or(message);
    if let Some(rest) = message.strip_prefix("unknown ") {
        let rest = match rest.strip_prefix("variant ") {
            Some(rest) => format!("found {rest}"),
            None => message.to_owned(),
        };
        let mut words = message.split('`').skip(1).step_by(2);
        return match words.next().and_then(|found| nearest(found, words)) {
            Some(near) => format!("{rest}; did you mean `{near}`?"),
            None => rest,
        };
    }
    if let Some(rest) = ["invalid type: ", "invalid value: ", "invalid length "]
        .into_iter()
        .find_map(|start| message.strip_prefix(start))
        && let Some((found, expected)) = rest.rsplit_once(", expected ")
    {
        return format!("found {}, expected {}", found_words(found), expected_words(expected));
    }
    message.to_owned()
}

/// What serde says it found, in YAML's words.
fn found_words(found: &str) -> String {
    match found {
        "sequence" => "a list".to_owned(),
        "map" => "a mapping".to_owned(),
        "unit value" | "Option value" | "null" => "null".to_owned(),
        _ => match found.split_once(' ') {
            Some(("string", text)) => format!("the text {text}"),
            Some(("integer" | "boolean", value)) => value.to_owned(),
            Some(("floating", rest)) => rest.trim_start_matches("point ").to_owned(),
            _ => found.to_owned(),
        },
    }
}

/// What serde says it expected, for somebody who does not know Rust.
fn expected_words(expected: &str) -> &str {
    match expected {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number, 0 or more",
        "i64" => "a whole number",
        "a boolean" => "`true` or `false`",
        "a string" => "a text",
        "a sequence" => "a list",
        "a map" => "a mapping",
        other if other.starts_with("struct ") => "a mapping of fields",
        other => other,
    }
}
