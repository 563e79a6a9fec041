//! The provider-rewrite filter as a proxy-wasm plugin: everything it decides is in its core.
#![expect(missing_docs, reason = "proxy_wasm::main! generates an undocumented function")]

use proxy_wasm::types::LogLevel;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Warn);
    proxy_wasm::set_root_context(|_| {
        Box::new(tollgate_shell::Root::<provider_rewrite_core::ProviderRewrite>::default())
    });
}}
