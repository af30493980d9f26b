//! What Kyma asks of a cluster besides what istioctl renders: mTLS, namespaces, priority, roles, the PROXY protocol, NetworkPolicies.

use serde_json::{Value, json};

use crate::observed::{SETTINGS, SETTINGS_PROFILE, SETTINGS_RESOURCE};

use super::{
    ISTIO_SYSTEM, Injection, Inputs, MANAGED_BY, PRIORITY_CLASS, Profile, network_policies, roles,
    settings,
};

/// The value of `istio-kyma-priority`: above workloads, far below the system's own classes.
const PRIORITY: i64 = 2_100_000;

/// Own resources, in the order in which they can be applied; CRDs of Istio come before the last ones.
#[must_use]
pub fn extras(inputs: &Inputs) -> Vec<Value> {
    let mut objects = vec![
        istio_system(inputs),
        kyma_system(),
        priority_class(),
        mtls(),
    ];
    objects.extend(roles::all());
    if inputs.provider.speaks_proxy_protocol() {
        objects.push(proxy_protocol());
    }
    if inputs.cr.spec.network_policies_enabled {
        objects.extend(network_policies::all(
            inputs.settings.api_server_port,
            &served(inputs),
        ));
    }
    objects.into_iter().map(marked).collect()
}

/// What was asked for, so that the next command wants the same without being told again. The custom resource is the text of
/// one as JSON: where the cluster has its CRD, the cluster's own counts.
#[must_use]
pub fn remembered(profile: Profile, custom_resource: Option<&str>) -> Value {
    let mut data = json!({ SETTINGS_PROFILE: profile.to_string() });
    if let Some(text) = custom_resource {
        data[SETTINGS_RESOURCE] = json!(text);
    }
    marked(json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": SETTINGS, "namespace": ISTIO_SYSTEM },
        "data": data,
    }))
}

/// What the ingress gateway's pods listen on for clients and health checks.
fn served(inputs: &Inputs) -> Vec<u16> {
    let ports = settings::gateway_ports(&inputs.settings, inputs.profile);
    ports.iter().map(|port| port.target).collect()
}

/// Adds the labels and the annotation that every resource of ours has; what is there already stays.
fn marked(mut object: Value) -> Value {
    let labels = [
        ("app.kubernetes.io/component", "operator"),
        ("app.kubernetes.io/instance", "istio-operator-default"),
        ("app.kubernetes.io/managed-by", MANAGED_BY),
        ("app.kubernetes.io/name", "istio-operator"),
        ("app.kubernetes.io/part-of", "istio"),
        ("app.kubernetes.io/version", env!("CARGO_PKG_VERSION")),
        ("kyma-project.io/module", "istio"),
    ];
    for (key, value) in labels {
        if object["metadata"]["labels"][key].is_null() {
            object["metadata"]["labels"][key] = json!(value);
        }
    }
    object["metadata"]["annotations"]["istios.operator.kyma-project.io/managed-by-disclaimer"] =
        json!("DO NOT EDIT - managed by kubectl-kyma-istio, which reverts changes when it runs.");
    object
}

/// Without sidecars where every namespace gets them by default. Warden, where Kyma runs it, checks the signatures of images there.
fn istio_system(inputs: &Inputs) -> Value {
    let mut namespace = json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": ISTIO_SYSTEM, "labels": {
            "namespaces.warden.kyma-project.io/validate": "enabled",
            "operator.kyma-project.io/managed-by": MANAGED_BY,
        }},
    });
    if inputs.settings.injection == Injection::All {
        namespace["metadata"]["labels"]["istio-injection"] = json!("disabled");
    }
    namespace
}

/// The one namespace with sidecars by default.
fn kyma_system() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "kyma-system", "labels": {"istio-injection": "enabled"}},
    })
}

fn priority_class() -> Value {
    json!({
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": PRIORITY_CLASS},
        "value": PRIORITY,
        "globalDefault": false,
        "description": "Istio's control plane and gateways in Kyma",
    })
}

/// The whole mesh takes mTLS only.
fn mtls() -> Value {
    json!({
        "apiVersion": "security.istio.io/v1",
        "kind": "PeerAuthentication",
        "metadata": {"name": "default", "namespace": ISTIO_SYSTEM},
        "spec": {"mtls": {"mode": "STRICT"}},
    })
}

/// The ingress gateway reads the client's address from the PROXY protocol.
fn proxy_protocol() -> Value {
    let kind =
        "type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol";
    json!({
        "apiVersion": "networking.istio.io/v1alpha3",
        "kind": "EnvoyFilter",
        "metadata": {"name": "proxy-protocol", "namespace": ISTIO_SYSTEM},
        "spec": {
            "workloadSelector": {"labels": {"istio": "ingressgateway"}},
            "configPatches": [{
                "applyTo": "LISTENER_FILTER",
                "match": {"context": "GATEWAY"},
                "patch": {
                    "operation": "INSERT_FIRST",
                    "value": {"name": "proxy_protocol", "typed_config": {"@type": kind}},
                },
            }],
        },
    })
}
