//! Scenarios that don't disturb each other: each has a namespace and gateways of its own, three run at a time (e2e/run.sh).

mod gateway;
mod injection;
mod installation;
mod rollout;
mod sidecar;
mod tokens;
