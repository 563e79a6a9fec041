//! What one event of a stream costs: translated from Anthropic's dialect, or with the model's name put
//! back. Each iteration's output is asserted, so a wrong translation cannot look fast.
#![allow(clippy::allow_attributes, clippy::unwrap_used, missing_docs, reason = "a benchmark")]

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use provider_rewrite_core::{Attempt, ProviderRewrite};
use tollgate_effects::testkit::{Cut, Values};
use tollgate_effects::{Body, Context, Direction, Effect, Plugin, Stream};

const CONFIG: &str = r#"{"providers": [
    {"name": "anthropic", "dialect": "anthropic", "models": {"claude": "claude-sonnet-4-5"}},
    {"name": "openai", "dialect": "openai", "models": {"claude": "gpt-4o"}}]}"#;

const PROVIDER: &str = "xds.upstream_host_metadata.filter_metadata.tollgate.provider";

const ANTHROPIC: &str = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\" and so the token\"}}\n\n";
const OPENAI: &str = "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1767225600,\"model\":\"gpt-4o\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" and so the token\"},\"finish_reason\":null}]}\n\n";

/// A stream whose response headers have just passed.
fn streaming(provider: &str) -> Attempt {
    let plugin = ProviderRewrite::configure(CONFIG.as_bytes(), &BTreeMap::new()).unwrap().plugin;
    let mut exchange =
        tollgate_effects::testkit::Exchange::new(plugin.stream()).property(PROVIDER, provider);
    let headers = [(":method", "POST"), (":path", "/v1/chat/completions")];
    let body = br#"{"model":"claude","stream":true,"messages":[{"role":"user","content":"x"}]}"#;
    exchange.request(&headers, Some(body), Cut::Whole);
    let headers = [(":status", "200"), ("content-type", "text/event-stream")];
    exchange.headers(Direction::Response, &headers, false);
    exchange.stream
}

fn events(criterion: &mut Criterion) {
    let values = Values::default();
    let mut group = criterion.benchmark_group("event");
    for (provider, event, expected) in [
        ("anthropic", ANTHROPIC, "\"delta\":{\"content\":\" and so the token\"}"),
        ("openai", OPENAI, "\"model\":\"claude\""),
    ] {
        group.throughput(Throughput::Bytes(event.len() as u64));
        group.bench_function(provider, |bencher| {
            let mut stream = streaming(provider);
            let mut length = 0;
            bencher.iter_batched(
                Vec::new,
                |mut effects| {
                    let ctx = Context { now: 0, properties: &values };
                    let bytes = black_box(event.as_bytes());
                    let body = Body { bytes, held: bytes.len(), more: false, end: false };
                    let _ = stream.on_response_body(ctx, body, &mut effects);
                    let Some(Effect::ReplaceBody { with, .. }) = effects.first() else {
                        return false;
                    };
                    // The whole text once; then its length, which costs nothing.
                    if length == 0 {
                        let same = with.windows(expected.len()).any(|w| w == expected.as_bytes());
                        assert!(same, "{}", String::from_utf8_lossy(with));
                        length = with.len();
                    }
                    assert_eq!(with.len(), length);
                    true
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, events);
criterion_main!(benches);
