//! What the decoder of compressed bodies does with any blocks, compared to miniz_oxide.

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags};
use tollgate_inflate::{Coding, Error, Inflate};

/// More is not decoded.
const LIMIT: usize = 64 << 10;

type Outcome = (Vec<u8>, Result<(), Error>);

/// The decoder does the same whole, cut and byte by byte, and stays within its limit; raw blocks, with
/// the header and checks that are right for them, decode to what miniz_oxide decodes them to, or are
/// refused by both.
pub fn inflate(data: &[u8]) {
    let Some((coding, data)) = data.split_first() else { return };
    let coding = if coding & 1 == 0 { Coding::Gzip } else { Coding::Deflate };
    let (at, bytes) = super::cut(data);
    let _ = same_in_any_cut(coding, at, bytes);

    let mut theirs = vec![0; LIMIT];
    let flags = inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF
        | inflate_flags::TINFL_FLAG_COMPUTE_ADLER32;
    let mut decoder = Box::<DecompressorOxide>::default();
    let (status, taken, len) = decompress(&mut decoder, bytes, &mut theirs, 0, flags);
    theirs.truncate(len);
    let mut member = match coding {
        Coding::Gzip => vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255],
        Coding::Deflate => vec![0x78, 0x9c],
    };
    member.extend_from_slice(&bytes[..taken]);
    let ours = match (coding, status) {
        (_, TINFLStatus::Done) => {
            let mut crc = flate2::Crc::new();
            crc.update(&theirs);
            match coding {
                Coding::Gzip => {
                    member.extend(crc.sum().to_le_bytes());
                    member.extend(crc.amount().to_le_bytes());
                }
                Coding::Deflate => member.extend(adler32(&theirs).to_be_bytes()),
            }
            same_in_any_cut(coding, at, &member)
        }
        _ => same_in_any_cut(coding, at, &member),
    };
    match status {
        TINFLStatus::Done => assert_eq!(ours, (theirs, Ok(()))),
        TINFLStatus::HasMoreOutput => {
            assert_eq!((ours.0.len(), ours.1), (LIMIT, Err(Error::TooLarge)))
        }
        _ => assert!(matches!(ours.1, Err(Error::Corrupt | Error::Incomplete)), "{status:?}"),
    }
}

fn same_in_any_cut(coding: Coding, at: usize, bytes: &[u8]) -> Outcome {
    let at = at.min(bytes.len());
    let whole = decode(coding, [bytes]);
    assert!(whole.0.len() <= LIMIT);
    assert_eq!(decode(coding, [&bytes[..at], &bytes[at..]]), whole);
    assert_eq!(decode(coding, bytes.chunks(1)), whole);
    whole
}

fn decode<'a>(coding: Coding, pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut body = Inflate::new(coding, LIMIT);
    let mut out = Vec::new();
    for mut piece in pieces {
        loop {
            match body.next(&mut piece) {
                Ok(Some(decoded)) => out.extend_from_slice(decoded),
                Ok(None) => break,
                Err(error) => return (out, Err(error)),
            }
        }
    }
    (out, body.finish())
}

/// As RFC 1950 defines it.
fn adler32(bytes: &[u8]) -> u32 {
    let (a, b) = bytes.iter().fold((1_u32, 0_u32), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65521;
        (a, (b + a) % 65521)
    });
    b << 16 | a
}
