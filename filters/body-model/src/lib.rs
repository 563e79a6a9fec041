//! The body-model filter as a proxy-wasm module: everything it decides is in `body-model-core`.

tollgate_shell::filter!(body_model_core::BodyModel);
