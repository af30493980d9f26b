//! Cloud providers: how one is recognised by its nodes, and what Istio needs on it.

use std::fmt;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Value, json};

/// Where the cluster runs, as far as Istio must know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Provider {
    /// k3s in containers.
    K3d,
    /// Kubernetes in containers.
    Kind,
    /// Google's managed Kubernetes.
    Gke,
    /// Amazon, with the load balancer of the ingress gateway.
    Aws(AwsLoadBalancer),
    /// OpenStack; on Garden Linux nodes the load balancer must be told to speak the PROXY protocol.
    OpenStack {
        /// Whether the nodes run Garden Linux.
        garden_linux: bool,
    },
    /// Microsoft's cloud: nothing to change.
    Azure,
    /// Anything else: nothing to change.
    Other,
}

/// A load balancer of AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AwsLoadBalancer {
    /// A network load balancer, the default.
    Nlb,
    /// A network load balancer with IPv4 and IPv6: the client's address comes by the PROXY protocol.
    NlbDualStack,
    /// A classic one, where the ConfigMap `istio-system/elb-deprecated` asks for it.
    Elb,
}

/// What a node says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeInfo {
    /// `status.nodeInfo.kubeletVersion`.
    pub kubelet_version: String,
    /// `spec.providerID`.
    pub provider_id: String,
    /// `status.nodeInfo.osImage`.
    pub os_image: String,
}

/// What of AWS can't be seen on a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AwsHints {
    /// The ConfigMap `istio-system/elb-deprecated` exists.
    pub elb_deprecated: bool,
    /// The Service of the ingress gateway has a network load balancer already.
    pub gateway_has_nlb: bool,
    /// The cluster has IPv4 and IPv6.
    pub dual_stack: bool,
}

impl Provider {
    /// The provider of the first node that tells one, and why.
    #[must_use]
    pub fn detect(nodes: &[NodeInfo], aws: AwsHints) -> (Self, String) {
        let garden_linux = nodes.iter().any(|node| node.os_image.contains("Garden"));
        for node in nodes {
            if let Some(found) = of_node(node, garden_linux, aws) {
                return found;
            }
        }
        (
            Self::Other,
            "no node has a kubelet version or provider id that asks for changes".to_owned(),
        )
    }

    /// Whether clients' addresses come by the PROXY protocol.
    #[must_use]
    pub fn speaks_proxy_protocol(self) -> bool {
        matches!(
            self,
            Self::Aws(AwsLoadBalancer::Elb | AwsLoadBalancer::NlbDualStack)
                | Self::OpenStack { .. }
        )
    }

    /// What the provider changes in the spec of an `IstioOperator`.
    pub(crate) fn spec(self) -> Value {
        const AWS: &str = "service.beta.kubernetes.io/aws-load-balancer";
        let annotations = |pairs: &[(&str, &str)]| {
            let annotations: serde_json::Map<_, _> = pairs
                .iter()
                .map(|(key, value)| (format!("{AWS}-{key}"), json!(value)))
                .collect();
            service_annotations(json!(annotations))
        };
        match self {
            Self::K3d => json!({"values": {"cni": {
                "cniBinDir": "/var/lib/rancher/k3s/data/cni",
                "cniConfDir": "/var/lib/rancher/k3s/agent/etc/cni/net.d",
            }}}),
            Self::Gke => {
                json!({"values": {"cni": {"cniBinDir": "/home/kubernetes/bin", "resourceQuotas": {"enabled": true}}}})
            }
            Self::Aws(AwsLoadBalancer::Nlb) => annotations(&[
                ("type", "nlb"),
                ("scheme", "internet-facing"),
                ("nlb-target-type", "instance"),
            ]),
            Self::Aws(AwsLoadBalancer::NlbDualStack) => annotations(&[
                ("type", "external"),
                ("scheme", "internet-facing"),
                ("nlb-target-type", "instance"),
                ("proxy-protocol", "*"),
            ]),
            Self::Aws(AwsLoadBalancer::Elb) => {
                annotations(&[("proxy-protocol", "*"), ("connection-idle-timeout", "4000")])
            }
            Self::OpenStack { garden_linux: true } => {
                service_annotations(json!({"loadbalancer.openstack.org/proxy-protocol": "v1"}))
            }
            Self::OpenStack {
                garden_linux: false,
            }
            | Self::Kind
            | Self::Azure
            | Self::Other => json!({}),
        }
    }
}

fn service_annotations(annotations: Value) -> Value {
    json!({"components": {"ingressGateways": [{"name": "istio-ingressgateway", "k8s": {"serviceAnnotations": annotations}}]}})
}

fn of_node(node: &NodeInfo, garden_linux: bool, aws: AwsHints) -> Option<(Provider, String)> {
    static K3S: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"^v\d+\.\d+\.\d+\+k3s\d+$").ok());
    static GKE: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"^v\d+\.\d+\.\d+-gke\.\d+$").ok());
    let kubelet = |pattern: &Option<Regex>| {
        pattern
            .as_ref()
            .is_some_and(|pattern| pattern.is_match(&node.kubelet_version))
    };
    let id = node.provider_id.to_lowercase();
    let provider = if kubelet(&K3S) {
        Provider::K3d
    } else if kubelet(&GKE) {
        Provider::Gke
    } else if id.starts_with("aws://") {
        Provider::Aws(balancer(aws))
    } else if id.starts_with("openstack://") {
        Provider::OpenStack { garden_linux }
    } else if id.starts_with("kind://") {
        Provider::Kind
    } else if id.starts_with("azure://") {
        Provider::Azure
    } else {
        return None;
    };
    let why = match provider {
        Provider::K3d | Provider::Gke => format!("kubelet version `{}`", node.kubelet_version),
        _ => format!("provider id `{}`", node.provider_id),
    };
    Some((provider, why))
}

fn balancer(aws: AwsHints) -> AwsLoadBalancer {
    match aws {
        AwsHints {
            elb_deprecated: true,
            gateway_has_nlb: false,
            ..
        } => AwsLoadBalancer::Elb,
        AwsHints {
            dual_stack: true, ..
        } => AwsLoadBalancer::NlbDualStack,
        AwsHints { .. } => AwsLoadBalancer::Nlb,
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::K3d => "k3d",
            Self::Kind => "kind",
            Self::Gke => "GKE",
            Self::Aws(AwsLoadBalancer::Nlb) => "AWS (NLB)",
            Self::Aws(AwsLoadBalancer::NlbDualStack) => "AWS (NLB, dual stack)",
            Self::Aws(AwsLoadBalancer::Elb) => "AWS (ELB)",
            Self::OpenStack { garden_linux: true } => "OpenStack (Garden Linux)",
            Self::OpenStack {
                garden_linux: false,
            } => "OpenStack",
            Self::Azure => "Azure",
            Self::Other => "other",
        })
    }
}
