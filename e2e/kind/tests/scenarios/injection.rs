//! Who gets a sidecar, and how large it is.

use e2e_kind::{Sidecar, Space, kubectl};
use serde_json::{Value, json};

#[test]
fn injection_is_off_by_default() {
    let space = Space::new("uninjected");
    let _app = space.app("app", Sidecar::AsNamespace);
    space.ready(&["app"]);
    let pods = space.pods("app");
    assert_eq!(pods.len(), 1);
    assert_eq!(sidecar(&pods[0]), None);
}

#[test]
fn a_labelled_namespace_gives_sidecars_with_the_resources_of_the_profile() {
    let space = Space::injected("injected");
    let _app = space.app("app", Sidecar::AsNamespace);
    space.ready(&["app"]);
    let pods = space.pods("app");
    assert_eq!(pods.len(), 1);
    let sidecar = sidecar(&pods[0]).expect("a sidecar");
    // The light values of the Kyma module: mesh/profiles/evaluation.yaml.
    let profile = json!({
        "requests": { "cpu": "10m", "memory": "32Mi" }, "limits": { "cpu": "250m", "memory": "254Mi" },
    });
    assert_eq!(sidecar["resources"], profile);
}

#[test]
fn a_pod_of_kyma_system_gets_a_sidecar_without_asking() {
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "e2e", "namespace": "kyma-system" },
        "spec": { "containers": [{ "name": "app", "image": "none" }] },
    });
    // Asked and answered by the real webhook; nothing is created in a namespace that isn't ours.
    let create = [
        "create",
        "--dry-run=server",
        "--output=json",
        "--filename=-",
    ];
    let answer = kubectl(create).given(pod.to_string()).json();
    assert!(sidecar(&answer).is_some(), "{answer:#}");
}

/// A native sidecar is an init container.
fn sidecar(pod: &Value) -> Option<Value> {
    let lists = ["initContainers", "containers"];
    let mut containers = lists
        .iter()
        .filter_map(|list| pod["spec"][list].as_array())
        .flatten();
    containers.find(|one| one["name"] == "istio-proxy").cloned()
}
