//! The fuzz targets' checks on a few arbitrary inputs: proof that they run, and a net for what is
//! easily found. Fuzzing itself is in `fuzz/`.

use proptest::prelude::*;

use super::*;

const SCENARIO: &str = "description: a key that may not use the model gets a 403
clock: 2026-01-01T00:00:00Z
chain:
  - {filter: key-check, config: {keys: [{id: demo, sha256: abc}]}, at: upstream}
callouts: {auth: [{status: 200, json: {a: 1}, delayMs: 5}, {grpc: {status: 3}}]}
exchanges:
  - request: {path: /v1, headers: {a: [b, {base64: aGk=}]}, json: {model: x}, chunks: [3]}
    upstream: [{sse: [{a: 1}, '[DONE]'], chunks: 'seed:7'}]
    expect: {response: {status: 403, json: {a: {b: c}}}, metrics: {m: 1}}
";

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_host_calls(data in prop::collection::vec(any::<u8>(), 0..400)) {
        host_calls(&data);
    }

    #[test]
    fn any_host_calls_near_each_other(calls in prop::collection::vec((0_u8..44, prop::collection::vec(0_u16..64, 12)), 0..12)) {
        // Small numbers are maps, buffers, metrics and short ranges: what is mostly right.
        let bytes = calls.into_iter().flat_map(|(function, arguments)| {
            std::iter::once(function).chain(arguments.into_iter().flat_map(u16::to_le_bytes))
        });
        host_calls(&bytes.collect::<Vec<u8>>());
    }

    #[test]
    fn any_argument(function in 0_u8..10, data in prop::collection::vec(any::<u8>(), 0..200)) {
        host_arguments(&[vec![function], data].concat());
    }

    #[test]
    fn any_serialized_headers(count in 0_u32..4, data in prop::collection::vec(0_u8..5, 0..64)) {
        wire_headers(&[count.to_le_bytes().to_vec(), data].concat());
    }

    #[test]
    fn any_scenario_file(data in prop::collection::vec(any::<u8>(), 0..200)) {
        scenario_file(&data);
    }

    #[test]
    fn any_change_of_a_scenario(at in 0..SCENARIO.len(), length in 0_usize..20, new in "[-a-z0-9{}:,'\"\\[\\]&*!|> \n]{0,12}") {
        let end = (at + length).min(SCENARIO.len());
        scenario_file(format!("{}{new}{}", &SCENARIO[..at], &SCENARIO[end..]).as_bytes());
    }
}

#[test]
fn the_guests_reach_the_host() {
    // Logs "\0\x02\0", twice.
    let calls = [0, 2, 0, 0, 0, 3, 0, 0, 2, 0, 0, 0, 3, 0];
    let mut called = plan("reach", &guests::any_calls());
    called.chain[0].config = calls.to_vec();
    let (report, trace) = crate::wasm::record(&called);
    report.unwrap();
    let logs = |callback: &crate::trace::Callback| {
        callback
            .host_calls
            .iter()
            .filter(|call| call.name == "proxy_log" && call.status == Some(0))
            .count()
    };
    assert_eq!(trace.callbacks.iter().map(logs).sum::<usize>(), 2);

    let mut argument = plan("reach-argument", &guests::one_argument());
    for function in 0..10 {
        argument.chain[0].config = vec![function, 2, 0, 0];
        let (report, trace) = crate::wasm::record(&argument);
        report.unwrap();
        let headers =
            trace.callbacks.iter().find(|c| c.name == "proxy_on_request_headers").unwrap();
        let [call] = headers.host_calls.as_slice() else { panic!("{headers:?}") };
        assert!(call.status.is_some(), "{call}");
        if function == 9 {
            assert!(call.arguments.contains("\"set_envoy_filter_state\""), "{call}");
        }
    }
}

#[test]
fn a_path_of_many_parts_is_looked_up_at_once() {
    // Found by `any_host_calls`: every front part of the path was joined anew.
    let mut called = plan("path", &guests::one_argument());
    called.scenario.properties.insert("a.b".to_owned(), serde_json::json!(1));
    called.chain[0].config = [vec![1], vec![0; 64 * 1024]].concat();
    let (report, _) = crate::wasm::record(&called);
    report.unwrap();
}
