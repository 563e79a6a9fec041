//! Bytes per second of the scanner, by what the file is. Each result is checked.
//!
//! Random bytes are what audio and pictures are like; the others are what a search could be slow on:
//! line breaks, hyphens, and boundaries that are none at their last byte.
#![expect(clippy::expect_used, reason = "a bench may panic")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tollgate_multipart::{Limits, Scanner, Wanted, boundary};

const WANTED: &[Wanted] =
    &[Wanted { name: "model", keep: 256 }, Wanted { name: "stream", keep: 5 }];

/// Size of the pieces a proxy hands over: Envoy's read buffer.
const PIECE: usize = 16 * 1024;

/// As curl writes it.
const LONG: &str = "------------------------d74496d66958873e";
/// Few leaps are shorter, and all of them are taken.
const SHORT: &str = "x";
/// In a file of hyphens half of it matches everywhere.
const HYPHENS: &str = "----------------------------------x-----------------------------------";

fn random(size: usize) -> Vec<u8> {
    let mut state = 1u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut bytes: Vec<u8> =
        std::iter::repeat_with(|| next().to_le_bytes()).take(size / 8).flatten().collect();
    // Nothing else can be a boundary of one letter.
    bytes.iter_mut().filter(|b| **b == b'x').for_each(|b| *b = b'y');
    bytes
}

fn body(boundary: &str, file: &[u8]) -> Vec<u8> {
    let mut body = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.mp3\"\r\n\
         Content-Type: audio/mpeg\r\n\r\n"
    )
    .into_bytes();
    body.extend_from_slice(file);
    body.extend_from_slice(
        format!(
            "\r\n--{boundary}\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\
             \r\n--{boundary}--\r\n"
        )
        .as_bytes(),
    );
    body
}

fn scan(boundary_text: &str, body: &[u8]) -> Scanner {
    let content_type = format!("multipart/form-data; boundary={boundary_text}");
    let boundary = boundary(content_type.as_bytes()).expect("a boundary");
    let mut scanner = Scanner::new(&boundary, WANTED, Limits::default());
    for piece in body.chunks(PIECE) {
        scanner.push(piece).expect("the body is a form");
    }
    scanner.finish().expect("the body is complete");
    scanner
}

fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("multipart");
    group.sample_size(20);
    let size = 10 << 20;
    let near = format!("\r\n--{}", &LONG[..LONG.len() - 1]);
    for (name, boundary, file) in [
        ("small", LONG, random(1 << 10)),
        ("random", LONG, random(size)),
        ("random, short boundary", SHORT, random(size)),
        ("line breaks", LONG, b"\r\n".repeat(size / 2)),
        ("hyphens", LONG, b"-".repeat(size)),
        ("hyphens, boundary of hyphens", HYPHENS, b"-".repeat(size)),
        ("near boundaries", LONG, near.as_bytes().repeat(size / near.len())),
    ] {
        let body = body(boundary, &file);
        assert_eq!(scan(boundary, &body).field(0).text(), Some("whisper-1"), "{name}");
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_with_input(BenchmarkId::new(name, body.len()), &body, |bencher, body| {
            bencher.iter(|| scan(boundary, body).field(0).count);
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
