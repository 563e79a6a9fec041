//! Bodies with `content-encoding: gzip` or `deflate`, decoded as they come, within a limit.
//!
//! [`Coding::of`] says which of the two a message has, [`Inflate`] decodes it in any chunking. It is
//! strict where decoders differ, since a gateway and a backend that read the same bytes differently
//! are a way around the gateway:
//!
//! - bytes behind the end are refused, and so is a second gzip member, which some decoders read, some
//!   drop and some take for an error;
//! - codes may not be set far more often than they are used, which takes time and no bytes;
//! - checksums and lengths must be right; reserved bits zero; codes those that zlib takes; nothing may
//!   be copied from before the first byte;
//! - `deflate` is the zlib format, as RFC 9110, section 8.4.1.2, defines it. Raw DEFLATE under that
//!   name, which some servers once sent, is refused: the HTTP libraries that compress requests at all
//!   use gzip or the zlib format, and what may be read in two ways is read in none.
//!
//! Memory is bounded by about 70 KiB; time is linear in what comes in and goes out, and nothing is
//! decoded past the limit but for what fits that memory.
//!
//! Our own decoder, since miniz_oxide added 17 KB to 20 KB to a wasm module without gzip's header and
//! checksum, where this one adds 12 KB with them, built for size, and is faster on text (slower on base64;
//! `benchmarks/record/2026-11-21-size.md`); and since miniz_oxide does not notice a copy from before the
//! first byte when it decodes into a ring buffer.
//!
//! Not here: br and zstd, encoding, which bodies are to be decoded.

mod bits;
mod blocks;
mod check;
mod coding;
mod error;
mod frame;
mod huffman;
mod inflate;
#[cfg(test)]
mod tests;

pub use coding::{Coding, Unsupported};
pub use error::Error;
pub use inflate::Inflate;
