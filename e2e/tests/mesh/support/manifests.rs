//! Objects that others bring to a cluster.

use serde_json::{Value, json};

/// Kyma's CRD of its Istio module, as far as the API server needs it: v1alpha2 with a status of its own.
pub fn istio_crd() -> String {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": "istios.operator.kyma-project.io" },
        "spec": {
            "group": "operator.kyma-project.io", "scope": "Namespaced",
            "names": { "kind": "Istio", "listKind": "IstioList", "plural": "istios", "singular": "istio" },
            "versions": [{
                "name": "v1alpha2", "served": true, "storage": true, "subresources": { "status": {} },
                "schema": { "openAPIV3Schema": {
                    "type": "object", "x-kubernetes-preserve-unknown-fields": true,
                } },
            }],
        },
    })
    .to_string()
}

/// An Istio custom resource with this spec, as YAML.
pub fn istio(spec: &str) -> String {
    format!(
        "apiVersion: operator.kyma-project.io/v1alpha2
kind: Istio
metadata:
  name: default
  namespace: kyma-system
spec:{spec}
"
    )
}

pub fn namespace(name: &str, labels: Value) -> String {
    json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name, "labels": labels } }).to_string()
}

/// A Deployment of one pod, and a Service in front of it.
pub fn workload(namespace: &str, name: &str, pod_labels: Value) -> String {
    let mut labels = pod_labels;
    labels["app"] = json!(name);
    let metadata = json!({ "name": name, "namespace": namespace });
    json!({ "apiVersion": "v1", "kind": "List", "items": [
        { "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {
            "selector": { "matchLabels": { "app": name } },
            "template": { "metadata": { "labels": labels }, "spec": { "containers": [{ "name": name, "image": "none" }] } },
        } },
        { "apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {
            "selector": { "app": name }, "ports": [{ "name": "http", "port": 80, "targetPort": 8080 }],
        } },
    ] })
    .to_string()
}
