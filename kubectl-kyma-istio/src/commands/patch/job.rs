//! The Job of documents 000 and 001: the same command inside the cluster, with the rights that it needs and no more.

use serde_json::{Value, json};

use crate::cli::Patch;
use crate::report::{Body, Rendered, Report};

/// As the documents name it.
const NAME: &str = "istio-kyma-patch";
const NAMESPACE: &str = "istio-system";

/// Account, rights, Job.
pub fn manifests(arguments: &Patch, image: &str) -> Report {
    let only_judges = arguments.verify_only;
    let labels = json!({ "app": NAME });
    let named = json!({ "name": NAME, "labels": labels });
    let placed = json!({ "name": NAME, "namespace": NAMESPACE, "labels": labels });
    let subject = json!([{ "kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE }]);
    let rbac = "rbac.authorization.k8s.io/v1";
    let role =
        |kind: &str| json!({ "apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": NAME });
    let mut objects = vec![
        json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": placed }),
        json!({ "apiVersion": rbac, "kind": "ClusterRole", "metadata": named, "rules": wide(only_judges) }),
        json!({ "apiVersion": rbac, "kind": "ClusterRoleBinding", "metadata": named, "roleRef": role("ClusterRole"), "subjects": subject }),
    ];
    if !only_judges {
        objects.extend([
            json!({ "apiVersion": rbac, "kind": "Role", "metadata": placed, "rules": inside() }),
            json!({ "apiVersion": rbac, "kind": "RoleBinding", "metadata": placed, "roleRef": role("Role"), "subjects": subject }),
        ]);
    }
    let pod = json!({
        "serviceAccountName": NAME, "restartPolicy": "Never",
        "securityContext": { "runAsNonRoot": true, "seccompProfile": { "type": "RuntimeDefault" } },
        "containers": [{
            "name": "patch", "image": image, "args": command(arguments),
            "resources": { "requests": { "cpu": "10m", "memory": "32Mi" }, "limits": { "memory": "256Mi" } },
            "securityContext": { "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": { "drop": ["ALL"] } },
        }],
    });
    let template = json!({
        "metadata": { "labels": { "app": NAME, "sidecar.istio.io/inject": "false" } },
        "spec": pod,
    });
    objects.push(json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": placed,
        "spec": { "backoffLimit": 0, "template": template },
    }));
    Report::new(
        match arguments.output.form {
            crate::cli::Form::Json => crate::cli::Form::Json,
            _ => crate::cli::Form::Yaml,
        },
        Body::Rendered(Rendered {
            manifests: String::new(),
            before: objects,
            behind: Vec::new(),
        }),
    )
}

/// The flags that make sense inside the cluster. A certificate from files stays here: make its Secret first.
fn command(arguments: &Patch) -> Vec<String> {
    let mut words = vec!["patch".to_owned()];
    if arguments.verify_only {
        words.push("--verify-only".to_owned());
    } else {
        words.push("--yes".to_owned());
        words.push(format!("--memory-limit={}", arguments.memory_limit));
        words.extend(
            arguments
                .domain
                .iter()
                .map(|domain| format!("--domain={domain}")),
        );
        words.extend(arguments.delete_data.then(|| "--delete-data".to_owned()));
        words.extend(arguments.skip_verify.then(|| "--skip-verify".to_owned()));
    }
    let version = arguments.istio_version.iter();
    words.extend(version.map(|version| format!("--istio-version={version}")));
    words
}

/// What is looked at, and what is asked by dry runs.
fn wide(only_judges: bool) -> Value {
    let rule = |groups: &[&str], resources: &[&str], verbs: &[&str]| json!({ "apiGroups": groups, "resources": resources, "verbs": verbs });
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
        // Dry runs need the right to do it.
        rule(&[""], &["pods"], &["create"]),
        rule(
            &["security.istio.io"],
            &["authorizationpolicies", "requestauthentications"],
            &["create"],
        ),
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
    json!(rules)
}

/// What is changed and removed in `istio-system`.
fn inside() -> Value {
    let rule = |groups: &[&str], resources: &[&str], verbs: &[&str]| json!({ "apiGroups": groups, "resources": resources, "verbs": verbs });
    json!([
        rule(&[""], &["configmaps"], &["patch", "delete"]),
        // No Secret of another namespace is ever seen.
        rule(
            &[""],
            &["secrets"],
            &["get", "list", "create", "patch", "delete"]
        ),
        rule(
            &["coordination.k8s.io"],
            &["leases"],
            &["create", "update", "delete"]
        ),
        rule(
            &[""],
            &[
                "services",
                "serviceaccounts",
                "persistentvolumeclaims",
                "pods"
            ],
            &["delete"]
        ),
        rule(
            &["apps"],
            &["deployments", "daemonsets", "statefulsets", "replicasets"],
            &["delete"]
        ),
        rule(&["batch"], &["jobs", "cronjobs"], &["delete"]),
        rule(&["autoscaling"], &["horizontalpodautoscalers"], &["delete"]),
        rule(
            &["networking.k8s.io"],
            &["ingresses", "networkpolicies"],
            &["delete"]
        ),
        rule(
            &["rbac.authorization.k8s.io"],
            &["roles", "rolebindings"],
            &["delete"]
        ),
    ])
}
