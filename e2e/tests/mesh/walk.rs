//! The README's walk on an empty cluster.

use serde_json::{Value, json};

use crate::dry_run;
use crate::support::{Cluster, Ran, Snapshot, manifests};
use lab::repository;

const CRITERIA: [&str; 5] = [
    "version",
    "mtls-strict",
    "policy-enforcement",
    "sidecar-injection",
    "crds",
];

/// What the README tells its reader to type, but for the editor.
const WALK: [&str; 6] = [
    "install --profile evaluation",
    "verify",
    "diff -f examples/istio.yaml",
    "install -f examples/istio.yaml --yes",
    "install -f examples/istio.yaml --yes",
    "status",
];

#[test]
fn the_readmes_walk_installs_verifies_changes_and_then_has_nothing_to_do() {
    let [install, verify, diff, change, again, status] = WALK.map(words);
    let cluster = Cluster::small();
    let installed = cluster
        .install(&install[1..])
        .exits(0)
        .says("all 5 criteria are met");
    for name in CRITERIA {
        assert!(installed.stdout.contains(name), "{name} in: {installed}");
    }

    cluster.plugin(&verify).exits(0);
    is_met_in_json(&cluster.plugin(&["verify", "-o", "json"]).exits(0));
    is_met_in_junit(&cluster.plugin(&["verify", "-o", "junit"]).exits(0));
    is_kept_as_it_is(&cluster, &["install", "--profile", "evaluation", "--yes"]);

    a_workload_with_a_sidecar(&cluster);
    dry_run::is_harmless(&cluster, &["-f", "examples/istio.yaml"]);
    let differs = cluster.plugin(&diff).exits(1);
    for told in [
        r#"data.mesh.defaultConfig.gatewayTopology: nothing -> {"numTrustedProxies":1}"#,
        "gateways take it when they restart (1 pod)",
        "1 sidecar needs sync",
    ] {
        assert!(differs.stdout.contains(told), "`{told}` in: {differs}");
    }

    cluster.plugin(&change).exits(0);
    let mesh = cluster.kubectl(&[
        "get",
        "configmap",
        "istio",
        "--namespace=istio-system",
        "--output=jsonpath={.data.mesh}",
    ]);
    assert!(mesh.contains("numTrustedProxies: 1"), "{mesh}");
    is_kept_as_it_is(&cluster, &again);
    cluster.plugin(&diff).exits(0).says("no differences");

    one_screen(&cluster.plugin(&status).exits(0));
}

#[test]
fn the_readme_has_the_walk_that_is_tested() {
    let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
    let section = readme
        .split("### Istio itself")
        .nth(1)
        .expect("its heading");
    let block = section.split("```").nth(1).expect("a block");
    let typed: Vec<Vec<&str>> = block
        .lines()
        .filter_map(|line| line.strip_prefix("$ kubectl kyma-istio "))
        .map(|line| words(line.split('#').next().unwrap_or_default()))
        .collect();
    assert_eq!(typed, WALK.map(words));
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

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
    cluster.plugin(arguments).exits(0).says("nothing to do");
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
        "1 on 1.31.1",
        "1/1 ready",
    ] {
        assert!(status.stdout.contains(told), "`{told}` in: {status}");
    }
    assert!(status.stdout.lines().count() <= 24, "{status}");
}
