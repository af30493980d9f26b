//! Two commands at a time, and what changes between a plan and its turn.

use serde_json::json;

use crate::support::{Cluster, Ran, Snapshot, manifests};

const INSTALL: [&str; 4] = ["install", "--yes", "--profile", "evaluation"];
const WAITS: &str = "waiting for a sign of life";

#[test]
fn who_waited_for_a_turn_plans_anew_and_two_never_write_at_once() {
    let cluster = Cluster::small();
    cluster
        .install(&["--profile", "evaluation"])
        .exits(0)
        .says("all 5 criteria are met");
    cluster.apply(&manifests::namespace("shop", json!({})));

    // An installation that planned to change a ConfigMap: what went meanwhile comes back with it.
    silent_holder(&cluster);
    let change = [
        &INSTALL[..],
        &["--set=meshConfig.accessLogFile=/dev/stdout"],
    ]
    .concat();
    let goes = [
        "delete",
        "--namespace=istio-system",
        "service/istio-ingressgateway",
        "serviceaccount/istio-ingressgateway-service-account",
    ];
    Ran::while_at(&mut cluster.command(&change), WAITS, || {
        cluster.kubectl(&goes);
    })
    .exits(0)
    .says("the cluster changed since the plan was shown; it now also")
    .says("writes Service istio-system/istio-ingressgateway")
    .says("all 5 criteria are met");
    cluster.plugin(&change).exits(0).says("nothing to do");

    // An uninstallation that nothing blocked: what came meanwhile blocks it.
    silent_holder(&cluster);
    let before = Snapshot::of(&cluster);
    let uninstall = ["uninstall", "--yes"];
    Ran::while_at(&mut cluster.command(&uninstall), WAITS, || {
        cluster.apply(&virtual_service());
    })
    .exits(5)
    .says("KI-G014")
    .says("VirtualService shop/cart");
    cluster.kubectl(&["delete", "--namespace=shop", "virtualservice/cart"]);
    let after = Snapshot::of(&cluster);
    assert_eq!(before.new_in(&after), Vec::<String>::new());
    assert_eq!(
        after.new_in(&before),
        ["coordination.k8s.io/v1 Lease default/kyma-istio"],
        "the uninstallation wrote, or kept its Lease"
    );

    // While one writes, no other does; something holds it here until then.
    let hold = |finalizers: &str| {
        let patch = format!(r#"{{"metadata":{{"finalizers":{finalizers}}}}}"#);
        let deployment = ["deployment", "istiod", "--namespace=istio-system"];
        let merge = ["--type=merge", "--patch", &patch];
        cluster.kubectl(&[&["patch"], &deployment[..], &merge].concat());
    };
    hold(r#"["example.com/held"]"#);
    let wait = "waiting for Deployment istio-system/istiod";
    Ran::while_at(&mut cluster.command(&uninstall), wait, || {
        for verb in ["install", "uninstall"] {
            cluster
                .plugin(&[verb, "--yes"])
                .exits(5)
                .says("`uninstall by ")
                .says("works on this mesh since ");
        }
        // GitOps, for example: it would go with its CRD.
        cluster.apply(&virtual_service());
        hold("null");
    })
    .exits(6)
    .says("somebody made resources since the plan was made, which would go with the CRDs: `VirtualService shop/cart`");
    cluster
        .plugin(&uninstall)
        .exits(5)
        .says("KI-G014")
        .says("VirtualService shop/cart");
    cluster.kubectl(&["delete", "--namespace=shop", "virtualservice/cart"]);
    cluster.plugin(&uninstall).exits(0);
    cluster.plugin(&uninstall).exits(0).says("nothing to do");
}

/// A Lease of somebody who shows no sign of life.
fn silent_holder(cluster: &Cluster) {
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "kyma-istio", "namespace": "default"},
        "spec": {"holderIdentity": "install by anna", "leaseDurationSeconds": 15},
    });
    cluster.apply(&lease.to_string());
}

fn virtual_service() -> String {
    json!({
        "apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": "cart", "namespace": "shop"},
        "spec": {"hosts": ["cart.example.com"], "http": [{"route": [{"destination": {"host": "cart"}}]}]},
    })
    .to_string()
}
