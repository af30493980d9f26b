//! Istio goes, and what others built on it comes back from files.

use e2e_kind::{Space, facts, install, kubectl, plugin};
use serde_json::Value;

use crate::{met, uids};

/// In `space`, the app `app` has a route through the ingress gateway.
pub fn with_backup_and_restored(space: &Space) {
    let pods = uids(space.name(), "app");
    let gateway = space.ingress("app");
    gateway.answers();
    let refused = plugin(&["uninstall", "--yes"]).exits(5);
    for blocker in ["Gateway", "VirtualService"] {
        let named = format!("{blocker} {}/app", space.name());
        assert!(
            refused.stdout.contains("KI-G014") && refused.stdout.contains(&named),
            "`{named}` in {refused}"
        );
    }
    gateway.answers();

    let before = specs(space);
    assert_eq!(before.len(), 2);
    let folder = tempfile::tempdir().expect("a folder");
    let kept = folder.path().join("kept").display().to_string();
    let gone = plugin(&["uninstall", "--yes", "--backup", &kept, "--delete-blockers"]).exits(0);
    let sidecar = format!("Deployment {}/app still runs 1 sidecar", space.name());
    assert!(gone.stdout.contains(&sidecar), "`{sidecar}` in {gone}");
    let left = kubectl([
        "get",
        "crds,mutatingwebhookconfigurations,validatingwebhookconfigurations",
        "--output=name",
    ])
    .done();
    assert!(!left.contains("istio"), "{left}");
    assert_eq!(uids(space.name(), "app"), pods);

    let _ = install(&["--profile", "evaluation", "--yes"]).exits(0);
    kubectl(["apply", "--filename", &kept]).done();
    assert_eq!(specs(space), before);
    // On the ingress gateway's new port.
    space.ingress("app").answers();
    met(facts().version());
}

fn specs(space: &Space) -> Vec<Value> {
    let kinds = "gateways.networking.istio.io,virtualservices.networking.istio.io";
    let list = kubectl(["get", kinds, "--output=json"])
        .within(space.name())
        .json();
    let items = list["items"].as_array().expect("items");
    items.iter().map(|one| one["spec"].clone()).collect()
}
