//! Istio goes again: what blocks it, what is kept, what is left.

use serde_json::json;

use crate::support::{Cluster, Ran, Snapshot, manifests};

#[test]
fn resources_of_others_block_until_they_are_kept_in_files_and_come_back_from_them() {
    let cluster = Cluster::small();
    nothing_to_do(&cluster);
    cluster
        .install(&["--profile", "evaluation"])
        .exits(0)
        .says("all 5 criteria are met");
    cluster.apply(&manifests::namespace(
        "shop",
        json!({ "istio-injection": "enabled" }),
    ));
    cluster.apply(&manifests::workload("shop", "cart", json!({})));
    cluster.kubectl(&[
        "wait",
        "--namespace=shop",
        "--for=condition=Available",
        "--timeout=60s",
        "deployment/cart",
    ]);
    others(&cluster);

    let before = Snapshot::of(&cluster);
    let listed = cluster
        .plugin(&["uninstall", "--plan", "-o", "json"])
        .exits(5);
    assert_eq!(blockers(&listed), OTHERS, "{listed}");
    cluster
        .plugin(&["uninstall", "--yes"])
        .exits(5)
        .says("KI-G014")
        .says("TrafficExtension shop/theirs")
        .says("VirtualService shop/cart");
    // Files alone don't let anything go.
    let folder = cluster.file("kept", "");
    std::fs::remove_file(&folder).unwrap();
    cluster
        .plugin(&["uninstall", "--yes", "--backup", &folder])
        .exits(5);
    before.assert_same(&Snapshot::of(&cluster), "a refused uninstallation");
    let specs = specs(&cluster);

    let delete = ["uninstall", "--backup", &folder, "--delete-blockers"];
    cluster.plugin(&delete).exits(2).says("no terminal");
    before.assert_same(&Snapshot::of(&cluster), "a question without an answer");
    let gone = cluster.plugin(&[&delete[..], &["--yes"]].concat()).exits(0);
    gone.says("Deployment shop/cart still runs 1 sidecar")
        .says("wasmplugin.extensions.istio.io_shop_ours.yaml");
    is_gone(&cluster);
    nothing_to_do(&cluster);

    cluster
        .install(&["--profile", "evaluation"])
        .exits(0)
        .says("all 5 criteria are met");
    cluster.kubectl(&["apply", "--filename", &folder]);
    assert_eq!(self::specs(&cluster), specs, "restored from {folder}");
}

#[test]
fn an_uninstallation_that_is_killed_is_completed_by_the_next_and_others_keep_the_namespace() {
    let cluster = Cluster::small();
    cluster.apply(&manifests::istio_crd());
    let file = cluster.file("cr.yaml", &manifests::istio(" {}"));
    cluster
        .install(&["--profile", "evaluation", "-f", &file])
        .exits(0);
    let policy = header_policy("default");
    cluster.apply_as(&policy.to_string(), "kubectl-kyma-istio");
    // Somebody's own Prometheus, in Istio's namespace.
    cluster.apply(&manifests::workload(
        "istio-system",
        "prometheus",
        json!({}),
    ));

    let planned = cluster
        .plugin(&["uninstall", "--dry-run", "-o", "json"])
        .exits(0)
        .json();
    let steps = planned["plan"]["steps"].as_array().unwrap();
    let names: Vec<&str> = steps
        .iter()
        .map(|step| step["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, STEPS);
    // A wait that is killed leaves what the step before it left.
    for step in names.into_iter().filter(|name| !name.ends_with("-gone")) {
        Ran::of(
            cluster
                .command(&["uninstall", "--yes"])
                .env("KYMA_ISTIO_ABORT_AFTER", step),
        )
        .exits(6)
        .says("running it again continues");
        // Until no gateway is left, the policy is in force.
        let filter = STEPS.iter().position(|one| *one == "filter");
        if STEPS.iter().position(|one| *one == step) < filter {
            let policies = cluster.kubectl(&["get", "wasmplugins", "--output=name"]);
            assert_eq!(
                policies.trim(),
                "wasmplugin.extensions.istio.io/ours",
                "{step}"
            );
        }
        if step == "webhooks" {
            // While it is under way, nothing is installed.
            cluster
                .plugin(&["install", "--yes", "--profile=evaluation"])
                .exits(5)
                .says("KI-G013");
        }
    }
    let last = cluster.plugin(&["uninstall", "--yes"]).exits(0);
    last.says("nothing to do");
    let left = Snapshot::of(&cluster);
    let left = left.names();
    for stays in [
        "apps/v1 Deployment istio-system/prometheus",
        "v1 Namespace /istio-system",
    ] {
        assert!(left.contains(&stays), "{stays} in {left:#?}");
    }
    let istios: Vec<&&str> = left
        .iter()
        .filter(|name| {
            name.contains("istio.io") || name.contains("/istiod") || name.contains(" Istio ")
        })
        .collect();
    assert!(istios.is_empty(), "{istios:#?}");
}

const STEPS: [&str; 18] = [
    "custom-resource",
    "webhooks",
    "gateways",
    "gateways-gone",
    "istiod",
    "istiod-gone",
    "cni",
    "cni-gone",
    "filter",
    "filter-gone",
    "policies",
    "policies-gone",
    "base",
    "last-look",
    "crds",
    "crds-gone",
    "leavings",
    "record",
];

#[test]
fn a_finalizer_that_holds_a_resource_is_named_and_without_rights_nothing_goes() {
    let cluster = Cluster::quiet();
    crds_of_istio(&cluster, "istio-operator");
    let held = r#"{"apiVersion":"networking.istio.io/v1","kind":"Gateway","metadata":{"name":"held","namespace":"default","finalizers":["example.com/holds"]},"spec":{"selector":{"a":"b"}}}"#;
    cluster.apply(held);

    // Who can't see what would go, can't be told that nothing would.
    let reader = cluster.reader(&ALL_BUT_GATEWAYS);
    cluster
        .plugin(&["uninstall", "--yes", "--kubeconfig", &reader])
        .exits(3)
        .says("KI-G009")
        .says("`list gateways.networking.istio.io`");

    // Those of another release are not ours to remove, and what is of their kinds isn't in the way.
    cluster.kubectl(&["delete", "crds", "--all", "--wait=false"]);
    cluster.kubectl(&[
        "patch",
        "gateways.networking.istio.io",
        "held",
        "--type=merge",
        r#"--patch={"metadata":{"finalizers":null}}"#,
    ]);
    cluster.until("no CRD", &["get", "crds", "--output=name"], str::is_empty);
    crds_of_istio(&cluster, "helm");
    cluster.apply(held);
    cluster
        .plugin(&["uninstall", "--yes"])
        .exits(0)
        .says("stays: CustomResourceDefinition gateways.networking.istio.io: others made it (helm)")
        .says("nothing to do");
    cluster.get(&["gateways.networking.istio.io", "held"]);
    crds_of_istio(&cluster, "istio-operator");

    let folder = cluster.file("kept", "");
    std::fs::remove_file(&folder).unwrap();
    let force = [
        "uninstall",
        "--yes",
        "--delete-blockers",
        "--timeout=3s",
        "--backup",
        &folder,
    ];
    cluster
        .plugin(&force)
        .exits(4)
        .says("Gateway default/held")
        .says("held by example.com/holds");
    cluster.kubectl(&[
        "patch",
        "gateways.networking.istio.io",
        "held",
        "--type=merge",
        r#"--patch={"metadata":{"finalizers":null}}"#,
    ]);
    cluster.plugin(&force).exits(0);
    let crds = cluster.kubectl(&["get", "crds", "--output=name"]);
    assert!(!crds.contains("istio.io"), "{crds}");
}

/// What is found by name in the test above, sorted.
const OTHERS: [&str; 4] = [
    "TrafficExtension shop/theirs",
    "WasmPlugin shop/theirs",
    "Gateway shop/front",
    "VirtualService shop/cart",
];

fn others(cluster: &Cluster) {
    let object = |version: &str, kind: &str, name: &str, spec| json!({ "apiVersion": version, "kind": kind, "metadata": { "name": name, "namespace": "shop" }, "spec": spec });
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": [
        object("networking.istio.io/v1", "VirtualService", "cart", json!({
            "hosts": ["cart"], "http": [{ "route": [{ "destination": { "host": "cart" } }] }],
        })),
        object("networking.istio.io/v1", "Gateway", "front", json!({
            "selector": { "istio": "ingressgateway" },
            "servers": [{ "port": { "number": 80, "name": "http", "protocol": "HTTP" }, "hosts": ["*"] }],
        })),
        object("extensions.istio.io/v1alpha1", "WasmPlugin", "theirs", json!({ "url": "oci://example.com/theirs:1" })),
        object("extensions.istio.io/v1alpha1", "TrafficExtension", "theirs", json!({ "wasm": { "url": "oci://example.com/theirs:1" } })),
    ] });
    cluster.apply(&list.to_string());
    let ours = header_policy("shop");
    cluster.apply_as(&ours.to_string(), "kubectl-kyma-istio");
}

/// As `filter deploy` applies it, in small.
fn header_policy(namespace: &str) -> serde_json::Value {
    json!({
        "apiVersion": "extensions.istio.io/v1alpha1", "kind": "WasmPlugin",
        "metadata": {
            "name": "ours", "namespace": namespace, "labels": { "app.kubernetes.io/managed-by": "kubectl-kyma-istio" },
        },
        "spec": { "url": "oci://example.com/ours:1" },
    })
}

fn blockers(ran: &Ran) -> Vec<String> {
    let json = ran.json();
    let name = |one: &serde_json::Value| {
        format!(
            "{} {}/{}",
            one["kind"].as_str().unwrap(),
            one["namespace"].as_str().unwrap(),
            one["name"].as_str().unwrap()
        )
    };
    json["blockers"]
        .as_array()
        .unwrap()
        .iter()
        .map(name)
        .collect()
}

fn specs(cluster: &Cluster) -> Vec<serde_json::Value> {
    let kinds = "virtualservices.networking.istio.io,gateways.networking.istio.io,trafficextensions.extensions.istio.io,wasmplugins.extensions.istio.io";
    let list = cluster.get(&[kinds, "--namespace=shop"]);
    let items = list["items"].as_array().unwrap();
    items
        .iter()
        .map(|one| json!([one["kind"], one["metadata"]["name"], one["spec"]]))
        .collect()
}

fn is_gone(cluster: &Cluster) {
    let left = Snapshot::of(cluster);
    let left: Vec<&str> = left
        .names()
        .into_iter()
        .filter(|name| name.contains("istio"))
        .filter(|name| !name.starts_with("v1 Pod "))
        .collect();
    assert!(left.is_empty(), "{left:#?}");
}

fn nothing_to_do(cluster: &Cluster) {
    cluster
        .plugin(&["uninstall", "--yes"])
        .exits(0)
        .says("nothing to do");
}

/// API groups; those of gateways are not among them.
const ALL_BUT_GATEWAYS: [&str; 15] = [
    "",
    "apps",
    "apiextensions.k8s.io",
    "admissionregistration.k8s.io",
    "autoscaling",
    "batch",
    "coordination.k8s.io",
    "extensions.istio.io",
    "networking.k8s.io",
    "operator.kyma-project.io",
    "policy",
    "rbac.authorization.k8s.io",
    "scheduling.k8s.io",
    "security.istio.io",
    "telemetry.istio.io",
];

fn crds_of_istio(cluster: &Cluster, manager: &str) {
    let rendered = cluster
        .plugin(&["render", "--profile=evaluation", "-o", "json"])
        .exits(0)
        .json();
    let crds: Vec<_> = rendered["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["kind"] == "CustomResourceDefinition")
        .cloned()
        .collect();
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": crds });
    cluster.apply_as(&list.to_string(), manager);
    cluster.kubectl(&[
        "wait",
        "crds",
        "--all",
        "--for=condition=Established",
        "--timeout=30s",
    ]);
}
