//! What a user has: a cluster, the plugin, kubectl.

mod cluster;
pub mod manifests;
mod ran;
mod snapshot;

pub use cluster::Cluster;
pub use ran::Ran;
pub use snapshot::Snapshot;

use std::process::{Command, Stdio};

/// The plugin, told nothing but where istioctl is, and without a terminal.
pub fn plugin() -> Command {
    let plugin = std::env::var("KYMA_ISTIO").expect(
        "KYMA_ISTIO names no plugin: run `make test`, or `cargo build -p kubectl-kyma-istio` and set it to the binary",
    );
    let istioctl = lab::kubernetes::istioctl(None).expect("a real istioctl");
    let mut command = Command::new(plugin);
    command
        // Files are named as the README names them.
        .current_dir(lab::repository())
        .env("ISTIOCTL", istioctl)
        .env("NO_COLOR", "1")
        .env_remove("KUBECONFIG")
        .env_remove("KUBECTL_EXTERNAL_DIFF")
        .stdin(Stdio::null());
    command
}
