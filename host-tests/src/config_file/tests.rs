//! Manifests and configurations as people write them, and where their problems are told.

use super::*;

fn file(text: &str) -> ConfigFile {
    ConfigFile::new(Path::new("f.yaml"), text.into()).unwrap()
}

/// Plugin, module and configuration of each.
fn found(text: &str) -> Vec<(String, String, String)> {
    let configs = file(text).configs.into_iter();
    configs.map(|c| (c.plugin, c.module, String::from_utf8(c.bytes).unwrap())).collect()
}

const ISTIO: &str = "# two of them
apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata: {name: in-front}
spec:
  url: oci://registry.test/tollgate/key-check:0.1.0@sha256:00
  pluginConfig:
    keys:
      - id: 7
---
apiVersion: v1
kind: Service
spec: {ports: [{port: 80}]}
---
apiVersion: extensions.istio.io/v1alpha1
kind: TrafficExtension
metadata: {name: counts}
spec:
  wasm: {pluginName: token-count, url: 'https://files.test/x.wasm', pluginConfig: {a: b}}
";

#[test]
fn a_manifest_has_the_configurations_of_its_plugins() {
    let text = |parts: [&str; 3]| -> (String, String, String) { parts.map(str::to_owned).into() };
    assert_eq!(
        found(ISTIO),
        [
            text([
                "in-front",
                "oci://registry.test/tollgate/key-check:0.1.0@sha256:00",
                r#"{"keys":[{"id":7}]}"#
            ]),
            text(["token-count", "https://files.test/x.wasm", r#"{"a":"b"}"#]),
        ]
    );
    let envoy_filter = "apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: f}
spec:
  configPatches:
    - patch:
        value:
          typed_config:
            config:
              name: my.filter
              vm_config: {code: {local: {filename: /x/their_filter.wasm}}}
              configuration:
                '@type': type.googleapis.com/google.protobuf.StringValue
                value: any text
";
    assert_eq!(found(envoy_filter), [text(["my.filter", "/x/their_filter.wasm", "any text"])]);
    let gateway =
        "{\"apiVersion\": \"gateway.envoyproxy.io/v1alpha1\", \"kind\": \"EnvoyExtensionPolicy\",
  \"spec\": {\"wasm\": [{\"name\": \"w\", \"code\": {\"image\": {\"url\": \"r.test/w:1\"}}}]}}";
    assert_eq!(found(gateway), [text(["w", "r.test/w:1", ""])]);
}

#[test]
fn a_plugin_is_found_by_its_name_or_its_module() {
    let file = file(ISTIO);
    for (name, expected) in [
        ("key-check", Ok("in-front")),
        ("in-front", Ok("in-front")),
        ("token-count", Ok("token-count")),
        ("count", Err("found no plugin `count` in the manifest, but `in-front`, `token-count`")),
        ("x", Ok("token-count")),
    ] {
        let config = file.named(name).map(|config| config.plugin.as_str());
        assert_eq!(config.as_ref().map_err(String::as_str).copied(), expected, "{name}");
    }
    assert_eq!(
        file.only().unwrap_err(),
        "found several plugins, `in-front`, `token-count`: name one with `plugin`"
    );
}

#[test]
fn a_problem_is_told_where_the_manifest_has_it() {
    let file = file(ISTIO);
    let problem = |path: &str| Problem { path: path.to_owned(), message: "found".to_owned() };
    for (config, path, expected) in [
        (0, "keys[0].id", "f.yaml:9:13: keys[0].id: found"),
        (0, "", "f.yaml:8:5: found"),
        (1, "a", "f.yaml:19:87: a: found"),
    ] {
        let mistake = file.locate(&file.configs[config], problem(path));
        assert_eq!(mistake.to_string(), expected);
    }
}

/// Envoy gets JSON as a text inside of YAML.
#[test]
fn a_problem_inside_a_text_is_told_where_it_is_in_the_file() {
    let manifest = |text: &str| {
        format!(
            "apiVersion: v1\nkind: EnvoyFilter\nspec:\n  vm_config: {{code: {{}}}}\n  \
             configuration:\n    value: {text}\n"
        )
    };
    for (name, text, expected) in [
        ("literal", "|\n      {\n        \"a\": [1, 2]\n      }", "f.yaml:8:18: a[1]: found"),
        ("folded", ">\n      {\"a\": [1, 2]}", "f.yaml:7:7: a[1]: found"),
        ("quoted", "'{\"a\": [1, 2]}'", "f.yaml:6:12: a[1]: found"),
        ("an object", "{a: [1, 2]}", "f.yaml:6:20: a[1]: found"),
    ] {
        let file = file(&manifest(text));
        let problem = Problem { path: "a[1]".to_owned(), message: "found".to_owned() };
        let found = file.locate(file.only().unwrap(), problem).to_string();
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn what_is_no_manifest_is_a_configuration() {
    for text in ["kind: WasmPlugin\na: b", "apiVersion: v1\nkind: Mine", "plugins: [{name: a}]"] {
        let file = file(text);
        assert!(!file.is_manifest, "{text}");
        assert_eq!(file.configs.len(), 1, "{text}");
    }
    let several = ConfigFile::new(Path::new("f.yaml"), b"a: 1\n---\nb: 2\n".to_vec());
    let several = several.unwrap_err().to_string();
    assert_eq!(several, "f.yaml:3:1: found 2 documents, expected one");
    // One of Kubernetes without a plugin is still no configuration.
    let services = file("apiVersion: v1\nkind: A\n---\napiVersion: v1\nkind: B\n---\n");
    assert!(services.is_manifest && services.configs.is_empty());
    let empty = file("apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nspec: {}");
    assert_eq!(empty.only().unwrap_err(), "found a manifest without any plugin configuration");
}

#[test]
fn a_file_of_another_kind_keeps_its_bytes() {
    let file = ConfigFile::new(Path::new("f.bin"), b"\xff\0kind: WasmPlugin".to_vec()).unwrap();
    assert_eq!(file.only().unwrap().bytes, b"\xff\0kind: WasmPlugin");
}

#[test]
fn broken_json_has_the_place_that_the_filter_says() {
    let file = ConfigFile::new(Path::new("f.json"), b"{\n \"a\": ,\n}".to_vec()).unwrap();
    let config = file.only().unwrap();
    let error = serde_json::from_slice::<Value>(&config.bytes).unwrap_err();
    let problem = Problem { path: String::new(), message: format!("not valid JSON: {error}") };
    assert_eq!(
        file.locate(config, problem).to_string(),
        "f.json:2:7: not valid JSON: expected value"
    );
}
