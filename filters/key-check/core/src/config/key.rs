//! The keys of the configuration, one by one and against each other.

use std::collections::BTreeMap;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tollgate_config::Reader;
use tollgate_effects::{Effect, UnixNanos};
use tollgate_facts::Caller;

use super::RawKey;
use super::publish::Publish;
use crate::keyring::{Digest, Key, Keyring};

/// The longest id, user, team, group or model name.
const MAX_WORD_BYTES: usize = 256;
/// The largest fact: it is copied for every request.
const MAX_FACT_BYTES: usize = 16 * 1024;
/// SHA-256 of nothing: what hashing an unset variable gives.
const EMPTY: &[u8] = b"";

/// Checks every key and adds it to a keyring.
pub(super) fn check_all(
    keys: Vec<RawKey>,
    publish: &Publish,
    now: UnixNanos,
    reader: &mut Reader,
) -> Keyring {
    let mut ids = BTreeMap::new();
    let mut digests = BTreeMap::new();
    let mut keyring = Keyring::default();
    for (i, raw) in keys.into_iter().enumerate() {
        let at = format!("keys[{i}]");
        let digest = check_digest(raw.sha256.as_deref(), &at, reader);
        if let Some(first) = raw.id.clone().and_then(|id| insert_first(&mut ids, id.into(), i)) {
            reader.problem(format!("{at}.id"), format!("the same id as keys[{first}]"));
        }
        if let Some(first) = digest.and_then(|d| insert_first(&mut digests, d.bytes(), i)) {
            reader.problem(format!("{at}.sha256"), format!("the same key as keys[{first}]"));
        }
        let enabled = raw.enabled.unwrap_or(true);
        let expires_at = check_expiry(raw.expires_at.as_deref(), enabled, now, &at, reader);
        let caller = check_caller(raw, &at, reader);
        let fact = tollgate_facts::publish(tollgate_facts::key::CALLER, &caller);
        if let Effect::SetFilterState { value, .. } = &fact
            && value.len() > MAX_FACT_BYTES
        {
            let found = value.len();
            let message = format!(
                "describes its owner in {found} bytes of JSON, expected at most {MAX_FACT_BYTES}: \
                 shorten models, limits or metadata"
            );
            reader.problem(&at, message);
        }
        let mut grants = vec![fact];
        grants.extend(publish.headers(&caller));
        if let Some(digest) = digest {
            keyring.add(digest, Key { enabled, expires_at, grants });
        }
    }
    keyring
}

/// Notes that `key` is at `index`; where it was first, if it was there before.
fn insert_first(map: &mut BTreeMap<Vec<u8>, usize>, key: Vec<u8>, index: usize) -> Option<usize> {
    let first = *map.entry(key).or_insert(index);
    (first != index).then_some(first)
}

fn check_digest(hex: Option<&str>, at: &str, reader: &mut Reader) -> Option<Digest> {
    let path = format!("{at}.sha256");
    let how = r#"make it with `printf %s "$KEY" | sha256sum`"#;
    let Some(hex) = hex else {
        reader.problem(path, format!("missing: {how}"));
        return None;
    };
    let digest = Digest::from_hex(hex);
    match digest {
        None => {
            // What was found is not repeated: it may be the key itself.
            let found = hex.chars().count();
            reader.problem(
                path,
                format!("expected 64 hexadecimal digits, found {found} characters; {how}"),
            );
        }
        Some(digest) if digest.bytes() == Digest::of(EMPTY).bytes() => {
            reader.problem(path, format!("the hash of an empty key; {how}"));
        }
        Some(_) => {}
    }
    digest
}

/// The expiry in nanoseconds. A time before 1970 is long past, one after 2554 never comes.
fn check_expiry(
    text: Option<&str>,
    enabled: bool,
    now: UnixNanos,
    at: &str,
    reader: &mut Reader,
) -> Option<UnixNanos> {
    let path = format!("{at}.expiresAt");
    let Ok(time) = OffsetDateTime::parse(text?, &Rfc3339) else {
        reader.problem(path, "expected a time in RFC 3339, such as `2027-01-31T00:00:00Z`");
        return None;
    };
    let nanos = time.unix_timestamp_nanos();
    let nanos = UnixNanos::try_from(nanos).unwrap_or(if nanos < 0 { 0 } else { UnixNanos::MAX });
    if enabled && now != 0 && nanos <= now {
        reader.warning(path, "this key has expired: requests with it are refused");
    }
    Some(nanos)
}

fn check_caller(raw: RawKey, at: &str, reader: &mut Reader) -> Caller {
    match &raw.id {
        None => reader.problem(format!("{at}.id"), "missing: a name for the key, not the key"),
        Some(id) => check_word(id, format!("{at}.id"), reader),
    }
    for (name, value) in [("user", &raw.user), ("team", &raw.team)] {
        if let Some(value) = value {
            check_word(value, format!("{at}.{name}"), reader);
        }
    }
    for (i, group) in raw.groups.iter().enumerate() {
        let path = format!("{at}.groups[{i}]");
        if group.contains(',') {
            reader.problem(path, "a comma separates groups in the header, so none may have one");
        } else {
            check_word(group, path, reader);
        }
    }
    if raw.models.as_ref().is_some_and(Vec::is_empty) {
        reader.warning(
            format!("{at}.models"),
            "an empty list allows no model; leave it out to allow every model",
        );
    }
    for (i, model) in raw.models.iter().flatten().enumerate() {
        let path = format!("{at}.models[{i}]");
        if model.strip_suffix('*').unwrap_or(model).contains('*') {
            reader
                .problem(path, "expected a model's name, or its beginning with one `*` at the end");
        } else {
            check_word(model, path, reader);
        }
    }
    Caller {
        key_id: raw.id.unwrap_or_default(),
        user: raw.user,
        team: raw.team,
        groups: raw.groups,
        models: raw.models,
        limits: raw.limits,
        metadata: raw.metadata,
    }
}

/// What may become a header's value: it must neither break the header nor change on the way.
fn check_word(word: &str, path: String, reader: &mut Reader) {
    let len = word.len();
    if word.is_empty() {
        reader.problem(path, "must not be empty");
    } else if len > MAX_WORD_BYTES {
        reader.problem(path, format!("{len} bytes long, expected at most {MAX_WORD_BYTES}"));
    } else if word.chars().any(char::is_control) {
        reader.problem(path, "must not have control characters: it can become a header's value");
    } else if word.trim() != word {
        reader.problem(path, "must not begin or end with a space: headers lose it on the way");
    }
}
