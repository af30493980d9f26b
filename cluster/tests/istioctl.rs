//! Finding, downloading and running istioctl, against a server on loopback with the layout of Istio's releases, which
//! misbehaves. The programs are scripts: what the real istioctl prints is tested where it renders.

#![cfg(unix)]

#[path = "istioctl/downloading.rs"]
mod downloading;
#[path = "istioctl/faults.rs"]
mod faults;
#[path = "istioctl/finding.rs"]
mod finding;
#[path = "istioctl/kit.rs"]
mod kit;
#[path = "istioctl/running.rs"]
mod running;
#[path = "istioctl/server.rs"]
mod server;
#[path = "istioctl/sums.rs"]
mod sums;
#[path = "istioctl/unpacking.rs"]
mod unpacking;
