//! Bytes per second of the scanner, by kind of body. Each result is checked.
//!
//! Chat bodies are dense JSON (a token every few bytes); an image body is one long string, as
//! base64 pictures are; text in a script that is not ASCII is decoded character by character.
#![expect(clippy::expect_used, reason = "a bench may panic")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tollgate_json::{Limits, Scanner, Wanted};

const WANTED: &[Wanted] = &[
    Wanted { key: "model", keep: 258 },
    Wanted { key: "stream", keep: 5 },
    Wanted { key: "max_tokens", keep: 20 },
];

/// Size of the pieces a proxy hands over: Envoy's read buffer.
const PIECE: usize = 16 * 1024;

fn chat(size: usize, model_first: bool) -> String {
    let message =
        r#"{"role":"user","content":"Which of these is nearer to the \"truth\"?\nExplain."}"#;
    let messages = vec![message; size / message.len()].join(",");
    if model_first {
        format!(r#"{{"model":"gpt-4o","stream":true,"messages":[{messages}]}}"#)
    } else {
        format!(r#"{{"messages":[{messages}],"stream":true,"model":"gpt-4o"}}"#)
    }
}

fn image(size: usize) -> String {
    let picture = "iVBORw0KGgoAAAANSUhEUgAAAAUA+/8=".repeat(size / 32);
    format!(
        r#"{{"messages":[{{"role":"user","content":[{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{picture}"}}}}]}}],"stream":true,"model":"gpt-4o"}}"#
    )
}

fn not_ascii(size: usize) -> String {
    let text = "哪一个更接近真相？请解释。".repeat(size / 39);
    format!(
        r#"{{"stream":true,"model":"gpt-4o","messages":[{{"role":"user","content":"{text}"}}]}}"#
    )
}

fn scan(body: &[u8]) -> Scanner {
    let mut scanner = Scanner::new(WANTED, Limits::default());
    for piece in body.chunks(PIECE) {
        scanner.push(piece).expect("the body is JSON");
    }
    scanner.finish().expect("the body is complete");
    scanner
}

fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("scan");
    for (name, body) in [
        ("chat, model first", chat(1 << 10, true)),
        ("chat, model first", chat(100 << 10, true)),
        ("chat, model first", chat(1 << 20, true)),
        ("chat, model last", chat(1 << 10, false)),
        ("chat, model last", chat(100 << 10, false)),
        ("chat, model last", chat(1 << 20, false)),
        ("image", image(1 << 20)),
        ("not ASCII", not_ascii(1 << 20)),
    ] {
        let scanner = scan(body.as_bytes());
        assert_eq!(scanner.member(0).text().as_deref(), Some("gpt-4o"), "{name}");
        assert_eq!(scanner.member(1).raw(), Some(&b"true"[..]), "{name}");
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_with_input(BenchmarkId::new(name, body.len()), &body, |bencher, body| {
            bencher.iter(|| scan(body.as_bytes()).member(0).count);
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
