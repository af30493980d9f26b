//! The tests of `delivery` in which istio-agent's own fetcher (lab/tools/wasm-judge) says what it makes of each image: what we say
//! is what it does.

/// Whether istio-agent's fetcher, a Go program, is asked.
const AGENT: bool = true;

#[path = "delivery/access.rs"]
mod access;
#[path = "delivery/agent.rs"]
mod agent;
#[path = "delivery/layouts.rs"]
mod layouts;
#[path = "delivery/support/mod.rs"]
mod support;
