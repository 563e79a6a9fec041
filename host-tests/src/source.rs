//! Files that people write: read within bounds, and mistakes in them told with line and column.
//!
//! A [`Source`] is the text; what is wrong with it is a [`Problem`] with a path
//! (`exchanges[0].request.jsn`), which [`Source::locate`] turns into a [`Mistake`] with a place that an
//! editor can jump to. Only a file with a mistake in it is read for its outline, and one that could
//! make the YAML reader slow.

mod outline;

pub use outline::Position;

use std::cell::OnceCell;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use tollgate_config::Problem;

use outline::Outline;

/// The most bytes of a scenario or a configuration. A body that is larger goes into a `bodyFile`.
pub const MOST_BYTES: u64 = 4 << 20;

/// From so many opening brackets on a text is looked at before the YAML reader has it, which is
/// quadratic in the depth of brackets, and notices a limit on it too late.
const MANY_BRACKETS: usize = 1_000;

/// A mistake in a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mistake {
    /// The file as it was named.
    pub file: PathBuf,
    /// Where in it; `None` if it is the file as a whole.
    pub position: Option<Position>,
    /// What, and by which path.
    pub problem: Problem,
}

impl fmt::Display for Mistake {
    /// `FILE:LINE:COLUMN: path: found …, expected …`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if let Some(Position { line, column }) = self.position {
            write!(f, "{line}:{column}:")?;
        }
        write!(f, " {}", self.problem)
    }
}

impl std::error::Error for Mistake {}

/// The text of a file.
#[derive(Debug)]
pub struct Source {
    file: PathBuf,
    text: String,
    outline: OnceCell<Outline>,
}

impl Source {
    /// Reads `file`; anything that can be read, a pipe as well.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, is larger than [`MOST_BYTES`], or is not UTF-8.
    pub fn read(file: &Path) -> Result<Self, Mistake> {
        let bytes = bounded(file, MOST_BYTES).map_err(|why| whole(file, why))?;
        Self::new(file, bytes)
    }

    /// `bytes` as the text of `file`.
    ///
    /// # Errors
    ///
    /// The first byte that is not UTF-8.
    pub fn new(file: &Path, bytes: Vec<u8>) -> Result<Self, Mistake> {
        let text = String::from_utf8(bytes).map_err(|error| {
            let good = error.utf8_error().valid_up_to();
            let before = error.as_bytes().get(..good).unwrap_or_default();
            let before = String::from_utf8_lossy(before);
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            Mistake {
                position: Some(Position { line, column }),
                ..whole(file, "found bytes that are not UTF-8, expected a text".to_owned())
            }
        })?;
        Ok(Self { file: file.to_owned(), text, outline: OnceCell::new() })
    }

    /// The file as it was named.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether there is nothing in it but white space and comments.
    pub fn is_blank(&self) -> bool {
        let mut lines = self.text.trim_start_matches('\u{feff}').lines().map(str::trim);
        lines.all(|line| line.is_empty() || line.starts_with('#') || line == "---")
    }

    /// The value that the text is as YAML, each key once in each of its mappings; of several documents
    /// each.
    ///
    /// # Errors
    ///
    /// What is wrong with the YAML, and where; nesting beyond 128, aliases that would grow to more than
    /// a million values.
    pub fn yaml(&self) -> Result<Vec<serde_yaml_ng::Value>, Mistake> {
        use serde::Deserialize as _;
        self.harmless()?;
        serde_yaml_ng::Deserializer::from_str(&self.text)
            .map(|document| {
                serde_yaml_ng::Value::deserialize(document).map_err(|error| self.not_yaml(&error))
            })
            .collect()
    }

    /// Where `problem` is. The place of an unknown field is its key, of a key that is there twice the
    /// second one, of a missing field its parent, and of anything else the value.
    pub fn locate(&self, problem: Problem) -> Mistake {
        self.locate_in(0, "", problem)
    }

    /// As [`Source::locate`], for a problem whose path starts at `below` in a `document`, counted from
    /// zero.
    pub fn locate_in(&self, document: usize, below: &str, problem: Problem) -> Mistake {
        let path = match (below, problem.path.as_str()) {
            (below, "") => below.to_owned(),
            ("", path) => path.to_owned(),
            (below, path) if path.starts_with('[') => format!("{below}{path}"),
            (below, path) => format!("{below}.{path}"),
        };
        let position = self.outline().position(document, &path, &problem.message);
        Mistake { file: self.file.clone(), position, problem }
    }

    /// A `problem` at a place that a parser gave, which counts from where the text at `path` begins.
    pub fn locate_inside(
        &self,
        document: usize,
        path: &str,
        inner: Position,
        problem: Problem,
    ) -> Mistake {
        let position = self.outline().inside(document, path, inner);
        Mistake { file: self.file.clone(), position, problem }
    }

    /// A mistake at a place that a parser gave.
    pub fn mistake_at(&self, position: Option<Position>, problem: Problem) -> Mistake {
        Mistake { file: self.file.clone(), position, problem }
    }

    fn outline(&self) -> &Outline {
        self.outline.get_or_init(|| Outline::of(&self.text))
    }

    fn harmless(&self) -> Result<(), Mistake> {
        let brackets = || self.text.bytes().filter(|b| matches!(b, b'[' | b'{')).count();
        if (self.text.contains('&') && self.text.contains('*')) || brackets() > MANY_BRACKETS {
            self.outline().within_limits().map_err(|(position, message)| {
                self.mistake_at(Some(position), problem("", message))
            })?;
        }
        Ok(())
    }

    fn not_yaml(&self, error: &serde_yaml_ng::Error) -> Mistake {
        let position = error.location().map(|l| Position { line: l.line(), column: l.column() });
        let message = without_place(&error.to_string(), position);
        if message.contains("duplicate entry")
            && let Some((path, position)) = self.outline().repeated_key()
        {
            let message = "found this key twice, expected it once";
            return self.mistake_at(Some(position), problem(path, message));
        }
        let message = match message.as_str() {
            "recursion limit exceeded" => outline::TOO_DEEP,
            "repetition limit exceeded" => outline::TOO_MANY,
            other => &format!("not valid YAML: {other}"),
        };
        self.mistake_at(position, problem("", message))
    }
}

/// The bytes of `file`, if they are not more than `most`.
///
/// # Errors
///
/// Why it cannot be read, or that it is too large.
pub fn bounded(file: &Path, most: u64) -> Result<Vec<u8>, String> {
    if file.is_dir() {
        return Err("found a folder, expected a file".to_owned());
    }
    match File::open(file) {
        Ok(open) => all_of(open, most),
        Err(error) => Err(unreadable(&error)),
    }
}

/// What `input` gives, if it is not more than `most` bytes.
///
/// # Errors
///
/// As for [`bounded`].
pub fn all_of(input: impl Read, most: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    input.take(most + 1).read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
    if u64::try_from(bytes.len()).is_ok_and(|found| found > most) {
        return Err(format!("found more than {} MiB, expected at most that", most >> 20));
    }
    Ok(bytes)
}

fn unreadable(error: &io::Error) -> String {
    format!("cannot read the file: {error}")
}

fn whole(file: &Path, message: String) -> Mistake {
    Mistake { file: file.to_owned(), position: None, problem: problem("", message) }
}

fn problem(path: impl Into<String>, message: impl Into<String>) -> Problem {
    Problem { path: path.into(), message: message.into() }
}

/// The YAML reader's `message` without the place that is told apart from it.
pub(crate) fn without_place(message: &str, position: Option<Position>) -> String {
    match position {
        Some(Position { line, column }) => {
            message.replacen(&format!(" at line {line} column {column}"), "", 1)
        }
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests;
