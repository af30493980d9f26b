//! Istio comes, changes its version and goes: one at a time, after all others (e2e/run.sh). Each starts without Istio; the last
//! one leaves the evaluation profile behind.

mod patch;
mod uninstall;
mod upgrade;

use std::process::Command;

use e2e_kind::{facts, kubectl, plugin, until, variable};
use serde_json::Value;

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

/// As somebody would who has never heard of Kyma.
#[track_caller]
fn by_istioctl() {
    let facts = facts();
    let install = Command::new(variable("ISTIOCTL"))
        .args(["install", "--skip-confirmation", "--readiness-timeout=180s"])
        .args(["--filename", &facts.overlay])
        .args([
            "--set",
            &format!("hub={}", facts.hub),
            "--set",
            &format!("tag={}", facts.tag),
        ])
        .output()
        .expect("istioctl");
    assert!(
        install.status.success(),
        "{}",
        String::from_utf8_lossy(&install.stderr)
    );
}

/// A pod or a workload of one's own, which must outlive everything: the pods' uids tell.
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
fn met() {
    until("all criteria to be met", || match plugin(&["verify"]) {
        ran if ran.code == 0 => Ok(()),
        ran => Err(ran),
    });
}
