//! The checksums: CRC-32 (RFC 1952, section 8) and Adler-32 (RFC 1950, section 8.2).

use std::sync::OnceLock;

/// Bytes of a CRC are taken so many at a time.
const STRIDE: usize = 8;

type Tables = [[u32; 256]; STRIDE];

/// Computed, not stored: 8 KiB would be much of a filter's size, and take microseconds once.
static TABLES: OnceLock<Box<Tables>> = OnceLock::new();

/// The CRC-32 of all bytes that had the CRC `crc` (0 for none) and `bytes` behind them.
pub(crate) fn crc32(crc: u32, bytes: &[u8]) -> u32 {
    let tables = TABLES.get_or_init(tables);
    let [table, ..] = &**tables;
    let look_up = |table: &[u32; 256], byte: u32| {
        // Always there: the index has eight bits.
        table.get((byte & 255) as usize).copied().unwrap_or_default()
    };
    let mut crc = !crc;
    let (words, rest) = bytes.as_chunks::<STRIDE>();
    for word in words {
        let word = u64::from_le_bytes(*word) ^ u64::from(crc);
        crc = (0..)
            .zip(tables.iter().rev())
            .fold(0, |crc, (i, table)| crc ^ look_up(table, (word >> (8 * i)) as u32));
    }
    for byte in rest {
        crc = crc >> 8 ^ look_up(table, crc ^ u32::from(*byte));
    }
    !crc
}

/// The Adler-32 of all bytes that had `adler` (1 for none) and `bytes` behind them.
pub(crate) fn adler32(adler: u32, bytes: &[u8]) -> u32 {
    const MODULUS: u32 = 65521;
    /// The most bytes after which neither sum can have overflown.
    const RUN: usize = 5552;
    let (mut a, mut b) = (adler & 0xffff, adler >> 16);
    for run in bytes.chunks(RUN) {
        for byte in run {
            a += u32::from(*byte);
            b += a;
        }
        a %= MODULUS;
        b %= MODULUS;
    }
    b << 16 | a
}

fn tables() -> Box<Tables> {
    let mut tables = Box::new([[0_u32; 256]; STRIDE]);
    for i in 0..256_u32 {
        let mut crc = i;
        for _ in 0..8 {
            crc = crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 };
        }
        let first = crc;
        for (n, table) in tables.iter_mut().enumerate() {
            // Behind each byte another of zeros.
            if n > 0 {
                for _ in 0..8 {
                    crc = crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 };
                }
            } else {
                crc = first;
            }
            if let Some(place) = table.get_mut(i as usize) {
                *place = crc;
            }
        }
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_checksums() {
        // The check values of the catalogue of CRC algorithms, and of RFC 1950's successor texts.
        assert_eq!(crc32(0, b"123456789"), 0xcbf4_3926);
        assert_eq!(adler32(1, b"Wikipedia"), 0x11e6_0398);
        assert_eq!((crc32(0, b""), adler32(1, b"")), (0, 1));
    }

    #[test]
    fn the_same_in_any_cut_and_without_overflow() {
        let bytes: Vec<u8> =
            (0..20_000_u32).map(|i| if i < 9000 { 255 } else { i as u8 }).collect();
        let mut crc = flate2::Crc::new();
        crc.update(&bytes);
        assert_eq!(crc32(0, &bytes), crc.sum());
        for at in (0..bytes.len()).step_by(997).chain(0..20) {
            let (front, back) = bytes.split_at(at);
            assert_eq!(crc32(crc32(0, front), back), crc.sum(), "cut at {at}");
            assert_eq!(adler32(adler32(1, front), back), adler32(1, &bytes), "cut at {at}");
        }
        let slow = bytes.iter().fold((1_u32, 0_u32), |(a, b), byte| {
            let a = (a + u32::from(*byte)) % 65521;
            (a, (b + a) % 65521)
        });
        assert_eq!(adler32(1, &bytes), slow.1 << 16 | slow.0);
    }
}
