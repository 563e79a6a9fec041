//! Body-model in wasm, on the offline host: requests of 1 KB to 10 MB, by where the model is.
//!
//! Times are of whole exchanges. `nothing`, a chain without filters, is what the host itself takes for
//! the same body; the rest is the filter's, its host calls and the copies into its memory included.
//! `estimate` is body-model publishing the prompt estimate, too. There is no fuel, so that the code runs
//! as compiled. What the filter adds in a real Envoy: `benchmarks/`.
#![expect(clippy::expect_used, reason = "a bench may panic")]

#[path = "../../crates/json/benches/bodies/mod.rs"]
mod bodies;

use std::path::Path;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use host_tests::judge::judge;
use host_tests::modules;
use host_tests::plan::Plan;
use host_tests::wasm::{Budget, Gateway, Runtime};

/// Size of the pieces a proxy hands over: Envoy's read buffer.
const PIECE: usize = 16 * 1024;

const CHAINS: [(&str, &str, Option<&str>); 3] = [
    ("nothing", "nothing", None),
    ("body-model", "body-model", Some(r#"{"limits":{"maxBodyBytes":16777216}}"#)),
    (
        "estimate",
        "body-model",
        Some(
            r#"{"limits":{"maxBodyBytes":16777216},"publish":{"promptTokens":"x-gateway-prompt-tokens"}}"#,
        ),
    ),
];

fn exchanges(criterion: &mut Criterion) {
    let runtime = Runtime::new(Budget::Unlimited, None).expect("wasmtime runs here");
    // A gateway borrows it for as long as it lives.
    let runtime: &'static Runtime = Box::leak(Box::new(runtime));
    let mut group = criterion.benchmark_group("body-model");
    for (body_name, body) in bodies::BODIES {
        for size in [1 << 10, 100 << 10, 1 << 20, 10 << 20] {
            let body = body(size);
            group.throughput(Throughput::Bytes(body.len() as u64));
            for (name, folder, config) in CHAINS {
                let plan = plan(folder, config, body.as_bytes());
                modules::build([&plan]).expect("the filters compile");
                let mut gateway = Gateway::start(runtime, &plan).expect("the filters start");
                let report = gateway.run(&plan).expect("the exchange ends");
                let failures = judge(&plan, &report);
                assert!(failures.is_empty(), "{name}: {}", failures.first().expect("one"));
                let id = BenchmarkId::new(format!("{name}, {body_name}"), size);
                group.bench_function(id, |bencher| {
                    bencher.iter(|| gateway.run(&plan).expect("the exchange ends"));
                });
            }
        }
    }
}

/// The scenario in `folder` with another body, which is held if need be, and the filter's `config`.
fn plan(folder: &str, config: Option<&str>, body: &[u8]) -> Plan {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/scenarios").join(folder);
    let mut plan = Plan::load(&folder.join("scenario.yaml")).expect("a scenario");
    plan.scenario.limits.buffer_bytes = Some(32 << 20);
    for exchange in &mut plan.exchanges {
        exchange.request.headers.retain(|(name, _)| name != "content-length");
        exchange.request.body = Some(body.chunks(PIECE).map(<[u8]>::to_vec).collect());
    }
    for (filter, config) in plan.chain.iter_mut().zip(config) {
        filter.config = config.into();
    }
    plan
}

criterion_group!(benches, exchanges);
criterion_main!(benches);
