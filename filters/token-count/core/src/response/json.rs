//! A JSON response: the top-level `usage`, wherever it stands, without holding or copying the body.

use tollgate_facts::{Usage, UsageStatus};
use tollgate_json::{Error, Limits, Scanner, Wanted};

use super::with_status;
use crate::config::{Config, MOST_USAGE_BYTES};
use crate::openai;

static MEMBERS: [Wanted; 1] = [Wanted { key: "usage", keep: MOST_USAGE_BYTES }];

/// A JSON body as it flows by.
pub(crate) struct Json {
    scanner: Scanner,
    max_usage_bytes: usize,
    is_empty: bool,
}

impl Json {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            scanner: Scanner::new(&MEMBERS, Limits::default()),
            max_usage_bytes: config.max_usage_bytes,
            is_empty: true,
        }
    }

    pub(crate) fn push(&mut self, piece: &[u8]) {
        self.is_empty &= piece.is_empty();
        // An error stays in the scanner until the end.
        let _ = self.scanner.push(piece);
    }

    /// The numbers so far.
    pub(crate) fn seen(&self) -> Option<Usage> {
        let raw = self.scanner.member(0).raw()?;
        (raw.len() <= self.max_usage_bytes).then(|| openai::usage(raw)).flatten()
    }

    pub(crate) fn ended(&mut self) -> Usage {
        let seen = self.seen();
        let status = match (self.scanner.finish(), &seen) {
            (Ok(()), Some(_)) => UsageStatus::Exact,
            (Err(Error::Incomplete), None) if self.is_empty => UsageStatus::Unknown,
            (Err(Error::Incomplete), _) | (Err(_), Some(_)) => UsageStatus::Partial,
            (_, None) => UsageStatus::Unknown,
        };
        with_status(seen, status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: &[&[u8]]) -> (u64, UsageStatus) {
        let (config, _) = crate::config::check(b"").unwrap();
        let mut json = Json::new(&config);
        pieces.iter().for_each(|piece| json.push(piece));
        let usage = json.ended();
        (usage.total, usage.status)
    }

    #[test]
    fn the_status_says_how_it_ended() {
        for (case, body, expected) in [
            ("good", r#"{"usage":{"prompt_tokens":3}}"#, (3, UsageStatus::Exact)),
            ("none", r#"{"choices":[]}"#, (0, UsageStatus::Unknown)),
            ("null", r#"{"usage":null}"#, (0, UsageStatus::Unknown)),
            ("nested only", r#"{"a":{"usage":{"prompt_tokens":3}}}"#, (0, UsageStatus::Unknown)),
            ("cut before", r#"{"choices":[{"#, (0, UsageStatus::Partial)),
            ("cut behind", r#"{"usage":{"prompt_tokens":3},"choi"#, (3, UsageStatus::Partial)),
            ("cut inside", r#"{"usage":{"prompt_tokens":3"#, (0, UsageStatus::Partial)),
            ("broken behind", r#"{"usage":{"prompt_tokens":3}]"#, (3, UsageStatus::Partial)),
            ("html", "<html>", (0, UsageStatus::Unknown)),
            ("nothing", "", (0, UsageStatus::Unknown)),
        ] {
            assert_eq!(read(&[body.as_bytes()]), expected, "{case}");
        }
    }

    #[test]
    fn a_usage_over_the_limit_is_not_read() {
        let padding = " ".repeat(9000);
        let body = format!(r#"{{"usage":{{"prompt_tokens":3{padding}}}}}"#);
        assert_eq!(read(&[body.as_bytes()]), (0, UsageStatus::Unknown));
        let padding = " ".repeat(90_000);
        let body = format!(r#"{{"usage":{{"prompt_tokens":3{padding}}}}}"#);
        assert_eq!(read(&[body.as_bytes()]), (0, UsageStatus::Unknown));
    }

    #[test]
    fn twenty_megabytes_in_pieces() {
        let text = "Grüße, 世界 😀 ".repeat(2000);
        let mut pieces = vec![&br#"{"choices":[{"message":{"content":""#[..]];
        pieces.extend(std::iter::repeat_n(text.as_bytes(), 20_000_000 / text.len()));
        pieces.push(br#""}}],"usage":{"prompt_tokens":3,"completion_tokens":4}}"#);
        assert_eq!(read(&pieces), (7, UsageStatus::Exact));
    }
}
