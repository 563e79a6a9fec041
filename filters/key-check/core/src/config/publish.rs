//! Which headers tell who is calling.

use std::borrow::Cow;

use tollgate_config::Reader;
use tollgate_effects::{Direction, Effect};
use tollgate_facts::Caller;

use super::{RawPublish, folded};
use crate::credential::CREDENTIAL_HEADERS;

/// Owned whatever the configuration says: a backend or a policy may trust them by their names.
pub(super) const DEFAULT_HEADERS: [&str; 4] =
    ["x-gateway-key-id", "x-gateway-user", "x-gateway-team", "x-gateway-groups"];

/// Headers that mean something to HTTP or to the host itself.
const RESERVED: [&str; 12] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
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
    pub(super) fn names(&self) -> impl Iterator<Item = String> + '_ {
        [&self.key_id, &self.user, &self.team, &self.groups].into_iter().flatten().cloned()
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

/// Checks the names: tokens, not reserved, each used once.
pub(super) fn check(raw: &RawPublish, reader: &mut Reader) -> Publish {
    let asked = [
        ("publish.keyId", &raw.key_id),
        ("publish.user", &raw.user),
        ("publish.team", &raw.team),
        ("publish.groups", &raw.groups),
    ];
    let mut taken: Vec<(&str, Vec<u8>)> = Vec::new();
    let mut checked = asked.map(|(path, name)| {
        let name = name.as_ref()?;
        let form: Vec<u8> = name.as_bytes().iter().map(folded).collect();
        let is = |other: &&str| other.as_bytes() == form.as_slice();
        if !is_token(name) {
            reader.problem(
                path,
                format!(
                    "not a header name: expected letters, digits, `-` and `_`, at most \
                     {MAX_NAME_BYTES}, such as `x-gateway-user`"
                ),
            );
        } else if CREDENTIAL_HEADERS.iter().any(is) {
            reader.problem(path, "this header carries credentials, which are taken off");
        } else if RESERVED.iter().any(is) || form.starts_with(b"x-envoy-") {
            reader.problem(path, "this header has a meaning of its own: choose another one");
        } else if let Some((other, _)) = taken.iter().find(|(_, taken)| *taken == form) {
            reader.problem(path, format!("the same header as {other}: one would hide the other"));
        }
        taken.push((path, form));
        Some(name.to_ascii_lowercase())
    });
    let [key_id, user, team, groups] = &mut checked;
    Publish { key_id: key_id.take(), user: user.take(), team: team.take(), groups: groups.take() }
}

fn is_token(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(allowed)
}
