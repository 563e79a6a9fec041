//! The request headers as the client's request had them, for every attempt after the first.
//!
//! The host undoes a filter's changes of the body between attempts but not those of the headers. So
//! the first attempt saves what later ones need in filter state (`tollgate.original`), which no client
//! can write and no header shows. Secrets named by `credential: {header: …}` are among it.

use serde::{Deserialize, Serialize};
use tollgate_effects::{Context, Effects, Headers};
use tollgate_facts::{Unreadable, key};

use crate::config::Config;
use crate::headers::is_kept;

/// What the client's request had.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Original {
    /// Names and values; each byte of a value is one character, since a value need not be UTF-8.
    headers: Vec<(String, String)>,
}

impl Original {
    /// The headers as saved by the first attempt; if this is the first, `present` is saved.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] if there is a value that this filter did not write.
    pub(crate) fn restore_or_save(
        ctx: Context<'_>,
        present: &Headers<'_>,
        config: &Config,
        out: &mut Effects,
    ) -> Result<Self, Unreadable> {
        if let Some(saved) = tollgate_facts::read::<Self>(ctx, key::ORIGINAL)? {
            return Ok(saved);
        }
        let headers = present
            .iter()
            .filter_map(|(name, value)| Some((std::str::from_utf8(name).ok()?, value)))
            .filter(|(name, _)| is_kept(name, config))
            .map(|(name, value)| (name.to_owned(), value.iter().copied().map(char::from).collect()))
            .collect();
        let original = Self { headers };
        out.push(tollgate_facts::publish(key::ORIGINAL, &original));
        Ok(original)
    }

    /// Names and values, in order.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&str, Vec<u8>)> {
        self.headers.iter().map(|(name, value)| (name.as_str(), bytes(value)))
    }

    /// The first value of header `name`.
    pub(crate) fn header(&self, name: &str) -> Option<Vec<u8>> {
        self.headers().find(|(n, _)| *n == name).map(|(_, value)| value)
    }
}

/// The inverse of one character per byte.
fn bytes(value: &str) -> Vec<u8> {
    value.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect()
}
