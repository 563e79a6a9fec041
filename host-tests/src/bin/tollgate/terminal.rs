//! Colours and a progress line, where a person is looking.

use std::env;
use std::io::{self, Write};

use clap::ValueEnum;

/// When to colour.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    Always,
    Never,
}

/// Colours text, or leaves it as it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint(bool);

impl Paint {
    pub(crate) fn new(colour: Colour, is_terminal: bool) -> Self {
        Self(match colour {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => {
                // <https://no-color.org>
                let unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
                let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
                is_terminal && !unwanted && !dumb
            }
        })
    }

    /// Text as it is.
    pub(crate) const fn plain() -> Self {
        Self(false)
    }

    pub(crate) fn good(self, text: &str) -> String {
        self.with("32", text)
    }

    pub(crate) fn bad(self, text: &str) -> String {
        self.with("31", text)
    }

    pub(crate) fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    pub(crate) fn strong(self, text: &str) -> String {
        self.with("1", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// A line that says how far a run is, and is written over again and again.
pub(crate) struct Progress<W> {
    /// None: nobody is looking.
    out: Option<W>,
    shown: bool,
}

impl<W: Write> Progress<W> {
    pub(crate) const fn new(out: Option<W>) -> Self {
        Self { out, shown: false }
    }

    /// Shows `text` in place of what was shown before.
    pub(crate) fn show(&mut self, text: &str) -> io::Result<()> {
        let Some(out) = &mut self.out else { return Ok(()) };
        self.shown = true;
        write!(out, "\r\x1b[K{text}")?;
        out.flush()
    }

    /// Makes way for other output.
    pub(crate) fn clear(&mut self) -> io::Result<()> {
        match &mut self.out {
            Some(out) if self.shown => {
                self.shown = false;
                write!(out, "\r\x1b[K")?;
                out.flush()
            }
            _ => Ok(()),
        }
    }
}

impl<W> Drop for Progress<W> {
    /// An error ends a run at any place, and is told on a line of its own.
    fn drop(&mut self) {
        if self.shown && self.out.is_some() {
            // Nothing better can be done if this fails.
            let _ = io::stderr().write_all(b"\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_progress_line_is_written_over_and_cleared() {
        let mut written = Vec::new();
        let mut progress = Progress::new(Some(&mut written));
        progress.clear().unwrap();
        progress.show("1 of 2").unwrap();
        progress.show("2 of 2").unwrap();
        progress.clear().unwrap();
        progress.clear().unwrap();
        drop(progress);
        assert_eq!(written, b"\r\x1b[K1 of 2\r\x1b[K2 of 2\r\x1b[K");
        let mut nobody = Progress::<Vec<u8>>::new(None);
        nobody.show("1 of 2").unwrap();
        nobody.clear().unwrap();
    }

    #[test]
    fn colours_are_for_those_who_see_them() {
        assert_eq!(Paint::new(Colour::Always, false).bad("x"), "\x1b[31mx\x1b[0m");
        assert_eq!(Paint::new(Colour::Never, true).bad("x"), "x");
        assert_eq!(Paint::new(Colour::Auto, false).bad("x"), "x");
    }
}
