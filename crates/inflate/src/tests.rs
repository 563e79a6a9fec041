//! Against flate2's encoders and decoders, in every cut, truncated and corrupted.

use std::io::Write;

use flate2::{Compression, GzBuilder, write::GzEncoder, write::ZlibEncoder};
use proptest::prelude::*;

use crate::{Coding, Error, Inflate};

const BOTH: [Coding; 2] = [Coding::Gzip, Coding::Deflate];

/// What came out, and how it ended.
type Outcome = (Vec<u8>, Result<(), Error>);

fn decode_pieces<'a>(
    coding: Coding,
    limit: usize,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Outcome {
    let mut body = Inflate::new(coding, limit);
    let mut out = Vec::new();
    for mut piece in pieces {
        loop {
            match body.next(&mut piece) {
                Ok(Some(decoded)) => {
                    assert!(!decoded.is_empty() && decoded.len() <= 64 << 10);
                    out.extend_from_slice(decoded);
                }
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(body.next(&mut &b"more"[..]), Err(error));
                    assert_eq!(body.finish(), Err(error));
                    return (out, Err(error));
                }
            }
        }
        assert!(piece.is_empty());
    }
    (out, body.finish())
}

fn decode(coding: Coding, bytes: &[u8]) -> Outcome {
    decode_pieces(coding, usize::MAX, [bytes])
}

/// The same in one piece, byte by byte and in two pieces, cut anywhere; that outcome.
#[track_caller]
fn decode_cut(coding: Coding, limit: usize, bytes: &[u8]) -> Outcome {
    let whole = decode_pieces(coding, limit, [bytes]);
    assert_eq!(decode_pieces(coding, limit, bytes.chunks(1)), whole, "byte by byte");
    for at in 0..=bytes.len() {
        let (front, back) = bytes.split_at(at);
        let pieces = decode_pieces(coding, limit, [front, b"", back]);
        assert!(pieces == whole, "cut at {at}: {:?} instead of {:?}", pieces.1, whole.1);
    }
    whole
}

fn encode(coding: Coding, level: u32, bytes: &[u8]) -> Vec<u8> {
    let level = Compression::new(level);
    match coding {
        Coding::Gzip => {
            let mut encoder = GzEncoder::new(Vec::new(), level);
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        Coding::Deflate => {
            let mut encoder = ZlibEncoder::new(Vec::new(), level);
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
    }
}

/// A gzip member of these blocks, without options, and checks that are right for `decoded`.
fn gzip(blocks: &[u8], decoded: &[u8]) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(decoded);
    let header = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    [&header, blocks, &crc.sum().to_le_bytes(), &crc.amount().to_le_bytes()].concat()
}

/// Bits as RFC 1951 writes a stream: numbers and words in the order that they come in, each word's
/// first bit first.
fn bits(stream: &str) -> Vec<u8> {
    let bits: Vec<u8> = stream.bytes().filter(|b| *b != b' ').map(|b| b - b'0').collect();
    bits.chunks(8).map(|byte| byte.iter().rev().fold(0, |n, bit| n << 1 | bit)).collect()
}

/// Text with repeats near and far, and with some that never repeats.
fn text(len: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut out = Vec::with_capacity(len + 64);
    while out.len() < len {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        match state >> 29 {
            0 => out.extend_from_slice(&state.to_le_bytes()),
            1 => out.extend(std::iter::repeat_n(b' ', (state >> 8 & 63) as usize)),
            _ => out.extend_from_slice(format!("{{\"n\":{}}},", state >> 20).as_bytes()),
        }
    }
    out.truncate(len);
    out
}

#[test]
fn what_flate2_encodes_at_any_level() {
    for coding in BOTH {
        for level in 0..=9 {
            for len in [0, 1, 2, 300, 5_000, 32_767, 32_768, 32_769, 65_536, 300_000] {
                let bytes = text(len);
                let encoded = encode(coding, level, &bytes);
                let (out, end) = decode(coding, &encoded);
                assert_eq!((out == bytes, end), (true, Ok(())), "{coding:?} {level} {len}");
            }
        }
    }
}

#[test]
fn every_cut_of_every_kind_of_block() {
    for coding in BOTH {
        // Stored, fixed codes, and codes of its own.
        for (level, len) in [(0, 200), (6, 20), (1, 700), (9, 3_000)] {
            let bytes = text(len);
            let encoded = encode(coding, level, &bytes);
            assert_eq!(
                decode_cut(coding, usize::MAX, &encoded),
                (bytes, Ok(())),
                "{coding:?} {level}"
            );
        }
    }
}

#[test]
fn long_bodies_in_pieces_of_any_size() {
    let bytes = text(400_000);
    for coding in BOTH {
        for level in [0, 1, 9] {
            let encoded = encode(coding, level, &bytes);
            for size in [1, 7, 8, 9, 1_000, 65_536] {
                let (out, end) = decode_pieces(coding, usize::MAX, encoded.chunks(size));
                assert!(out == bytes && end == Ok(()), "{coding:?} {level} in pieces of {size}");
            }
        }
    }
}

#[test]
fn what_ends_too_early_is_incomplete_wherever() {
    for coding in BOTH {
        for (level, len) in [(0, 100), (6, 20), (9, 700)] {
            let bytes = text(len);
            let encoded = encode(coding, level, &bytes);
            for end in 0..encoded.len() {
                let (out, result) = decode(coding, &encoded[..end]);
                assert_eq!(result, Err(Error::Incomplete), "{coding:?} {level} cut off at {end}");
                assert!(bytes.starts_with(&out));
            }
        }
    }
}

#[test]
fn a_byte_that_is_wrong_is_found_or_has_no_meaning() {
    let bytes = text(600);
    for coding in BOTH {
        let gzip = coding == Coding::Gzip;
        for level in [0, 9] {
            let encoded = encode(coding, level, &bytes);
            for at in 0..encoded.len() {
                for with in [0x01, 0x80, 0xff] {
                    let mut bad = encoded.clone();
                    bad[at] ^= with;
                    let outcome = decode(coding, &bad);
                    assert_eq!(decode_pieces(coding, usize::MAX, bad.chunks(1)), outcome);
                    if outcome.1.is_ok() {
                        assert_eq!(outcome.0, bytes, "{coding:?} {level} byte {at} ^ {with}");
                        // The time, extra flags and system of gzip, and bits that fill a byte up.
                        let (header, checks) = if gzip { (10, 8) } else { (2, 4) };
                        let unused = gzip && (3..10).contains(&at);
                        let filled = [header, encoded.len() - checks - 1].contains(&at);
                        assert!(unused || filled, "{coding:?} {level} byte {at} ^ {with}");
                    }
                }
            }
        }
    }
}

#[test]
fn the_limit_is_exact_however_it_is_cut() {
    for coding in BOTH {
        for level in [0, 9] {
            let bytes = text(500);
            let encoded = encode(coding, level, &bytes);
            for limit in [500, 501] {
                assert_eq!(decode_cut(coding, limit, &encoded), (bytes.clone(), Ok(())));
            }
            for limit in [0, 1, 499] {
                let outcome = (bytes[..limit].to_vec(), Err(Error::TooLarge));
                assert_eq!(decode_cut(coding, limit, &encoded), outcome, "{limit}");
            }
        }
        let bytes = text(200_000);
        let encoded = encode(coding, 6, &bytes);
        for limit in [4_096, 32_768, 65_536, 199_999, 200_000] {
            let (out, end) = decode_pieces(coding, limit, [&encoded[..]]);
            assert!(out == bytes[..limit]);
            assert_eq!(end, if limit < 200_000 { Err(Error::TooLarge) } else { Ok(()) });
        }
    }
}

#[test]
fn a_bomb_stops_at_the_limit() {
    let zeros = vec![0; 64 << 20];
    let bomb = encode(Coding::Gzip, 9, &zeros);
    assert!(zeros.len() / bomb.len() > 1_000);
    let mut body = Inflate::new(Coding::Gzip, 1 << 20);
    let mut rest = &bomb[..];
    let mut len = 0;
    let end = loop {
        match body.next(&mut rest) {
            Ok(decoded) => len += decoded.unwrap().len(),
            Err(error) => break error,
        }
    };
    assert_eq!((len, end), (1 << 20, Error::TooLarge));
    // No more of it was decoded than a buffer holds.
    assert!((bomb.len() - rest.len()) * 1_000 < (1 << 20) + (128 << 10));
}

#[test]
fn bytes_behind_the_end_are_refused() {
    for coding in BOTH {
        let one = encode(coding, 6, b"one");
        for behind in [&b"\0"[..], b"x", &one] {
            let bytes = [&one, behind].concat();
            assert_eq!(
                decode_cut(coding, usize::MAX, &bytes),
                (b"one".to_vec(), Err(Error::Trailing))
            );
        }
    }
}

#[test]
fn checks_that_do_not_match() {
    for coding in BOTH {
        let good = encode(coding, 6, b"some bytes");
        for back in 1..=if coding == Coding::Gzip { 8 } else { 4 } {
            let mut bad = good.clone();
            let at = bad.len() - back;
            bad[at] ^= 0x10;
            assert_eq!(decode(coding, &bad), (b"some bytes".to_vec(), Err(Error::Checksum)));
        }
    }
}

#[test]
fn one_format_under_the_name_of_the_other() {
    let (gzip, zlib) = BOTH.map(|coding| encode(coding, 6, b"some bytes")).into();
    assert_eq!(decode(Coding::Gzip, &zlib), (vec![], Err(Error::Corrupt)));
    assert_eq!(decode(Coding::Deflate, &gzip), (vec![], Err(Error::Corrupt)));
    // Raw DEFLATE, which some take for `deflate`.
    assert_eq!(decode(Coding::Deflate, &zlib[2..zlib.len() - 4]).1, Err(Error::Corrupt));
    for coding in BOTH {
        assert_eq!(decode(coding, b"{\"model\":\"a\"}").1, Err(Error::Corrupt));
    }
}

#[test]
fn gzip_headers_with_everything_in_any_cut() {
    let header =
        GzBuilder::new().filename("body.json").comment("none").extra(*b"AB\x02\0xy").mtime(7);
    let mut encoder = header.write(Vec::new(), Compression::best());
    encoder.write_all(b"some bytes").unwrap();
    let encoded = encoder.finish().unwrap();
    let good = (b"some bytes".to_vec(), Ok(()));
    assert_eq!(decode_cut(Coding::Gzip, usize::MAX, &encoded), good);
    // The same with the header's own CRC.
    let len = 10 + 2 + 6 + b"body.json\0none\0".len();
    let mut with_crc = encoded.clone();
    with_crc[3] |= 2;
    let mut crc = flate2::Crc::new();
    crc.update(&with_crc[..len]);
    let crc = (crc.sum() as u16).to_le_bytes();
    with_crc.splice(len..len, crc);
    assert_eq!(decode_cut(Coding::Gzip, usize::MAX, &with_crc), good);
    with_crc[len] ^= 1;
    assert_eq!(decode_cut(Coding::Gzip, usize::MAX, &with_crc), (vec![], Err(Error::Checksum)));
    // Each option alone, and the one that has no field.
    for flags in 0..32_u8 {
        let mut member = vec![0x1f, 0x8b, 8, flags, 1, 2, 3, 4, 5, 6];
        for (flag, field) in [(4, &b"\0\0"[..]), (8, b"n\0"), (16, b"\0")] {
            if flags & flag != 0 {
                member.extend_from_slice(field);
            }
        }
        if flags & 2 != 0 {
            let mut crc = flate2::Crc::new();
            crc.update(&member);
            member.extend((crc.sum() as u16).to_le_bytes());
        }
        member.extend_from_slice(&gzip(&[3, 0], b"")[10..]);
        assert_eq!(decode_cut(Coding::Gzip, usize::MAX, &member), (vec![], Ok(())), "{flags:#x}");
    }
}

#[test]
fn headers_that_are_refused() {
    let good = encode(Coding::Gzip, 6, b"");
    for (at, byte) in [(0, 0x1e), (1, 0x8a), (2, 7), (3, 0x20), (3, 0x40), (3, 0x80)] {
        let mut bad = good.clone();
        bad[at] = byte;
        assert_eq!(decode_cut(Coding::Gzip, usize::MAX, &bad), (vec![], Err(Error::Corrupt)));
    }
    // Another method, a window of 64 KiB, a preset dictionary, the check of the header.
    for header in [[0x77, 0x85], [0x88, 0x1c], [0x78, 0xbb], [0x78, 0x9d]] {
        let mut bad = encode(Coding::Deflate, 6, b"");
        bad[..2].copy_from_slice(&header);
        assert_eq!(decode_cut(Coding::Deflate, usize::MAX, &bad), (vec![], Err(Error::Corrupt)));
    }
}

#[test]
fn a_header_has_a_limit() {
    let name = |len: usize| {
        let mut member = gzip(&[3, 0], b"");
        member[3] = 8;
        let name: Vec<u8> = std::iter::repeat_n(b'n', len).chain([0]).collect();
        member.splice(10..10, name);
        decode(Coding::Gzip, &member).1
    };
    assert_eq!(name((128 << 10) - 11), Ok(()));
    assert_eq!(name((128 << 10) - 10), Err(Error::Corrupt));
}

#[test]
fn blocks_that_are_refused() {
    let header = |literals: &str, distances: &str| {
        // Lengths of 18, 0, 1 and 2 in two bits each; the rest have none.
        let ordered = "000 000 010 010 000 000 000 000 000 000 000 000 000 000 000 010 000 010";
        format!("1 01 {literals} {distances} 0111 {ordered}")
    };
    for (name, stream) in [
        ("a kind that does not exist", "1 11".to_owned()),
        (
            "a length and its inverse that differ",
            "1 00 00000 1000000000000000 1111111111111111".into(),
        ),
        ("a literal of the fixed code without meaning", "1 10 11000110".into()),
        ("a distance of the fixed code without meaning", "1 10 00110000 0000001 11110".into()),
        ("a copy from before the first byte", "1 10 00110000 0000001 00001".into()),
        ("287 literals", format!("1 01 01111 00000 0000 {}", "0".repeat(64))),
        ("31 distances", format!("1 01 00000 01111 0000 {}", "0".repeat(64))),
        ("no code for the lengths", format!("1 01 00000 00000 0000 {}", "0".repeat(64))),
        ("too many words for lengths", "1 01 00000 00000 0000 100 100 100 000 0000000000".into()),
        // 11 1111111 is 138 zeros by the code above, if 18 is its last word.
        ("nothing to repeat", "1 01 00000 00000 0000 100 000 100 000 0 0000000000".into()),
        (
            "no word for the end",
            format!("{} {}", header("00000", "00000"), "11 1111111 11 0001011 "),
        ),
    ] {
        let member = gzip(&bits(&stream), b"");
        let (_, end) = decode_cut(Coding::Gzip, usize::MAX, &member);
        assert_eq!(end, Err(Error::Corrupt), "{name}");
        let mut theirs = flate2::read::GzDecoder::new(&member[..]);
        assert!(std::io::copy(&mut theirs, &mut std::io::sink()).is_err(), "{name}");
    }
}

/// A megabyte of them would take a tenth of a second and more.
#[test]
fn blocks_that_only_cost_time_are_refused() {
    let ordered = "000 000 010 010 000 000 000 000 000 000 000 000 000 000 000 010 000 010";
    // No literals, a word for the end and one for a distance; the end.
    let empty = format!("0 01 00000 00000 0111 {ordered} 11 1111111 11 1101011 01 01 0");
    let end = "1 10 0000000";
    // The last one, of the fixed codes, sets codes too.
    for (blocks, expected) in [(1023, Ok(())), (1024, Err(Error::Wasteful))] {
        let member = gzip(&bits(&(empty.repeat(blocks) + end)), b"");
        assert_eq!(decode(Coding::Gzip, &member), (Vec::new(), expected));
        let pieces = decode_pieces(Coding::Gzip, usize::MAX, member.chunks(7));
        assert_eq!(pieces, (Vec::new(), expected));
    }
}

#[test]
fn copies_of_any_distance_and_length() {
    // A pattern of each length, as often as makes the copies of it long.
    let mut bytes = Vec::new();
    for period in 1..=40_u8 {
        bytes.extend((0..period).cycle().take(700).map(|b| b.wrapping_mul(period)));
    }
    for coding in BOTH {
        let encoded = encode(coding, 9, &bytes);
        assert_eq!(decode(coding, &encoded), (bytes.clone(), Ok(())));
    }
    // The farthest: random bytes, twice.
    let far: Vec<u8> = text(300_000).into_iter().step_by(9).take(32_768).collect();
    let bytes = [&far[..], &far, &far].concat();
    assert!(decode(Coding::Gzip, &encode(Coding::Gzip, 9, &bytes)) == (bytes, Ok(())));
}

proptest! {
    #[test]
    fn any_bytes_in_any_two_cuts(
        bytes in proptest::collection::vec(prop_oneof![Just(b'a'), Just(b'b'), any::<u8>()], 0..2_000),
        level in 0..10_u32,
        cuts in any::<[proptest::sample::Index; 2]>(),
        gzip in any::<bool>(),
    ) {
        let coding = if gzip { Coding::Gzip } else { Coding::Deflate };
        let encoded = encode(coding, level, &bytes);
        let mut cuts = cuts.map(|cut| cut.index(encoded.len()));
        cuts.sort_unstable();
        let pieces = [&encoded[..cuts[0]], &encoded[cuts[0]..cuts[1]], &encoded[cuts[1]..]];
        prop_assert_eq!(decode_pieces(coding, usize::MAX, pieces), (bytes, Ok(())));
    }
}
