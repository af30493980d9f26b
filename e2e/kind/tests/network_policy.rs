//! Scenarios for clusters that enforce NetworkPolicy. `e2e/run.sh` asks cluster.json whether this one does, and lists them as
//! not run where it doesn't: here they would fail.

use e2e_kind::{Sidecar, Space, until};
use serde_json::json;

#[test]
fn an_app_that_admits_only_the_gateway_is_reached_through_it_and_from_no_other_pod() {
    let space = Space::new("network");
    let _app = space.app("app", Sidecar::Never);
    let other = space.app("other", Sidecar::Never);
    let gateway = space.gateway("edge", 0, "app");
    space.ready(&["app", "other"]);
    gateway.serves();
    let answer = other.get("http://app/", &[]).expect("an answer");
    assert_eq!(answer.status, 200, "{answer:?}");
    let gateways = json!({ "podSelector": { "matchLabels": { "app": "edge" } } });
    space.apply(&json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": { "name": "gateway-only" },
        "spec": {
            "podSelector": { "matchLabels": { "app": "app" } }, "policyTypes": ["Ingress"],
            "ingress": [{ "from": [gateways] }],
        },
    }));
    until("the other pod to be shut out", || {
        match other.get("http://app/", &[]) {
            Ok(answer) => Err(format!("{answer:?}")),
            Err(_) => Ok(()),
        }
    });
    assert_eq!(gateway.get("/", &[]).status, 200);
}

#[test]
fn a_sidecar_that_may_call_nobody_but_istiod_and_dns_still_gets_its_configuration() {
    let space = Space::injected("istiod");
    space.apply(&json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": { "name": "istiod-only" },
        "spec": { "podSelector": {}, "policyTypes": ["Egress"], "egress": [
            { "to": [{ "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": "istio-system" } } }] },
            { "ports": [{ "port": 53, "protocol": "UDP" }, { "port": 53, "protocol": "TCP" }] },
        ] },
    }));
    let app = space.app("app", Sidecar::AsNamespace);
    let elsewhere = Space::new("elsewhere");
    let _other = elsewhere.app("other", Sidecar::Never);
    elsewhere.ready(&["other"]);
    // Its proxy is ready only once istiod has told it what to do.
    space.ready(&["app"]);
    let url = format!("http://other.{}/", elsewhere.name());
    let answer = app.get(&url, &[]).expect("the sidecar answers itself");
    assert_eq!(answer.status, 503, "{answer:?}");
}
