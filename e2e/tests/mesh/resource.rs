//! The Istio custom resource in the cluster, without Kyma's operator: the plugin is the one who works on it.

use serde_json::{Value, json};

use crate::support::{Cluster, manifests};

#[test]
fn the_custom_resource_of_the_cluster_says_what_is_wanted() {
    let cluster = Cluster::small();
    cluster.apply(&manifests::istio_crd());
    let file = cluster.file(
        "cr.yaml",
        &manifests::istio("\n  config:\n    numTrustedProxies: 2"),
    );
    cluster.install(&["-f", &file]).exits(0);
    is_recorded(&cluster, 2);
    // The file isn't needed again.
    cluster
        .plugin(&["install", "--yes"])
        .exits(0)
        .says("nothing to do");

    cluster.kubectl(&[
        "patch",
        "istio",
        "default",
        "--namespace=kyma-system",
        "--type=merge",
        r#"--patch={"spec":{"config":{"numTrustedProxies":3}}}"#,
    ]);
    let diff = cluster.plugin(&["diff"]).exits(1);
    assert!(diff.stdout.contains("numTrustedProxies: 2 -> 3"), "{diff}");
    cluster.plugin(&["install", "--yes"]).exits(0);
    is_recorded(&cluster, 3);
    cluster.plugin(&["diff"]).exits(0);
}

/// In the module's words, so that it can take over.
#[track_caller]
fn is_recorded(cluster: &Cluster, proxies: u32) {
    let stored = cluster.get(&["istio", "default", "--namespace=kyma-system"]);
    assert_eq!(stored["spec"]["config"]["numTrustedProxies"], proxies);
    let metadata = &stored["metadata"];
    assert_eq!(
        metadata["finalizers"],
        json!(["istios.operator.kyma-project.io/istio-installation"])
    );
    assert_eq!(metadata["labels"]["kyma-project.io/module"], "istio");
    let applied = &metadata["annotations"]["operator.kyma-project.io/lastAppliedConfiguration"];
    let applied: Value = serde_json::from_str(applied.as_str().unwrap()).unwrap();
    assert_eq!(
        applied,
        json!({ "config": { "numTrustedProxies": proxies }, "IstioTag": "1.31.1-distroless" })
    );
}
