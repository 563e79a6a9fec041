//! What files become: defaults that follow from others, names, configurations.

mod mistakes;

use std::path::Path;

use super::*;
use crate::scenario::{FailurePolicy, Position};

/// The file that the tests' scenarios are said to be.
fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenario.yaml")
}

fn plan(text: &str) -> Plan {
    read(&Text::new(&file(), text.into()).unwrap()).unwrap()
}

/// A scenario with one exchange of this request and upstream.
fn exchange(request: &str, upstream: &str) -> String {
    format!(
        "description: d\nchain: []\nexchanges:\n  - request: {request}\n    upstream: [{upstream}]\n"
    )
}

#[test]
fn a_body_brings_its_headers_unless_the_file_names_them() {
    let headers = |request: &str| {
        let plan = plan(&exchange(request, "{}"));
        let text = |(name, value): &(String, Vec<u8>)| {
            format!("{name}: {}", String::from_utf8_lossy(value))
        };
        plan.exchanges[0].request.headers.iter().map(text).collect::<Vec<_>>()
    };
    for (request, expected) in [
        ("{path: /}", vec![]),
        ("{path: /, body: abc}", vec!["content-length: 3"]),
        ("{path: /, body: ''}", vec!["content-length: 0"]),
        ("{path: /, json: null}", vec!["content-type: application/json", "content-length: 4"]),
        ("{path: /, json: {a: 1}, chunks: every-byte}", vec!["content-type: application/json"]),
        (
            "{path: /, json: {}, headers: {Content-Type: text/plain, content-length: 7}}",
            vec!["content-type: text/plain", "content-length: 7"],
        ),
        (
            "{path: /, body: a, headers: {transfer-encoding: chunked}}",
            vec!["transfer-encoding: chunked"],
        ),
        ("{path: /, body: a, trailers: {t: 1}}", vec![]),
        (
            "{path: /, headers: {b: [1, true], a: {base64: gA==}, host: h}}",
            vec!["b: 1", "b: true", "a: \u{fffd}"],
        ),
    ] {
        assert_eq!(headers(request), expected, "{request}");
    }
}

#[test]
fn a_response_without_a_body_says_so() {
    for (upstream, expected) in [
        ("{}", Some("0")),
        ("{status: 204}", None),
        ("{reset: true}", None),
        ("{body: abc, reset: true}", None),
        ("{sse: ['[DONE]']}", Some("14")),
    ] {
        let plan = plan(&exchange("{path: /}", upstream));
        let headers = &plan.exchanges[0].upstream[0].headers;
        let length = headers.iter().find(|(name, _)| name == "content-length");
        assert_eq!(length.map(|(_, v)| v.as_slice()), expected.map(str::as_bytes), "{upstream}");
    }
}

#[test]
fn the_method_follows_from_the_body() {
    for (request, expected) in [
        ("{path: /}", "GET"),
        ("{path: /, body: ''}", "POST"),
        ("{path: /, body: '', method: PUT}", "PUT"),
    ] {
        assert_eq!(plan(&exchange(request, "{}")).exchanges[0].request.method, expected);
    }
}

#[test]
fn filters_have_names_of_their_own_and_json_for_configuration() {
    let plan = plan(
        "description: d
chain:
  - {filter: key-check, config: {b: 1, a: [x]}}
  - {filter: key-check, config: 'not json'}
  - {filter: key-check}
exchanges: [{request: {path: /}}]",
    );
    let got: Vec<(&str, &[u8])> =
        plan.chain.iter().map(|f| (f.name.as_str(), f.config.as_slice())).collect();
    assert_eq!(
        got,
        [
            ("key-check", br#"{"b":1,"a":["x"]}"#.as_slice()),
            ("key-check-2", b"not json"),
            ("key-check-3", b""),
        ]
    );
}

#[test]
fn configuration_files_become_json() {
    for (name, file, text, expected) in [
        ("YAML", "a.yaml", "a: [1, b]\n", Ok(r#"{"a":[1,"b"]}"#)),
        (
            "JSON in a YAML file keeps its form",
            "a.yaml",
            "{\"a\": 1.0, \"a\": 2}",
            Ok("{\"a\": 1.0, \"a\": 2}"),
        ),
        ("JSON", "a.json", "{\"a\": ", Ok("{\"a\": ")),
        ("standard input", "-", "a: 1", Ok(r#"{"a":1}"#)),
        ("only a comment", "a.yml", "# nothing\n", Ok("")),
        ("another format", "a.txt", "a: 1", Ok("a: 1")),
        (
            "key twice",
            "a.yaml",
            "a: 1\na: 2\n",
            Err("a.yaml:2:1: a: found this key twice, expected it once"),
        ),
    ] {
        let got = config_json(Path::new(file), text.as_bytes().to_vec());
        let got = got.map(|bytes| String::from_utf8(bytes).unwrap());
        let got = got.map_err(|mistake| mistake.to_string());
        assert_eq!(got.as_deref().map_err(String::as_str), expected, "{name}");
    }
}

#[test]
fn what_only_wasmtime_honours_is_skipped_on_envoy_with_the_reason() {
    use crate::scenario::HostName::{Envoy, Wasmtime};
    let reasons = |extra: &str, exchange: &str| {
        let plan = plan(&format!(
            "description: d\nchain: []\n{extra}\nexchanges: [{{{exchange}request: {{path: /}}}}]"
        ));
        (plan.skip_reason(Wasmtime), plan.skip_reason(Envoy))
    };
    for (extra, exchange, word) in [
        ("clock: 2026-01-01T00:00:00Z", "", "`clock`"),
        ("properties: {a: b}", "", "`properties`"),
        ("workers: 2", "", "`workers`"),
        ("", "advance: 1s, ", "`advance`"),
        ("", "concurrent: true, ", "`concurrent`"),
        ("hosts: [wasmtime]", "", "`hosts` leaves envoy out"),
    ] {
        let (wasmtime, envoy) = reasons(extra, exchange);
        assert_eq!(wasmtime, None, "{extra}{exchange}");
        assert!(envoy.unwrap().starts_with(word), "{extra}{exchange}");
    }
    assert_eq!(reasons("workers: 1", ""), (None, None));
    assert_eq!(reasons("callouts: {c: []}", ""), (None, None));
    assert_eq!(reasons("hosts: [envoy]", "").0.as_deref(), Some("`hosts` leaves wasmtime out"));
}

/// What a manifest says must hold in the test; what the link says itself comes first.
#[test]
fn a_link_is_set_up_as_its_manifest_says() {
    let folder =
        std::env::temp_dir().join(format!("tollgate-load-manifest-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let manifest = "apiVersion: e/v1\nkind: WasmPlugin\nspec:\n  url: r.test/key-check:1\n  vmConfig:\n    \
                    env: [{name: A, value: manifest}, {name: B, valueFrom: HOST}]\n";
    std::fs::write(folder.join("manifest.yaml"), manifest).unwrap();
    let load = |env: &str, link: &str| {
        let text = format!(
            "description: d\nenv: {env}\nchain:\n  - {{filter: key-check, configFile: manifest.yaml{link}}}\n\
             exchanges:\n  - request: {{path: /}}\n"
        );
        let scenario = folder.join("scenario.yaml");
        std::fs::write(&scenario, text).unwrap();
        let told = |e: Invalid| e.to_string().replace(&format!("{}/", folder.display()), "");
        Plan::load(&scenario).map(|plan| plan.chain[0].clone()).map_err(told)
    };
    assert_eq!(
        load("{}", "").unwrap_err(),
        "scenario.yaml:4:37: chain[0].configFile: found a plugin that gets `B` from the environment of \
         its proxy, which is not known here: give it a value in the scenario's `env`"
    );
    let filter = load("{B: b}", "").unwrap();
    let env: Vec<(&str, &str)> =
        filter.env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(env, [("A", "manifest"), ("B", "b")]);
    assert!(!filter.allow_on_headers_stop_iteration);
    assert_eq!(filter.failure_policy, FailurePolicy::FailClosed);
    assert_eq!((filter.at, filter.root_id.as_str()), (Position::Downstream, ""));
    let own = ", allowOnHeadersStopIteration: true, failurePolicy: failOpen, at: upstream, rootId: r, \
               vmId: v, vmConfig: c";
    let filter = load("{A: a, B: b}", own).unwrap();
    assert_eq!(filter.env.get("A").unwrap(), "a");
    assert!(filter.allow_on_headers_stop_iteration);
    assert_eq!(filter.failure_policy, FailurePolicy::FailOpen);
    assert_eq!((filter.at, filter.root_id.as_str()), (Position::Upstream, "r"));
    assert_eq!((filter.vm_id.as_str(), filter.vm_config.as_slice()), ("v", b"c".as_slice()));
    std::fs::remove_dir_all(folder).unwrap();
}
