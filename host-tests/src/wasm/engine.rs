//! Compiled modules, linked once and kept: in memory, and on disk for the next process.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

use anyhow::Context;
use sha2::{Digest, Sha256};
use wasmtime::{Config, Engine, InstancePre, Linker, Module, UnknownImportError};

use super::abi::version::{Version, unlinkable};
use super::guest::GuestState;
use super::{abi, wasi};

/// How long a guest may run in one call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Budget {
    /// This many units of wasmtime's fuel, about one per instruction; then it traps.
    Fuel(u64),
    /// For ever: only for measurements of modules that are known to end.
    Unlimited,
}

/// A few seconds of computing: no filter needs a thousandth of it.
const DEFAULT_FUEL: u64 = 5_000_000_000;

/// Compiles and keeps modules. One per process is enough; [`Runtime::shared`] is that one.
pub struct Runtime {
    engine: Engine,
    /// One for each version of the ABI.
    linkers: [Linker<GuestState>; 3],
    budget: Budget,
    cache: Option<PathBuf>,
    modules: Mutex<HashMap<[u8; 32], Arc<Program>>>,
    /// What was in a file, as long as it looks the same: reading and hashing one takes longer than
    /// to run a scenario with it.
    files: Mutex<HashMap<PathBuf, (Stamp, Arc<Program>)>>,
}

/// What tells that a file was not written since: when it was, and its length.
type Stamp = (SystemTime, u64);

/// A module, ready to make instances.
pub(crate) struct Program {
    pub(crate) instance: InstancePre<GuestState>,
    pub(crate) hash: [u8; 32],
    pub(crate) version: Version,
}

impl Runtime {
    /// A runtime that keeps compiled modules in folder `cache`, which must be as trustworthy as the
    /// program itself: what is in there runs.
    ///
    /// # Errors
    ///
    /// When this machine cannot run wasmtime.
    pub fn new(budget: Budget, cache: Option<PathBuf>) -> anyhow::Result<Self> {
        let mut config = Config::new();
        config.consume_fuel(matches!(budget, Budget::Fuel(_)));
        config.cranelift_nan_canonicalization(true);
        config.max_wasm_stack(1 << 20);
        let engine = Engine::new(&config).map_err(plain)?;
        let linker = |version| -> wasmtime::Result<_> {
            let mut linker = Linker::new(&engine);
            abi::link(&mut linker, version)?;
            wasi::link(&mut linker)?;
            Ok(linker)
        };
        let [a, b, c] = Version::ALL.map(linker);
        let linkers = [a.map_err(plain)?, b.map_err(plain)?, c.map_err(plain)?];
        Ok(Self {
            engine,
            linkers,
            budget,
            cache,
            modules: Mutex::default(),
            files: Mutex::default(),
        })
    }

    /// The process's own runtime, with the cache in the workspace's target folder if there is one.
    ///
    /// # Errors
    ///
    /// As [`Runtime::new`].
    pub fn shared() -> anyhow::Result<&'static Self> {
        static SHARED: OnceLock<Result<Runtime, String>> = OnceLock::new();
        let made = SHARED.get_or_init(|| {
            let runtime = Self::new(Budget::Fuel(DEFAULT_FUEL), default_cache());
            runtime.map_err(|error| format!("{error:#}"))
        });
        made.as_ref().map_err(|error| anyhow::anyhow!("{error}"))
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) fn fuel(&self) -> Option<u64> {
        match self.budget {
            Budget::Fuel(fuel) => Some(fuel),
            Budget::Unlimited => None,
        }
    }

    /// The module in `file`, compiled and linked.
    ///
    /// # Errors
    ///
    /// When there is no such file, it is no module, speaks another ABI, or imports what no host has.
    pub(crate) fn load(&self, file: &Path) -> anyhow::Result<Arc<Program>> {
        let stamp = stamp(file);
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(now), Some((then, program))) = (stamp, files.get(file))
            && now == *then
        {
            return Ok(Arc::clone(program));
        }
        let bytes = crate::modules::read(file)?;
        let program =
            self.load_bytes(&bytes).with_context(|| format!("module {}", file.display()))?;
        if let Some(stamp) = stamp {
            files.insert(file.to_owned(), (stamp, Arc::clone(&program)));
        }
        Ok(program)
    }

    pub(crate) fn load_bytes(&self, bytes: &[u8]) -> anyhow::Result<Arc<Program>> {
        let hash: [u8; 32] = Sha256::digest(bytes).into();
        let mut modules = self.modules.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(program) = modules.get(&hash) {
            return Ok(Arc::clone(program));
        }
        let module = self.compile(bytes, &hash)?;
        let version = Version::of(&module)?;
        let [v0_1_0, v0_2_0, v0_2_1] = &self.linkers;
        let linker = match version {
            Version::V0_1_0 => v0_1_0,
            Version::V0_2_0 => v0_2_0,
            Version::V0_2_1 => v0_2_1,
        };
        let instance = linker.instantiate_pre(&module).map_err(|error| match error
            .downcast_ref::<UnknownImportError>(
        ) {
            Some(import) => {
                anyhow::anyhow!("{}", unlinkable(import.module(), import.name(), version))
            }
            None => plain(error),
        })?;
        let program = Arc::new(Program { instance, hash, version });
        modules.insert(hash, Arc::clone(&program));
        Ok(program)
    }

    fn compile(&self, bytes: &[u8], hash: &[u8; 32]) -> anyhow::Result<Module> {
        let Some(folder) = &self.cache else {
            return Module::new(&self.engine, bytes).map_err(plain);
        };
        let mut engine = DefaultHasher::new();
        self.engine.precompile_compatibility_hash().hash(&mut engine);
        let name: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let file = folder.join(format!("{name}-{:016x}.cwasm", engine.finish()));
        if let Some(module) = self.cached(&file) {
            return Ok(module);
        }
        let module = Module::new(&self.engine, bytes).map_err(plain)?;
        // Only a cache: whatever goes wrong, the module is there.
        let _ = store(&module, folder, &file);
        Ok(module)
    }

    /// What `store` wrote into `file`. `None`: there is no such file, or it is cut off, damaged, or
    /// something else; then the module is compiled, and the file written anew.
    fn cached(&self, file: &Path) -> Option<Module> {
        let stored = std::fs::read(file).ok()?;
        let (compiled, checksum) = stored.split_last_chunk::<CHECKSUM>()?;
        if *checksum != <[u8; CHECKSUM]>::from(Sha256::digest(compiled)) {
            return None;
        }
        #[expect(unsafe_code, reason = "wasmtime cannot check that bytes are its own output")]
        // SAFETY: the checksum says that these are the bytes that `store` was given, which is the
        // output of `Module::serialize`; that its engine was this one's like, `deserialize` checks.
        // Whoever can write other bytes with their checksum into the target folder can as well
        // replace this program, which is there too.
        unsafe {
            Module::deserialize(&self.engine, compiled).ok()
        }
    }
}

/// Length of the checksum at the end of a cached module.
const CHECKSUM: usize = 32;

/// Writes beside the file, then renames: another process never sees half of it.
fn store(module: &Module, folder: &Path, file: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    let unique = format!("{}-{:?}", std::process::id(), std::thread::current().id());
    let part = file.with_extension(unique);
    let mut compiled = module.serialize().map_err(plain)?;
    let checksum = Sha256::digest(&compiled);
    compiled.extend_from_slice(&checksum);
    let written = std::fs::write(&part, compiled).and_then(|()| std::fs::rename(&part, file));
    if written.is_err() {
        // A disk that is full.
        let _ = std::fs::remove_file(&part);
    }
    Ok(written?)
}

fn stamp(file: &Path) -> Option<Stamp> {
    let metadata = std::fs::metadata(file).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

/// `wasm-cache` in the workspace's target folder; none where that is gone.
fn default_cache() -> Option<PathBuf> {
    let target = crate::modules::target_dir();
    target.is_dir().then(|| target.join("wasm-cache"))
}

/// wasmtime's error with its causes, as this program's.
pub(crate) fn plain(error: wasmtime::Error) -> anyhow::Error {
    anyhow::anyhow!("{error:#}")
}

#[cfg(test)]
mod tests;
