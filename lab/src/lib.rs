//! Tests only: real Envoy on free loopback ports.
//!
//! One process serves many listeners, each set up as Istio sets up a gateway or a sidecar where it matters to a header
//! policy. A test names its listeners, starts Envoy, sends raw bytes and reads what came back, what the upstream saw
//! ([`Echo`]) and how Envoy itself explains it ([`Access`]).
//!
//! ```no_run
//! use lab::{Bootstrap, Client, Echo, Envoy, Listener, Node, RawRequest};
//! # fn main() -> lab::Result<()> {
//! let echo = Echo::start()?;
//! let envoy = Envoy::start(&Bootstrap {
//!     listeners: vec![Listener { num_trusted_hops: 1, ..Listener::gateway("one-hop") }],
//!     upstream: Some(echo.address()),
//!     ..Bootstrap::new(Node::Router)
//! })?;
//! let request = RawRequest::get("/").header("x-forwarded-for", "203.0.113.7").from_peer("192.0.2.1");
//! let response = Client::new().send(envoy.listener("one-hop")?, &request)?;
//! assert_eq!(response.echoed()?.joined("x-forwarded-for"), b"203.0.113.7,192.0.2.1");
//! # Ok(())
//! # }
//! ```
//!
//! Not here: what a policy means (`policy`), clusters (`e2e`).

mod access;
pub mod bench;
mod bootstrap;
mod ca;
mod client;
mod ecds;
mod echo;
mod envoy;
mod error;
mod http1;
pub mod kubernetes;
mod listener;
pub mod registry;
mod render;
pub mod server;
mod tools;
mod wait;
mod wasm;

pub use access::Access;
pub use bootstrap::{Bootstrap, Node};
pub use ca::{Ca, Leaf, SelfSigned};
pub use client::{Client, PEER_PORT, RawRequest, Response};
pub use ecds::{Ecds, Update};
pub use echo::{Echo, Echoed};
pub use envoy::Envoy;
pub use error::{Error, Result};
pub use listener::{Action, Listener, Position};
pub use tools::{envoy_binary, envoy_versions, noop_wasm, repository, tool};
pub use wasm::Wasm;
