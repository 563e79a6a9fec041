//! The provider-rewrite filter as a proxy-wasm module: everything it decides is in `provider-rewrite-core`.

tollgate_shell::filter!(provider_rewrite_core::ProviderRewrite);
