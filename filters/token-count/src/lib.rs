//! The token-count filter in a proxy: its core in the shell that every Tollgate filter has.

use proxy_wasm::types::LogLevel;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Warn);
    proxy_wasm::set_root_context(|_| {
        Box::new(tollgate_shell::Root::<token_count_core::TokenCount>::default())
    });
}}
