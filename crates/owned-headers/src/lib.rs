//! Request headers that one filter may write and nobody else.
//!
//! Routes, policies and backends trust such a header by its name, so a copy that a client sends is taken
//! off first, on every path ([`OwnedHeaders`]), and a configured name must be one that nothing else gives
//! a meaning to ([`NameCheck`]).
//!
//! Names are compared without regard to case, and `_` counts as `-`: CGI and WSGI backends cannot tell the
//! two apart (RFC 3875, section 4.1.18), so `x_gateway_user` from a client is as good a forgery.
//!
//! Not here: which headers a filter owns, and writing them.

mod name_check;

use std::borrow::Cow;

use tollgate_effects::{Direction, Effect, Effects, Headers};

pub use name_check::{Forbidden, NameCheck};

/// A set of header names, for taking them off requests.
#[derive(Debug, Default)]
pub struct OwnedHeaders {
    folded: Vec<Vec<u8>>,
}

impl<'a> FromIterator<&'a str> for OwnedHeaders {
    fn from_iter<T: IntoIterator<Item = &'a str>>(names: T) -> Self {
        Self { folded: names.into_iter().map(|name| name.bytes().map(fold).collect()).collect() }
    }
}

impl OwnedHeaders {
    /// Takes off the ones that are there: a host call for each, none for the others.
    pub fn strip(&self, headers: &Headers<'_>, out: &mut Effects) {
        let mut taken: Vec<&[u8]> = Vec::new();
        for (name, _) in headers.iter() {
            if self.contains(name) && !taken.contains(&name) {
                taken.push(name);
                let name = Cow::Owned(String::from_utf8_lossy(name).into_owned());
                out.push(Effect::RemoveHeader { on: Direction::Request, name });
            }
        }
    }

    /// Whether a header of this name is one of them.
    pub fn contains(&self, name: &[u8]) -> bool {
        self.folded.iter().any(|owned| {
            owned.len() == name.len() && name.iter().copied().map(fold).eq(owned.iter().copied())
        })
    }
}

/// Whether two names are the same header to a backend.
fn same(one: &str, other: &str) -> bool {
    one.len() == other.len() && one.bytes().map(fold).eq(other.bytes().map(fold))
}

/// A name's byte, so that names which a backend could confuse are equal.
fn fold(byte: u8) -> u8 {
    match byte {
        b'_' => b'-',
        other => other.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_spelling_is_taken_off_once_and_nothing_else() {
        let owned: OwnedHeaders = ["x-gateway-user", "X-Team"].into_iter().collect();
        let pairs: Vec<(&[u8], &[u8])> = vec![
            (b"x-gateway-user", b"a"),
            (b"x-gateway-users", b"a"),
            (b"x_gateway-user", b"b"),
            (b"x-gateway-user", b"c"),
            (b"x-team", b"d"),
            (b"\xff", b"\xff"),
        ];
        let mut out = Effects::new();
        owned.strip(&Headers::new(pairs), &mut out);
        let names: Vec<String> = out
            .into_iter()
            .map(|effect| match effect {
                Effect::RemoveHeader { on: Direction::Request, name } => name.into_owned(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(names, ["x-gateway-user", "x_gateway-user", "x-team"]);
    }
}
