//! The Kubernetes manifests: each fits its custom resource definition ([`definitions`]), and those of
//! the quickstart fit each other ([`chain`]), as do those for hosts without the header-hold ([`hold_host`]).
//!
//! Not here: the plugin configurations in them (`embedded`), and rules that definitions write in CEL.

mod chain;
mod definitions;
mod hold_host;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde::Deserialize as _;
use serde_json::Value;

use crate::{files, none, root, short};
use definitions::Definitions;

/// One document of a manifest.
struct Manifest {
    file: PathBuf,
    value: Value,
}

impl Manifest {
    /// The text at `pointer`; empty if there is none.
    fn text(&self, pointer: &str) -> &str {
        self.value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    fn kind(&self) -> &str {
        self.text("/kind")
    }

    /// For messages.
    fn name(&self) -> String {
        format!("{}: {} {}", short(&self.file), self.kind(), self.text("/metadata/name"))
    }
}

/// The documents of every manifest below `folder`.
fn manifests(folder: &Path) -> Vec<Manifest> {
    let mut found = Vec::new();
    for file in files(folder, &[".yaml"]) {
        let text = std::fs::read_to_string(&file).unwrap();
        for document in serde_yaml_ng::Deserializer::from_str(&text) {
            let value = Value::deserialize(document).unwrap_or_else(|error| {
                panic!("{}: {error}", short(&file));
            });
            found.push(Manifest { file: file.clone(), value });
        }
    }
    found
}

/// The definitions beside the checkout, unless the environment says where else; `None` if there are
/// none, which is said once.
fn definitions() -> Option<&'static Definitions> {
    static DEFINITIONS: LazyLock<Option<Definitions>> = LazyLock::new(|| {
        let folder = std::env::var_os("TOLLGATE_CRDS")
            .map_or_else(|| root().join("../shared/crds"), PathBuf::from);
        if folder.is_dir() {
            return Some(Definitions::load(&folder));
        }
        #[expect(
            clippy::explicit_write,
            reason = "eprintln! shows the output of failed tests only"
        )]
        writeln!(
            std::io::stderr(),
            "skipped: manifests are not compared with their definitions: none in ../shared/crds \
             (TOLLGATE_CRDS says where else)"
        )
        .unwrap();
        None
    });
    DEFINITIONS.as_ref()
}

#[test]
fn every_manifest_fits_its_definition() {
    let Some(definitions) = definitions() else { return };
    let manifests = manifests(&root().join("kuadrant"));
    assert!(!manifests.is_empty(), "no manifests found");
    let mut failures = Vec::new();
    for manifest in &manifests {
        for problem in definitions.problems(&manifest.value) {
            failures.push(format!("{}: {problem}", manifest.name()));
        }
    }
    none(&failures);
}

/// Every kind of mistake, one at a time, in a manifest that fits.
#[test]
fn a_manifest_that_does_not_fit_is_seen() {
    let Some(definitions) = definitions() else { return };
    let quickstart = manifests(&root().join("kuadrant/quickstart"));
    for (kind, pointer, wrong) in [
        ("EnvoyFilter", "/spec/prioritty", Value::from(1)),
        ("EnvoyFilter", "/spec/priority", Value::from("first")),
        ("EnvoyFilter", "/spec/configPatches/0/applyTo", Value::from("HTTP_FILTERS")),
        ("EnvoyFilter", "/metadata/nmae", Value::from("x")),
        ("HTTPRoute", "/spec/rules/0/backendRefs/0/port", Value::from(70_000)),
        ("HTTPRoute", "/spec/rules/0/matches/0/path/type", Value::from("Prefix")),
        ("Gateway", "/spec/listeners/0/name", Value::Null),
        ("TokenRateLimitPolicy", "/spec/limits/llama/rates/0/window", Value::from("1 hour")),
        ("AuthPolicy", "/spec/rules/authorizations", Value::from(true)),
        ("ServiceEntry", "/spec/ports/0/number", Value::from("https")),
        ("Gateway", "/apiVersion", Value::from("gateway.networking.k8s.io/v9")),
    ] {
        let good = quickstart.iter().find(|manifest| manifest.kind() == kind).unwrap();
        let mut bad = good.value.clone();
        let (parent, member) = pointer.rsplit_once('/').unwrap();
        let parent = bad.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        if wrong.is_null() {
            parent.remove(member);
        } else {
            parent.insert(member.to_owned(), wrong);
        }
        assert_eq!(definitions.problems(&bad).len(), 1, "{kind} {pointer}");
    }
}

/// What is not in the list is not applied.
#[test]
fn the_kustomizations_list_every_manifest() {
    for name in ["quickstart", "hold-host"] {
        let folder = root().join("kuadrant").join(name);
        lists_every_manifest(&folder);
    }
}

fn lists_every_manifest(folder: &Path) {
    let manifests = manifests(folder);
    let list = manifests.iter().find(|manifest| manifest.kind() == "Kustomization").unwrap();
    let mut listed: Vec<PathBuf> = list.value["resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| folder.join(file.as_str().unwrap()))
        .collect();
    listed.sort();
    let mut there: Vec<PathBuf> = files(folder, &[".yaml"]);
    there.retain(|file| *file != list.file);
    assert_eq!(listed, there);
}
