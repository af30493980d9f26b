//! Istio goes, and what others built on it comes back from files.

use e2e_kind::{Sidecar, Space, install, install_killed_behind, kubectl, plugin};
use serde_json::Value;

use crate::{away, met, uids};

#[test]
fn istio_is_uninstalled_with_blockers_backup_and_restore_and_killed_on_the_way() {
    away();
    // Each next run goes on where the one before was killed.
    for step in ["crds", "istiod", "gateways"] {
        let killed = install_killed_behind(step, &["--profile", "evaluation", "--yes"]).exits(6);
        assert!(
            killed.stderr.contains("running it again continues"),
            "{killed}"
        );
    }
    let _ = install(&["--profile", "evaluation", "--yes"]).exits(0);
    met();
    let space = Space::new("keeps");
    let _app = space.app("app", Sidecar::Never);
    space.ready(&["app"]);
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

    let specs = || {
        let kinds = "gateways.networking.istio.io,virtualservices.networking.istio.io";
        let list = kubectl(["get", kinds, "--output=json"])
            .within(space.name())
            .json();
        let items = list["items"].as_array().expect("items");
        items
            .iter()
            .map(|one| one["spec"].clone())
            .collect::<Vec<Value>>()
    };
    let before = specs();
    assert_eq!(before.len(), 2);
    let folder = tempfile::tempdir().expect("a folder");
    let kept = folder.path().join("kept").display().to_string();
    let _ = plugin(&["uninstall", "--yes", "--backup", &kept, "--delete-blockers"]).exits(0);
    let left = kubectl([
        "get",
        "crds,mutatingwebhookconfigurations,validatingwebhookconfigurations",
        "--output=name",
    ])
    .done();
    assert!(!left.contains("istio"), "{left}");
    let namespaces = kubectl(["get", "namespaces", "--output=name"]).done();
    assert!(!namespaces.contains("istio-system"), "{namespaces}");
    assert_eq!(uids(space.name(), "app"), pods);

    let _ = install(&["--profile", "evaluation", "--yes"]).exits(0);
    kubectl(["apply", "--filename", &kept]).done();
    assert_eq!(specs(), before);
    // On the ingress gateway's new port.
    space.ingress("app").answers();
    met();
}
