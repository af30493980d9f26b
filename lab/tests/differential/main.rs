//! What Envoy itself computes against what our engine decides, live: random chains in mode `Envoy`, and tokens against Envoy's own jwt_authn.
//!
//! Seeds are fixed, so a run repeats the one before. `KYMA_ISTIO_SOAK=1` asks for many times more of both.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops at its first failure, and tells how much it compared"
)]

mod chain;
mod chains;
mod differences;
mod examples;
mod forge;
mod key_sets;
mod random;
mod tokens;

use policy::Policy;
use serde_json::Value;
use signature::Software;

/// As many cases as asked for: the first number in the normal run, the second in a soak.
fn amount(normal: usize, soak: usize) -> usize {
    match std::env::var_os("KYMA_ISTIO_SOAK") {
        Some(_) => soak,
        None => normal,
    }
}

/// A policy of this spec.
fn policy(spec: &Value) -> Policy {
    Policy::from_json(document(spec).as_bytes(), &Software)
        .unwrap_or_else(|problems| panic!("{spec}: {problems:?}"))
}

/// The filter's configuration.
fn document(spec: &Value) -> String {
    serde_json::json!({ "apiVersion": policy::API_VERSION, "spec": spec }).to_string()
}
