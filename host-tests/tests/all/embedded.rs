//! Plugin configurations inside Envoy's configuration and inside manifests: each is accepted by the
//! filter that it is for.

use host_tests::check::Checker;
use host_tests::config_file::ConfigFile;

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
