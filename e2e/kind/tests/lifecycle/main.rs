//! Istio comes, changes and goes: one at a time, after all others (e2e/run.sh), on clusters that are ours alone. Each starts
//! without Istio; the last thing each does is to install the evaluation profile.

#![expect(
    clippy::print_stdout,
    reason = "how many requests an upgrade was watched with is worth telling"
)]

mod killed;
mod patched;
mod uninstalled;
mod upgraded;

use std::process::Command;

use e2e_kind::{Sidecar, Space, facts, kubectl, plugin, until, variable};
use serde_json::Value;

#[test]
fn an_istio_of_istioctl_is_patched_undone_patched_again_upgraded_uninstalled_and_restored_and_a_prometheus_of_ones_own_survives()
 {
    away();
    let monitoring = Space::new("monitoring");
    let _prometheus = monitoring.app("prometheus", Sidecar::Never);
    by_istioctl();
    patched::add_ons();
    monitoring.ready(&["prometheus"]);
    let theirs = || {
        [
            uids(monitoring.name(), "prometheus"),
            uids("istio-system", "my-prometheus"),
        ]
    };
    let before = theirs();
    assert!(before.iter().all(|pods| pods.len() == 1), "{before:?}");

    patched::patched_undone_and_patched_again();
    assert_eq!(theirs(), before);
    let shop = Space::injected("shop");
    let _app = shop.app("app", Sidecar::AsNamespace);
    upgraded::under_load(&shop);
    assert_eq!(theirs(), before);
    uninstalled::with_backup_and_restored(&shop);
    assert_eq!(theirs(), before);
}

/// No Istio, and no CRDs of its: what other scenarios left of theirs goes with it.
#[track_caller]
fn away() {
    let folder = tempfile::tempdir().expect("a folder");
    let kept = folder.path().join("kept").display().to_string();
    // Whoever installed it: `by_istioctl` leaves one that isn't ours.
    let whole = [
        "uninstall",
        "--yes",
        "--take-ownership",
        "--delete-blockers",
        "--backup",
        &kept,
    ];
    let _ = plugin(&whole).exits(0);
    // What a scenario put there itself stays, and the namespace with it.
    let delete = [
        "delete",
        "namespace",
        "istio-system",
        "--ignore-not-found",
        "--timeout=120s",
    ];
    kubectl(delete).done();
}

/// The older version, as somebody installs it who has never heard of Kyma.
#[track_caller]
fn by_istioctl() {
    let facts = facts();
    let install = Command::new(variable("KYMA_E2E_OLDER_ISTIOCTL"))
        .args(["install", "--skip-confirmation", "--readiness-timeout=180s"])
        .args(["--filename", &facts.overlay])
        .args([
            "--set",
            &format!("hub={}", facts.hub),
            "--set",
            &format!("tag={}", facts.older_tag),
        ])
        .output()
        .expect("istioctl");
    let said = String::from_utf8_lossy(&install.stderr);
    assert!(install.status.success(), "{said}");
}

/// Of an app's pods: what outlives everything keeps them.
#[track_caller]
fn uids(namespace: &str, app: &str) -> Vec<Value> {
    let selector = format!("--selector=app={app}");
    let pods = kubectl(["get", "pods", "--output=json", &selector])
        .within(namespace)
        .json();
    let items = pods["items"].as_array().expect("items");
    items
        .iter()
        .map(|pod| pod["metadata"]["uid"].clone())
        .collect()
}

/// The API server hears of changed webhooks a moment later, and pods come and go.
#[track_caller]
fn met(version: &str) {
    until("all criteria to be met", || {
        match plugin(&["verify", "--version", version]) {
            ran if ran.code == 0 => Ok(()),
            ran => Err(ran),
        }
    });
}
