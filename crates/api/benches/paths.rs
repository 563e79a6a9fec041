//! Time to tell which operation a path names, which every request takes. Each result is checked.
#![expect(clippy::expect_used, reason = "a bench may panic")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use tollgate_api::{Endpoint, Paths};

fn bench(criterion: &mut Criterion) {
    let built_in = Paths::BUILT_IN;
    let more = vec![("/teams/*/ask".to_owned(), Endpoint::ChatCompletions)];
    let prefixes = (0..8).map(|i| format!("/serving/{i}/*")).collect();
    let configured = Paths::new(more, prefixes).expect("the configuration is good");
    let arn = "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fx/converse";
    let mut group = criterion.benchmark_group("call");
    for (name, paths, path, found) in [
        ("chat", &built_in, "/v1/chat/completions", Some(Endpoint::ChatCompletions)),
        ("outside", &built_in, "/assets/index.html?version=12", None),
        ("gemini", &built_in, "/v1beta/models/g:generateContent", Some(Endpoint::GenerateContent)),
        ("bedrock, escaped", &built_in, arn, Some(Endpoint::Converse)),
        ("unusual", &built_in, "/v1//chat/%63ompletions", Some(Endpoint::ChatCompletions)),
        ("prefixes", &configured, "/serving/7/x/v1/messages", Some(Endpoint::Messages)),
        ("chat, prefixes", &configured, "/v1/chat/completions", Some(Endpoint::ChatCompletions)),
    ] {
        let call = |path: &str| paths.call(path.as_bytes()).expect("the path is good");
        assert_eq!(call(path).map(|call| call.endpoint), found, "{path}");
        group.bench_function(name, |bencher| bencher.iter(|| call(black_box(path))));
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
