//! Scenario files in folders.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

/// The scenarios that `paths` name, sorted, each once: a file as it is, a folder with everything
/// below it called `scenario.yaml` or `*.scenario.yaml` (or `.yml`).
///
/// # Errors
///
/// A path that does not exist or cannot be read, a folder without any scenario.
pub fn scenarios(paths: &[PathBuf]) -> Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    for path in paths {
        if !path.is_dir() {
            if !path.exists() {
                bail!("no file or folder `{}`", path.display());
            }
            found.insert(path.clone());
            continue;
        }
        let mut below = BTreeSet::new();
        search(path, &mut below)?;
        if below.is_empty() {
            bail!(
                "no scenario in `{}`, expected files called scenario.yaml or *.scenario.yaml",
                path.display()
            );
        }
        found.append(&mut below);
    }
    Ok(found)
}

fn search(folder: &Path, found: &mut BTreeSet<PathBuf>) -> Result<()> {
    let entries =
        folder.read_dir().with_context(|| format!("cannot read `{}`", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // Symbolic links are not followed, so there is no way round in circles.
        let kind = entry.file_type()?;
        let hidden = name.starts_with('.') || matches!(&*name, "target" | "node_modules");
        if kind.is_dir() && !hidden {
            search(&entry.path(), found)?;
        } else if !kind.is_dir() && is_scenario(&name) {
            found.insert(entry.path());
        }
    }
    Ok(())
}

fn is_scenario(name: &str) -> bool {
    let stem = name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml"));
    stem.is_some_and(|stem| stem == "scenario" || stem.ends_with(".scenario"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_scenarios() {
        for (name, expected) in [
            ("scenario.yaml", true),
            ("scenario.yml", true),
            ("two.scenario.yaml", true),
            ("keys.yaml", false),
            ("my-scenario.yaml", false),
            ("scenario.json", false),
        ] {
            assert_eq!(is_scenario(name), expected, "{name}");
        }
    }
}
