//! Tool names that a provider's alphabet does not allow, and the way back.

use std::borrow::Cow;
use std::collections::BTreeMap;

/// The names sent to the provider, to be changed back in its answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct ToolNames {
    /// Client's name by sent name, of the unchanged too: they are taken.
    by_sent: BTreeMap<String, String>,
}

/// Two of the client's tools would get the same name at the provider.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Ambiguous;

impl ToolNames {
    /// The name to send for the client's `name`: characters that are not `allowed` become `_`, and no
    /// more than `most` are left.
    pub(crate) fn send<'a>(
        &mut self,
        name: &'a str,
        allowed: fn(char) -> bool,
        most: usize,
    ) -> Result<Cow<'a, str>, Ambiguous> {
        let fits = name.chars().count() <= most && name.chars().all(allowed) && !name.is_empty();
        let sent: Cow<'a, str> = if fits {
            Cow::Borrowed(name)
        } else if name.is_empty() {
            Cow::Borrowed("_")
        } else {
            name.chars().take(most).map(|c| if allowed(c) { c } else { '_' }).collect()
        };
        match self.by_sent.get(&*sent) {
            Some(original) if original == name => {}
            Some(_) => return Err(Ambiguous),
            None => {
                self.by_sent.insert(sent.clone().into_owned(), name.to_owned());
            }
        }
        Ok(sent)
    }

    /// The client's name of the tool that the provider calls `sent`.
    pub(crate) fn original<'a>(&'a self, sent: &'a str) -> &'a str {
        self.by_sent.get(sent).map_or(sent, String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(c: char) -> bool {
        c.is_ascii_alphanumeric() || c == '_'
    }

    #[test]
    fn a_changed_name_comes_back() {
        let mut names = ToolNames::default();
        assert_eq!(names.send("mcp.get", allowed, 8).unwrap(), "mcp_get");
        assert_eq!(names.send("plain", allowed, 8).unwrap(), "plain");
        assert_eq!(names.send("ä", allowed, 8).unwrap(), "_");
        assert_eq!(names.original("mcp_get"), "mcp.get");
        assert_eq!(names.original("plain"), "plain");
    }

    #[test]
    fn two_names_that_become_one_are_refused() {
        let mut names = ToolNames::default();
        names.send("a.b", allowed, 8).unwrap();
        assert_eq!(names.send("a.b", allowed, 8).unwrap(), "a_b");
        assert_eq!(names.send("a-b", allowed, 8), Err(Ambiguous));
        assert_eq!(names.send("a_b", allowed, 8), Err(Ambiguous));
        names.send("c_d", allowed, 8).unwrap();
        assert_eq!(names.send("c.d", allowed, 8), Err(Ambiguous));
    }
}
