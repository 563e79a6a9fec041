//! Bodies as clients write them, tables for single rules, and properties of generated forms.

use super::*;
use crate::boundary;

const WANTED: &[Wanted] = &[Wanted { name: "model", keep: 16 }, Wanted { name: "stream", keep: 5 }];

fn of(boundary_text: &str) -> Boundary {
    boundary(format!("multipart/form-data; boundary=\"{boundary_text}\"").as_bytes()).unwrap()
}

/// Scans `body` cut at `cuts` (ascending).
fn scan(
    boundary: &Boundary,
    limits: Limits,
    body: &[u8],
    cuts: &[usize],
) -> (Result<(), Error>, Scanner) {
    let mut scanner = Scanner::new(boundary, WANTED, limits);
    let mut from = 0;
    for &cut in cuts.iter().chain([&body.len()]) {
        if let Err(error) = scanner.push(&body[from..cut.max(from)]) {
            assert_eq!(scanner.finish(), Err(error));
            return (Err(error), scanner);
        }
        from = cut.max(from);
    }
    (scanner.finish(), scanner)
}

/// Scans whole, by byte, and at every two-way cut; asserts that it makes no difference.
fn scan_all_ways(boundary: &Boundary, limits: Limits, body: &[u8]) -> (Result<(), Error>, Scanner) {
    let (result, whole) = scan(boundary, limits, body, &[]);
    let bytes: Vec<usize> = (0..body.len()).collect();
    for cuts in (0..body.len()).map(|cut| vec![cut]).chain([bytes]) {
        let (other, scanner) = scan(boundary, limits, body, &cuts);
        let text = String::from_utf8_lossy(body);
        assert_eq!(other, result, "{text} cut at {cuts:?}");
        if result.is_ok() {
            assert_eq!(scanner.fields, whole.fields, "{text} cut at {cuts:?}");
        }
    }
    (result, whole)
}

#[test]
fn finds_a_field_behind_a_file() {
    let body = b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\
        Content-Type: audio/wav\r\n\r\n\r\n-\r\n--\r\n--a--\r\r\n\r\n--b\r\n\
        Content-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--b--\r\n";
    let (result, scanner) = scan_all_ways(&of("b"), Limits::default(), body);
    assert_eq!(result, Ok(()));
    let model = scanner.field(0);
    assert_eq!((model.count, model.exact, model.is_file), (1, 1, false));
    assert_eq!(model.text(), Some("whisper-1"));
    assert_eq!(&body[model.range.clone().unwrap()], b"whisper-1");
    assert_eq!(*scanner.field(1), Field::default());
    assert_eq!(*scanner.field(9), Field::default());
}
