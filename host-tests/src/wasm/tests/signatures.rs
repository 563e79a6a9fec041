//! `sign` and `verify_signature`, with the keys and signatures of `keys/`, which protect nothing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

const EXCHANGE: &str = "{request: {path: /}, upstream: [{body: fine}]}";

const TEXT: &[u8] = b"signed text";

/// `$verify` and `$sign` log the status and the error of the result, or `fine` if there is none.
/// `$signed` signs, and verifies what came of it with the arguments that are prepared for that.
const CALLS: &str = r#"
(func $verify (param i32 i32)
  (call $tell (call $foreign @"verify_signature" (local.get 0) (local.get 1) (i32.const 16) (i32.const 20)) (i32.const 2)))
(func $sign (param i32 i32)
  (call $tell (call $foreign @"sign" (local.get 0) (local.get 1) (i32.const 16) (i32.const 20)) (i32.const 2)))
(func $tell (param $status i32) (param i32)
  (call $note (local.get $status))
  (if (i32.eqz (i32.load (i32.const 20))) (then (return)))
  (if (i32.eq (i32.load8_u (i32.load (i32.const 16))) (i32.const 8)) (then (call $say @"fine") (return)))
  (call $say (i32.add (i32.load (i32.const 16)) (i32.const 2)) (i32.sub (i32.load (i32.const 20)) (i32.const 2))))
(func $signed (param i32 i32 i32 i32)
  (local $to i32)
  (call $sign (local.get 0) (local.get 1))
  (if (i32.ne (i32.load8_u (i32.load (i32.const 16))) (i32.const 8)) (then (return)))
  ;; The rest of the verifier's arguments, then the signature under its other number.
  (memory.copy (i32.const 40000) (local.get 2) (local.get 3))
  (local.set $to (i32.add (i32.const 40000) (local.get 3)))
  (memory.copy (local.get $to) (i32.add (i32.load (i32.const 16)) (i32.const 2)) (i32.sub (i32.load (i32.const 20)) (i32.const 2)))
  (i32.store8 (local.get $to) (i32.const 0x1a))
  (call $verify (i32.const 40000) (i32.add (local.get 3) (i32.sub (i32.load (i32.const 20)) (i32.const 2)))))
"#;

fn said(body: &str) -> Vec<String> {
    let body = format!("{body} (i32.const 0)");
    let callbacks = [("raw", CALLS), ("on_request_headers", body.as_str())];
    let chain = Chain::one(&callbacks);
    let seen = chain.observe(EXCHANGE);
    messages(&seen).into_iter().map(str::to_owned).collect()
}

/// A file of `keys/`.
fn pem(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/wasm/tests/keys/");
    std::fs::read(format!("{folder}{name}.pem")).unwrap()
}

fn der(name: &str) -> Vec<u8> {
    let text = String::from_utf8(pem(name)).unwrap();
    let inside = text.split("-----").nth(2).unwrap();
    STANDARD.decode(inside.replace('\n', "")).unwrap()
}

fn signature(key: &str, hash: &str) -> Vec<u8> {
    let line = format!("{key} {hash} ");
    let mut lines = include_str!("keys/signatures.txt").lines();
    STANDARD.decode(lines.find_map(|l| l.strip_prefix(&line)).unwrap()).unwrap()
}

/// A message of these fields, as a constant of a guest.
fn message(fields: &[(u8, &[u8])]) -> String {
    let mut out = Vec::new();
    for (number, bytes) in fields {
        out.push(number << 3 | 2);
        if bytes.len() > 0x7f {
            out.push((bytes.len() & 0x7f) as u8 | 0x80);
            out.push((bytes.len() >> 7) as u8);
        } else {
            out.push(bytes.len() as u8);
        }
        out.extend_from_slice(bytes);
    }
    let text: String = out.iter().map(|byte| format!("\\{byte:02x}")).collect();
    format!("@\"{text}\"")
}

fn verify(fields: &[(u8, &[u8])]) -> Vec<String> {
    said(&format!("(call $verify {})", message(fields)))
}

const FAILED: &str = "Failed to verify digest. Error code: 0";

#[test]
fn a_signature_of_each_kind_of_key_and_hash_is_verified() {
    let hashes = ["sha1", "sha224", "sha256", "sha384", "sha512"];
    for key in ["rsa", "p256", "p384"] {
        let public = der(&format!("{key}.pub"));
        let calls: Vec<String> = hashes
            .iter()
            .flat_map(|hash| {
                let signature = signature(key, hash);
                [TEXT, b"other text"].map(|text| {
                    let fields: [(u8, &[u8]); 4] =
                        [(1, hash.as_bytes()), (2, &public), (3, &signature), (4, text)];
                    format!("(call $verify {})", message(&fields))
                })
            })
            .collect();
        let expected = ["0", "fine", "0", FAILED].repeat(hashes.len());
        assert_eq!(said(&calls.concat()), expected, "{key}");
    }
}

#[test]
fn keys_are_der_or_pem_and_not_both() {
    let signature = signature("p256", "sha256");
    let (der, pem) = (der("p256.pub"), pem("p256.pub"));
    let with = |keys: &[(u8, &[u8])]| {
        let rest: [(u8, &[u8]); 3] = [(1, b"SHA256"), (3, &signature), (4, TEXT)];
        verify(&[&rest[..], keys].concat())
    };
    assert_eq!(with(&[(2, &der)]), ["0", "fine"]);
    assert_eq!(with(&[(5, &pem)]), ["0", "fine"]);
    assert_eq!(with(&[(2, &der), (5, &pem)]), ["2"]);
    assert_eq!(with(&[]), ["2"]);
    let broken = ["0", "Failed to initialize digest verify."];
    assert_eq!(with(&[(2, b"no key")]), broken);
    assert_eq!(with(&[(5, b"no key")]), broken);
    assert_eq!(with(&[(2, &der[..60])]), broken);
    assert_eq!(with(&[(5, &self::pem("p256.key"))]), broken, "a private one");
}

#[test]
fn an_unknown_hash_and_a_key_without_one_are_errors_in_the_result() {
    let public = der("p256.pub");
    let with = |hash: &[u8], key: &[u8], signature: &[u8]| {
        verify(&[(1, hash), (2, key), (3, signature), (4, TEXT)])
    };
    assert_eq!(with(b"MD5", &public, b"x"), ["0", "MD5 is not supported."]);
    assert_eq!(with(b"", &public, b"x"), ["0", " is not supported."]);
    assert_eq!(with(b"\xff", &public, b"x"), ["2"]);
    assert_eq!(with(b"sha256", &public, b""), ["0", FAILED]);
    let ed25519 = der("ed25519.pub");
    assert_eq!(with(b"sha256", &ed25519, b"x"), ["0", "Failed to initialize digest verify."]);
    assert_eq!(said("(call $verify @\"\\0a\\09x\")"), ["2"], "no message");
}

#[test]
fn what_is_signed_can_be_verified() {
    for key in ["rsa", "p256", "p384"] {
        let public = der(&format!("{key}.pub"));
        let private = der(&format!("{key}.key"));
        for hash in ["sha1", "Sha512"] {
            let hash = hash.as_bytes();
            let verifier = message(&[(1, hash), (2, &public), (4, TEXT)]);
            let forms: [(u8, &[u8]); 3] = [
                (2, &private),
                (4, &pem(&format!("{key}.key"))),
                (4, &pem(&format!("{key}.trad"))),
            ];
            let calls = forms.map(|form| {
                format!("(call $signed {} {verifier})", message(&[(1, hash), form, (3, TEXT)]))
            });
            assert_eq!(said(&calls.concat()), ["0", "fine", "0", "fine"].repeat(3), "{key}");
        }
    }
}

#[test]
fn what_cannot_be_signed_has_a_status_or_an_error() {
    let sign = |fields: &[(u8, &[u8])]| said(&format!("(call $sign {})", message(fields)));
    let private = der("p256.key");
    let ed25519 = der("ed25519.key");
    let seen = sign(&[(1, b"sha256"), (2, &ed25519), (3, TEXT)]);
    let broken = ["0", "Invalid private key: key data is corrupted or malformed."];
    assert_eq!(seen, broken);
    assert_eq!(sign(&[(1, b"md5"), (2, &private), (3, TEXT)]), ["0", "md5 is not supported."]);
    let public = ["0", "Invalid key type: private key required for signing operation."];
    assert_eq!(sign(&[(1, b"sha256"), (2, &der("p256.pub"))]), public);
    assert_eq!(sign(&[(1, b"sha256"), (2, &der("rsa.trad"))]), public, "DER is PKCS #8");
    assert_eq!(sign(&[(1, b"sha256"), (2, &private), (4, &pem("p256.key"))]), ["2"]);
    assert_eq!(sign(&[(1, b"sha256")]), ["2"]);
}

#[test]
fn keys_that_only_this_host_does_not_know_are_a_failure_and_a_warning() {
    let body = format!(
        "(call $verify {}) (i32.const 0)",
        message(&[(1, b"sha256"), (2, &der("p521.pub")), (3, b"x"), (4, TEXT)])
    );
    let callbacks = [("raw", CALLS), ("on_request_headers", body.as_str())];
    let scenario = "hosts: [wasmtime]";
    let seen = Chain { filters: vec![("a", &callbacks, "")], scenario }.observe(EXCHANGE);
    let said: Vec<_> = seen.logs.iter().map(|line| line.message.as_str()).collect();
    assert!(said[0].contains("P-256"), "{said:?}");
    assert_eq!(said[1..], ["10"]);
}
