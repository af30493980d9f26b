//! The legacy Installation: with and without the components `istio` and `istio-kyma-patch`.

use crate::support::{Cluster, Snapshot};

#[test]
fn an_installation_says_whether_istio_is_installed_and_whether_it_is_judged() {
    let cluster = Cluster::small();
    let file = |name: &str, components: &[&str]| cluster.file(name, &installation(components));
    let neither = file("neither.yaml", &[]);
    let patch = file("patch.yaml", &["istio-kyma-patch"]);
    let istio = file("istio.yaml", &["istio"]);
    let both = file("both.yaml", &["istio", "istio-kyma-patch"]);
    let on_nothing = Snapshot::of(&cluster);

    // Neither: nothing is done, and nothing is judged.
    cluster
        .plugin(&["install", "--yes", "-f", &neither])
        .exits(0)
        .says("the Installation has no component `istio`")
        .says("the Installation has no component `istio-kyma-patch`");
    // The patch alone judges the Istio that is there: none.
    cluster
        .plugin(&["install", "--yes", "-f", &patch])
        .exits(1)
        .says("the Installation has no component `istio`")
        .says("no istiod found");
    on_nothing.assert_same(&Snapshot::of(&cluster), "an Installation without `istio`");

    // Istio alone is installed and not judged.
    let installed = cluster
        .install(&["--profile=evaluation", "-f", &istio])
        .exits(0)
        .says("not verified: the Installation has no component `istio-kyma-patch`");
    assert!(!installed.stdout.contains("KI-V0"), "{installed}");
    // Both: it is there already, and judged.
    cluster.plugin_until(&["verify"], |ran| ran.code == 0);
    cluster
        .plugin(&["install", "--yes", "--profile=evaluation", "-f", &both])
        .exits(0)
        .says("nothing to do")
        .says("all 5 criteria are met");

    // The patch alone judges this Istio, and changes nothing where it isn't as wanted.
    cluster.kubectl(&[
        "delete",
        "peerauthentication",
        "default",
        "--namespace=istio-system",
    ]);
    let weaker = Snapshot::of(&cluster);
    cluster
        .plugin(&["install", "--yes", "-f", &patch])
        .exits(1)
        .says("KI-V002");
    cluster
        .plugin(&["install", "--yes", "-f", &neither])
        .exits(0);
    weaker.assert_same(&Snapshot::of(&cluster), "an Installation without `istio`");
}

/// As the cloud providers' instructions had it, with other components around.
fn installation(components: &[&str]) -> String {
    let all = ["cluster-essentials"].iter().chain(components);
    let entries: String = all
        .map(|name| {
            let namespace = if name.starts_with("istio") {
                "istio-system"
            } else {
                "kyma-system"
            };
            format!("    - name: {name}\n      namespace: {namespace}\n")
        })
        .collect();
    format!(
        "apiVersion: installer.kyma-project.io/v1alpha1
kind: Installation
metadata:
  name: kyma-installation
  labels:
    action: install
spec:
  version: 1.0.0
  url: \"\"
  components:
{entries}"
    )
}
