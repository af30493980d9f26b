//! Hostile and long traffic through the real filter in real Envoy: nothing dies, nothing grows.
//!
//! `KYMA_ISTIO_SOAK=1` asks for the long version of what is measured: a million requests, a thousand reconfigurations.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test stops at its first failure, and tells what it measured"
)]

mod health;
mod hostile;
mod load;
mod malformed;
mod memory;
#[allow(
    dead_code,
    reason = "shared with the differential tests, which choose in more ways"
)]
#[path = "../differential/random.rs"]
mod random;
mod setup;
mod steady;
mod tap;
mod trap;
mod wire;

/// As many as asked for: the first number in the normal run, the second in a soak.
fn amount(normal: usize, soak: usize) -> usize {
    match std::env::var_os("KYMA_ISTIO_SOAK") {
        Some(_) => soak,
        None => normal,
    }
}
