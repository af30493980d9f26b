//! The seven NetworkPolicies for clusters that deny traffic by default. Names and opt-in labels are the module's.

use serde_json::{Value, json};

use super::{ISTIO_SYSTEM, MANAGED_BY};

/// Pods that may scrape metrics, besides those of Kyma modules.
const SCRAPERS: [&str; 2] = [
    "networking.kyma-project.io/istio-metrics",
    "networking.kyma-project.io/metrics-scraping",
];

/// All seven; `api_server` is the port of the API server behind its Service, `served` are the ports of the ingress gateway's pods.
pub(crate) fn all(api_server: u16, served: &[u16]) -> Vec<Value> {
    let dns_and_api = json!([dns(), {"ports": [tcp(api_server)]}]);
    vec![
        policy(
            "kyma-project.io--istio-pilot",
            json!({"istio": "pilot"}),
            Some(dns_and_api.clone()),
            Some(json!([
                {"from": [anywhere(json!({"matchLabels": {"security.istio.io/tlsMode": "istio"}})),
                          {"podSelector": {"matchLabels": {"istio": "ingressgateway"}}},
                          {"podSelector": {"matchLabels": {"istio": "egressgateway"}}}],
                 "ports": [tcp(15012)]},
                // The webhooks are called by the API server, which no pod selector matches.
                {"ports": [tcp(15017)]},
                scraped(&[15014]),
            ])),
        ),
        policy(
            "kyma-project.io--istio-pilot-jwks",
            json!({"istio": "pilot"}),
            Some(json!([{"ports": [tcp(80), tcp(443)]}])),
            None,
        ),
        policy(
            "kyma-project.io--istio-ingressgateway",
            json!({"istio": "ingressgateway"}),
            Some(json!([to_istiod(), dns()])),
            Some(
                json!([{"ports": served.iter().map(|port| tcp(*port)).collect::<Value>()}, scraped(&[15020, 15090])]),
            ),
        ),
        policy(
            "kyma-project.io--istio-ingressgateway-egress",
            json!({"istio": "ingressgateway"}),
            Some(
                json!([{"to": [anywhere(json!({"matchLabels": {"networking.kyma-project.io/from-ingressgateway": "allowed"}}))]}]),
            ),
            None,
        ),
        policy(
            "kyma-project.io--istio-egressgateway",
            json!({"istio": "egressgateway"}),
            Some(json!([{}])),
            Some(json!([
                {"from": [anywhere(json!({"matchLabels": {"networking.kyma-project.io/to-egressgateway": "allowed"}}))]},
                scraped(&[15020, 15090]),
            ])),
        ),
        policy(
            "kyma-project.io--istio-cni-node",
            json!({"k8s-app": "istio-cni-node"}),
            Some(dns_and_api.clone()),
            None,
        ),
        in_kyma_system(policy(
            "kyma-project.io--allow-istio-controller-manager",
            json!({"kyma-project.io/module": "istio", "app.kubernetes.io/name": "istio-operator"}),
            Some(dns_and_api),
            None,
        )),
    ]
}

fn policy(name: &str, pods: Value, egress: Option<Value>, ingress: Option<Value>) -> Value {
    let mut policy = json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": ISTIO_SYSTEM, "labels": {"kyma-project.io/managed-by": MANAGED_BY}},
        "spec": {"podSelector": {"matchLabels": pods}, "policyTypes": []},
    });
    let mut kinds = Vec::new();
    for (kind, field, rules) in [
        ("Egress", "egress", egress),
        ("Ingress", "ingress", ingress),
    ] {
        if let Some(rules) = rules {
            kinds.push(kind);
            policy["spec"][field] = rules;
        }
    }
    policy["spec"]["policyTypes"] = json!(kinds);
    policy
}

fn in_kyma_system(mut policy: Value) -> Value {
    policy["metadata"]["namespace"] = json!("kyma-system");
    policy
}

/// Pods of every namespace; without the empty selector they would be those of the policy's own.
fn anywhere(pods: Value) -> Value {
    json!({"podSelector": pods, "namespaceSelector": {}})
}

fn dns() -> Value {
    json!({"ports": [{"protocol": "UDP", "port": 53}, tcp(53)]})
}

fn to_istiod() -> Value {
    json!({"to": [{"podSelector": {"matchLabels": {"istio": "pilot"}}}], "ports": [tcp(15012)]})
}

/// Ports that only metrics collectors may reach.
fn scraped(ports: &[u16]) -> Value {
    let modules = anywhere(
        json!({"matchExpressions": [{"key": "kyma-project.io/module", "operator": "Exists"}]}),
    );
    let labelled = SCRAPERS
        .iter()
        .map(|label| anywhere(json!({"matchLabels": {*label: "allowed"}})));
    let from: Vec<Value> = std::iter::once(modules).chain(labelled).collect();
    let ports: Vec<Value> = ports.iter().map(|port| tcp(*port)).collect();
    json!({"from": from, "ports": ports})
}

fn tcp(port: u16) -> Value {
    json!({"protocol": "TCP", "port": port})
}
