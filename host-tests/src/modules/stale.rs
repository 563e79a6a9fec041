//! Whether a compiled module is older than what it was compiled from.
//!
//! By times, as Cargo decides it: a build that finds nothing to do leaves a module that passes here,
//! and one that this refuses is made anew by the next build. Beside each module Cargo writes what it
//! was compiled from (`key_check.d`); a module without that is compared with all that it could be
//! compiled from.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A source that is newer than `module`, or gone; `None` if the module is up to date, or if there are
/// no sources at `root` to compare it with.
pub(super) fn newer_source(module: &Path, name: &str, root: &Path) -> Option<PathBuf> {
    let dep_info = module.with_extension("d");
    let built = [module, &dep_info].into_iter().filter_map(changed).max()?;
    let listed = fs::read_to_string(&dep_info).map(|text| sources(&text)).unwrap_or_default();
    // A folder that was copied from another machine lists what is not here.
    if listed.iter().any(|source| source.is_file()) {
        return listed.into_iter().find(|source| changed(source).is_none_or(|time| time > built));
    }
    let package = root.join("filters").join(name);
    let mut found = Vec::new();
    if package.is_dir() {
        rust_files(&package, &mut found);
        rust_files(&root.join("crates"), &mut found);
    }
    found.into_iter().find(|source| changed(source).is_some_and(|time| time > built))
}

fn changed(file: &Path) -> Option<SystemTime> {
    fs::metadata(file).and_then(|metadata| metadata.modified()).ok()
}

/// What a `.d` file lists: `module: source source`, where a space in a name is `\ `.
fn sources(dep_info: &str) -> Vec<PathBuf> {
    let Some((_, list)) = dep_info.lines().next().and_then(|line| line.split_once(": ")) else {
        return Vec::new();
    };
    let list = list.replace("\\ ", "\0");
    list.split_whitespace().map(|source| PathBuf::from(source.replace('\0', " "))).collect()
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = folder.read_dir() else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        // Links are not followed, so there is no way round in circles.
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && entry.file_name() != "tests" => rust_files(&path, found),
            Ok(kind) if kind.is_file() && path.extension().is_some_and(|e| e == "rs") => {
                found.push(path);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::Duration;

    use super::*;

    /// A file that was changed so many minutes after the first of all.
    fn file(path: &Path, text: &str, minutes: u64) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + minutes * 60);
        File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
    }

    #[test]
    fn a_module_that_is_older_than_a_source_is_found() {
        let root = std::env::temp_dir().join(format!("tollgate stale {}", std::process::id()));
        let module = root.join("out/key_check.wasm");
        let source = root.join("filters/key-check/src/lib.rs");
        let other = root.join("crates/json/src/lib.rs");
        file(&module, "", 5);
        file(&source, "", 1);
        file(&other, "", 1);
        file(&root.join("filters/key-check/tests/new.rs"), "", 9);
        let newer = || newer_source(&module, "key-check", &root);
        assert_eq!(newer(), None, "no list: compared with all sources");
        file(&other, "", 6);
        assert_eq!(newer(), Some(other.clone()), "no list, a crate is newer");

        let listed =
            format!("{}: {}", module.display(), source.to_str().unwrap().replace(' ', "\\ "));
        file(&module.with_extension("d"), &listed, 5);
        assert_eq!(newer(), None, "what it is not compiled from does not count");
        file(&source, "", 7);
        assert_eq!(newer(), Some(source.clone()));
        // Cargo found nothing to compile, and said so.
        file(&module.with_extension("d"), &listed, 8);
        assert_eq!(newer(), None);
        let gone = format!("{listed} /no/such/source.rs");
        file(&module.with_extension("d"), &gone, 8);
        assert_eq!(newer(), Some("/no/such/source.rs".into()), "a source that is gone");
        // Of another machine.
        file(&module.with_extension("d"), "x.wasm: /no/such/source.rs", 5);
        assert_eq!(newer(), Some(source), "compared with all sources");
        fs::remove_dir_all(root.join("filters")).unwrap();
        assert_eq!(newer(), None, "nothing to compare with");
        fs::remove_dir_all(root).unwrap();
    }
}
