//! Chunking, what counts and what does not, and the error against counts of real tokenizers.

use super::*;
use tollgate_json::Scanner;

/// As in the filter: members that are no text, then those of the estimate.
const WANTED: &[Wanted] = &{
    let mut wanted = [Wanted { key: "model", keep: 0 }; MEMBERS.len() + 1];
    let mut n = 0;
    while n < MEMBERS.len() {
        wanted[n + 1] = MEMBERS[n];
        n += 1;
    }
    wanted
};

fn scan(pieces: &[&[u8]]) -> u64 {
    let mut scanner =
        Scanner::with_strings(WANTED, tollgate_json::Limits::default(), Estimator::new(WANTED));
    for piece in pieces {
        scanner.push(piece).unwrap();
    }
    scanner.finish().unwrap();
    scanner.strings().tokens(1000)
}

fn tokens(body: &str) -> u64 {
    scan(&[body.as_bytes()])
}

#[test]
fn nothing_is_nothing() {
    assert_eq!(tokens("{}"), 0);
    assert_eq!(tokens(r#"{"model":"llama","prompt":""}"#), 0);
    assert_eq!(tokens(r#"{"prompt":"the"}"#), 1);
}
