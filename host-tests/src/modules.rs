//! The compiled filters: where they are, and that they are never stale.
//!
//! [`build`] compiles what a run needs before its first use, once per process; Cargo decides what is
//! up to date. `TOLLGATE_WASM_DIR` names a folder of prebuilt modules instead; one that is older than
//! its sources, where they are there to compare with, is refused.

mod stale;

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use anyhow::{Context as _, Result, bail};
use tollgate_config::nearest;

use crate::plan::Plan;

/// The filters of this repository, in request order.
pub const FILTERS: [&str; 4] = ["key-check", "body-model", "token-count", "provider-rewrite"];

const TARGET: &str = "wasm32-wasip1";

/// No filter has this name.
#[derive(Debug)]
pub struct UnknownFilter(String);

impl UnknownFilter {
    /// Refuses `name`.
    pub fn new(name: &str) -> Self {
        Self(name.to_owned())
    }
}

impl fmt::Display for UnknownFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown filter `{}`, expected one of {}", self.0, FILTERS.join(", "))?;
        match nearest(&self.0, FILTERS) {
            Some(near) => write!(f, "; did you mean `{near}`?"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for UnknownFilter {}

/// Where filter `name` is once [`build`] has run.
///
/// # Errors
///
/// [`UnknownFilter`].
pub fn path(name: &str) -> Result<PathBuf, UnknownFilter> {
    if !FILTERS.contains(&name) {
        return Err(UnknownFilter::new(name));
    }
    let folder = prebuilt().unwrap_or_else(|| target_dir().join(TARGET).join("release"));
    Ok(folder.join(format!("{}.wasm", name.replace('-', "_"))))
}

/// Makes the filters that `plans` name exist and be up to date.
///
/// # Errors
///
/// A module that does not compile (with the compiler's output), a missing target, a prebuilt module
/// that is not there or is older than its sources.
pub fn build<'a>(plans: impl IntoIterator<Item = &'a Plan>) -> Result<()> {
    let names: BTreeSet<&str> = plans
        .into_iter()
        .flat_map(|plan| &plan.scenario.chain)
        .filter_map(|link| link.filter.as_deref())
        .collect();
    static READY: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    // Held while Cargo runs: whoever comes second waits for the modules.
    let mut ready = READY.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let missing: Vec<&str> = names.into_iter().filter(|name| !ready.contains(*name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    match prebuilt() {
        Some(folder) => missing.iter().try_for_each(|name| usable(&folder, name))?,
        None => cargo_build(&missing)?,
    }
    ready.extend(missing.into_iter().map(str::to_owned));
    Ok(())
}

/// The module in `file` as a binary; a text module (`.wat`) is assembled.
///
/// # Errors
///
/// When the file cannot be read; a text that is no module, with line and column.
pub fn read(file: &Path) -> Result<Vec<u8>> {
    let bytes = std::fs::read(file)
        .with_context(|| format!("cannot read the module `{}`", file.display()))?;
    if is_text(file) { assemble(file, &bytes) } else { Ok(bytes) }
}

/// Whether `file` is a module in the text format, by its name.
pub fn is_text(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "wat")
}

/// Whether the prebuilt module of filter `name` is there, and as new as its sources.
fn usable(folder: &Path, name: &str) -> Result<()> {
    let file = path(name)?;
    if !file.is_file() {
        bail!(
            "TOLLGATE_WASM_DIR ({}) holds no `{}`: `make build` compiles it into \
             target/{TARGET}/release",
            folder.display(),
            file.display()
        );
    }
    let accepted = std::env::var_os(ALLOW_STALE).is_some_and(|value| !value.is_empty());
    if !accepted && let Some(source) = stale::newer_source(&file, name, workspace()) {
        let what = if source.exists() { "is newer" } else { "is gone" };
        bail!(
            "`{}` is stale: its source `{}` {what}. Run `make build`, or unset TOLLGATE_WASM_DIR to \
             have it compiled, or set {ALLOW_STALE}=1 to use it as it is",
            file.display(),
            source.display()
        );
    }
    Ok(())
}

/// Set to use prebuilt modules however old they are.
const ALLOW_STALE: &str = "TOLLGATE_ALLOW_STALE";

/// The root of this repository, as far as it is still where the tool was compiled.
pub fn workspace() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

fn assemble(file: &Path, bytes: &[u8]) -> Result<Vec<u8>> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        bail!("{}: found bytes that are no UTF-8, expected WebAssembly text", file.display());
    };
    wat::parse_str(text).map_err(|mut error| {
        // Its text has the file's name, line and column, and the line itself.
        error.set_path(file);
        anyhow::anyhow!("cannot assemble the module: {error}")
    })
}

fn prebuilt() -> Option<PathBuf> {
    std::env::var_os("TOLLGATE_WASM_DIR").filter(|dir| !dir.is_empty()).map(PathBuf::from)
}

pub(crate) fn target_dir() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => workspace().join(dir),
        None => workspace().join("target"),
    }
}

fn cargo_build(names: &[&str]) -> Result<()> {
    let root = workspace();
    if !root.join("Cargo.toml").is_file() {
        bail!(
            "the sources of the filters are not in `{}` any more, where this tollgate was built: set \
             TOLLGATE_WASM_DIR to a folder with the compiled modules ({}.wasm, …)",
            root.display(),
            names.first().copied().unwrap_or_default().replace('-', "_")
        );
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(&cargo)
        .current_dir(root)
        .args(["build", "--quiet", "--release", "--target", TARGET, "--target-dir"])
        .arg(target_dir())
        .args(names.iter().flat_map(|name| ["--package", name]))
        .stdin(Stdio::null())
        .output()
        .with_context(|| {
            format!(
                "cannot run `{}` to compile the filters: install Rust (rustup), or set \
                 TOLLGATE_WASM_DIR to a folder with the compiled modules",
                cargo.display()
            )
        })?;
    if output.status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    if stderr.contains("target may not be installed") {
        bail!("the Rust target {TARGET} is not installed: run `rustup target add {TARGET}`");
    }
    bail!("the filters ({}) do not compile:\n{}", names.join(", "), stderr.trim_end());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_in_a_text_module_has_its_file_line_and_column() {
        let file = std::env::temp_dir().join(format!("tollgate-text-{}.wat", std::process::id()));
        std::fs::write(&file, "(module\n  (func $a (i32.cons 1)))").unwrap();
        let error = format!("{:#}", read(&file).unwrap_err());
        std::fs::write(&file, b"(module \xff)").unwrap();
        let no_text = format!("{:#}", read(&file).unwrap_err());
        std::fs::remove_file(&file).unwrap();
        assert!(error.contains(&format!("{}:2:", file.display())), "{error}");
        assert!(error.contains("i32.cons"), "{error}");
        assert!(no_text.contains("no UTF-8"), "{no_text}");
        let gone = format!("{:#}", read(&file).unwrap_err());
        assert!(gone.contains("cannot read the module"), "{gone}");
    }
}
