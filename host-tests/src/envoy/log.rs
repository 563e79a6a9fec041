//! Envoy's application log: what filters logged, and what Envoy complained about.
//!
//! Messages may have several lines, so records are told apart by a control character, and the fields
//! of a record by another; see [`FORMAT`].

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::plan::Filter;
use crate::report::LogLine;

/// Before each record.
const RECORD: char = '\u{1e}';

/// Between its fields.
const FIELD: char = '\u{1f}';

/// For `--log-format`: level, logger, text.
pub(crate) const FORMAT: &str = "\u{1e}%l\u{1f}%n\u{1f}%v";

/// What Envoy writes before the text of a filter.
const FILTER_PREFIX: &str = "wasm log";

/// The most that an error quotes.
const MOST_QUOTED: usize = 4096;

/// A record of the log.
#[derive(Debug, Eq, PartialEq)]
struct Record<'l> {
    level: &'l str,
    logger: &'l str,
    text: &'l str,
}

/// A line of a filter.
#[derive(Debug)]
struct Line {
    line: LogLine,
    /// Whether it belongs to a stream, not to the plugin as such.
    in_stream: bool,
}

/// What Envoy writes in front of the lines of a plugin.
#[derive(Clone, Debug)]
pub(crate) struct Prefixes {
    filter: String,
    /// In a stream: plugin name, root id, VM id.
    stream: String,
    /// Elsewhere: root id, VM id.
    root: String,
}

impl Prefixes {
    /// Those of a chain.
    pub(crate) fn of(chain: &[Filter]) -> Vec<Self> {
        let joined = |parts: &[&str]| {
            parts.iter().filter(|part| !part.is_empty()).map(|part| format!(" {part}")).collect()
        };
        let prefixes = |filter: &Filter| Self {
            filter: filter.name.clone(),
            stream: joined(&[&filter.name, &filter.root_id, &filter.vm_id]),
            root: joined(&[&filter.root_id, &filter.vm_id]),
        };
        chain.iter().map(prefixes).collect()
    }
}

/// The log as a file that grows.
pub(crate) struct Records {
    path: PathBuf,
    plugins: Vec<Prefixes>,
    /// Read and given out up to here.
    read: u64,
    /// What filters said when they were configured, each line once.
    start: Vec<LogLine>,
}

impl Records {
    pub(crate) fn new(path: PathBuf, plugins: Vec<Prefixes>) -> Self {
        Self { path, plugins, read: 0, start: Vec::new() }
    }

    /// Takes what was logged so far as what filters say when they are configured. They say it again
    /// in each worker, and when a VM is reloaded: no exchange is the reason.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn started(&mut self) -> Result<()> {
        for Line { line, .. } in self.unread()? {
            if !self.start.contains(&line) {
                self.start.push(line);
            }
        }
        Ok(())
    }

    /// What filters said when they were configured, each line once.
    pub(crate) fn start_lines(&self) -> &[LogLine] {
        &self.start
    }

    /// What filters logged since the last call, and traps. Envoy writes a record before it goes on,
    /// so whatever an exchange logged is there once the exchange has ended.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn new_lines(&mut self) -> Result<Vec<LogLine>> {
        let mut lines = self.unread()?;
        lines.retain(|line| line.in_stream || !self.start.contains(&line.line));
        Ok(lines.into_iter().map(|line| line.line).collect())
    }

    fn unread(&mut self) -> Result<Vec<Line>> {
        let bytes = self.from(self.read).context("cannot read envoy's log")?;
        // The last record may be half written.
        let complete = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        self.read += complete as u64;
        let text = String::from_utf8_lossy(bytes.get(..complete).unwrap_or_default());
        Ok(records(&text).filter_map(|record| filter_line(&self.plugins, &record)).collect())
    }

    /// Everything from `warning` up, and every line of a filter; the last of it if it is long.
    pub(crate) fn complaints(&self) -> String {
        let bytes = self.from(0).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let mut out = String::new();
        for record in records(&text) {
            let said = match filter_line(&self.plugins, &record) {
                Some(Line { line, .. }) if line.filter.is_empty() => line.message,
                Some(Line { line, .. }) => format!("{}: {}", line.filter, line.message),
                None if record.logger == "main" && record.level == "warning" => continue,
                None if matches!(record.level, "warning" | "error" | "critical") => {
                    record.text.to_owned()
                }
                None => continue,
            };
            out.push_str("  ");
            out.push_str(&said.replace('\n', "\n  "));
            out.push('\n');
        }
        let cut = out.len().saturating_sub(MOST_QUOTED);
        let from = (cut..out.len()).find(|at| out.is_char_boundary(*at)).unwrap_or(0);
        out.get(from..).unwrap_or_default().trim_end().to_owned()
    }

    fn from(&self, offset: u64) -> std::io::Result<Vec<u8>> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// What stands before the first record (the dynamic linker's, say) counts as one of Envoy's.
fn records(text: &str) -> impl Iterator<Item = Record<'_>> {
    text.split(RECORD).filter(|record| !record.trim().is_empty()).map(|record| {
        let record = record.strip_suffix('\n').unwrap_or(record);
        let mut fields = record.splitn(3, FIELD);
        match (fields.next(), fields.next(), fields.next()) {
            (Some(level), Some(logger), Some(text)) => Record { level, logger, text },
            _ => Record { level: "error", logger: "", text: record },
        }
    })
}

/// The line of a filter; that of a trap has no filter, since Envoy does not name it.
fn filter_line(plugins: &[Prefixes], record: &Record<'_>) -> Option<Line> {
    if record.logger != "wasm" {
        return None;
    }
    // As proxy-wasm calls it.
    let level = if record.level == "warning" { "warn" } else { record.level };
    let line = |(filter, in_stream): (&str, bool), message: &str| Line {
        line: LogLine { level: level.into(), filter: filter.into(), message: message.into() },
        in_stream,
    };
    if let Some(rest) = record.text.strip_prefix(FILTER_PREFIX) {
        let (origin, message) = origin(plugins, rest)?;
        return Some(line(origin, message));
    }
    matches!(level, "error" | "critical").then(|| line(("", true), record.text))
}

/// The filter, whether a stream of it speaks, and what it says. A VM that has no plugin yet, in
/// `_initialize`, is `vm`.
fn origin<'a>(plugins: &'a [Prefixes], text: &'a str) -> Option<((&'a str, bool), &'a str)> {
    let behind = |prefix: &str| text.strip_prefix(prefix)?.strip_prefix(": ");
    let stream = plugins.iter().find_map(|p| Some(((p.filter.as_str(), true), behind(&p.stream)?)));
    let root = || plugins.iter().find_map(|p| Some(((p.filter.as_str(), false), behind(&p.root)?)));
    let vm = || Some((("vm", false), behind("")?));
    let unknown = || {
        let (prefix, message) = text.split_once(": ")?;
        Some(((prefix.trim(), true), message))
    };
    stream.or_else(root).or_else(vm).or_else(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plugins that have these names for root ids, too, and no VM id.
    fn plugins(names: &[&str]) -> Vec<Prefixes> {
        let prefixes = |name: &&str| Prefixes {
            filter: (*name).to_owned(),
            stream: format!(" {name} {name}"),
            root: format!(" {name}"),
        };
        names.iter().map(prefixes).collect()
    }

    fn lines(text: &str) -> Vec<(String, String, String)> {
        records(text)
            .filter_map(|record| filter_line(&plugins(&["key-check", "body-model"]), &record))
            .map(|Line { line, .. }| (line.level, line.filter, line.message))
            .collect()
    }

    #[test]
    fn lines_of_filters_are_told_apart() {
        let log = "\x1edebug\x1fwasm\x1fBase Wasm created 1 now active\n\
            \x1einfo\x1fwasm\x1fwasm log key-check: configured\n\
            \x1ewarning\x1fmain\x1fno configured limit\n\
            \x1ewarning\x1fwasm\x1fwasm log body-model body-model: two: parts\nand lines\n\
            \x1ecritical\x1fwasm\x1fwasm log a b: panicked\n\
            \x1eerror\x1fwasm\x1fFunction: proxy_on_request_headers failed\n";
        let expected = [
            ("info", "key-check", "configured"),
            ("warn", "body-model", "two: parts\nand lines"),
            ("critical", "a b", "panicked"),
            ("error", "", "Function: proxy_on_request_headers failed"),
        ];
        assert_eq!(lines(log), expected.map(|(a, b, c)| (a.into(), b.into(), c.into())));
    }

    #[test]
    fn what_is_no_record_is_an_error_of_envoy() {
        let log = "cannot load library\n\x1einfo\x1fwasm\x1fwasm log x: y\n";
        let all: Vec<Record<'_>> = records(log).collect();
        assert_eq!(all[0], Record { level: "error", logger: "", text: "cannot load library" });
        assert_eq!(all.len(), 2);
    }

    #[test]
    fn what_is_said_at_the_start_belongs_to_no_exchange() {
        let scratch = crate::envoy::process::Scratch::new().unwrap();
        let path = scratch.path("log");
        let start = "\x1ewarning\x1fwasm\x1fwasm log x: expired\n";
        std::fs::write(&path, start.repeat(2)).unwrap();
        let mut log = Records::new(path.clone(), plugins(&["x"]));
        log.started().unwrap();
        assert_eq!(log.start_lines().len(), 1);
        let in_stream = "\x1ewarning\x1fwasm\x1fwasm log x x: expired\n";
        let tick = "\x1einfo\x1fwasm\x1fwasm log x: tick\n";
        std::fs::write(&path, format!("{start}{start}{start}{in_stream}{tick}")).unwrap();
        let lines = log.new_lines().unwrap();
        let messages: Vec<&str> = lines.iter().map(|line| line.message.as_str()).collect();
        assert_eq!(messages, ["expired", "tick"]);
    }

    #[test]
    fn half_a_record_waits() {
        let scratch = crate::envoy::process::Scratch::new().unwrap();
        let path = scratch.path("log");
        std::fs::write(&path, "\x1einfo\x1fwasm\x1fwasm log x: one\n\x1einfo\x1fwasm\x1fwasm l")
            .unwrap();
        let mut log = Records::new(path.clone(), plugins(&["x"]));
        assert_eq!(log.new_lines().unwrap().len(), 1);
        assert!(log.new_lines().unwrap().is_empty());
        std::fs::write(
            &path,
            "\x1einfo\x1fwasm\x1fwasm log x: one\n\x1einfo\x1fwasm\x1fwasm log x: two\n",
        )
        .unwrap();
        assert_eq!(log.new_lines().unwrap()[0].message, "two");
        assert_eq!(log.complaints(), "  x: one\n  x: two");
    }
}
