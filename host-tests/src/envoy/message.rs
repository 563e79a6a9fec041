//! One HTTP/1.1 message off the wire, fed in any pieces.
//!
//! Sans-IO: bytes go in, a [`Message`] comes out, and how the bytes were cut makes no difference.
//! Written by hand, since a test needs to see what a library hides: header bytes as they came, a body
//! that broke off, trailers. Not here: sockets ([`super::client`], [`super::upstream`]), HTTP/2,
//! pipelining (bytes behind the message are dropped), `100-continue` (interim responses are skipped).
//! Framing is RFC 9112 §6.3.

mod frame;

use anyhow::{Context, Result, bail, ensure};
use httparse::Status;

use crate::plan::Headers;
pub(crate) use frame::{frame, write_headers};

/// Most header lines of a message. Envoy's own limit is 100.
const MOST_HEADERS: usize = 256;

/// Most bytes of a head, of a chunk's size line or of the trailers. Envoy's own limit is 60 KiB.
const MOST_HEAD_BYTES: usize = 1 << 20;

/// Which side's message it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// A request.
    Request,
    /// The response to a request; one to `HEAD` has no body whatever it says.
    Response {
        /// The request's method was `HEAD`.
        to_head: bool,
    },
}

/// The first line.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Start {
    /// Of a request; otherwise empty.
    pub method: String,
    /// Request target; empty in a response.
    pub path: String,
    /// Of a response; 0 in a request.
    pub status: u16,
}

/// A message as far as it came.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Message {
    /// The first line.
    pub start: Start,
    /// Names in lower case, values as they came, framing headers included.
    pub headers: Headers,
    /// The body without its framing.
    pub body: Vec<u8>,
    /// Trailers, as `headers`.
    pub trailers: Headers,
}

/// How the body ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Framing {
    Chunked,
    /// This many bytes are still to come.
    Length(u64),
    UntilClose,
}

/// What the next bytes belong to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Head,
    Sized(u64),
    UntilClose,
    ChunkSize,
    Chunk(u64),
    ChunkEnd,
    Trailers,
    Done,
}

/// Reads one [`Message`].
#[derive(Debug)]
pub(crate) struct Parser {
    kind: Kind,
    state: State,
    /// Bytes of an unfinished line or head.
    pending: Vec<u8>,
    message: Message,
}

impl Parser {
    pub(crate) fn new(kind: Kind) -> Self {
        Self { kind, state: State::Head, pending: Vec::new(), message: Message::default() }
    }

    /// Takes the next bytes. Whether the message is complete.
    ///
    /// # Errors
    /// What came is not HTTP/1.1.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<bool> {
        let mut rest = bytes;
        while !rest.is_empty() && self.state != State::Done {
            rest = match self.state {
                State::Head => self.head(rest)?,
                State::Sized(left) => {
                    let (left, rest) = self.body(left, rest);
                    self.state = if left == 0 { State::Done } else { State::Sized(left) };
                    rest
                }
                State::UntilClose => {
                    self.message.body.extend_from_slice(rest);
                    &[]
                }
                State::ChunkSize => self.chunk_size(rest)?,
                State::Chunk(left) => {
                    let (left, rest) = self.body(left, rest);
                    self.state = if left == 0 { State::ChunkEnd } else { State::Chunk(left) };
                    rest
                }
                State::ChunkEnd => {
                    let (line, rest) = self.line(rest)?;
                    if let Some(line) = line {
                        ensure!(line.is_empty(), "expected a line end behind a chunk");
                        self.state = State::ChunkSize;
                    }
                    rest
                }
                State::Trailers => self.trailers(rest)?,
                State::Done => &[],
            };
        }
        Ok(self.is_complete())
    }

    /// The peer closed its side. Whether the message is complete: a body without length ends so.
    pub(crate) fn close(&mut self) -> bool {
        if self.state == State::UntilClose {
            self.state = State::Done;
        }
        self.is_complete()
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.state == State::Done
    }

    /// Whether the head is complete.
    pub(crate) fn has_head(&self) -> bool {
        self.state != State::Head
    }

    /// What came so far.
    pub(crate) fn message(&self) -> &Message {
        &self.message
    }

    pub(crate) fn into_message(self) -> Message {
        self.message
    }

    fn head<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8]> {
        let before = self.pending.len();
        self.pending.extend_from_slice(bytes);
        let mut lines = [httparse::EMPTY_HEADER; MOST_HEADERS];
        let parsed = match self.kind {
            Kind::Request => {
                let mut request = httparse::Request::new(&mut lines);
                match request.parse(&self.pending).context("not an HTTP/1.1 request")? {
                    Status::Partial => None,
                    Status::Complete(length) => {
                        let method = request.method.unwrap_or_default().into();
                        let path = request.path.unwrap_or_default().into();
                        Some((length, Start { method, path, status: 0 }, owned(request.headers)))
                    }
                }
            }
            Kind::Response { .. } => {
                let mut response = httparse::Response::new(&mut lines);
                match response.parse(&self.pending).context("not an HTTP/1.1 response")? {
                    Status::Partial => None,
                    Status::Complete(length) => {
                        let status = response.code.unwrap_or_default();
                        let start = Start { status, ..Start::default() };
                        Some((length, start, owned(response.headers)))
                    }
                }
            }
        };
        let Some((length, start, headers)) = parsed else {
            ensure!(self.pending.len() <= MOST_HEAD_BYTES, "the head is too long");
            return Ok(&[]);
        };
        self.pending.clear();
        let rest = bytes.get(length.saturating_sub(before)..).unwrap_or_default();
        if (100..200).contains(&start.status) {
            return Ok(rest);
        }
        self.message.start = start;
        self.message.headers = headers;
        self.state = match self.framing()? {
            Framing::Chunked => State::ChunkSize,
            Framing::Length(0) => State::Done,
            Framing::Length(length) => State::Sized(length),
            Framing::UntilClose => State::UntilClose,
        };
        Ok(rest)
    }

    fn framing(&self) -> Result<Framing> {
        let status = self.message.start.status;
        let bodiless = matches!(self.kind, Kind::Response { to_head: true });
        if bodiless || status == 204 || status == 304 {
            return Ok(Framing::Length(0));
        }
        let value = |name| value(&self.message.headers, name);
        if value("transfer-encoding").is_some_and(|v| v.eq_ignore_ascii_case(b"chunked")) {
            return Ok(Framing::Chunked);
        }
        if let Some(length) = value("content-length") {
            let text = str::from_utf8(length).unwrap_or_default();
            return Ok(Framing::Length(text.parse().context("content-length is not a number")?));
        }
        Ok(match self.kind {
            Kind::Request => Framing::Length(0),
            Kind::Response { .. } => Framing::UntilClose,
        })
    }

    /// Takes up to `left` bytes as body; what is left of both.
    fn body<'b>(&mut self, left: u64, bytes: &'b [u8]) -> (u64, &'b [u8]) {
        let take = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let (body, rest) = bytes.split_at(take);
        self.message.body.extend_from_slice(body);
        (left.saturating_sub(take as u64), rest)
    }

    /// Takes bytes up to a line end; the line without it once it is there.
    fn line<'b>(&mut self, bytes: &'b [u8]) -> Result<(Option<Vec<u8>>, &'b [u8])> {
        let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
            self.pending.extend_from_slice(bytes);
            ensure!(self.pending.len() <= MOST_HEAD_BYTES, "a line is too long");
            return Ok((None, &[]));
        };
        let (line, rest) = bytes.split_at(end);
        let mut whole = std::mem::take(&mut self.pending);
        whole.extend_from_slice(line);
        if whole.last() == Some(&b'\r') {
            whole.pop();
        }
        Ok((Some(whole), rest.get(1..).unwrap_or_default()))
    }

    fn chunk_size<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8]> {
        let (line, rest) = self.line(bytes)?;
        let Some(line) = line else { return Ok(rest) };
        let line = str::from_utf8(&line).unwrap_or_default();
        let digits = line.split(';').next().unwrap_or_default().trim();
        let Ok(size) = u64::from_str_radix(digits, 16) else { bail!("bad chunk size `{line}`") };
        self.state = if size == 0 { State::Trailers } else { State::Chunk(size) };
        Ok(rest)
    }

    fn trailers<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8]> {
        let (line, rest) = self.line(bytes)?;
        let Some(mut line) = line else { return Ok(rest) };
        if line.is_empty() {
            self.state = State::Done;
            return Ok(rest);
        }
        ensure!(self.message.trailers.len() < MOST_HEADERS, "too many trailers");
        line.extend_from_slice(b"\r\n\r\n");
        let mut lines = [httparse::EMPTY_HEADER; 1];
        match httparse::parse_headers(&line, &mut lines).context("bad trailer")? {
            Status::Complete((_, lines)) => self.message.trailers.extend(owned(lines)),
            Status::Partial => bail!("bad trailer"),
        }
        Ok(rest)
    }
}

/// The first value of `name`, which is in lower case.
pub(crate) fn value<'h>(headers: &'h Headers, name: &str) -> Option<&'h [u8]> {
    headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_slice())
}

fn owned(lines: &[httparse::Header<'_>]) -> Headers {
    lines.iter().map(|line| (line.name.to_ascii_lowercase(), line.value.to_vec())).collect()
}

#[cfg(test)]
mod tests;
