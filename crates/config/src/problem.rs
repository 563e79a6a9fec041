//! What is wrong with a configuration, in words for the person who wrote it.

use std::fmt;

/// One mistake: where, and what was found and expected there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// Path such as `keys[1].sha256`; empty for the configuration as a whole.
    pub path: String,
    /// Lower-case text: found, expected, how to fix. Never a secret.
    pub message: String,
}

/// Something that works but that the operator should know.
pub type Warning = Problem;

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.path, self.message)
        }
    }
}

/// Every problem of one configuration; never empty.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problems {
    /// The filter whose configuration it is.
    pub filter: &'static str,
    /// The problems, in the order of the file as far as known.
    pub list: Vec<Problem>,
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.list.len();
        let noun = if count == 1 { "problem" } else { "problems" };
        write!(f, "{}: invalid configuration ({count} {noun})", self.filter)?;
        for problem in &self.list {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// The candidate that `word` is most likely a misspelling of, if one is near enough.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // ASCII only: Unicode's tables of cases would be a twentieth of a filter's size.
    let folded = word.to_ascii_lowercase();
    candidates
        .into_iter()
        .map(|c| (strsim::damerau_levenshtein(&folded, &c.to_ascii_lowercase()), c))
        .filter(|(distance, c)| *distance <= (c.len().max(word.len()) / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, c)| c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_finds_a_misspelling_and_nothing_far() {
        let words = ["anthropic", "openai"];
        assert_eq!(nearest("anthropc", words), Some("anthropic"));
        assert_eq!(nearest("OpenAI", words), Some("openai"));
        assert_eq!(nearest("bedrock", words), None);
    }
}
