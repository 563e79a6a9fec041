//! One body: header, blocks, checks, and the limit.

use crate::bits::{Bits, Source};
use crate::blocks::{Blocks, Stop};
use crate::check::{adler32, crc32};
use crate::frame::Header;
use crate::{Coding, Error};

/// A compressed body under way.
///
/// ```
/// # use tollgate_inflate::{Coding, Inflate};
/// # fn scan(_: &[u8]) {}
/// # fn decode(pieces: &[&[u8]]) -> Result<(), tollgate_inflate::Error> {
/// let mut body = Inflate::new(Coding::Gzip, 1 << 20);
/// for piece in pieces {
///     let mut piece = *piece;
///     while let Some(decoded) = body.next(&mut piece)? {
///         scan(decoded);
///     }
/// }
/// body.finish()
/// # }
/// ```
#[derive(Debug)]
pub struct Inflate {
    coding: Coding,
    state: State,
    bits: Bits,
    blocks: Blocks,
    /// Of all that was decoded.
    checksum: u32,
    /// All that was decoded, modulo 2^32.
    len: u32,
    /// How many more bytes may be decoded.
    left: usize,
    error: Option<Error>,
}

/// What comes next.
#[derive(Debug)]
enum State {
    Header(Header),
    Blocks,
    Checksum,
    Length,
    End,
}

impl Inflate {
    /// A body in `coding`, of at most `limit` bytes once decoded.
    pub fn new(coding: Coding, limit: usize) -> Self {
        Self {
            coding,
            state: State::Header(Header::new(coding)),
            bits: Bits::default(),
            blocks: Blocks::new(),
            checksum: match coding {
                Coding::Deflate => 1,
                Coding::Gzip => 0,
            },
            len: 0,
            left: limit,
            error: None,
        }
    }

    /// Decodes on, with the next bytes of the body in `piece`, and takes off what was used of it. Some
    /// decoded bytes, or `None` once `piece` is used up: call it until then.
    ///
    /// All bytes up to the limit, or up to what is wrong with the body, are given before the error, the
    /// same bytes and the same error however the body is cut.
    ///
    /// # Errors
    ///
    /// See [`Error`]; once there was one, always that one. [`Error::Incomplete`] is only found by
    /// [`Self::finish`].
    pub fn next(&mut self, piece: &mut &[u8]) -> Result<Option<&[u8]>, Error> {
        if let Some(error) = self.error {
            return Err(error);
        }
        self.blocks.make_room();
        let start = self.blocks.at();
        let mut source = Source { bits: self.bits, rest: piece };
        self.error = self.advance(start, &mut source).err();
        self.bits = source.bits;
        *piece = source.rest;
        let mut decoded = self.blocks.decoded(start);
        if let Some(allowed) = decoded.get(..self.left)
            && allowed.len() < decoded.len()
        {
            self.error = Some(Error::TooLarge);
            decoded = allowed;
        }
        self.left -= decoded.len();
        match self.error {
            Some(error) if decoded.is_empty() => Err(error),
            _ => Ok((!decoded.is_empty()).then_some(decoded)),
        }
    }

    /// There are no more bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Incomplete`] if there should be, or the error there was.
    pub fn finish(&self) -> Result<(), Error> {
        match (self.error, &self.state) {
            (Some(error), _) => Err(error),
            (None, State::End) => Ok(()),
            (None, _) => Err(Error::Incomplete),
        }
    }

    /// Reads on as far as the piece and the room behind `start` allow.
    fn advance(&mut self, start: usize, source: &mut Source<'_>) -> Result<(), Error> {
        loop {
            self.state = match &mut self.state {
                State::Header(header) => {
                    if !header.read(source)? {
                        return Ok(());
                    }
                    State::Blocks
                }
                State::Blocks => {
                    let stop = self.blocks.decode(source);
                    let decoded = self.blocks.decoded(start);
                    self.checksum = match self.coding {
                        Coding::Deflate => adler32(self.checksum, decoded),
                        Coding::Gzip => crc32(self.checksum, decoded),
                    };
                    // At most a full buffer.
                    self.len = self.len.wrapping_add(decoded.len() as u32);
                    if stop? != Stop::Done {
                        return Ok(());
                    }
                    source.align();
                    State::Checksum
                }
                State::Checksum => {
                    let Some(checksum) = source.take(32) else { return Ok(()) };
                    // zlib's is most significant byte first.
                    let (checksum, next) = match self.coding {
                        Coding::Deflate => (checksum.swap_bytes(), State::End),
                        Coding::Gzip => (checksum, State::Length),
                    };
                    if checksum != self.checksum {
                        return Err(Error::Checksum);
                    }
                    next
                }
                State::Length => {
                    let Some(len) = source.take(32) else { return Ok(()) };
                    if len != self.len {
                        return Err(Error::Checksum);
                    }
                    State::End
                }
                State::End if source.is_empty() => return Ok(()),
                State::End => return Err(Error::Trailing),
            };
        }
    }
}
