use std::path::Path;

use super::*;

/// What loading `text` complains of, one line per problem.
fn complaints(text: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenario.yaml");
    match read(&path, text) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

fn plan(text: &str) -> Plan {
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("scenario.yaml"), text).unwrap()
}

/// A scenario with one exchange of this request and upstream.
fn exchange(request: &str, upstream: &str) -> String {
    format!(
        "description: d\nchain: []\nexchanges:\n  - request: {request}\n    upstream: [{upstream}]\n"
    )
}

#[test]
fn the_first_mistake_of_shape_is_named_with_its_place_and_what_was_expected() {
    for (name, text, expected) in [
        (
            "misspelt field",
            "description: d\nchain: []\nexchanges: [{request: {path: /, jsn: {}}}]",
            "exchanges[0].request.jsn: unknown field `jsn`, expected one of `method`, `path`, \
             `headers`, `json`, `body`, `bodyBase64`, `bodyFile`, `chunks`, `trailers`, \
             `abortAfterBytes`, `reset`; did you mean `json`?",
        ),
        ("missing field", "description: d\nchain: []", "missing field `exchanges`"),
        (
            "wrong type",
            "description: d\nchain: []\nexchanges: [{request: {path: [1]}}]",
            "exchanges[0].request.path: invalid type: sequence, expected a string",
        ),
        (
            "header value",
            "description: d\nchain: []\nexchanges: [{request: {path: /, headers: {a: {b: c}}}}]",
            "exchanges[0].request.headers.a.b: unknown field `b`, expected `base64`",
        ),
        (
            "header value in a list",
            "description: d\nchain: []\nexchanges: [{request: {path: /, headers: {a: [b, [c]]}}}]",
            "exchanges[0].request.headers.a[1]: invalid type: sequence, expected a string, a whole \
             number, a boolean or `{base64: …}`",
        ),
        (
            "header twice",
            "description: d\nchain: []\nexchanges: [{request: {path: /, headers: {A: b, a: c}}}]",
            "exchanges[0].request.headers: header `a` twice, expected once, a repeated header as a \
             list",
        ),
        (
            "chunks",
            "description: d\nchain: []\nexchanges: [{request: {path: /, chunks: every-bite}}]",
            "exchanges[0].request.chunks: found `every-bite`, expected `whole`, `every-byte`, \
             `seed:` and a number, or a list of offsets; did you mean `every-byte`?",
        ),
        (
            "offsets in disorder",
            "description: d\nchain: []\nexchanges: [{request: {path: /, chunks: [5, 5]}}]",
            "exchanges[0].request.chunks: found offset 5, expected offsets from 1 up, each larger \
             than the one before",
        ),
        (
            "key twice in a free-form part",
            "description: d\nchain: []\nexchanges: [{request: {path: /, json: {a: 1, a: 2}}}]",
            "not valid YAML: exchanges[0].request.json: duplicate entry with key \"a\"",
        ),
        (
            "broken YAML",
            "description: [",
            "not valid YAML: did not find expected node content at line 2 column 1, while parsing a \
             flow node",
        ),
    ] {
        let complaints = complaints(text);
        let [found] = complaints.as_slice() else { panic!("{name}: {complaints:?}") };
        // Where in the line is the YAML reader's business.
        let (before, behind) = found.split_once(" at line 3 column ").unwrap_or((found, ""));
        let behind = behind.trim_start_matches(|c: char| c.is_ascii_digit());
        assert_eq!(format!("{before}{behind}"), expected, "{name}");
    }
}

#[test]
fn every_mistake_of_meaning_is_named_at_once() {
    let text = "
description: ' '
clock: yesterday
workers: 0
chain:
  - {filter: key-chek}
  - {filter: key-check, wasm: x.wasm}
  - {wasm: no-such.wasm}
  - {filter: key-check, config: {}, configFile: x.yaml}
  - {}
exchanges:
  - advance: soon
    request: {path: '', body: a, json: {}}
    upstream: [{status: 99, bodyFile: no-such.json, headers: {x: null}}]
  - request: {path: /, body: abc, chunks: [9]}
    upstream: [{bodyBase64: '%'}, {chunks: every-byte}]
  - request: {path: /, headers: {host: [a, b]}}
";
    let root = env!("CARGO_MANIFEST_DIR");
    assert_eq!(
        complaints(text),
        [
            "description: found nothing, expected the behaviour as a sentence",
            "workers: found 0, expected at least 1",
            "clock: found `yesterday`, expected a time from 1970 on, such as 2026-01-01T00:00:00Z",
            "chain[0].filter: unknown filter `key-chek`, expected one of key-check, body-model, \
             token-count, provider-rewrite; did you mean `key-check`?",
            "chain[1]: found both `filter` and `wasm`, expected one of them",
            &format!("chain[2].wasm: no file `{root}/no-such.wasm`"),
            "chain[3]: found both `config` and `configFile`, expected at most one",
            "chain[4]: found neither `filter` nor `wasm`, expected one of them",
            "exchanges[0].advance: found `soon`, expected a duration such as `30s`, `5ms` or `1h`",
            "exchanges[0].request.path: found nothing, expected a path such as `/v1/models`",
            "exchanges[0].request: found the fields `json` and `body`, expected one body",
            "exchanges[0].upstream[0].status: found 99, expected 200 to 599",
            "exchanges[0].upstream[0].headers.x: found null, expected a value (leave the line out \
             to send no such header)",
            &format!(
                "exchanges[0].upstream[0].bodyFile: cannot read `{root}/no-such.json`: No such file \
                 or directory (os error 2)"
            ),
            "exchanges[1].request.chunks: found offset 9, expected offsets inside the body of 3 bytes",
            "exchanges[1].upstream[0].bodyBase64: Invalid symbol 37, offset 0., expected padded \
             base64",
            "exchanges[1].upstream[1].chunks: found cuts but no body to cut",
            "exchanges[2].request.headers.host: found several, expected one",
        ]
    );
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
            Err("not valid YAML or JSON: duplicate entry with key \"a\""),
        ),
    ] {
        let got = config_json(Path::new(file), text.as_bytes().to_vec());
        let got = got.map(|bytes| String::from_utf8(bytes).unwrap());
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

#[test]
fn every_byte_changes_the_cuts_and_nothing_else() {
    let whole = plan(&exchange("{path: /, body: abc}", "{body: ''}"));
    let cut = whole.every_byte();
    assert_eq!(
        cut.exchanges[0].request.body,
        Some(vec![b"a".to_vec(), b"b".to_vec(), b"c".to_vec()])
    );
    assert_eq!(cut.exchanges[0].request.headers, whole.exchanges[0].request.headers);
    assert_eq!(cut.exchanges[0].upstream[0].body, Some(vec![]));
}

#[test]
fn mistakes_in_callouts_are_named() {
    let text = "
description: d
chain: []
callouts:
  exchange-1: []
  auth: [{grpc: {status: 17}}, {reset: true, never: true}, {body: a, grpc: {}}]
exchanges: [{request: {path: /}}]
";
    assert_eq!(
        complaints(text),
        [
            "callouts.auth[0].grpc.status: found 17, expected 0 to 16",
            "callouts.auth[1]: found `reset` and `never`, expected one of them",
            "callouts.auth[2]: found an HTTP response and `grpc`, expected one of them",
            "callouts: found the name `exchange-1`, expected one without `exchange-` in front",
        ]
    );
}
