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
    things_of_others(&cluster);
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
    they_stay(&cluster);
    one_injector(&cluster);
    // From now on it is ours.
    cluster.plugin(&EVALUATION).exits(0).says("nothing to do");
    cluster
        .plugin(&["status"])
        .exits(0)
        .says("kubectl kyma-istio");
}

pub fn by_istioctl(cluster: &Cluster) {
    cluster.with_istiod(|| istioctl_install(cluster, &[]));
}

fn istioctl_install(cluster: &Cluster, arguments: &[&str]) {
    let istioctl = lab::kubernetes::istioctl(None).expect("a real istioctl");
    Ran::of(
        Command::new(istioctl)
            .args(["install", "--skip-confirmation"])
            .args(arguments)
            .env("KUBECONFIG", cluster.kubeconfig()),
    )
    .exits(0);
}

/// A gateway that an IstioOperator of the user's brings, and a Service whose labels somebody copied.
fn things_of_others(cluster: &Cluster) {
    cluster.apply(&manifests::namespace("edge", json!({})));
    let extra = json!({
        "apiVersion": "install.istio.io/v1alpha1", "kind": "IstioOperator", "metadata": { "name": "extra" },
        "spec": { "profile": "empty", "components": { "ingressGateways": [
            { "name": "edge-gateway", "namespace": "edge", "enabled": true },
        ] } },
    });
    istioctl_install(
        cluster,
        &[
            "--filename",
            &cluster.file("extra.yaml", &extra.to_string()),
        ],
    );
    let gateway = cluster.get(&[
        "service",
        "istio-ingressgateway",
        "--namespace=istio-system",
    ]);
    let copied = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": { "name": "my-lb", "namespace": "istio-system", "labels": gateway["metadata"]["labels"] },
        "spec": { "selector": gateway["spec"]["selector"], "ports": [{ "name": "http", "port": 80 }] },
    });
    cluster.apply(&copied.to_string());
}

fn they_stay(cluster: &Cluster) {
    cluster.get(&["deployment", "edge-gateway", "--namespace=edge"]);
    cluster.get(&["service", "edge-gateway", "--namespace=edge"]);
    cluster.get(&["service", "my-lb", "--namespace=istio-system"]);
}

/// istioctl's own injector for the tag `default` goes: two for the same pods are one too many.
fn one_injector(cluster: &Cluster) {
    let webhooks = cluster.kubectl(&["get", "mutatingwebhookconfigurations", "--output=name"]);
    assert_eq!(
        webhooks.trim(),
        "mutatingwebhookconfiguration.admissionregistration.k8s.io/istio-sidecar-injector"
    );
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
