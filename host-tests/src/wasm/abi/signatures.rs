//! The foreign functions `sign` and `verify_signature`, as Envoy 1.40 has them: RSA (PKCS #1 v1.5) and
//! ECDSA over P-256 and P-384. Envoy's other curves are not here, which a log line says.
//!
//! A filter's test is no place for secrets: nothing here is meant to withstand who measures it.

use p256::ecdsa::signature::hazmat::{PrehashSigner, PrehashVerifier};
use rsa::pkcs1::DecodeRsaPrivateKey;
use rsa::pkcs8::{DecodePrivateKey, DecodePublicKey};
use rsa::sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use rsa::{Pkcs1v15Sign, RsaPrivateKey, RsaPublicKey};
use sha1::Sha1;

use super::{Cx, Status};
use crate::wasm::protobuf::{Field, fields, write_bytes};

/// What one operation costs the guest, in bytes moved: about what it takes.
const COST: usize = 4 << 20;

/// A hash shorter than this is padded, which does not change the number that it is.
const FIELD: usize = 48;

/// Longer keys are RSA's with more than 4096 bits, in DER.
const LARGE_PUBLIC: usize = 560;
const LARGE_PRIVATE: usize = 2400;

const ED25519: rsa::pkcs8::ObjectIdentifier =
    rsa::pkcs8::ObjectIdentifier::new_unwrap("1.3.101.112");

const INVALID: &str = "Invalid private key: key data is corrupted or malformed.";

const NOT_PRIVATE: &str = "Invalid key type: private key required for signing operation.";

/// `VerifySignatureArguments` to `VerifySignatureResult`.
///
/// # Errors
///
/// `BadArgument` for no message, for no key, and for two.
/// `InternalFailure` for a key that only this host does not know.
pub(super) fn verify(cx: &Cx<'_>, argument: &[u8]) -> Result<Vec<u8>, Status> {
    let arguments = Arguments::read(argument, [3, 4, 2, 5])?;
    cx.charge(COST);
    let key = arguments.key(PublicKey::of_der, PublicKey::of_pem)?;
    let error = match (Hash::named(arguments.hash), key) {
        (None, _) => format!("{} is not supported.", arguments.hash),
        (_, PublicKey::Broken) => "Failed to initialize digest verify.".to_owned(),
        (_, PublicKey::Unknown) => return Err(unknown_key(cx)),
        (Some(hash), key) => {
            match key.verify(hash, &hash.of(arguments.text), arguments.signature) {
                true => String::new(),
                false => "Failed to verify digest. Error code: 0".to_owned(),
            }
        }
    };
    let mut out = Vec::new();
    put_result(&mut out, error.is_empty());
    put_bytes(&mut out, 2, error.as_bytes());
    Ok(out)
}

/// `SignArguments` to `SignResult`.
///
/// # Errors
///
/// As of [`verify`].
pub(super) fn sign(cx: &Cx<'_>, argument: &[u8]) -> Result<Vec<u8>, Status> {
    let arguments = Arguments::read(argument, [0, 3, 2, 4])?;
    cx.charge(COST);
    let key = arguments.key(PrivateKey::of_der, PrivateKey::of_pem)?;
    let signed = match (Hash::named(arguments.hash), key) {
        (None, _) => Err(format!("{} is not supported.", arguments.hash)),
        (_, PrivateKey::Broken) => Err(NOT_PRIVATE.to_owned()),
        (_, PrivateKey::Ed25519) => Err(INVALID.to_owned()),
        (_, PrivateKey::Unknown) => return Err(unknown_key(cx)),
        (Some(hash), key) => {
            let signature = key.sign(hash, &hash.of(arguments.text));
            signature.ok_or_else(|| "Failed to create signature.".to_owned())
        }
    };
    let mut out = Vec::new();
    put_result(&mut out, signed.is_ok());
    match signed {
        Ok(signature) => put_bytes(&mut out, 2, &signature),
        Err(error) => put_bytes(&mut out, 3, error.as_bytes()),
    }
    Ok(out)
}

fn unknown_key(cx: &Cx<'_>) -> Status {
    let text =
        "this host signs and verifies with RSA up to 4096 bits, P-256 and P-384; not with this key";
    cx.state().log(3, text);
    Status::InternalFailure
}

/// What both messages have, under other numbers.
#[derive(Default)]
struct Arguments<'a> {
    hash: &'a str,
    signature: &'a [u8],
    text: &'a [u8],
    der: &'a [u8],
    pem: &'a str,
}

impl<'a> Arguments<'a> {
    /// The numbers are those of the signature, the text, the key in DER, and in PEM.
    fn read(message: &'a [u8], [signature, text, der, pem]: [u64; 4]) -> Result<Self, Status> {
        let string = |bytes: &'a [u8]| str::from_utf8(bytes).map_err(|_| Status::BadArgument);
        let mut read = Self::default();
        for field in fields(message).ok_or(Status::BadArgument)? {
            match field {
                (1, Field::Bytes(bytes)) => read.hash = string(bytes)?,
                (number, Field::Bytes(bytes)) if number == signature => read.signature = bytes,
                (number, Field::Bytes(bytes)) if number == text => read.text = bytes,
                (number, Field::Bytes(bytes)) if number == der => read.der = bytes,
                (number, Field::Bytes(bytes)) if number == pem => read.pem = string(bytes)?,
                _ => {}
            }
        }
        Ok(read)
    }

    /// The only key that is given.
    fn key<K>(&self, of_der: impl Fn(&[u8]) -> K, of_pem: impl Fn(&str) -> K) -> Result<K, Status> {
        match (self.der, self.pem) {
            ([], "") => Err(Status::BadArgument),
            (der, "") => Ok(of_der(der)),
            ([], pem) => Ok(of_pem(pem)),
            _ => Err(Status::BadArgument),
        }
    }
}

/// A hash function, by Envoy's names of any case.
#[derive(Clone, Copy)]
enum Hash {
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    fn named(name: &str) -> Option<Self> {
        let all = [
            ("sha1", Self::Sha1),
            ("sha224", Self::Sha224),
            ("sha256", Self::Sha256),
            ("sha384", Self::Sha384),
            ("sha512", Self::Sha512),
        ];
        all.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, hash)| hash)
    }

    fn of(self, text: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => Sha1::digest(text).to_vec(),
            Self::Sha224 => Sha224::digest(text).to_vec(),
            Self::Sha256 => Sha256::digest(text).to_vec(),
            Self::Sha384 => Sha384::digest(text).to_vec(),
            Self::Sha512 => Sha512::digest(text).to_vec(),
        }
    }

    fn padding(self) -> Pkcs1v15Sign {
        match self {
            Self::Sha1 => Pkcs1v15Sign::new::<Sha1>(),
            Self::Sha224 => Pkcs1v15Sign::new::<Sha224>(),
            Self::Sha256 => Pkcs1v15Sign::new::<Sha256>(),
            Self::Sha384 => Pkcs1v15Sign::new::<Sha384>(),
            Self::Sha512 => Pkcs1v15Sign::new::<Sha512>(),
        }
    }
}

/// The same number in as many bytes as P-384 has: its crate refuses much shorter ones.
fn padded(hashed: &[u8]) -> Vec<u8> {
    let mut out = vec![0; FIELD.saturating_sub(hashed.len())];
    out.extend_from_slice(hashed);
    out
}

enum PublicKey {
    Rsa(RsaPublicKey),
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
    /// Envoy can read none, or can do nothing with it.
    Broken,
    /// Only this host can do nothing with it.
    Unknown,
}

impl PublicKey {
    /// A `SubjectPublicKeyInfo`.
    fn of_der(der: &[u8]) -> Self {
        if let Ok(key) = RsaPublicKey::from_public_key_der(der) {
            return Self::Rsa(key);
        }
        if let Ok(key) = p256::ecdsa::VerifyingKey::from_public_key_der(der) {
            return Self::P256(key);
        }
        if let Ok(key) = p384::ecdsa::VerifyingKey::from_public_key_der(der) {
            return Self::P384(key);
        }
        let info = rsa::pkcs8::SubjectPublicKeyInfoRef::try_from(der);
        match info.is_ok_and(|info| is_unknown(info.algorithm, der.len() > LARGE_PUBLIC)) {
            true => Self::Unknown,
            false => Self::Broken,
        }
    }

    fn of_pem(pem: &str) -> Self {
        match rsa::pkcs8::Document::from_pem(pem) {
            Ok(("PUBLIC KEY", document)) => Self::of_der(document.as_bytes()),
            _ => Self::Broken,
        }
    }

    fn verify(&self, hash: Hash, hashed: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Rsa(key) => key.verify(hash.padding(), hashed, signature).is_ok(),
            Self::P256(key) => p256::ecdsa::Signature::from_der(signature)
                .is_ok_and(|signature| key.verify_prehash(hashed, &signature).is_ok()),
            Self::P384(key) => p384::ecdsa::Signature::from_der(signature)
                .is_ok_and(|signature| key.verify_prehash(&padded(hashed), &signature).is_ok()),
            Self::Broken | Self::Unknown => false,
        }
    }
}

enum PrivateKey {
    Rsa(Box<RsaPrivateKey>),
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
    /// Envoy can read none.
    Broken,
    Ed25519,
    /// Only this host can do nothing with it.
    Unknown,
}

impl PrivateKey {
    /// A PKCS #8 `PrivateKeyInfo`.
    fn of_der(der: &[u8]) -> Self {
        if let Ok(key) = RsaPrivateKey::from_pkcs8_der(der) {
            return Self::Rsa(Box::new(key));
        }
        if let Ok(key) = p256::ecdsa::SigningKey::from_pkcs8_der(der) {
            return Self::P256(key);
        }
        if let Ok(key) = p384::ecdsa::SigningKey::from_pkcs8_der(der) {
            return Self::P384(key);
        }
        let info = rsa::pkcs8::PrivateKeyInfo::try_from(der);
        if info.as_ref().is_ok_and(|info| info.algorithm.oid == ED25519) {
            return Self::Ed25519;
        }
        match info.is_ok_and(|info| is_unknown(info.algorithm, der.len() > LARGE_PRIVATE)) {
            true => Self::Unknown,
            false => Self::Broken,
        }
    }

    /// PKCS #8, or the older forms of each kind of key.
    fn of_pem(pem: &str) -> Self {
        let Ok((label, document)) = rsa::pkcs8::Document::from_pem(pem) else {
            return Self::Broken;
        };
        let der = document.as_bytes();
        match label {
            "PRIVATE KEY" => Self::of_der(der),
            "RSA PRIVATE KEY" => match RsaPrivateKey::from_pkcs1_der(der) {
                Ok(key) => Self::Rsa(Box::new(key)),
                Err(_) if der.len() > LARGE_PRIVATE => Self::Unknown,
                Err(_) => Self::Broken,
            },
            "EC PRIVATE KEY" => {
                let p256 = p256::SecretKey::from_sec1_der(der).map(|key| Self::P256(key.into()));
                let p384 = || p384::SecretKey::from_sec1_der(der).map(|key| Self::P384(key.into()));
                p256.or_else(|_| p384()).unwrap_or(Self::Unknown)
            }
            _ => Self::Broken,
        }
    }

    /// Of ECDSA in DER. Envoy's are other ones each time; these are the same.
    fn sign(&self, hash: Hash, hashed: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Rsa(key) => key.sign(hash.padding(), hashed).ok(),
            Self::P256(key) => {
                let signature: Result<p256::ecdsa::Signature, _> = key.sign_prehash(hashed);
                signature.ok().map(|signature| signature.to_der().as_bytes().to_vec())
            }
            Self::P384(key) => {
                let signature: Result<p384::ecdsa::Signature, _> =
                    key.sign_prehash(&padded(hashed));
                signature.ok().map(|signature| signature.to_der().as_bytes().to_vec())
            }
            Self::Broken | Self::Ed25519 | Self::Unknown => None,
        }
    }
}

/// Whether Envoy, and not this host, knows such keys: P-224, P-521, and RSA of more bits.
fn is_unknown(algorithm: rsa::pkcs8::AlgorithmIdentifierRef<'_>, large: bool) -> bool {
    use rsa::pkcs8::ObjectIdentifier as Oid;
    const RSA: Oid = Oid::new_unwrap("1.2.840.113549.1.1.1");
    const EC: Oid = Oid::new_unwrap("1.2.840.10045.2.1");
    const CURVES: [Oid; 2] = [Oid::new_unwrap("1.3.132.0.33"), Oid::new_unwrap("1.3.132.0.35")];
    match algorithm.oid {
        RSA => large,
        EC => algorithm.parameters_oid().is_ok_and(|curve| CURVES.contains(&curve)),
        _ => false,
    }
}

/// The field `result`, which is left out if it is false.
fn put_result(out: &mut Vec<u8>, result: bool) {
    if result {
        out.extend_from_slice(&[1 << 3, 1]);
    }
}

/// A field of bytes, which is left out if it is empty.
fn put_bytes(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    if !bytes.is_empty() {
        write_bytes(out, number, bytes);
    }
}
