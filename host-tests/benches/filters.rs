//! One chat request of 1 KB through each filter, in wasm, on the offline host; then through all
//! four. Each is a scenario in `scenarios/`, whose expectations are judged before it is measured.
//!
//! Times are of whole exchanges, the host's own share included: `nothing`, a chain without filters,
//! shows how much that is. There is no fuel, so that the code runs as compiled.
#![expect(clippy::expect_used, reason = "a bench may panic")]

use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use host_tests::judge::judge;
use host_tests::modules;
use host_tests::plan::Plan;
use host_tests::wasm::{Budget, Gateway, Runtime};

const SCENARIOS: [&str; 6] =
    ["nothing", "key-check", "body-model", "token-count", "provider-rewrite", "all-four"];

fn exchanges(criterion: &mut Criterion) {
    let runtime = Runtime::new(Budget::Unlimited, None).expect("wasmtime runs here");
    // A gateway borrows it for as long as it lives.
    let runtime: &'static Runtime = Box::leak(Box::new(runtime));
    let mut group = criterion.benchmark_group("exchange");
    for name in SCENARIOS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/scenarios").join(name);
        let plan = Plan::load(&folder.join("scenario.yaml")).expect("a scenario");
        modules::build([&plan]).expect("the filters compile");
        let mut gateway = Gateway::start(runtime, &plan).expect("the filters start");
        let report = gateway.run(&plan).expect("the exchange ends");
        let failures = judge(&plan, &report);
        assert!(failures.is_empty(), "{name}: {}", failures.first().expect("one"));
        group.bench_function(name, |bencher| {
            bencher.iter(|| gateway.run(&plan).expect("the exchange ends"));
        });
    }
}

criterion_group!(benches, exchanges);
criterion_main!(benches);
