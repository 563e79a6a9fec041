//! Everything that is tested across the whole repository, in one binary: scenarios, configurations,
//! and the command itself.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests: clippy knows only functions marked as such"
)]

mod command;
mod configurations;
mod costs;
mod docs;
mod embedded;
mod foreign;
mod killed;
mod manifests;
mod scenarios;

use std::path::{Path, PathBuf};

/// The root of the repository.
fn root() -> &'static Path {
    host_tests::modules::workspace()
}

/// The files below `folder` of the repository with one of these endings, sorted; none if there is no
/// such folder.
fn files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let Ok(entries) = folder.read_dir() else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
        .into_iter()
        .flat_map(|path| {
            let name = path.to_string_lossy().into_owned();
            if path.is_dir() {
                files(&path, endings)
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                vec![path]
            } else {
                Vec::new()
            }
        })
        .collect()
}

/// The YAML blocks of a Markdown text.
fn yaml_blocks(markdown: &str) -> impl Iterator<Item = &str> {
    markdown.split("```yaml\n").skip(1).filter_map(|block| block.split("```").next())
}

/// Panics with all of `failures`, if there are any.
fn none(failures: &[String]) {
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}

/// `path` as seen from the root, for messages.
fn short(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}
