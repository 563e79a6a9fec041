//! Bytes per second of the prompt estimate, alone and below the JSON scanner. Each result is checked.
//!
//! Text comes in runs as the scanner hands them over: up to the next escape, quote or piece.
#![expect(clippy::expect_used, reason = "a bench may panic")]

use body_model_core::estimate::{Estimator, MEMBERS};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tollgate_json::{Limits, Scanner, Strings};

/// Size of the pieces a proxy hands over: Envoy's read buffer.
const PIECE: usize = 16 * 1024;

const PROSE: &str =
    "The ferry to the outer islands leaves at six, and in winter it is dark: bring a lamp. ";
const CODE: &str = "    for n in 0..count { total += weights[n] * (x_1 - y_1); } // no `unwrap` ";
const CHINESE: &str = "哪一个更接近真相？请解释。";
const BASE64: &str = "iVBORw0KGgoAAAANSUhEUgAAAAUA+/8=";

fn text(estimator: &mut Estimator, text: &[u8]) -> u64 {
    estimator.begin(false, None);
    for run in text.chunks(PIECE) {
        estimator.ascii(run);
    }
    estimator.end();
    estimator.tokens(1000)
}

fn body(body: &[u8]) -> u64 {
    let mut scanner = Scanner::with_strings(&MEMBERS, Limits::default(), Estimator::new(0));
    for piece in body.chunks(PIECE) {
        scanner.push(piece).expect("it is JSON");
    }
    scanner.finish().expect("it is complete");
    scanner.strings().tokens(1000)
}

fn estimate(c: &mut Criterion) {
    let cases = [("prose", PROSE), ("code", CODE), ("chinese", CHINESE), ("base64", BASE64)];
    let size = 1_000_000;
    let mut group = c.benchmark_group("text");
    for (name, sample) in cases.into_iter().filter(|(name, _)| *name != "chinese") {
        let long = sample.repeat(size / sample.len());
        group.throughput(Throughput::Bytes(long.len() as u64));
        group.bench_with_input(BenchmarkId::from_parameter(name), &long, |b, long| {
            b.iter(|| {
                let tokens = text(&mut Estimator::new(0), long.as_bytes());
                assert_eq!(tokens == 0, name == "base64");
            });
        });
    }
    group.finish();
    let mut group = c.benchmark_group("body");
    for (name, sample) in cases {
        let long = sample.repeat(size / sample.len());
        let request = format!(r#"{{"messages":[{{"role":"user","content":"{long}"}}]}}"#);
        group.throughput(Throughput::Bytes(request.len() as u64));
        group.bench_with_input(BenchmarkId::from_parameter(name), &request, |b, request| {
            b.iter(|| {
                let tokens = body(request.as_bytes());
                assert_eq!(tokens < 10, name == "base64");
            });
        });
    }
    group.finish();
}

criterion_group!(benches, estimate);
criterion_main!(benches);
