//! The key-check filter as a proxy-wasm module: everything it decides is in `key-check-core`.

tollgate_shell::filter!(key_check_core::KeyCheck);
