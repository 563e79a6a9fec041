//! A part's headers, line by line.

use crate::content_type::is_utf8;
use crate::disposition::{self, Disposition, Name};
use crate::parameter::{is_token, next, split, trim};
use crate::{Reason, Wanted};

/// What the headers so far say.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Part {
    /// Headers so far.
    headers: u32,
    disposition: Option<Disposition>,
    has_type: bool,
    has_encoding: bool,
    /// Whether the content is not, to every parser, text in UTF-8 as it stands.
    encoded: bool,
    /// Whether some parsers take any part of this type for a file.
    is_file: bool,
}

impl Part {
    /// Takes the next header, without its line break.
    pub(crate) fn header(
        &mut self,
        line: &[u8],
        most: u32,
        wanted: &[Wanted],
    ) -> Result<(), Reason> {
        self.headers = self.headers.saturating_add(1);
        if self.headers > most {
            return Err(Reason::Headers);
        }
        let colon = line.iter().position(|b| !is_token(*b)).ok_or(Reason::Header)?;
        let (name, value) = line.split_at_checked(colon).ok_or(Reason::Header)?;
        let value = trim(value.strip_prefix(b":").ok_or(Reason::Header)?);
        if name.is_empty() || value.iter().any(|b| b.is_ascii_control() && *b != b'\t') {
            return Err(Reason::Header);
        }
        let is = |header: &str| name.eq_ignore_ascii_case(header.as_bytes());
        if is("content-disposition") {
            let read = disposition::read(value, wanted).map_err(|()| Reason::Disposition)?;
            if self.disposition.replace(read).is_some() {
                return Err(Reason::Disposition);
            }
        } else if is("content-type") {
            self.content_type(value);
            return once(&mut self.has_type);
        } else if is("content-transfer-encoding") {
            // RFC 2045 §6.2: those that change nothing.
            let plain = [&b"7bit"[..], b"8bit", b"binary"];
            self.encoded |= !plain.iter().any(|plain| value.eq_ignore_ascii_case(plain));
            return once(&mut self.has_encoding);
        } else if is("content-encoding") {
            self.encoded = true;
        }
        Ok(())
    }

    /// The headers have ended: which wanted field this is, and whether exactly.
    pub(crate) fn end(&self) -> Result<Option<Wants>, Reason> {
        let Disposition { field, is_file } = self.disposition.ok_or(Reason::Disposition)?;
        match field {
            Name::Other => Ok(None),
            Name::Charset => Err(Reason::Charset),
            Name::Wanted { .. } if self.encoded => Err(Reason::Encoding),
            Name::Wanted { index, exact } => {
                Ok(Some(Wants { index, exact, is_file: is_file || self.is_file }))
            }
        }
    }

    fn content_type(&mut self, value: &[u8]) {
        let (media_type, mut rest) = split(value);
        if media_type.eq_ignore_ascii_case(b"application/octet-stream") {
            self.is_file = true;
            return;
        }
        self.encoded |= !media_type.eq_ignore_ascii_case(b"text/plain");
        loop {
            match next(&mut rest) {
                Ok(None) => break,
                Ok(Some(parameter)) if parameter.is("charset") && is_utf8(parameter.value) => {}
                _ => {
                    self.encoded = true;
                    break;
                }
            }
        }
    }
}

/// A part that is, to some parser, a wanted field.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Wants {
    pub(crate) index: usize,
    pub(crate) exact: bool,
    pub(crate) is_file: bool,
}

fn once(seen: &mut bool) -> Result<(), Reason> {
    match std::mem::replace(seen, true) {
        true => Err(Reason::Header),
        false => Ok(()),
    }
}
