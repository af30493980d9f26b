//! Profiles against the mission's tables, as the API server has them.

use serde_json::{Value, json};

use crate::support::Cluster;

/// "Resource configuration" of the mission's document: component, CPU and memory that are requested, and their limits.
const RESOURCES: [(&str, [&str; 4]); 4] = [
    ("proxy", ["10m", "192Mi", "1000m", "1024Mi"]),
    ("ingress gateway", ["100m", "128Mi", "2000m", "1024Mi"]),
    ("pilot", ["100m", "512Mi", "4000m", "2Gi"]),
    ("CNI", ["100m", "512Mi", "500m", "1024Mi"]),
];

#[test]
fn the_production_profile_is_the_missions_table() {
    let cluster = Cluster::large();
    // By the size of the cluster, and it says why.
    cluster
        .install(&[])
        .exits(0)
        .says("12.000 CPUs")
        .says("all 5 criteria are met");

    for (name, min, max) in [("istiod", 2, 5), ("istio-ingressgateway", 3, 10)] {
        let scaler = cluster.get(&["hpa", name, "--namespace=istio-system"]);
        assert_eq!(
            (
                &scaler["spec"]["minReplicas"],
                &scaler["spec"]["maxReplicas"]
            ),
            (&json!(min), &json!(max)),
            "{name}"
        );
        // The autoscaler of the real controller manager, and pods on kwok's nodes.
        let replicas = [
            "get",
            "deployment",
            name,
            "--namespace=istio-system",
            "--output=jsonpath={.spec.replicas} {.status.readyReplicas}",
        ];
        cluster.until(&format!("replicas of {name}"), &replicas, |text| {
            text == format!("{min} {min}")
        });
    }

    for (component, [cpu, memory, cpu_limit, memory_limit]) in RESOURCES {
        let wanted = json!({
            "requests": { "cpu": cpu, "memory": memory },
            "limits": { "cpu": cpu_limit, "memory": memory_limit },
        });
        assert_eq!(
            amounts(&resources(&cluster, component)),
            amounts(&wanted),
            "{component}"
        );
    }

    // Again, with replicas that the autoscaler chose: not ours to change.
    cluster
        .plugin(&["install", "--yes"])
        .exits(0)
        .says("nothing to do");
}

#[test]
fn a_small_cluster_gets_the_evaluation_profile_and_a_large_one_is_told_why_not() {
    let cluster = Cluster::small();
    cluster
        .plugin(&["install", "--dry-run"])
        .exits(0)
        .says("evaluation")
        .says("4.000 CPUs");
    let rendered = cluster
        .plugin(&["render", "--operator", "-o", "json"])
        .exits(0);
    assert!(rendered.stdout.contains("31400"), "{rendered}");
}

/// What the API server has for this component; for the proxy, what a dry-run pod gets.
fn resources(cluster: &Cluster, component: &str) -> Value {
    let (kind, name, container) = match component {
        "pilot" => ("deployment", "istiod", "discovery"),
        "ingress gateway" => ("deployment", "istio-ingressgateway", "istio-proxy"),
        "CNI" => ("daemonset", "istio-cni-node", "install-cni"),
        _ => return injected(cluster),
    };
    let object = cluster.get(&[kind, name, "--namespace=istio-system"]);
    container_of(&object["spec"]["template"]["spec"], container)["resources"].clone()
}

fn injected(cluster: &Cluster) -> Value {
    // The label of the namespace is the product's work.
    let pod = cluster.kubectl(&[
        "run",
        "probe",
        "--image=none",
        "--namespace=kyma-system",
        "--dry-run=server",
        "--output=json",
    ]);
    let pod: Value = serde_json::from_str(&pod).unwrap();
    container_of(&pod["spec"], "istio-proxy")["resources"].clone()
}

fn container_of<'a>(spec: &'a Value, name: &str) -> &'a Value {
    let lists = ["containers", "initContainers"];
    let mut all = lists
        .iter()
        .filter_map(|list| spec[*list].as_array())
        .flatten();
    all.find(|container| container["name"] == name)
        .unwrap_or_else(|| panic!("no container `{name}` in {spec}"))
}

/// As numbers: `1000m` and `1`, `1024Mi` and `1Gi` are the same to Kubernetes. CPUs in thousandths, memory in MiB.
fn amounts(resources: &Value) -> [u64; 4] {
    let text = |path: &str| {
        let value = resources.pointer(path).and_then(Value::as_str);
        value.unwrap_or_else(|| panic!("no `{path}` in {resources}"))
    };
    [
        millis(text("/requests/cpu")),
        mebibytes(text("/requests/memory")),
        millis(text("/limits/cpu")),
        mebibytes(text("/limits/memory")),
    ]
}

fn millis(text: &str) -> u64 {
    match text.strip_suffix('m') {
        Some(millis) => millis.parse().unwrap(),
        None => 1000 * text.parse::<u64>().unwrap(),
    }
}

fn mebibytes(text: &str) -> u64 {
    match (text.strip_suffix("Mi"), text.strip_suffix("Gi")) {
        (Some(mebi), _) => mebi.parse().unwrap(),
        (_, Some(gibi)) => 1024 * gibi.parse::<u64>().unwrap(),
        _ => panic!("`{text}`, expected Mi or Gi"),
    }
}
