//! Header names in a configuration.

use tollgate_config::Reader;

use crate::same;

/// Headers that mean something to HTTP, to the host, or to backends.
const RESERVED: [&str; 14] = [
    "accept",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];

/// The longest header name.
const MAX_NAME_BYTES: usize = 128;

/// Names that a filter does not take, and why, for the operator.
#[derive(Clone, Copy, Debug)]
pub struct Forbidden {
    /// Lower-case names.
    pub names: &'static [&'static str],
    /// What is wrong with them, as a sentence.
    pub why: &'static str,
}

/// Checks the names under which one filter publishes: tokens, with no meaning of their own, each used once.
#[derive(Debug)]
pub struct NameCheck {
    forbidden: &'static [Forbidden],
    /// Default names of the filter, each with a meaning of its own.
    defaults: &'static [&'static str],
    taken: Vec<(&'static str, String)>,
}

impl NameCheck {
    /// A check for a filter with these `defaults`, which also refuses what is `forbidden`.
    pub fn new(forbidden: &'static [Forbidden], defaults: &'static [&'static str]) -> Self {
        Self { forbidden, defaults, taken: Vec::new() }
    }

    /// `name` in lower case, noting at `path` what is wrong with it. `own` is the default name for what
    /// it tells.
    pub fn check(
        &mut self,
        path: &'static str,
        own: &'static str,
        name: Option<String>,
        reader: &mut Reader,
    ) -> Option<String> {
        let name = name?.to_ascii_lowercase();
        if let Err(problem) = self.judge(own, &name) {
            reader.problem(path, problem);
        }
        self.taken.push((path, name.clone()));
        Some(name)
    }

    fn judge(&self, own: &str, name: &str) -> Result<(), String> {
        let is = |other: &&str| same(other, name);
        if !is_token(name) {
            return Err(format!(
                "not a header name: expected letters, digits, `-` and `_`, at most {MAX_NAME_BYTES}, such as `{own}`"
            ));
        }
        if let Some(forbidden) = self.forbidden.iter().find(|f| f.names.iter().any(is)) {
            return Err(forbidden.why.to_owned());
        }
        if RESERVED.iter().any(is) || name.starts_with("x-envoy-") {
            return Err("this header has a meaning of its own: choose another one".to_owned());
        }
        if self.defaults.iter().any(|default| is(default) && *default != own) {
            return Err(format!("this header tells something else: choose `{own}`"));
        }
        match self.taken.iter().find(|(_, taken)| same(taken, name)) {
            Some((other, _)) => {
                Err(format!("the same header as {other}: one would hide the other"))
            }
            None => Ok(()),
        }
    }
}

fn is_token(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_must_be_free_and_used_once() {
        const FORBIDDEN: &[Forbidden] =
            &[Forbidden { names: &["x-api-key"], why: "this header carries credentials" }];
        for (name, expected) in [
            ("X-Who", None),
            ("x_taken", Some("the same header as publish.team: one would hide the other")),
            ("x-gateway-team", Some("this header tells something else: choose `x-gateway-user`")),
            ("X_Api_Key", Some("this header carries credentials")),
            ("Content-Length", Some("this header has a meaning of its own: choose another one")),
            ("x-envoy-retry-on", Some("this header has a meaning of its own: choose another one")),
            (
                "a b",
                Some(
                    "not a header name: expected letters, digits, `-` and `_`, at most 128, such as `x-gateway-user`",
                ),
            ),
        ] {
            let (_, mut reader) = tollgate_config::read::<()>("test", b"null");
            let mut check = NameCheck::new(FORBIDDEN, &["x-gateway-user", "x-gateway-team"]);
            check.check("publish.team", "x-gateway-team", Some("x-taken".into()), &mut reader);
            let checked =
                check.check("publish.user", "x-gateway-user", Some(name.into()), &mut reader);
            assert_eq!(checked.as_deref(), Some(name.to_ascii_lowercase().as_str()));
            let problems = reader.finish().err().map(|problems| problems.list[0].message.clone());
            assert_eq!(problems.as_deref(), expected, "{name}");
        }
    }
}
