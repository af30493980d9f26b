//! All effects on Kubernetes: observe, apply, wait with cause, prune, the layer that refuses writes, and istioctl.
//!
//! [`connect::connect`] makes a [`connect::Connection`]; everything else takes one. What to do is decided in `mesh`.

pub mod apply;
pub mod connect;
pub mod error;
pub mod filter;
pub mod guard;
pub mod interrupt;
pub mod istioctl;
pub mod lease;
pub mod observe;
pub mod probe;
pub mod progress;
pub mod proxy;
pub mod retry;
pub mod rights;
pub mod run;
pub mod turn;
pub mod wait;

mod api;
mod kinds;
mod list;
