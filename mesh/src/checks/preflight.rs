//! Before an installation: would it work here?

use super::{Expected, List};
use crate::codes::Code;
use crate::observed::{KYMA_MANAGER, KYMA_SYSTEM, Observed, Version};
use crate::plan;

/// A right, and whether the user has it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Right {
    /// `create`.
    pub verb: String,
    /// `deployments.apps`; the plural alone for the core group.
    pub resource: String,
    /// What the access review answered.
    pub allowed: bool,
}

/// Verb, API group and resource of every right that an installation needs.
pub const RIGHTS: [(&str, &str, &str); 24] = [
    ("patch", "", "namespaces"),
    ("patch", "", "configmaps"),
    ("patch", "", "services"),
    ("patch", "", "serviceaccounts"),
    ("list", "", "pods"),
    ("list", "", "nodes"),
    ("list", "", "events"),
    ("patch", "apps", "deployments"),
    ("patch", "apps", "daemonsets"),
    ("patch", "autoscaling", "horizontalpodautoscalers"),
    ("patch", "policy", "poddisruptionbudgets"),
    ("patch", "scheduling.k8s.io", "priorityclasses"),
    ("patch", "rbac.authorization.k8s.io", "clusterroles"),
    ("patch", "rbac.authorization.k8s.io", "clusterrolebindings"),
    ("patch", "rbac.authorization.k8s.io", "roles"),
    ("patch", "rbac.authorization.k8s.io", "rolebindings"),
    ("patch", "apiextensions.k8s.io", "customresourcedefinitions"),
    (
        "patch",
        "admissionregistration.k8s.io",
        "mutatingwebhookconfigurations",
    ),
    (
        "patch",
        "admissionregistration.k8s.io",
        "validatingwebhookconfigurations",
    ),
    ("patch", "security.istio.io", "peerauthentications"),
    // The Lease that keeps two commands apart.
    ("list", "coordination.k8s.io", "leases"),
    ("get", "coordination.k8s.io", "leases"),
    ("create", "coordination.k8s.io", "leases"),
    ("update", "coordination.k8s.io", "leases"),
];

pub(super) fn check(observed: &Observed, expected: &Expected, list: &mut List<'_>) {
    kubernetes(observed, expected, list);
    rights(expected, list);
    crds(observed, expected, list);
    whose(observed, list);
    list.ok(Code::Capacity, expected.profile.clone());
    list.ok(Code::Provider, expected.provider.clone());
    for denied in &observed.forbidden {
        list.warning(
            Code::Unreadable,
            format!("`{denied}` is forbidden; what needs it is not judged"),
            "grant the right, or use an administrator's context",
        );
    }
    list.ok_unless_found(Code::Unreadable, "everything that is judged can be read");
    mode(observed, list);
}

fn kubernetes(observed: &Observed, expected: &Expected, list: &mut List<'_>) {
    let least = expected.kubernetes;
    match observed.server {
        None => list.warning(
            Code::KubernetesVersion,
            "the API server doesn't tell its version",
            format!("make sure that it is {least} at least"),
        ),
        Some(found) if found < least => {
            list.error(
                Code::KubernetesVersion,
                format!("Kubernetes {found}, expected {least} at least"),
                "upgrade the cluster",
            );
        }
        Some(found) => list.ok(
            Code::KubernetesVersion,
            format!("Kubernetes {found}, at least {least}"),
        ),
    }
}

fn rights(expected: &Expected, list: &mut List<'_>) {
    for right in expected.rights.iter().filter(|right| !right.allowed) {
        list.error(
            Code::Rights,
            format!("no right to {} {}", right.verb, right.resource),
            "ask for it, or use an administrator's context",
        );
    }
    match expected.rights.len() {
        0 => list.warning(
            Code::Rights,
            "rights were not asked about",
            "the API server answered no access review",
        ),
        n => list.ok_unless_found(
            Code::Rights,
            format!("all {n} rights that an installation needs"),
        ),
    }
}

fn crds(observed: &Observed, expected: &Expected, list: &mut List<'_>) {
    for crd in &observed.crds {
        let label = crd
            .metadata
            .labels
            .as_ref()
            .and_then(|labels| labels.get("operator.istio.io/version"));
        if let Some(by) = label
            .and_then(|label| Version::parse(label))
            .filter(|by| *by > expected.version)
        {
            let name = crd.metadata.name.as_deref().unwrap_or_default();
            let what = format!(
                "CustomResourceDefinition {name} was installed by Istio {by}, expected {} at most",
                expected.version
            );
            list.error(Code::CrdVersions, what, "use that version, or a newer one");
        }
    }
    list.ok_unless_found(
        Code::CrdVersions,
        format!("no CRDs of an Istio newer than {}", expected.version),
    );
}

fn whose(observed: &Observed, list: &mut List<'_>) {
    match observed.control_planes().first() {
        None => list.ok(Code::ForeignControlPlane, "no Istio is installed"),
        Some(_) if plan::is_ours(observed) => list.ok(
            Code::ForeignControlPlane,
            "Istio was installed by us or by Kyma's module",
        ),
        Some(plane) => list.warning(
            Code::ForeignControlPlane,
            format!("{plane} was installed by neither this plugin nor Kyma's module"),
            "judge it with `verify`, or take it over with `install --take-ownership`",
        ),
    }
    match &observed.kyma_manager {
        Some(_) => list.ok(Code::Manager, format!("Kyma's operator ({KYMA_SYSTEM}/{KYMA_MANAGER}) manages Istio; only its custom resource is edited")),
        None => list.ok(Code::Manager, "no Kyma operator for Istio; this plugin does the work"),
    }
}

fn mode(observed: &Observed, list: &mut List<'_>) {
    for plane in observed
        .control_planes()
        .iter()
        .filter(|plane| plane.revision != "default")
    {
        let what = format!("{plane} has revision `{}`", plane.revision);
        list.warning(
            Code::DataPlaneMode,
            what,
            "Kyma upgrades in place; keep managing revisions with istioctl",
        );
    }
    if observed.is_ambient() {
        list.warning(
            Code::DataPlaneMode,
            "the mesh is ambient",
            "Kyma uses sidecars; the two are not mixed",
        );
    }
    list.ok_unless_found(Code::DataPlaneMode, "no revisions and no ambient mode");
}
