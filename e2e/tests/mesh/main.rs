//! The mesh commands against a real API server, as a user runs them: the built plugin, a kubeconfig, istioctl, kubectl.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a test stops at its first failure, and tells seconds per phase"
)]

mod criteria;
mod dry_run;
mod faults;
mod foreign;
mod installation;
mod killed;
mod legacy;
mod managed;
mod patch;
mod plugin;
mod profiles;
mod refusals;
mod resource;
mod support;
mod turns;
mod uninstall;
mod upgrade;
mod walk;
