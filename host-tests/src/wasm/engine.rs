//! Compiled modules, linked once and kept: in memory, and on disk for the next process.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use anyhow::{Context, bail};
use sha2::{Digest, Sha256};
use wasmtime::{Config, Engine, InstancePre, Linker, Module};

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
    linker: Linker<GuestState>,
    budget: Budget,
    cache: Option<PathBuf>,
    modules: Mutex<HashMap<[u8; 32], Arc<Program>>>,
}

/// A module, ready to make instances.
pub(crate) struct Program {
    pub(crate) instance: InstancePre<GuestState>,
    pub(crate) hash: [u8; 32],
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
        let mut linker = Linker::new(&engine);
        abi::link(&mut linker).map_err(plain)?;
        wasi::link(&mut linker).map_err(plain)?;
        Ok(Self { engine, linker, budget, cache, modules: Mutex::default() })
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
        let bytes = crate::modules::read(file)?;
        self.load_bytes(&bytes).with_context(|| format!("module {}", file.display()))
    }

    pub(crate) fn load_bytes(&self, bytes: &[u8]) -> anyhow::Result<Arc<Program>> {
        let hash: [u8; 32] = Sha256::digest(bytes).into();
        let mut modules = self.modules.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(program) = modules.get(&hash) {
            return Ok(Arc::clone(program));
        }
        let module = self.compile(bytes, &hash)?;
        check_version(&module)?;
        let instance = self.linker.instantiate_pre(&module).map_err(plain)?;
        let program = Arc::new(Program { instance, hash });
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
        if file.exists()
            && let Ok(module) = self.cached(&file)
        {
            return Ok(module);
        }
        let module = Module::new(&self.engine, bytes).map_err(plain)?;
        // Only a cache: whatever goes wrong, the module is there.
        let _ = store(&module, folder, &file);
        Ok(module)
    }

    fn cached(&self, file: &Path) -> wasmtime::Result<Module> {
        #[expect(unsafe_code, reason = "wasmtime cannot check that a file is its own output")]
        // SAFETY: the file was written whole by `store` (renamed into place) from the output of
        // `Module::serialize`, under a name of the module's and the engine's hashes; the folder is
        // the target folder, whose content cargo runs just as blindly.
        unsafe {
            Module::deserialize_file(&self.engine, file)
        }
    }
}

/// Writes beside the file, then renames: another process never sees half of it.
fn store(module: &Module, folder: &Path, file: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    let unique = format!("{}-{:?}", std::process::id(), std::thread::current().id());
    let part = file.with_extension(unique);
    std::fs::write(&part, module.serialize().map_err(plain)?)?;
    std::fs::rename(&part, file)?;
    Ok(())
}

/// `wasm-cache` in the workspace's target folder; none where that is gone.
fn default_cache() -> Option<PathBuf> {
    let target = crate::modules::target_dir();
    target.is_dir().then(|| target.join("wasm-cache"))
}

/// Only ABI 0.2.1 is spoken.
fn check_version(module: &Module) -> anyhow::Result<()> {
    let marker = |e: wasmtime::ExportType<'_>| {
        e.name().strip_prefix("proxy_abi_version_").map(|v| v.replace('_', "."))
    };
    let versions: Vec<String> = module.exports().filter_map(marker).collect();
    if module.get_export(abi::VERSION_MARKER).is_some() {
        return Ok(());
    }
    match versions.as_slice() {
        [] => bail!(
            "not a proxy-wasm module: it has no export `proxy_abi_version_…`, expected `{}`",
            abi::VERSION_MARKER
        ),
        versions => bail!(
            "the module speaks proxy-wasm ABI {}, expected 0.2.1: build it with a newer SDK",
            versions.join(" and ")
        ),
    }
}

/// wasmtime's error with its causes, as this program's.
pub(crate) fn plain(error: wasmtime::Error) -> anyhow::Error {
    anyhow::anyhow!("{error:#}")
}
