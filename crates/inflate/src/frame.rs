//! What stands before the blocks of a gzip member (RFC 1952, section 2.3) or a zlib stream (RFC 1950,
//! section 2.2).

use crate::bits::Source;
use crate::check::crc32;
use crate::{Coding, Error};

/// A gzip header of more bytes is refused. None of it is kept; what is longest in it by design, the
/// extra field, has at most 65,535 bytes.
const MOST_HEADER: usize = 128 << 10;

const HAS_HEADER_CRC: u8 = 1 << 1;
const HAS_EXTRA: u8 = 1 << 2;
const HAS_NAME: u8 = 1 << 3;
const HAS_COMMENT: u8 = 1 << 4;
const RESERVED: u8 = 0b1110_0000;

/// What comes next of a header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Part {
    /// CMF and FLG of zlib.
    Zlib,
    /// The ten bytes that every gzip header has, from this one on.
    Fixed(u8),
    /// XLEN.
    ExtraLength,
    /// The extra field, so many bytes.
    Extra(u32),
    /// The file name, up to a NUL.
    Name,
    /// The comment, up to a NUL.
    Comment,
    /// CRC16.
    Crc,
}

/// A header under way.
#[derive(Debug)]
pub(crate) struct Header {
    part: Part,
    /// FLG of gzip.
    flags: u8,
    /// Of all bytes so far.
    crc: u32,
    len: usize,
}

impl Header {
    pub(crate) fn new(coding: Coding) -> Self {
        let part = match coding {
            Coding::Deflate => Part::Zlib,
            Coding::Gzip => Part::Fixed(0),
        };
        Self { part, flags: 0, crc: 0, len: 0 }
    }

    /// Reads on; whether it has ended. False: the piece is used up.
    pub(crate) fn read(&mut self, source: &mut Source<'_>) -> Result<bool, Error> {
        loop {
            let next = match self.part {
                Part::Zlib => {
                    let Some(header) = source.take(16) else { return Ok(false) };
                    return if is_zlib(header) { Ok(true) } else { Err(Error::Corrupt) };
                }
                Part::ExtraLength => {
                    let Some(len) = source.take(16) else { return Ok(false) };
                    self.count(&[len as u8, (len >> 8) as u8])?;
                    if len > 0 { Some(Part::Extra(len)) } else { self.behind(HAS_EXTRA) }
                }
                Part::Crc => {
                    let Some(crc) = source.take(16) else { return Ok(false) };
                    return if crc == self.crc & 0xffff { Ok(true) } else { Err(Error::Checksum) };
                }
                part => {
                    let Some(byte) = source.take(8) else { return Ok(false) };
                    let byte = byte as u8;
                    self.count(&[byte])?;
                    self.byte(part, byte)?
                }
            };
            match next {
                Some(part) => self.part = part,
                None => return Ok(true),
            }
        }
    }

    fn count(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.crc = crc32(self.crc, bytes);
        self.len += bytes.len();
        if self.len > MOST_HEADER { Err(Error::Corrupt) } else { Ok(()) }
    }

    /// What comes behind `byte` of `part`.
    fn byte(&mut self, part: Part, byte: u8) -> Result<Option<Part>, Error> {
        Ok(match part {
            Part::Fixed(at) => {
                let good = match at {
                    0 => byte == 0x1f,
                    1 => byte == 0x8b,
                    // The compression method.
                    2 => byte == 8,
                    3 => {
                        self.flags = byte;
                        byte & RESERVED == 0
                    }
                    // The time, extra flags, the operating system.
                    _ => true,
                };
                if !good {
                    return Err(Error::Corrupt);
                }
                if at < 9 { Some(Part::Fixed(at + 1)) } else { self.behind(0) }
            }
            Part::Extra(left @ 2..) => Some(Part::Extra(left - 1)),
            Part::Extra(_) => self.behind(HAS_EXTRA),
            Part::Name if byte == 0 => self.behind(HAS_NAME),
            Part::Comment if byte == 0 => self.behind(HAS_COMMENT),
            part => Some(part),
        })
    }

    /// The first part that the flags tell of behind the one of flag `done`.
    fn behind(&self, done: u8) -> Option<Part> {
        let has = |flag| self.flags & flag != 0;
        if has(HAS_EXTRA) && done < HAS_EXTRA {
            Some(Part::ExtraLength)
        } else if has(HAS_NAME) && done < HAS_NAME {
            Some(Part::Name)
        } else if has(HAS_COMMENT) && done < HAS_COMMENT {
            Some(Part::Comment)
        } else if has(HAS_HEADER_CRC) {
            Some(Part::Crc)
        } else {
            None
        }
    }
}

/// Whether these are CMF and FLG (high byte) of a stream of DEFLATE, with a window of at most 32 KiB,
/// without a preset dictionary.
fn is_zlib(header: u32) -> bool {
    let (cmf, flg) = (header & 255, header >> 8);
    cmf & 15 == 8 && cmf >> 4 <= 7 && flg & 0x20 == 0 && (cmf << 8 | flg) % 31 == 0
}
