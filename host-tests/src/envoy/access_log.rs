//! The access log's line of an exchange: the end of its stream, and what only the gateway knows.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Instant;

use anyhow::{Result, bail};
use serde::Deserialize;
use serde_json::Value;

use super::process::POLL;

/// A line, as [`super::bootstrap`] has it written.
#[derive(Debug, Deserialize)]
pub(crate) struct Entry {
    exchange: usize,
    details: Option<String>,
    answered: Option<u64>,
    #[serde(default)]
    properties: BTreeMap<String, Value>,
}

impl Entry {
    /// Whether the response is the upstream's, which may have broken off (`reset`), or the client
    /// may have gone away. What was cut while a filter held it is answered by the gateway.
    /// <https://www.envoyproxy.io/docs/envoy/v1.40.0/configuration/http/http_conn_man/response_code_details>
    pub(crate) fn is_upstreams(&self, reset: bool) -> bool {
        let details = self.details.as_deref().unwrap_or_default();
        details == "via_upstream"
            || (reset && details.starts_with("upstream_reset_after_response_started"))
            || details.starts_with("downstream_")
    }

    /// Whether an upstream began to answer.
    pub(crate) fn was_answered(&self) -> bool {
        self.answered.is_some()
    }

    /// Filter state and properties that are there.
    pub(crate) fn into_properties(self) -> BTreeMap<String, Value> {
        self.properties.into_iter().filter(|(_, value)| !value.is_null()).collect()
    }
}

/// Waits until exchange `index` has ended.
///
/// # Errors
/// Its line is not there by `deadline`.
pub(crate) fn wait(path: &Path, index: usize, deadline: Instant) -> Result<Entry> {
    loop {
        let text = fs::read_to_string(path).unwrap_or_default();
        if let Some(entry) = find(&text, index) {
            return Ok(entry);
        }
        if Instant::now() > deadline {
            bail!("the response came, but the gateway does not end the stream");
        }
        sleep(POLL);
    }
}

/// The last line may be half written, and then does not parse.
fn find(log: &str, index: usize) -> Option<Entry> {
    log.lines()
        .filter_map(|line| serde_json::from_str::<Entry>(line).ok())
        .find(|entry| entry.exchange == index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_an_exchange_is_found() {
        let log = concat!(
            r#"{"exchange":0,"details":"via_upstream","properties":{"a":"{}","b":null}}"#,
            "\n",
            r#"{"exchange":1,"details":"","properties":{}}"#,
            "\n",
            r#"{"exchange":2,"det"#,
        );
        let first = find(log, 0).unwrap();
        assert!(first.is_upstreams(false));
        assert_eq!(first.into_properties(), [("a".to_owned(), Value::from("{}"))].into());
        assert!(!find(log, 1).unwrap().is_upstreams(false));
        assert!(find(log, 2).is_none());
    }
}
