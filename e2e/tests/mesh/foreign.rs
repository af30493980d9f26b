//! An Istio that others installed, with workloads in it.

use std::process::Command;

use serde_json::json;

use crate::support::{Cluster, Ran, Snapshot, manifests};

const EVALUATION: [&str; 3] = ["install", "--profile=evaluation", "--yes"];

#[test]
fn a_foreign_istio_is_left_alone_until_it_is_to_be_taken_over() {
    let cluster = Cluster::small();
    by_istioctl(&cluster);
    cluster.plugin(&["status"]).exits(0).says("others");
    // It can be judged, though: only STRICT is missing.
    let verified = cluster.plugin_until(&["verify"], |ran| ran.stdout.contains("1 of 5"));
    verified
        .exits(1)
        .says("1 of 5 criteria not met: mtls-strict");

    workloads(&cluster);
    let before = Snapshot::of(&cluster);
    cluster
        .plugin(&EVALUATION)
        .exits(5)
        .says("KI-G001")
        .says("--take-ownership");
    // Whoever takes it over is told who loses traffic, and must say yes to that as well.
    let take = [&EVALUATION[..], &["--take-ownership"]].concat();
    cluster
        .plugin(&take)
        .exits(5)
        .says("KI-G007")
        .says("Deployment shop/old")
        .says("its calls to workloads with a sidecar are reset")
        .says("calls to shop/old stay plain text");
    before.assert_same(&Snapshot::of(&cluster), "a refused install");

    let accept = [&take[..], &["--accept-strict"]].concat();
    cluster
        .plugin(&accept)
        .exits(0)
        .says("all 5 criteria are met");
    // From now on it is ours.
    cluster.plugin(&EVALUATION).exits(0).says("nothing to do");
    cluster
        .plugin(&["status"])
        .exits(0)
        .says("kubectl kyma-istio");
}

/// As `istioctl install` does it: the default profile, by server-side apply with its field manager.
fn by_istioctl(cluster: &Cluster) {
    let istioctl = lab::kubernetes::istioctl(None).expect("a real istioctl");
    let rendered = Ran::of(Command::new(istioctl).args([
        "manifest",
        "generate",
        "--set=values.defaultRevision=default",
    ]))
    .exits(0);
    cluster.apply(&manifests::namespace("istio-system", json!({})));
    cluster.with_istiod(|| cluster.apply_as(&rendered.stdout, "istio-operator"));
    cluster.kubectl(&[
        "wait",
        "--namespace=istio-system",
        "--for=condition=Available",
        "--timeout=60s",
        "deployment/istiod",
        "deployment/istio-ingressgateway",
    ]);
}

/// A workload in the mesh, and one beside it that wants no sidecar.
fn workloads(cluster: &Cluster) {
    cluster.apply(&manifests::namespace(
        "shop",
        json!({ "istio-injection": "enabled" }),
    ));
    cluster.apply(&manifests::workload("shop", "cart", json!({})));
    cluster.apply(&manifests::workload(
        "shop",
        "old",
        json!({ "sidecar.istio.io/inject": "false" }),
    ));
    cluster.kubectl(&[
        "wait",
        "--namespace=shop",
        "--for=condition=Available",
        "--timeout=60s",
        "deployment/cart",
        "deployment/old",
    ]);
}
