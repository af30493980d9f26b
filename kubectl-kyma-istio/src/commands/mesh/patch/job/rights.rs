//! The rights of the Job: what `patch` and `verify` read, what they change, and what they ask by dry runs.

use mesh::observed::KYMA_SYSTEM;
use serde_json::{Value, json};

/// Where the pod of a dry run stands: Kyma's own namespace, or, where injection is on nowhere, `default`.
pub const PROBED: [&str; 2] = [KYMA_SYSTEM, "default"];

/// What is looked at, and the webhooks.
pub fn wide(only_judges: bool) -> Vec<Value> {
    let look = ["get", "list"];
    let mut rules = vec![
        rule(
            &[""],
            &[
                "nodes",
                "namespaces",
                "pods",
                "services",
                "configmaps",
                "serviceaccounts",
                "resourcequotas",
                "persistentvolumeclaims",
            ],
            &look,
        ),
        rule(
            &["apps"],
            &["deployments", "daemonsets", "statefulsets", "replicasets"],
            &look,
        ),
        rule(&["batch"], &["jobs", "cronjobs"], &look),
        rule(&["autoscaling"], &["horizontalpodautoscalers"], &look),
        rule(&["policy"], &["poddisruptionbudgets"], &look),
        rule(
            &["networking.k8s.io"],
            &["ingresses", "networkpolicies"],
            &look,
        ),
        rule(&["scheduling.k8s.io"], &["priorityclasses"], &look),
        rule(&["coordination.k8s.io"], &["leases"], &look),
        rule(
            &["rbac.authorization.k8s.io"],
            &[
                "roles",
                "rolebindings",
                "clusterroles",
                "clusterrolebindings",
            ],
            &look,
        ),
        rule(
            &["admissionregistration.k8s.io"],
            &[
                "mutatingwebhookconfigurations",
                "validatingwebhookconfigurations",
            ],
            &look,
        ),
        rule(
            &["apiextensions.k8s.io"],
            &["customresourcedefinitions"],
            &look,
        ),
        rule(
            &[
                "security.istio.io",
                "networking.istio.io",
                "telemetry.istio.io",
                "extensions.istio.io",
                "authentication.istio.io",
                "operator.kyma-project.io",
                "installer.kyma-project.io",
            ],
            &["*"],
            &look,
        ),
        // Proxies are asked whether they run their header policy, wherever they are. A WebSocket is asked for by GET; servers
        // from 1.35 on want the second right as well.
        rule(&[""], &["pods/portforward"], &["get", "create"]),
    ];
    if !only_judges {
        rules.push(rule(
            &["admissionregistration.k8s.io"],
            &[
                "mutatingwebhookconfigurations",
                "validatingwebhookconfigurations",
            ],
            &["create", "patch"],
        ));
    }
    rules
}

/// For the dry run of a pod; where the Lease of the mesh stands, for that too.
pub fn probed(namespace: &str, only_judges: bool) -> Vec<Value> {
    let mut rules = vec![rule(&[""], &["pods"], &["create"])];
    if namespace == "default" && !only_judges {
        rules.push(rule(
            &["coordination.k8s.io"],
            &["leases"],
            &["create", "update", "delete"],
        ));
    }
    rules
}

/// What is changed and removed in `istio-system`, and the dry run of a policy.
pub fn inside(only_judges: bool) -> Vec<Value> {
    let policy = rule(
        &["security.istio.io"],
        &["authorizationpolicies"],
        &["create"],
    );
    if only_judges {
        return vec![policy];
    }
    vec![
        rule(&[""], &["configmaps"], &["patch", "delete"]),
        policy,
        // No Secret of another namespace is ever seen.
        rule(
            &[""],
            &["secrets"],
            &["get", "list", "create", "patch", "delete"],
        ),
        rule(
            &[""],
            &[
                "services",
                "serviceaccounts",
                "persistentvolumeclaims",
                "pods",
            ],
            &["delete"],
        ),
        rule(
            &["apps"],
            &["deployments", "daemonsets", "statefulsets", "replicasets"],
            &["delete"],
        ),
        rule(&["batch"], &["jobs", "cronjobs"], &["delete"]),
        rule(&["autoscaling"], &["horizontalpodautoscalers"], &["delete"]),
        rule(
            &["networking.k8s.io"],
            &["ingresses", "networkpolicies"],
            &["delete"],
        ),
        rule(
            &["rbac.authorization.k8s.io"],
            &["roles", "rolebindings"],
            &["delete"],
        ),
    ]
}

fn rule(groups: &[&str], resources: &[&str], verbs: &[&str]) -> Value {
    json!({ "apiGroups": groups, "resources": resources, "verbs": verbs })
}
