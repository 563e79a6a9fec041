//! Which headers tell who is calling.

use std::borrow::Cow;

use tollgate_config::Reader;
use tollgate_effects::{Direction, Effect};
use tollgate_facts::Caller;
use tollgate_owned_headers::{Forbidden, NameCheck};

use super::RawPublish;
use crate::credential::CREDENTIAL_HEADERS;

/// Owned whatever the configuration says: a backend or a policy may trust them by their names.
pub(super) const DEFAULT_HEADERS: [&str; 4] =
    ["x-gateway-key-id", "x-gateway-user", "x-gateway-team", "x-gateway-groups"];

/// What header names cannot be.
const FORBIDDEN: &[Forbidden] = &[Forbidden {
    names: &CREDENTIAL_HEADERS,
    why: "this header carries credentials, which are taken off",
}];

/// Header names that were asked for, lower-case.
#[derive(Default)]
pub(super) struct Publish {
    key_id: Option<String>,
    user: Option<String>,
    team: Option<String>,
    groups: Option<String>,
}

impl Publish {
    /// All of them.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        [&self.key_id, &self.user, &self.team, &self.groups]
            .into_iter()
            .flatten()
            .map(String::as_str)
    }

    /// The effects that write the headers for `caller`; what it does not have is not written.
    pub(super) fn headers(&self, caller: &Caller) -> Vec<Effect> {
        let groups = (!caller.groups.is_empty()).then(|| caller.groups.join(","));
        [
            (&self.key_id, Some(&caller.key_id)),
            (&self.user, caller.user.as_ref()),
            (&self.team, caller.team.as_ref()),
            (&self.groups, groups.as_ref()),
        ]
        .into_iter()
        .filter_map(|(name, value)| {
            Some(Effect::SetHeader {
                on: Direction::Request,
                name: Cow::Owned(name.clone()?),
                value: value?.as_bytes().to_vec(),
            })
        })
        .collect()
    }
}

/// Checks the names.
pub(super) fn check(raw: RawPublish, reader: &mut Reader) -> Publish {
    let mut names = NameCheck::new(FORBIDDEN, &DEFAULT_HEADERS);
    let mut check = |path, own, name| names.check(path, own, name, reader);
    Publish {
        key_id: check("publish.keyId", "x-gateway-key-id", raw.key_id),
        user: check("publish.user", "x-gateway-user", raw.user),
        team: check("publish.team", "x-gateway-team", raw.team),
        groups: check("publish.groups", "x-gateway-groups", raw.groups),
    }
}
