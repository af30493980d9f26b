//! Against Debian's real docker-registry, judged by istio-agent's own fetcher; a fake only for what a real registry doesn't do.

mod access;
mod faults;
mod files;
mod layouts;
mod modules;
mod push;
mod support;
