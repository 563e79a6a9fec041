//! The keys of the configuration, found by hash in time that tells nothing about them.
//!
//! Not here: reading them (`config`).

use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use tollgate_effects::{Effect, UnixNanos};

/// A key of the configuration, without the key.
pub(crate) struct Key {
    /// Whether it may be used at all.
    pub(crate) enabled: bool,
    /// From when on it may not be used any more.
    pub(crate) expires_at: Option<UnixNanos>,
    /// What to publish about its owner, made once at configuration.
    pub(crate) grants: Vec<Effect>,
}

/// SHA-256 of a key, as four words: a key is compared in four operations. No `Debug`, no `Eq`.
#[derive(Clone, Copy)]
pub(crate) struct Digest([u64; 4]);

impl Digest {
    /// The digest of `key`.
    pub(crate) fn of(key: &[u8]) -> Self {
        Self::from_bytes(&Sha256::digest(key))
    }

    /// A digest from 64 hexadecimal digits of either case.
    pub(crate) fn from_hex(hex: &str) -> Option<Self> {
        let digits: Vec<u8> = hex
            .chars()
            .map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok()))
            .collect::<Option<_>>()?;
        let bytes: Vec<u8> = digits
            .chunks_exact(2)
            .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit))
            .collect();
        (digits.len() == 64).then(|| Self::from_bytes(&bytes))
    }

    fn from_bytes(bytes: &[u8]) -> Self {
        let mut words = [0; 4];
        for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
        }
        Self(words)
    }

    /// The bytes, for finding duplicates in a configuration, where time tells nothing.
    pub(crate) fn bytes(self) -> Vec<u8> {
        self.0.iter().flat_map(|word| word.to_be_bytes()).collect()
    }
}

impl ConstantTimeEq for Digest {
    fn ct_eq(&self, other: &Self) -> Choice {
        let pairs = self.0.iter().zip(&other.0);
        pairs.fold(0, |difference, (a, b)| difference | (a ^ b)).ct_eq(&0)
    }
}

/// All keys.
#[derive(Default)]
pub(crate) struct Keyring {
    /// Apart from the keys, so that a search reads nothing else.
    digests: Vec<Digest>,
    keys: Vec<Key>,
}

impl Keyring {
    /// Adds a key whose digest is not there yet.
    pub(crate) fn add(&mut self, digest: Digest, key: Key) {
        self.digests.push(digest);
        self.keys.push(key);
    }

    /// The key whose digest is that of `key`.
    ///
    /// Every stored digest is compared whole, whether or not one matched before, and the match is
    /// remembered by a conditional move: the time depends on the number of keys and on the length
    /// of `key`, never on which stored digest it is near to. A hash table or a search that stops
    /// early would tell by its time how many leading bits of a guess's hash are those of a real
    /// key, and a stored hash that leaks can be attacked offline. The price grows with the number of keys.
    pub(crate) fn find(&self, key: &[u8]) -> Option<&Key> {
        let digest = Digest::of(key);
        let mut found = u32::MAX;
        for (index, stored) in (0_u32..).zip(&self.digests) {
            found.conditional_assign(&index, digest.ct_eq(stored));
        }
        // The caller learns the outcome anyway, so reading it out need not hide it.
        self.keys.get(usize::try_from(found).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-4's example.
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn key(expires_at: UnixNanos) -> Key {
        Key { enabled: true, expires_at: Some(expires_at), grants: Vec::new() }
    }

    #[test]
    fn a_digest_is_that_of_the_standard_in_either_case() {
        let stored = Digest::from_hex(ABC).unwrap();
        assert!(bool::from(stored.ct_eq(&Digest::of(b"abc"))));
        assert!(!bool::from(stored.ct_eq(&Digest::of(b"abd"))));
        assert_eq!(Digest::from_hex(&ABC.to_uppercase()).unwrap().bytes(), stored.bytes());
    }

    #[test]
    fn one_differing_bit_anywhere_is_a_difference() {
        let stored = Digest::of(b"abc");
        for word in 0..4 {
            for bit in 0..64 {
                let mut other = stored;
                other.0[word] ^= 1 << bit;
                assert!(!bool::from(stored.ct_eq(&other)), "word {word}, bit {bit}");
            }
        }
    }

    #[test]
    fn only_64_hexadecimal_digits_are_a_digest() {
        for hex in ["", "ba78", &ABC[1..], &format!("{ABC}0"), &ABC.replace('b', "g"), "é"] {
            assert!(Digest::from_hex(hex).is_none(), "{hex}");
        }
    }

    #[test]
    fn finds_each_key_and_no_other() {
        let mut keyring = Keyring::default();
        assert!(keyring.find(b"key 0").is_none());
        for n in 0..50_u64 {
            keyring.add(Digest::of(format!("key {n}").as_bytes()), key(n));
        }
        for n in 0..50_u64 {
            let found = keyring.find(format!("key {n}").as_bytes()).unwrap();
            assert_eq!(found.expires_at, Some(n));
        }
        assert!(keyring.find(b"key 50").is_none());
        assert!(keyring.find(b"").is_none());
    }
}
