//! body-model as a proxy-wasm module: `tollgate-shell` around `body-model-core`.
#![expect(missing_docs, reason = "proxy_wasm::main! generates an undocumented function")]

use proxy_wasm::types::LogLevel;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Warn);
    proxy_wasm::set_root_context(|_| {
        Box::new(tollgate_shell::Root::<body_model_core::BodyModel>::default())
    });
}}
