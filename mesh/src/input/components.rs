//! `spec.components` of the `Istio` CR: replicas, resources and places of the components.

use k8s_openapi::api::core::v1::{NodeAffinity, PodAffinity, PodAntiAffinity};
use schemars::{JsonSchema, Schema, json_schema};
use serde::{Deserialize, Serialize};

use super::spec::unset;

/// Kubernetes settings by component.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Components {
    /// istiod.
    #[serde(skip_serializing_if = "unset")]
    pub pilot: Option<Component>,
    /// `istio-ingressgateway`.
    #[serde(skip_serializing_if = "unset")]
    pub ingress_gateway: Option<Component>,
    /// `istio-egressgateway`.
    #[serde(skip_serializing_if = "unset")]
    pub egress_gateway: Option<EgressGateway>,
    /// `istio-cni-node`.
    #[serde(skip_serializing_if = "unset")]
    pub cni: Option<Cni>,
    /// Every injected sidecar.
    #[serde(skip_serializing_if = "unset")]
    pub proxy: Option<Proxy>,
}

/// A Deployment of the control plane or a gateway.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Component {
    /// Its Kubernetes settings.
    #[schemars(extend("x-expected" = "the component's Kubernetes settings"))]
    pub k8s: Kubernetes,
}

/// The egress gateway, off unless enabled.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct EgressGateway {
    /// Whether it is installed.
    #[serde(skip_serializing_if = "unset")]
    pub enabled: Option<bool>,
    /// Its Kubernetes settings.
    #[serde(skip_serializing_if = "unset")]
    pub k8s: Kubernetes,
}

/// The CNI DaemonSet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cni {
    /// Its Kubernetes settings.
    #[schemars(extend("x-expected" = "the component's Kubernetes settings"))]
    pub k8s: CniKubernetes,
}

/// Every injected sidecar.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Proxy {
    /// Its Kubernetes settings.
    #[schemars(extend("x-expected" = "the component's Kubernetes settings"))]
    pub k8s: ProxyKubernetes,
}

/// Kubernetes settings of a Deployment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Kubernetes {
    /// Its HorizontalPodAutoscaler.
    #[serde(skip_serializing_if = "unset")]
    pub hpa_spec: HpaSpec,
    /// How pods are replaced.
    #[serde(skip_serializing_if = "unset")]
    pub strategy: Strategy,
    /// CPU and memory of its container.
    #[serde(skip_serializing_if = "unset")]
    pub resources: Resources,
}

/// Kubernetes settings of the CNI DaemonSet.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct CniKubernetes {
    /// Where its pods go. Each of the three parts, where given, replaces the profile's.
    #[serde(skip_serializing_if = "unset")]
    pub affinity: Affinity,
    /// CPU and memory of its container.
    #[serde(skip_serializing_if = "unset")]
    pub resources: Resources,
}

/// Kubernetes settings of a sidecar.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct ProxyKubernetes {
    /// CPU and memory of the container.
    #[serde(skip_serializing_if = "unset")]
    pub resources: Resources,
}

/// Replicas. Kubernetes refuses zero in an autoscaler, so we do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct HpaSpec {
    /// The fewest.
    #[serde(skip_serializing_if = "unset")]
    #[schemars(range(min = 1, max = 2_147_483_647))]
    pub min_replicas: Option<i32>,
    /// The most.
    #[serde(skip_serializing_if = "unset")]
    #[schemars(range(min = 1, max = 2_147_483_647))]
    pub max_replicas: Option<i32>,
}

/// How pods are replaced.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Strategy {
    /// Step by step.
    #[serde(skip_serializing_if = "unset")]
    pub rolling_update: RollingUpdate,
}

/// Steps of a rolling update.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct RollingUpdate {
    /// Pods above the wanted number, as a count or as a percentage of it.
    #[serde(skip_serializing_if = "unset")]
    #[schemars(schema_with = "max_surge")]
    pub max_surge: Option<IntOrString>,
    /// Pods that may be missing, as a count or as a percentage.
    #[serde(skip_serializing_if = "unset")]
    #[schemars(schema_with = "max_unavailable")]
    pub max_unavailable: Option<IntOrString>,
}

/// A count or a percentage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum IntOrString {
    /// A count.
    Int(i32),
    /// A percentage, `25%`; a bare number is a count too.
    String(String),
}

/// Where pods go.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Affinity {
    /// To which nodes.
    #[serde(skip_serializing_if = "unset")]
    #[schemars(schema_with = "node_affinity")]
    pub node_affinity: Option<NodeAffinity>,
    /// Near which pods.
    #[serde(skip_serializing_if = "unset")]
    #[schemars(schema_with = "pod_affinity")]
    pub pod_affinity: Option<PodAffinity>,
    /// Away from which pods.
    #[serde(skip_serializing_if = "unset")]
    #[schemars(schema_with = "pod_anti_affinity")]
    pub pod_anti_affinity: Option<PodAntiAffinity>,
}

/// CPU and memory of a container.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Resources {
    /// At most.
    #[serde(skip_serializing_if = "unset")]
    pub limits: Quantities,
    /// At least.
    #[serde(skip_serializing_if = "unset")]
    pub requests: Quantities,
}

/// CPU and memory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Quantities {
    /// CPUs (`0.5`) or thousandths of one (`500m`).
    #[serde(skip_serializing_if = "unset")]
    #[schemars(schema_with = "cpu")]
    pub cpu: Option<String>,
    /// Bytes, with a suffix (`128Mi`).
    #[serde(skip_serializing_if = "unset")]
    #[schemars(schema_with = "memory")]
    pub memory: Option<String>,
}

// The patterns are those of the CRD.

fn max_surge(_: &mut schemars::SchemaGenerator) -> Schema {
    int_or_string("^[0-9]{1,9}%?$", "a count or a percentage such as `25%`")
}

fn max_unavailable(_: &mut schemars::SchemaGenerator) -> Schema {
    int_or_string(
        "^((100|[0-9]{1,2})%|[0-9]{1,9})$",
        "a count or a percentage up to `100%`",
    )
}

fn int_or_string(pattern: &str, expected: &str) -> Schema {
    json_schema!({"anyOf": [
        {"type": "integer", "minimum": 0, "maximum": 2_147_483_647, "x-expected": expected},
        {"type": "string", "pattern": pattern, "x-expected": expected},
    ]})
}

fn cpu(_: &mut schemars::SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "pattern": r"^([0-9]+m?|[0-9]\.[0-9]{1,3})$", "x-expected": "a quantity of CPU such as `500m` or `0.5`"})
}

fn memory(_: &mut schemars::SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "pattern": "^[0-9]+(((\\.[0-9]+)?(E|P|T|G|M|k|Ei|Pi|Ti|Gi|Mi|Ki|m)?)|(e[0-9]+))$",
        "x-expected": "a quantity of memory such as `128Mi`"
    })
}

fn node_affinity(_: &mut schemars::SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "x-check": "node-affinity"})
}

fn pod_affinity(_: &mut schemars::SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "x-check": "pod-affinity"})
}

fn pod_anti_affinity(_: &mut schemars::SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "x-check": "pod-anti-affinity"})
}
