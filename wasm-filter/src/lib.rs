//! The Envoy proxy-wasm filter that enforces a HeaderPolicy: **read request → decide → apply**.
//!
//! A thin adapter over `policy`. `root` holds the configuration, `http` one request, `abi` the calls into the host (the only unsafe code of the workspace), `verify` chooses who checks
//! signatures, `metrics` counts, `held` knows which policy is the newest. Nothing here knows what a policy means.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::string_slice
    )
)]

mod abi;
mod der;
mod held;
mod http;
mod istio;
mod metrics;
mod root;
mod verify;

mod entry {
    proxy_wasm::main! {{
        proxy_wasm::set_root_context(|_| Box::new(crate::root::Root::default()));
    }}
}
