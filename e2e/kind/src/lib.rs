//! What scenarios are written with: a cluster, a namespace of their own, gateways, apps, the filter from a registry, tokens.
//!
//! The cluster is whatever `KUBECONFIG` names; [`Facts`] says what else must be known of it. Everything goes through
//! `kubectl` and through the proxies' real ports. Waiting is [`until`]: a named condition with a deadline.
//!
//! Not here: what is expected. That stands in the scenarios (`tests/`).

#![expect(
    clippy::print_stderr,
    reason = "only tests use this; they show what was printed when they fail"
)]

mod app;
mod artifacts;
mod cluster;
mod facts;
mod filter;
mod gateway;
mod http;
mod load;
mod program;
mod space;
mod tokens;

pub use app::{App, Sidecar};
pub use cluster::{Kubectl, kubectl, until};
pub use facts::{Facts, facts, variable};
pub use filter::{Plugin, Registry};
pub use gateway::Gateway;
pub use http::Answer;
pub use load::under_load;
pub use program::{Ran, install, install_killed_behind, plugin, verify};
pub use space::Space;
pub use tokens::{Minted, Tokens, login};
