//! What one event of a stream costs, natively: framed, scanned, passed on.

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use token_count_core::TokenCount;
use tollgate_effects::testkit::Values;
use tollgate_effects::{Body, Context, Effects, Flow, Headers, Plugin, Stream};

const CHUNK: &[u8] = b"data: {\"id\":\"chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG\",\"object\":\"chat.completion.chunk\",\"created\":1741570283,\"model\":\"gpt-4o-2024-08-06\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_fc9f1d7035\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" tokens\"},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n";

const USAGE: &[u8] = b"data: {\"id\":\"chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG\",\"choices\":[],\"usage\":{\"prompt_tokens\":19,\"completion_tokens\":10,\"total_tokens\":29,\"prompt_tokens_details\":{\"cached_tokens\":0,\"audio_tokens\":0},\"completion_tokens_details\":{\"reasoning_tokens\":0,\"audio_tokens\":0}}}\n\n";

/// A stream in mid-answer, its usage asked for by the filter.
fn answering(properties: &Values) -> <TokenCount as Plugin>::Stream {
    let env = BTreeMap::new();
    let Ok(configured) = TokenCount::configure(b"", &env) else { unreachable!() };
    let mut stream = configured.plugin.stream();
    let ctx = Context { now: 0, properties };
    let mut out = Effects::new();
    let request = Headers::new(vec![(b":method", b"POST"), (b":path", b"/v1/chat/completions")]);
    let _ = stream.on_request_headers(ctx, &request, false, &mut out);
    let bytes = br#"{"model":"m","stream":true}"#;
    let _ = stream.on_request_body(
        ctx,
        Body { bytes, held: bytes.len(), more: false, end: true },
        &mut out,
    );
    let response =
        Headers::new(vec![(b":status", b"200"), (b"content-type", b"text/event-stream")]);
    let _ = stream.on_response_headers(ctx, &response, false, &mut out);
    stream
}

fn bench(c: &mut Criterion) {
    let properties =
        Values(BTreeMap::from([("response.code_details".into(), b"via_upstream".to_vec())]));
    let ctx = Context { now: 0, properties: &properties };
    let mut group = c.benchmark_group("event");
    for (name, event, effects) in [("text", CHUNK, 0), ("usage, taken out", USAGE, 1)] {
        group.throughput(Throughput::Bytes(event.len() as u64));
        let mut stream = answering(&properties);
        group.bench_function(name, |b| {
            b.iter(|| {
                let mut out = Effects::new();
                let body =
                    Body { bytes: black_box(event), held: event.len(), more: false, end: false };
                let flow = stream.on_response_body(ctx, body, &mut out);
                assert_eq!((flow, out.len()), (Flow::Continue, effects));
            });
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
