//! What a look at a cluster found: facts, typed where Kubernetes has a type. Not here: what they mean.

mod config;
mod image;
mod injection;
mod mesh;
mod owner;
mod pod;
mod service;

use std::fmt;

use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhookConfiguration, ValidatingWebhookConfiguration,
};
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Node, Pod, Service};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

use crate::object::Object;

pub use image::{Image, Version};
pub(crate) use injection::is_deactivated;
pub use injection::{Injection, is_injector};
pub use mesh::{Component, Form};
pub(crate) use owner::is_applied_by;
pub(crate) use owner::is_default_tag;
pub use owner::{ISTIOCTL_MANAGER, is_proved_ours};
pub use pod::{Owner, Proxy, ProxyKind, is_ready, is_under_way, owner, proxy};
pub use service::service_name;

/// Istio's root namespace.
pub const ISTIO_SYSTEM: &str = "istio-system";
/// The namespace of Kyma's own workloads and of the `Istio` custom resource.
pub const KYMA_SYSTEM: &str = "kyma-system";
/// The Deployment of Kyma's own Istio operator, in [`KYMA_SYSTEM`].
pub const KYMA_MANAGER: &str = "istio-controller-manager";
/// The ConfigMap of [`ISTIO_SYSTEM`] that keeps what the last installation was asked for.
pub const SETTINGS: &str = "istio-kyma-settings";
/// The key of [`SETTINGS`] with the profile's name.
pub const SETTINGS_PROFILE: &str = "profile";
/// The key of [`SETTINGS`] with the Istio custom resource, as JSON.
pub const SETTINGS_RESOURCE: &str = "istio.json";
/// ConfigMaps that istiod writes into every namespace: its root certificate, and what it revoked.
pub const ISTIODS: [&str; 2] = ["istio-ca-root-cert", "istio-ca-crl"];
/// The label that says whose object it is; its value when it is ours is [`MANAGED_BY`].
pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";
/// Our value of [`MANAGED_BY_LABEL`], and our field manager.
pub const MANAGED_BY: &str = "kubectl-kyma-istio";
/// The label that `istioctl` puts on everything that it renders; its value is the component.
pub const COMPONENT_LABEL: &str = "operator.istio.io/component";

/// A kind whose objects are pruned when they are ours and no longer wanted. CRDs are not among them: with a CRD go all
/// its resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prunable {
    /// `group/version`, or the version alone for the core group.
    pub api_version: &'static str,
    /// `Deployment`.
    pub kind: &'static str,
    /// `deployments`.
    pub plural: &'static str,
}

/// Every kind that is pruned. [`Observed::owned`] holds their objects as far as they are [proved ours](is_proved_ours). A kind that the server doesn't serve is no error.
pub const PRUNABLE: [Prunable; 20] = [
    prunable("v1", "ConfigMap", "configmaps"),
    prunable("v1", "Secret", "secrets"),
    prunable("v1", "Service", "services"),
    prunable("v1", "ServiceAccount", "serviceaccounts"),
    prunable("v1", "ResourceQuota", "resourcequotas"),
    prunable("apps/v1", "Deployment", "deployments"),
    prunable("apps/v1", "DaemonSet", "daemonsets"),
    prunable(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
    ),
    prunable("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    prunable("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
    prunable("rbac.authorization.k8s.io/v1", "Role", "roles"),
    prunable(
        "rbac.authorization.k8s.io/v1",
        "RoleBinding",
        "rolebindings",
    ),
    prunable(
        "rbac.authorization.k8s.io/v1",
        "ClusterRole",
        "clusterroles",
    ),
    prunable(
        "rbac.authorization.k8s.io/v1",
        "ClusterRoleBinding",
        "clusterrolebindings",
    ),
    prunable(
        "admissionregistration.k8s.io/v1",
        "MutatingWebhookConfiguration",
        "mutatingwebhookconfigurations",
    ),
    prunable(
        "admissionregistration.k8s.io/v1",
        "ValidatingWebhookConfiguration",
        "validatingwebhookconfigurations",
    ),
    prunable("scheduling.k8s.io/v1", "PriorityClass", "priorityclasses"),
    prunable(
        "security.istio.io/v1",
        "PeerAuthentication",
        "peerauthentications",
    ),
    prunable(
        "networking.istio.io/v1alpha3",
        "EnvoyFilter",
        "envoyfilters",
    ),
    prunable("telemetry.istio.io/v1", "Telemetry", "telemetries"),
];

/// What was found. An empty list means "none there", unless [`Observed::forbidden`] names the resource.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    /// The API server's version.
    pub server: Option<ServerVersion>,
    /// All nodes.
    pub nodes: Vec<Node>,
    /// All namespaces.
    pub namespaces: Vec<Namespace>,
    /// The pods of all namespaces.
    pub pods: Vec<Pod>,
    /// Deployments of all namespaces; those that are neither control plane nor gateway may be left out.
    pub deployments: Vec<Deployment>,
    /// DaemonSets of the root namespace and of `kube-system` (CNI, ztunnel).
    pub daemon_sets: Vec<DaemonSet>,
    /// The services of all namespaces.
    pub services: Vec<Service>,
    /// `istio*` of the root namespace.
    pub config_maps: Vec<ConfigMap>,
    /// All of the cluster.
    pub mutating_webhooks: Vec<MutatingWebhookConfiguration>,
    /// All of the cluster.
    pub validating_webhooks: Vec<ValidatingWebhookConfiguration>,
    /// Those of the groups `*.istio.io` and `operator.kyma-project.io`.
    pub crds: Vec<CustomResourceDefinition>,
    /// `security.istio.io`, all namespaces.
    pub peer_authentications: Vec<Object>,
    /// `networking.istio.io`, all namespaces.
    pub destination_rules: Vec<Object>,
    /// `security.istio.io`, all namespaces.
    pub request_authentications: Vec<Object>,
    /// `security.istio.io`, all namespaces.
    pub authorization_policies: Vec<Object>,
    /// `extensions.istio.io`, all namespaces.
    pub wasm_plugins: Vec<Object>,
    /// Legacy: `meshpolicies.authentication.istio.io`.
    pub mesh_policies: Vec<Object>,
    /// Legacy: `policies.authentication.istio.io`, all namespaces.
    pub legacy_policies: Vec<Object>,
    /// Those of the root namespace.
    pub autoscalers: Vec<HorizontalPodAutoscaler>,
    /// Kyma's `Istio` custom resources, all namespaces.
    pub istio_crs: Vec<Object>,
    /// Legacy: Kyma's `Installation` custom resources.
    pub installations: Vec<Object>,
    /// Deployment `kyma-system/istio-controller-manager`: Kyma's own operator.
    pub kyma_manager: Option<Deployment>,
    /// Leases of `kyma-system` and the root namespace.
    pub leases: Vec<Lease>,
    /// Objects of [`PRUNABLE`] kinds that are ours to delete ([`is_proved_ours`]).
    pub owned: Vec<Object>,
    /// What could not be read.
    pub forbidden: Vec<Forbidden>,
}

/// A second look, for an uninstallation: what would go with Istio, and what would be left.
#[derive(Debug, Clone, Default)]
pub struct Contents {
    /// Every custom resource of every CRD of `*.istio.io`, all namespaces.
    pub custom_resources: Vec<Object>,
    /// What stands in the root namespace and is owned by nothing else.
    pub root: Vec<Object>,
    /// The root certificates that istiod writes into every namespace.
    pub certificates: Vec<Object>,
    /// What says that it is part of Istio, but not that istioctl or we made it.
    pub parts: Vec<Object>,
    /// What could not be read.
    pub forbidden: Vec<Forbidden>,
}

/// The API server's version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct ServerVersion {
    /// 1.
    pub major: u32,
    /// 33.
    pub minor: u32,
}

/// A request that the cluster refused with 403.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Forbidden {
    /// `list`.
    pub verb: String,
    /// `peerauthentications.security.istio.io`; the plural alone for the core group.
    pub resource: String,
}

/// The answer to a question that was asked by a dry run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeResult {
    /// It is so.
    Yes {
        /// What the cluster answered.
        evidence: String,
    },
    /// It is not so.
    No {
        /// What the cluster answered.
        evidence: String,
    },
    /// It could not be asked, or the answer says nothing.
    Unproved {
        /// Why.
        why: String,
    },
}

/// Answers to questions that need a dry run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probes {
    /// Was an invalid `AuthorizationPolicy` refused by Istio's validating webhook?
    pub invalid_policy_refused: ProbeResult,
    /// Did a pod in a namespace with injection get an `istio-proxy`?
    pub pod_injected: ProbeResult,
    /// Does every proxy run our filter, and none the stub that lets everything pass? Asked only where a `WasmPlugin` of
    /// ours exists.
    pub filter_enforced: ProbeResult,
}

impl Observed {
    /// True when `resource` (as in [`Forbidden::resource`]) could not be read, so that its empty list proves nothing.
    #[must_use]
    pub fn is_forbidden(&self, resource: &str) -> bool {
        self.forbidden
            .iter()
            .any(|denied| denied.resource == resource)
    }
}

impl Probes {
    /// Nothing was asked.
    #[must_use]
    pub fn unproved(why: &str) -> Self {
        let unproved = || ProbeResult::Unproved {
            why: why.to_owned(),
        };
        Self {
            invalid_policy_refused: unproved(),
            pod_injected: unproved(),
            filter_enforced: unproved(),
        }
    }
}

impl fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)
    }
}

const fn prunable(api_version: &'static str, kind: &'static str, plural: &'static str) -> Prunable {
    Prunable {
        api_version,
        kind,
        plural,
    }
}
