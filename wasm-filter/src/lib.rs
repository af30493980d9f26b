//! Envoy proxy-wasm filter that enforces a HeaderPolicy.
