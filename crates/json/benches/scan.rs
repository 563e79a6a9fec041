//! Bytes per second of the scanner, by kind of body and size, alone and telling of strings. Each result
//! is checked.
//!
//! This is native code: what runs in the filter is measured by `host-tests/benches/body_model.rs`.
#![expect(clippy::expect_used, reason = "a bench may panic")]

mod bodies;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tollgate_json::{Limits, Scanner, Strings, Wanted};

const WANTED: &[Wanted] = &[
    Wanted { key: "model", keep: 258 },
    Wanted { key: "stream", keep: 5 },
    Wanted { key: "max_tokens", keep: 20 },
    Wanted { key: "messages", keep: 0 },
];

/// Size of the pieces a proxy hands over: Envoy's read buffer.
const PIECE: usize = 16 * 1024;

/// Counts characters: what telling costs at least.
#[derive(Default)]
struct Characters(usize);

impl Strings for Characters {
    fn begin(&mut self, _: bool, _: Option<usize>) {}
    fn ascii(&mut self, run: &[u8]) {
        self.0 += run.len();
    }
    fn character(&mut self, _: u32) {
        self.0 += 1;
    }
    fn end(&mut self) {}
}

fn scan<S: Strings>(body: &[u8], strings: S) -> Scanner<S> {
    let mut scanner = Scanner::with_strings(WANTED, Limits::default(), strings);
    for piece in body.chunks(PIECE) {
        scanner.push(piece).expect("the body is JSON");
    }
    scanner.finish().expect("the body is complete");
    scanner
}

fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("scan");
    for (name, body) in bodies::BODIES {
        for size in [1 << 10, 100 << 10, 1 << 20, 10 << 20] {
            let body = body(size);
            let scanner = scan(body.as_bytes(), Characters::default());
            assert_eq!(scanner.member(0).text().as_deref(), Some("gpt-4o"), "{name}");
            assert_eq!(scanner.member(1).raw(), Some(&b"true"[..]), "{name}");
            assert!(scanner.strings().0 > 20, "{name}");
            group.throughput(Throughput::Bytes(body.len() as u64));
            group.bench_with_input(BenchmarkId::new(name, size), &body, |bencher, body| {
                bencher.iter(|| scan(body.as_bytes(), ()).member(0).count);
            });
            if size == 1 << 20 {
                let id = BenchmarkId::new(format!("{name}, characters counted"), size);
                group.bench_with_input(id, &body, |bencher, body| {
                    bencher.iter(|| scan(body.as_bytes(), Characters::default()).into_strings().0);
                });
            }
        }
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
