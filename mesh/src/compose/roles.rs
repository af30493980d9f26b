//! The ClusterRoles that Kubernetes adds to its own `view` and `edit`, so that whoever has those may read or write Istio's resources
//! too. Names and rules are those of Kyma's module (kyma-project/istio, `config/rbac`, 2026-08-21).

use serde_json::{Value, json};

const READ: [&str; 3] = ["get", "list", "watch"];
const WRITE: [&str; 5] = ["create", "update", "patch", "delete", "deletecollection"];
/// The group of the `Istio` custom resource.
const KYMA: &str = "operator.kyma-project.io";
/// Groups of Istio. Some have no resources any more; a rule about them grants nothing.
const ISTIO: [&str; 8] = [
    "networking.istio.io",
    "authentication.istio.io",
    "config.istio.io",
    "extensions.istio.io",
    "install.istio.io",
    "security.istio.io",
    "telemetry.istio.io",
    "rbac.istio.io",
];

/// All four.
pub(super) fn all() -> Vec<Value> {
    let everything: Vec<&str> = READ.into_iter().chain(WRITE).collect();
    let resource = |verbs: &[&str]| {
        json!([
            {"apiGroups": [KYMA], "resources": ["istios"], "verbs": verbs},
            {"apiGroups": [KYMA], "resources": ["istios/status"], "verbs": ["get"]},
        ])
    };
    let resources =
        |verbs: &[&str]| json!([{"apiGroups": ISTIO, "resources": ["*"], "verbs": verbs}]);
    vec![
        role("kyma-istio-view", "view", resource(&READ)),
        role("kyma-istio-edit", "edit", resource(&everything)),
        role("kyma-istio-resources-view", "view", resources(&READ)),
        role("kyma-istio-resources-edit", "edit", resources(&everything)),
    ]
}

/// `of` is the role of Kubernetes that gets the rules.
fn role(name: &str, of: &str, rules: Value) -> Value {
    let aggregate = format!("rbac.authorization.k8s.io/aggregate-to-{of}");
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name, "labels": {aggregate: "true"}},
        "rules": rules,
    })
}
