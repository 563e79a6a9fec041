//! Plugin configurations inside Envoy's configuration and inside manifests: each is accepted by the
//! filter that it is for.

use host_tests::check::Checker;
use host_tests::config_file::ConfigFile;
use host_tests::scenario::{FailurePolicy, Position};

use crate::{files, none, root, short};

#[test]
fn every_embedded_configuration_is_accepted() {
    let mut failures = Vec::new();
    for folder in ["envoy-configs", "kuadrant"].map(|name| root().join(name)) {
        let mut seen = 0;
        for file in files(&folder, &[".yaml", ".yml"]) {
            let read = ConfigFile::new(&file, std::fs::read(&file).unwrap());
            let Ok(read) = read else {
                // Several documents, and none of a plugin.
                continue;
            };
            for config in read.configs.iter().filter(|_| read.is_manifest) {
                let checker = Checker::all().find(|checker| config.is_called(checker.name));
                let checker = checker.unwrap_or_else(|| panic!("{}: {config:?}", short(&file)));
                seen += 1;
                if let Err(problems) = checker.check(&config.bytes) {
                    let told =
                        problems.list.into_iter().map(|p| read.locate(config, p).to_string());
                    failures.extend(told);
                }
            }
        }
        // Else nothing would be checked when the search goes blind: every filter is there.
        assert!(seen >= Checker::all().count() || !folder.is_dir(), "{seen} in {}", short(&folder));
    }
    none(&failures);
}

/// What they say beside the configuration is read too: tests hold what gateways do.
#[test]
fn every_embedded_plugin_has_the_settings_of_its_manifest() {
    use FailurePolicy::{FailOpen, FailReload};
    use Position::{Downstream, Upstream};
    let providers = ["SELF_HOSTED_API_KEY", "ANTHROPIC_API_KEY", "OPENAI_API_KEY"].as_slice();
    for (file, filter, root_id, vm_id, at, policy, hold, env) in [
        (
            "kuadrant/wasmplugin-only/wasmplugin.yaml",
            "key-check",
            "key-check",
            "",
            Downstream,
            FailReload,
            false,
            [].as_slice(),
        ),
        (
            "kuadrant/wasmplugin-only/trafficextension.yaml",
            "token-count",
            "token-count",
            "",
            Downstream,
            FailOpen,
            false,
            &[],
        ),
        (
            "kuadrant/quickstart/key-check.yaml",
            "key-check",
            "",
            "tollgate.key-check",
            Downstream,
            FailReload,
            false,
            &[],
        ),
        (
            "kuadrant/quickstart/body-model.yaml",
            "body-model",
            "",
            "tollgate.body-model",
            Downstream,
            FailReload,
            true,
            &[],
        ),
        (
            "kuadrant/quickstart/provider-rewrite.yaml",
            "provider-rewrite",
            "",
            "tollgate.provider-rewrite",
            Upstream,
            FailReload,
            true,
            &["ANTHROPIC_API_KEY"],
        ),
        (
            "envoy-configs/quickstart/envoy.yaml",
            "body-model",
            "",
            "",
            Downstream,
            FailReload,
            true,
            &[],
        ),
        (
            "envoy-configs/quickstart/envoy.yaml",
            "provider-rewrite",
            "",
            "",
            Upstream,
            FailReload,
            true,
            providers,
        ),
    ] {
        let path = root().join(file);
        let read = ConfigFile::new(&path, std::fs::read(&path).unwrap()).unwrap();
        let config = read.named(filter).unwrap();
        assert!(read.refused(config).is_empty(), "{file}");
        let found = config.settings.clone().unwrap();
        assert_eq!((found.at, found.failure_policy), (at, policy), "{file}: {filter}");
        assert_eq!(found.allow_on_headers_stop_iteration, hold, "{file}: {filter}");
        assert_eq!((found.root_id.as_str(), found.vm_id.as_str()), (root_id, vm_id), "{file}");
        let mut expected = env.to_vec();
        expected.sort_unstable();
        let found: Vec<&str> = found.env.keys().map(String::as_str).collect();
        assert_eq!(found, expected, "{file}: {filter}");
    }
}
