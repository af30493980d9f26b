//! The README's walk on an empty cluster.

use serde_json::{Value, json};

use crate::dry_run;
use crate::support::{Cluster, Ran, Snapshot, manifests};

const CRITERIA: [&str; 5] = [
    "version",
    "mtls-strict",
    "policy-enforcement",
    "sidecar-injection",
    "crds",
];

#[test]
fn an_installation_is_verified_changed_and_then_there_is_nothing_to_do() {
    let cluster = Cluster::small();
    let installed = cluster
        .install(&["--profile", "evaluation"])
        .exits(0)
        .says("all 5 criteria are met");
    for name in CRITERIA {
        assert!(installed.stdout.contains(name), "{name} in: {installed}");
    }

    cluster.plugin(&["verify"]).exits(0);
    is_met_in_json(&cluster.plugin(&["verify", "-o", "json"]).exits(0));
    is_met_in_junit(&cluster.plugin(&["verify", "-o", "junit"]).exits(0));

    is_kept_as_it_is(&cluster, &["--profile", "evaluation"]);

    a_workload_with_a_sidecar(&cluster);
    let file = cluster.file("cr.yaml", &manifests::istio(CHANGED));
    dry_run::is_harmless(&cluster, &["-f", &file]);
    let diff = cluster.plugin(&["diff", "-f", &file]).exits(1);
    for told in [
        "data.mesh.defaultConfig.gatewayTopology: nothing -> {\"numTrustedProxies\":2}",
        "gateways take it when they restart (1 pod)",
        "1 sidecar needs sync",
    ] {
        assert!(diff.stdout.contains(told), "`{told}` in: {diff}");
    }

    cluster.plugin(&["install", "-f", &file, "--yes"]).exits(0);
    let mesh = cluster.kubectl(&[
        "get",
        "configmap",
        "istio",
        "--namespace=istio-system",
        "--output=jsonpath={.data.mesh}",
    ]);
    assert!(mesh.contains("numTrustedProxies: 2"), "{mesh}");
    is_kept_as_it_is(&cluster, &["-f", &file]);
    cluster
        .plugin(&["diff", "-f", &file])
        .exits(0)
        .says("no differences");

    one_screen(&cluster.plugin(&["status"]).exits(0));
}

const CHANGED: &str = "
  config:
    numTrustedProxies: 2
  components:
    proxy:
      k8s:
        resources:
          requests:
            cpu: 15m";

fn is_met_in_json(ran: &Ran) {
    let verified = ran.json();
    assert_eq!(verified["met"], true, "{ran}");
    let criteria = verified["criteria"].as_array().unwrap();
    let names: Vec<&Value> = criteria.iter().map(|one| &one["name"]).collect();
    assert_eq!(json!(names), json!(CRITERIA));
    for criterion in criteria {
        assert_eq!(criterion["form"], "modern", "{ran}");
        assert!(
            !criterion["evidence"].as_array().unwrap().is_empty(),
            "{ran}"
        );
    }
}

fn is_met_in_junit(ran: &Ran) {
    let report = quick_junit::Report::deserialize_from_str(&ran.stdout).expect("JUnit");
    assert_eq!((report.tests, report.failures, report.errors), (5, 0, 0));
}

/// `install` again: exit 0, nothing to do, nothing written.
fn is_kept_as_it_is(cluster: &Cluster, arguments: &[&str]) {
    let before = Snapshot::of(cluster);
    cluster
        .plugin(&[&["install", "--yes"], arguments].concat())
        .exits(0)
        .says("nothing to do");
    before.assert_same(&Snapshot::of(cluster), "an install with nothing to do");
}

fn a_workload_with_a_sidecar(cluster: &Cluster) {
    cluster.apply(&manifests::namespace(
        "shop",
        json!({ "istio-injection": "enabled" }),
    ));
    cluster.apply(&manifests::workload("shop", "cart", json!({})));
    let containers = "--output=jsonpath={.items[*].spec['containers','initContainers'][*].name} {.items[*].status.phase}";
    cluster.until(
        "a sidecar that runs",
        &["get", "pods", "--namespace=shop", containers],
        |text| text.contains("istio-proxy") && text.contains("Running"),
    );
}

fn one_screen(status: &Ran) {
    for told in [
        "kubectl kyma-istio",
        "istio-system/istiod",
        "istio-system/istio-ingressgateway",
        "1 on 1.30.2",
        "1/1 ready",
    ] {
        assert!(status.stdout.contains(told), "`{told}` in: {status}");
    }
    assert!(status.stdout.lines().count() <= 24, "{status}");
}
