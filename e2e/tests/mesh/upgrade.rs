//! From one version to the next: gates, what changes, what is left for the data plane.

use lab::kubernetes::istioctl;
use serde_json::{Value, json};

use crate::support::{Cluster, Ran, Snapshot, manifests};

#[test]
fn an_upgrade_goes_one_minor_version_up_and_says_what_sidecars_still_run() {
    let cluster = Cluster::small();
    cluster
        .plugin(&["upgrade", "--yes", "--profile=evaluation"])
        .exits(5)
        .says("KI-G015");
    let old = istioctl(Some("1.30.4")).unwrap().display().to_string();
    let install = [
        "--profile=evaluation",
        "--istio-version=1.30.4",
        "--istioctl",
        &old,
    ];
    cluster.install(&install).exits(0);
    a_workload(&cluster);

    // Too far up, and down: nothing is written.
    let before = Snapshot::of(&cluster);
    let upgrade =
        |more: &[&str]| cluster.plugin(&[&["upgrade", "--profile=evaluation"], more].concat());
    // That it is too far away is not the point: this release installs no 1.32 from anywhere.
    upgrade(&["--istio-version=1.32.0", "--yes"])
        .exits(5)
        .says("KI-G016")
        .says("use `--istio-version 1.31.1`");
    for down in ["--istio-version=1.30.3", "--istio-version=1.29.9"] {
        upgrade(&[down, "--yes"]).exits(5).says("KI-G004");
    }
    upgrade(&["--istio-version=1.28.0", "--yes"]).exits(2);
    let planned = upgrade(&["--dry-run", "-o", "json"]).exits(0).json();
    assert_eq!(planned["from"], json!(["1.30.4"]));
    assert_eq!(planned["to"], "1.31.1");
    let consequences = planned["plan"]["consequences"].to_string();
    for told in ["restarts", "istio-ingressgateway", "sidecar"] {
        assert!(consequences.contains(told), "`{told}` in {consequences}");
    }
    before.assert_same(&Snapshot::of(&cluster), "a refused upgrade");

    // Killed behind every step that writes, the next one goes on.
    for step in writing(&planned) {
        let step = step.as_str();
        Ran::of(
            cluster
                .command(&["upgrade", "--profile=evaluation", "--yes"])
                .env("KYMA_ISTIO_ABORT_AFTER", step),
        )
        .exits(6)
        .says("running it again continues");
    }
    let upgraded = upgrade(&["--yes"]).exits(0);
    upgraded
        .says("all 5 criteria are met")
        .says("sidecars: 1 on 1.30.4")
        .says("1 sidecar runs an older version");
    upgrade(&["--yes"]).exits(0).says("nothing to do");
    // Down again, now that it runs.
    cluster
        .plugin(&[
            "upgrade",
            "--yes",
            "--profile=evaluation",
            "--istio-version=1.30.4",
            "--istioctl",
            &old,
        ])
        .exits(5)
        .says("KI-G004");
}

#[test]
fn what_an_autoscaler_and_others_own_stays_theirs() {
    let cluster = Cluster::small();
    let old = istioctl(Some("1.30.4")).unwrap().display().to_string();
    let install = [
        "--profile=production",
        "--istio-version=1.30.4",
        "--istioctl",
        &old,
        "--skip-verify",
    ];
    cluster.install(&install).exits(0);
    // As an autoscaler under load would have it.
    let scale = [
        "scale",
        "deployment/istio-ingressgateway",
        "--namespace=istio-system",
        "--replicas=4",
    ];
    cluster.kubectl(&scale);
    // And an administrator with a wish of his own.
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "istiod", "namespace": "istio-system" },
        "spec": { "template": { "spec": { "containers": [{ "name": "discovery", "image": "somebody/pilot:1.30.4" }] } } },
    });
    let force = [
        "apply",
        "--server-side",
        "--field-manager=somebody",
        "--force-conflicts",
        "--filename",
    ];
    let file = cluster.file("istiod.json", &deployment.to_string());
    cluster.kubectl(&[&force[..], &[&file]].concat());

    let upgrade = ["upgrade", "--profile=production", "--yes", "--skip-verify"];
    cluster
        .plugin(&upgrade)
        .exits(5)
        .says("Deployment istio-system/istiod")
        .says("by `somebody`");
    cluster
        .plugin(&[&upgrade[..], &["--force-conflicts"]].concat())
        .exits(0);
    let gateway = cluster.get(&[
        "deployment",
        "istio-ingressgateway",
        "--namespace=istio-system",
    ]);
    assert_eq!(gateway["spec"]["replicas"], 4, "{}", gateway["spec"]);
    let image = &gateway["spec"]["template"]["spec"]["containers"][0]["image"];
    assert!(image.as_str().unwrap().contains(":1.31.1"), "{image}");
}

fn a_workload(cluster: &Cluster) {
    cluster.apply(&manifests::namespace(
        "shop",
        json!({ "istio-injection": "enabled" }),
    ));
    // kwok runs what the injector of this machine's istiod puts in, so the older sidecar is written by hand.
    let mut workload: Value = serde_json::from_str(&manifests::workload(
        "shop",
        "cart",
        json!({ "sidecar.istio.io/inject": "false" }),
    ))
    .unwrap();
    let containers = workload["items"][0]["spec"]["template"]["spec"]["containers"]
        .as_array_mut()
        .unwrap();
    containers.push(json!({
        "name": "istio-proxy", "image": "example.com/proxyv2:1.30.4-distroless", "args": ["proxy", "sidecar"],
    }));
    cluster.apply(&workload.to_string());
    cluster.kubectl(&[
        "wait",
        "--namespace=shop",
        "--for=condition=Available",
        "--timeout=60s",
        "deployment/cart",
    ]);
}

fn writing(planned: &Value) -> Vec<String> {
    let steps = planned["plan"]["steps"].as_array().unwrap();
    let writing = steps.iter().filter(|step| step["verb"] != "wait");
    writing
        .map(|step| step["name"].as_str().unwrap().to_owned())
        .collect()
}
