//! Against a real registry; a fake only for what a real registry doesn't do. Where istio-agent's own fetcher is asked as well, that
//! is in go_judged, which runs the same tests with it: here stands what we say ourselves.

/// Whether istio-agent's fetcher, a Go program, is asked.
const AGENT: bool = false;

mod access;
mod agent;
mod faults;
mod files;
mod layouts;
mod modules;
mod push;
mod support;
