//! Names of LoRA adapters: a list, or a text that holds a YAML list, as in the ConfigMaps of the body-based
//! router (Gateway API Inference Extension, `pkg/bbr`), so that their `data` can be taken as it is.
//!
//! Of YAML, what lists of names are written in: `- a` and `[a, b]`, plain or quoted, with comments. Whatever
//! could be anything but a name (nested lists, mappings, anchors, `null`, escapes such as `\n`) is refused.

use tollgate_config::{FromValue, Json, Place};

/// Names of adapters, as written.
pub(super) enum Adapters {
    List(Vec<String>),
    /// A YAML list.
    Text(String),
}

impl Adapters {
    /// The names, or the number of the line that cannot be read.
    pub(super) fn into_names(self) -> Result<Vec<String>, usize> {
        match self {
            Self::List(names) => Ok(names),
            Self::Text(text) => {
                let mut list = List { text: &text, at: 0 };
                let names = list.names();
                let read = text.get(..list.at).unwrap_or_default();
                names.ok_or_else(|| read.matches('\n').count().saturating_add(1))
            }
        }
    }
}

impl Default for Adapters {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

impl FromValue for Adapters {
    fn from_value(value: &Json, place: &mut Place<'_>) -> Option<Self> {
        match value {
            Json::Array(_) => Vec::from_value(value, place).map(Self::List),
            Json::String(text) => Some(Self::Text(text.clone())),
            _ => {
                place.expected(value, "a list of names, or text with a YAML list of names");
                None
            }
        }
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Adapters {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Adapters".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"oneOf": [
            {"type": "array", "items": {"type": "string"}},
            {"type": "string"},
        ]})
    }
}

/// A YAML list being read.
struct List<'a> {
    text: &'a str,
    at: usize,
}

impl List<'_> {
    /// The names to the end of the text; `None` if [`Self::at`] is not what can be there.
    fn names(&mut self) -> Option<Vec<String>> {
        let mut names = Vec::new();
        self.skip(true);
        if self.take('[') {
            self.skip(true);
            while !self.take(']') {
                names.push(self.name(true)?);
                self.skip(true);
                if !self.take(',') && self.next() != Some(']') {
                    return None;
                }
                self.skip(true);
            }
            self.skip(true);
            return self.next().is_none().then_some(names);
        }
        let indent = self.indent();
        while self.next().is_some() {
            if self.indent() != indent || indent.is_none() || !self.take('-') {
                return None;
            }
            if !matches!(self.next(), Some(' ' | '\t')) {
                return None;
            }
            self.skip(false);
            names.push(self.name(false)?);
            self.skip(true);
        }
        Some(names)
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn next(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Takes `expected`, which is ASCII, if it comes next.
    fn take(&mut self, expected: char) -> bool {
        let found = self.next() == Some(expected);
        self.at += usize::from(found);
        found
    }

    /// Goes on behind spaces, and behind ends of lines and comments if these are `allowed`.
    fn skip(&mut self, lines: bool) {
        while let Some(next) = self.next() {
            match next {
                ' ' | '\t' => {}
                '\r' | '\n' if lines => {}
                '#' if lines => {
                    self.at += self.rest().find('\n').unwrap_or_else(|| self.rest().len());
                    continue;
                }
                _ => return,
            }
            self.at += 1;
        }
    }

    /// How far this line is indented, if there are only spaces before.
    fn indent(&self) -> Option<usize> {
        let line = self.text.get(..self.at)?.rsplit('\n').next()?;
        line.bytes().all(|b| b == b' ').then_some(line.len())
    }

    fn name(&mut self, in_brackets: bool) -> Option<String> {
        match self.next()? {
            quote @ ('"' | '\'') => self.quoted(quote),
            _ => self.plain(in_brackets),
        }
    }

    fn quoted(&mut self, quote: char) -> Option<String> {
        let mut name = String::new();
        let mut chars = self.rest().char_indices().skip(1).peekable();
        while let Some((i, c)) = chars.next() {
            match c {
                '\n' => return None,
                '\'' if c == quote && chars.peek().is_some_and(|(_, c)| *c == quote) => {
                    chars.next();
                    name.push(quote);
                }
                '\\' if quote == '"' => {
                    let (_, escaped) = chars.next()?;
                    if !matches!(escaped, '"' | '\\' | '/') {
                        return None;
                    }
                    name.push(escaped);
                }
                _ if c == quote => {
                    drop(chars);
                    self.at += i + 1;
                    return Some(name);
                }
                _ => name.push(c),
            }
        }
        None
    }

    fn plain(&mut self, in_brackets: bool) -> Option<String> {
        let line = self.rest().split(['\n', '\r']).next()?;
        let line = match line.find(" #").or_else(|| line.find("\t#")) {
            Some(comment) => line.get(..comment)?,
            None => line,
        };
        let line = match line.find([',', '[', ']', '{', '}']) {
            Some(end) if in_brackets => line.get(..end)?,
            _ => line,
        };
        let len = line.len();
        let name = line.trim();
        let mut chars = name.chars();
        let special = match (chars.next()?, chars.next()) {
            ('-' | '?' | ':', second) => second.is_none_or(char::is_whitespace),
            (first, _) => "[]{},#&*!|>%@`\"'~".contains(first),
        };
        let mapping = name.ends_with(':') || name.contains(": ") || name.contains(":\t");
        let word = ["null", "true", "false"].iter().any(|word| word.eq_ignore_ascii_case(name));
        if special || mapping || word {
            return None;
        }
        let name = name.to_owned();
        self.at += len;
        Some(name)
    }
}

#[cfg(test)]
mod tests;
