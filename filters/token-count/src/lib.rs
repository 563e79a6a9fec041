//! The token-count filter as a proxy-wasm module: everything it decides is in `token-count-core`.

tollgate_shell::filter!(token_count_core::TokenCount);
