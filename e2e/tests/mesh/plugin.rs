//! kubectl and the plugin.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use lab::kubernetes::kubectl;
use tempfile::TempDir;

use crate::support::Ran;

#[test]
fn kubectl_finds_the_plugin_under_both_names_without_a_warning() {
    let folder = TempDir::new().unwrap();
    let plugin = std::env::var("KYMA_ISTIO").expect("KYMA_ISTIO names no plugin");
    // As `make install` does it.
    let file = folder.path().join("kubectl-kyma_istio");
    std::fs::copy(plugin, &file).unwrap();
    symlink(
        "kubectl-kyma_istio",
        folder.path().join("kubectl-kyma-istio"),
    )
    .unwrap();

    let list =
        Ran::of(in_path(kubectl().unwrap(), folder.path()).args(["plugin", "list"])).exits(0);
    for name in ["kubectl-kyma_istio", "kubectl-kyma-istio"] {
        let line = folder.path().join(name).display().to_string();
        assert!(list.stdout.lines().any(|found| found == line), "{list}");
    }
    assert!(!format!("{list}").contains("warning"), "{list}");

    for words in [&["kyma-istio"][..], &["kyma", "istio"]] {
        let version = Ran::of(
            in_path(kubectl().unwrap(), folder.path())
                .args(words)
                .args(["version", "-o", "json"]),
        )
        .exits(0);
        assert!(
            version.json()["plugin"].is_string() || version.json()["version"].is_string(),
            "{version}"
        );
    }
    // kubectl hands over the exit code.
    Ran::of(in_path(kubectl().unwrap(), folder.path()).args(["kyma-istio", "explain", "KI-X999"]))
        .exits(2);
}

/// Nothing else of this machine's plugins is seen.
fn in_path(mut kubectl: Command, folder: &Path) -> Command {
    kubectl.env("PATH", folder).env_remove("KUBECONFIG");
    kubectl
}
