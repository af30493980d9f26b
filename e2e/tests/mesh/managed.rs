//! Kyma's operator is there. Its image can't run here, so its Deployment has the recorded shape and a script of the test plays it:
//! it sees the custom resource and writes what the module writes into its status.

use std::thread;

use serde_json::{Value, json};

use crate::support::{Cluster, Ran, Snapshot, manifests};

const RESOURCE: [&str; 3] = ["istio", "default", "--namespace=kyma-system"];

#[test]
fn with_kymas_operator_only_the_custom_resource_is_edited() {
    let cluster = Cluster::quiet();
    cluster.apply(&manifests::namespace("kyma-system", json!({})));
    cluster.apply(&manifests::istio_crd());
    cluster.apply(&operator());
    let before = Snapshot::of(&cluster);

    cluster
        .plugin(&["install", "--yes"])
        .exits(5)
        .says("KI-G008")
        .says("istio-controller-manager");
    before.assert_same(&Snapshot::of(&cluster), "a refused install");

    let file = |proxies: u32| {
        let spec = format!("\n  config:\n    numTrustedProxies: {proxies}");
        cluster.file("cr.yaml", &manifests::istio(&spec))
    };
    let ready = Turn {
        state: "Ready",
        description: "",
        condition: ("True", "ReconcileSucceeded", "2026-01-01T00:00:01Z"),
    };
    with_operator(&cluster, 1, ready, &file(1))
        .exits(0)
        .says("Istio itself is not touched")
        .says("Kyma's operator chooses the version");
    assert_eq!(
        before.new_in(&Snapshot::of(&cluster)),
        ["operator.kyma-project.io/v1alpha2 Istio kyma-system/default"]
    );

    // What the operator reports is what the user reads.
    let warning = Turn {
        state: "Warning",
        description: "Some Pods with Istio sidecar injection failed to restart",
        condition: ("False", "IstioInstallSucceeded", "2026-01-01T00:00:02Z"),
    };
    with_operator(&cluster, 2, warning, &file(2))
        .exits(6)
        .says("Warning")
        .says("failed to restart");
    let live = cluster.get(&RESOURCE);
    assert_eq!(live["spec"]["config"]["numTrustedProxies"], 2);
    cluster
        .plugin(&["status"])
        .exits(0)
        .says("Kyma's operator")
        .says("Warning");
    let ready = Turn {
        condition: ("True", "ReconcileSucceeded", "2026-01-01T00:00:03Z"),
        ..ready
    };
    with_operator(&cluster, 3, ready, &file(3)).exits(0);
    let settled = Snapshot::of(&cluster);
    cluster
        .plugin(&["install", "--yes", "-f", &file(3)])
        .exits(0)
        .says("nothing to do");
    settled.assert_same(&Snapshot::of(&cluster), "an install with nothing to do");
}

/// What the operator makes of a change.
#[derive(Clone, Copy)]
struct Turn {
    state: &'static str,
    description: &'static str,
    /// Status, reason, last transition of `Ready`.
    condition: (&'static str, &'static str, &'static str),
}

/// Installs while the operator works on the custom resource as soon as it has this many trusted proxies.
fn with_operator(cluster: &Cluster, proxies: u32, turn: Turn, file: &str) -> Ran {
    thread::scope(|scope| {
        scope.spawn(|| {
            let proxied = "--output=jsonpath={.spec.config.numTrustedProxies}";
            cluster.until(
                "an edited custom resource",
                &[&["get"], &RESOURCE[..], &[proxied]].concat(),
                |text| text == proxies.to_string(),
            );
            let (status, reason, since) = turn.condition;
            let condition = |status: &str, reason: &str, since: &str| {
                json!([{ "type": "Ready", "status": status, "reason": reason, "message": turn.description,
                         "lastTransitionTime": since }])
            };
            let unknown = condition("Unknown", "ReconcileUnknown", since);
            report(cluster, &json!({ "state": "Processing", "description": "Reconciling Istio", "conditions": unknown }));
            let done = condition(status, reason, since);
            report(cluster, &json!({ "state": turn.state, "description": turn.description, "conditions": done }));
        });
        cluster.plugin(&["install", "--yes", "--timeout=30s", "-f", file])
    })
}

fn report(cluster: &Cluster, status: &Value) {
    let patch = json!({ "status": status }).to_string();
    let how = ["--subresource=status", "--type=merge", "--patch", &patch];
    cluster.kubectl(&[&["patch"], &RESOURCE[..], &how].concat());
}

/// The module's Deployment, as `docs/install.md` describes it.
fn operator() -> String {
    let labels = json!({
        "app.kubernetes.io/component": "istio-operator.kyma-project.io", "control-plane": "controller-manager",
        "kyma-project.io/module": "istio",
    });
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "istio-controller-manager", "namespace": "kyma-system", "labels": labels },
        "spec": { "replicas": 1, "selector": { "matchLabels": { "control-plane": "controller-manager" } }, "template": {
            "metadata": { "labels": { "control-plane": "controller-manager", "sidecar.istio.io/inject": "false" } },
            "spec": { "containers": [{
                "name": "manager", "image": "istio-manager:1.30.0",
                "args": ["--leader-elect", "--health-probe-bind-address=:8081", "--metrics-bind-address=:8080",
                         "--zap-log-level=info"],
                "resources": { "requests": { "cpu": "10m", "memory": "64Mi" }, "limits": { "cpu": "4000m", "memory": "4Gi" } },
            }] },
        } },
    })
    .to_string()
}
