//! What loading a file complains of, and where.

use super::*;

/// What loading `text` complains of, one line per problem, each with line and column and without the
/// file's name.
fn complaints(text: &str) -> Vec<String> {
    let mistakes = match Text::new(&file(), text.into()).map(|text| read(&text)) {
        Ok(Ok(_)) => Vec::new(),
        Ok(Err(mistakes)) => mistakes,
        Err(mistake) => vec![mistake],
    };
    let start = format!("{}:", file().display());
    let without = |mistake: &Mistake| mistake.to_string().replacen(&start, "", 1).trim().to_owned();
    mistakes.iter().map(without).collect()
}

#[test]
fn a_mistake_of_shape_is_named_with_its_place_and_what_was_expected() {
    let request =
        |request: &str| format!("description: d\nchain: []\nexchanges: [{{request: {request}}}]");
    for (name, text, expected) in [
        (
            "misspelt field",
            request("{path: /, jsn: {}}"),
            "3:33: exchanges[0].request.jsn: unknown field `jsn`, expected one of `method`, `path`, \
             `headers`, `json`, `body`, `bodyBase64`, `bodyFile`, `chunks`, `trailers`, \
             `abortAfterBytes`, `reset`; did you mean `json`?",
        ),
        (
            "misspelt value",
            "description: d\nchain: [{filter: key-check, at: upstrem}]\nexchanges: []".to_owned(),
            "2:33: chain[0].at: found `upstrem`, expected one of `downstream`, `upstream`, \
             `network`; did you mean `upstream`?",
        ),
        ("missing field", "description: d\nexchanges: []".to_owned(), "1:1: missing field `chain`"),
        (
            "missing further in",
            request("{json: {}}"),
            "3:23: exchanges[0].request: missing field `path`",
        ),
        (
            "a list",
            request("{path: [1]}"),
            "3:30: exchanges[0].request.path: found a list, expected a text",
        ),
        (
            "a text",
            "description: d\nchain: x\nexchanges: []".to_owned(),
            "2:8: chain: found the text \"x\", expected a list",
        ),
        (
            "too large",
            "description: d\nworkers: 5000000000\nchain: []\nexchanges: []".to_owned(),
            "2:10: workers: found `5000000000`, expected a whole number from 0 to 4294967295",
        ),
        (
            "not a mapping",
            "description: d\nlimits: 7\nchain: []\nexchanges: []".to_owned(),
            "2:9: limits: found `7`, expected a mapping of fields",
        ),
        ("not a scenario", "[1, 2]".to_owned(), "1:1: found a list, expected a mapping of fields"),
        (
            "header value",
            request("{path: /, headers: {a: {b: c}}}"),
            "3:47: exchanges[0].request.headers.a.b: unknown field `b`, expected `base64`",
        ),
        (
            "header value in a list",
            request("{path: /, headers: {a: [b, [c]]}}"),
            "3:50: exchanges[0].request.headers.a[1]: found a list, expected a string, a whole \
             number, a boolean or `{base64: …}`",
        ),
        (
            "header twice",
            request("{path: /, headers: {A: b, a: c}}"),
            "3:49: exchanges[0].request.headers: header `a` twice, expected once, a repeated header \
             as a list",
        ),
        (
            "chunks",
            request("{path: /, chunks: every-bite}"),
            "3:41: exchanges[0].request.chunks: found `every-bite`, expected `whole`, `every-byte`, \
             `seed:` and a number, or a list of offsets; did you mean `every-byte`?",
        ),
        (
            "offsets in disorder",
            request("{path: /, chunks: [5, 5]}"),
            "3:41: exchanges[0].request.chunks: found offset 5, expected offsets from 1 up, each \
             larger than the one before",
        ),
        (
            "key twice in a free-form part",
            request("{path: /, json: {a: 1, a: 2}}"),
            "3:46: exchanges[0].request.json.a: found this key twice, expected it once",
        ),
        (
            "broken YAML",
            "description: [".to_owned(),
            "2:1: not valid YAML: did not find expected node content, while parsing a flow node",
        ),
        (
            "two documents",
            request("{path: /}") + "\n---\nanother: 1\n",
            "5:1: found 2 documents, expected one scenario",
        ),
        (
            "only comments",
            "# nothing yet\n".to_owned(),
            "found nothing, expected a scenario: `description`, `chain` and `exchanges` (`tollgate \
             init` writes an example)",
        ),
    ] {
        let complaints = complaints(&text);
        let [found] = complaints.as_slice() else { panic!("{name}: {complaints:?}") };
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn every_misspelt_field_is_named_at_once() {
    let text = "
descripton: d
chain:
  - {filter: key-check, cofnig: {}}
exchanges:
  - reqest: {path: /}
    request: {path: /, body: 7, hedders: {}}
";
    let starts: Vec<String> = complaints(text)
        .iter()
        .map(|line| line.split(", expected").next().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(
        starts,
        [
            "2:1: descripton: unknown field `descripton`",
            "4:25: chain[0].cofnig: unknown field `cofnig`",
            "6:5: exchanges[0].reqest: unknown field `reqest`",
            "7:33: exchanges[0].request.hedders: unknown field `hedders`",
        ]
    );
}

/// What is wrong in a configuration is told where that is.
#[test]
fn a_mistake_in_a_configuration_file_has_its_place_there() {
    let folder =
        std::env::temp_dir().join(format!("tollgate-load-config-file-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("broken.yaml"), "a: 1\nb: {c: 1, c: 2}\n").unwrap();
    std::fs::write(folder.join("latin.yaml"), b"a: \xe9").unwrap();
    let manifest =
        "apiVersion: v1\nkind: WasmPlugin\nspec: {url: 'r.test/x:1', pluginConfig: {a: 1}}\n";
    std::fs::write(folder.join("manifest.yaml"), manifest).unwrap();
    let load = |link: &str| {
        let scenario = folder.join("scenario.yaml");
        let text =
            format!("description: d\nchain:\n  - {link}\nexchanges:\n  - request: {{path: /}}\n");
        std::fs::write(&scenario, text).unwrap();
        let told = |e: Invalid| e.to_string().replace(&format!("{}/", folder.display()), "");
        Plan::load(&scenario).map_err(told)
    };
    for (link, expected) in [
        (
            "{filter: key-check, configFile: broken.yaml}",
            "broken.yaml:2:11: b.c: found this key twice, expected it once",
        ),
        (
            "{filter: key-check, configFile: latin.yaml}",
            "latin.yaml:1:4: found bytes that are not UTF-8, expected a text",
        ),
        (
            "{filter: key-check, configFile: .}",
            "scenario.yaml:3:37: chain[0].configFile: `.`: found a folder, expected a file",
        ),
        (
            "{filter: key-check, configFile: manifest.yaml}",
            "scenario.yaml:3:37: chain[0].configFile: found no plugin `key-check` in the manifest, \
             but ``",
        ),
        (
            "{filter: key-check, plugin: x}",
            "scenario.yaml:3:33: chain[0].plugin: found no `configFile` that it could be of",
        ),
    ] {
        assert_eq!(load(link).unwrap_err(), expected, "{link}");
    }
    let plan = load("{filter: key-check, configFile: manifest.yaml, plugin: x}").unwrap();
    assert_eq!(plan.chain[0].config, br#"{"a":1}"#);
    std::fs::remove_dir_all(folder).unwrap();
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
            "2:14: description: found nothing, expected the behaviour as a sentence",
            "4:10: workers: found 0, expected at least 1",
            "3:8: clock: found `yesterday`, expected a time from 1970 on, such as 2026-01-01T00:00:00Z",
            "6:14: chain[0].filter: unknown filter `key-chek`, expected one of key-check, body-model, \
             token-count, provider-rewrite; did you mean `key-check`?",
            "7:5: chain[1]: found both `filter` and `wasm`, expected one of them",
            &format!("8:12: chain[2].wasm: no file `{root}/no-such.wasm`"),
            "9:5: chain[3]: found both `config` and `configFile`, expected at most one",
            "10:5: chain[4]: found neither `filter` nor `wasm`, expected one of them",
            "12:14: exchanges[0].advance: found `soon`, expected a duration such as `30s`, `5ms` or `1h`",
            "13:21: exchanges[0].request.path: found nothing, expected a path such as `/v1/models`",
            "13:14: exchanges[0].request: found the fields `json` and `body`, expected one body",
            "14:25: exchanges[0].upstream[0].status: found 99, expected 200 to 599",
            "14:66: exchanges[0].upstream[0].headers.x: found null, expected a value (leave the line out \
             to send no such header)",
            "14:39: exchanges[0].upstream[0].bodyFile: `no-such.json`: cannot read the file: No such \
             file or directory (os error 2)",
            "15:43: exchanges[1].request.chunks: found offset 9, expected offsets inside the body of 3 bytes",
            "16:29: exchanges[1].upstream[0].bodyBase64: Invalid symbol 37, offset 0., expected padded \
             base64",
            "16:44: exchanges[1].upstream[1].chunks: found cuts but no body to cut",
            "17:40: exchanges[2].request.headers.host: found several, expected one",
        ]
    );
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
            "6:26: callouts.auth[0].grpc.status: found 17, expected 0 to 16",
            "6:32: callouts.auth[1]: found `reset` and `never`, expected one of them",
            "6:60: callouts.auth[2]: found an HTTP response and `grpc`, expected one of them",
            "5:3: callouts: found the name `exchange-1`, expected one without `exchange-` in front",
        ]
    );
}

/// Each would have VMs of its own.
#[test]
fn the_number_of_workers_is_bounded() {
    let text = |workers: u32| {
        format!(
            "description: d\nworkers: {workers}\nchain: []\nexchanges:\n  - request: {{path: /}}\n"
        )
    };
    assert_eq!(
        complaints(&text(1_000_000)),
        ["2:10: workers: found 1000000, expected at most 128"]
    );
    assert!(complaints(&text(128)).is_empty());
}

#[test]
fn routes_that_no_gateway_could_take_are_named() {
    let text = |choices: &str| {
        let start = "description: d\nchain: []\nexchanges: [{request: {path: /}}]\n";
        format!("{start}route:\n  choices:\n{choices}")
    };
    assert_eq!(complaints(&text("    - {name: a, headers: {X-A: 1}, pathPrefix: /v1}\n")), [""; 0]);
    let wrong = "    - {name: a}\n    - {name: a, pathPrefix: /}\n    - {name: default, pathPrefix: v1}\n    \
                 - {name: '', pathPrefix: '/v1?q'}\n    - {name: b, headers: {x-a: [1, 2], x-b: null}}\n";
    let found = complaints(&text(wrong));
    let expected = [
        "6:7: route.choices[0]: found no condition, expected `headers` or `pathPrefix` (all other \
         requests take the route `default`)",
        "7:14: route.choices[1].name: found `a`, expected a name of its own, other than `default`",
        "8:14: route.choices[2].name: found `default`, expected a name of its own, other than \
         `default`",
        "8:35: route.choices[2].pathPrefix: found `v1`, expected `/…` without a query",
        "9:14: route.choices[3].name: found ``, expected a name of its own, other than `default`",
        "9:30: route.choices[3].pathPrefix: found `/v1?q`, expected `/…` without a query",
        "10:32: route.choices[4].headers.x-a: found no text, expected one",
        "10:45: route.choices[4].headers.x-b: found no text, expected one",
    ];
    assert_eq!(found, expected);
}
