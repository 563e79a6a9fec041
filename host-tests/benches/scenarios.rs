//! How fast scenarios run: one by itself, and a thousand at once.
//!
//! `scenario` is what a run takes with everything in it but the compiler: VMs for the trial, the main
//! thread and a worker, their start and configuration, the exchange, the report. `thousand` is what
//! `tollgate test` does with a thousand files, with reading and judging them; `checked` with the
//! runner's checks, too. The files are those of the repository's filters, over and over.
#![expect(clippy::expect_used, reason = "a bench may panic")]

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use host_tests::judge::judge;
use host_tests::plan::Plan;
use host_tests::scenario::HostName;
use host_tests::{batch, checks, find, modules, wasm};

const THOUSAND: usize = 1000;

fn plan(name: &str) -> Plan {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/scenarios").join(name);
    Plan::load(&folder.join("scenario.yaml")).expect("a scenario")
}

fn one(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("scenario");
    for name in
        ["nothing", "key-check", "body-model", "token-count", "provider-rewrite", "all-four"]
    {
        let plan = plan(name);
        modules::build([&plan]).expect("the filters compile");
        let report = wasm::run(&plan).expect("the scenario runs");
        assert!(judge(&plan, &report).is_empty(), "{name}");
        group.bench_function(name, |bencher| {
            bencher.iter(|| wasm::run(&plan).expect("the scenario runs"));
        });
    }
}

fn thousand(criterion: &mut Criterion) {
    let filters = modules::workspace().join("filters");
    let files = find::scenarios(&[filters]).expect("there are scenarios");
    let runs = |file: &&PathBuf| {
        Plan::load(file).expect("a scenario").skip_reason(HostName::Wasmtime).is_none()
    };
    let files: Vec<PathBuf> = files.iter().filter(runs).cloned().collect();
    let files: Vec<PathBuf> = files.iter().cycle().take(THOUSAND).cloned().collect();
    let all = |check: bool| {
        let run = |file: &PathBuf| {
            let plan = Plan::load(file).expect("a scenario");
            let report = wasm::run(&plan).expect("the scenario runs");
            let mut failures = judge(&plan, &report);
            if check {
                failures.extend(checks::check(&plan, &report).expect("it runs again"));
            }
            failures.len()
        };
        let Ok(()) = batch::each(&files, run, |file, failures| -> Result<(), Infallible> {
            assert_eq!(failures, 0, "{}", file.display());
            Ok(())
        });
    };
    let mut group = criterion.benchmark_group("thousand");
    group.sample_size(10).measurement_time(Duration::from_secs(10));
    group.bench_function("run", |bencher| bencher.iter(|| all(false)));
    group.bench_function("checked", |bencher| bencher.iter(|| all(true)));
}

criterion_group!(benches, one, thousand);
criterion_main!(benches);
