//! The cache of compiled modules on disk.

use super::*;

const MODULE: &str = "(module
    (memory (export \"memory\") 1)
    (func (export \"proxy_abi_version_0_2_1\"))
    (func (export \"malloc\") (param i32) (result i32) (i32.const 0)))";

/// A cache of its own, and what is in it after `MODULE` was loaded by a new runtime.
struct Cache(PathBuf);

impl Cache {
    fn new(name: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("tollgate-cache-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        Self(folder)
    }

    /// Loads the module as another process would.
    fn load(&self) {
        let runtime = Runtime::new(Budget::Unlimited, Some(self.0.clone())).unwrap();
        runtime.load_bytes(&wat::parse_str(MODULE).unwrap()).unwrap();
    }

    /// The one file in it.
    fn file(&self) -> PathBuf {
        let files: Vec<_> = self.0.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
        let [file] = files.as_slice() else { panic!("{files:?}") };
        file.clone()
    }

    fn is_used(&self) -> bool {
        let runtime = Runtime::new(Budget::Unlimited, None).unwrap();
        runtime.cached(&self.file()).is_some()
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_compiled_module_is_kept_and_used() {
    let cache = Cache::new("kept");
    cache.load();
    assert!(cache.is_used());
    let written = std::fs::metadata(cache.file()).unwrap().modified().unwrap();
    cache.load();
    assert_eq!(std::fs::metadata(cache.file()).unwrap().modified().unwrap(), written);
}

#[test]
fn a_damaged_a_cut_and_a_foreign_file_are_ignored_and_written_anew() {
    let cache = Cache::new("damaged");
    cache.load();
    let good = std::fs::read(cache.file()).unwrap();
    let mut damaged = good.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    let cut = good[..good.len() - 100].to_vec();
    let foreign = b"something else".to_vec();
    // Whole, with its checksum, but no module of this engine.
    let mut other = b"no module".to_vec();
    other.extend_from_slice(&Sha256::digest(b"no module"));
    for bad in [damaged, cut, foreign, other, Vec::new(), good[good.len() - 32..].to_vec()] {
        std::fs::write(cache.file(), &bad).unwrap();
        assert!(!cache.is_used(), "{} bytes", bad.len());
        cache.load();
        assert!(cache.is_used());
    }
}

#[test]
fn an_engine_with_other_settings_has_files_of_its_own() {
    let cache = Cache::new("engines");
    cache.load();
    let file = cache.file();
    let fuelled = Runtime::new(Budget::Fuel(1), Some(cache.0.clone())).unwrap();
    assert!(fuelled.cached(&file).is_none());
    fuelled.load_bytes(&wat::parse_str(MODULE).unwrap()).unwrap();
    assert_eq!(cache.0.read_dir().unwrap().count(), 2);
}

#[test]
fn many_at_once_leave_one_good_file_and_nothing_else() {
    let cache = Cache::new("many");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| cache.load());
        }
    });
    assert!(cache.is_used());
}

#[test]
fn where_nothing_can_be_written_modules_load_all_the_same() {
    let cache = Cache::new("file");
    // No folder can be made where a file is.
    std::fs::write(&cache.0, "in the way").unwrap();
    cache.load();
    std::fs::remove_file(&cache.0).unwrap();
}

#[test]
fn a_file_that_was_written_anew_is_read_anew() {
    let folder = Cache::new("stamp");
    std::fs::create_dir_all(&folder.0).unwrap();
    let file = folder.0.join("module.wat");
    let runtime = Runtime::new(Budget::Unlimited, None).unwrap();
    std::fs::write(&file, MODULE).unwrap();
    let first = runtime.load(&file).unwrap();
    assert!(Arc::ptr_eq(&first, &runtime.load(&file).unwrap()));
    std::fs::write(&file, MODULE.replace("memory\") 1", "memory\") 2")).unwrap();
    // Within the clock's resolution, and of the same length, it would be the same to a program.
    let later = SystemTime::now() + std::time::Duration::from_secs(2);
    std::fs::File::options().write(true).open(&file).unwrap().set_modified(later).unwrap();
    assert!(!Arc::ptr_eq(&first, &runtime.load(&file).unwrap()));
}
