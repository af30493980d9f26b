//! Settings of ours, where the documents of Kyma's eras differ.

use serde_json::{Value, json};

use super::tree::Tree;
use super::{Profile, Source};

/// Settings of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Which namespaces get sidecars without asking.
    pub injection: Injection,
    /// Where spans go.
    pub tracing: Tracing,
    /// TCP port 31400 on the ingress gateway; unless said, in the evaluation profile only.
    pub port_31400: Option<bool>,
    /// The port of the API server, for NetworkPolicies: the target port `https` of the Service `default/kubernetes`.
    pub api_server_port: u16,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            injection: Injection::Labelled,
            tracing: Tracing::Otlp,
            port_31400: None,
            api_server_port: 443,
        }
    }
}

/// Which namespaces get sidecars without asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Injection {
    /// Only those with the label `istio-injection: enabled`; `kyma-system` is one.
    Labelled,
    /// All but `istio-system` and `kube-system` (Istio leaves out the other namespaces of Kubernetes too).
    All,
}

/// Where spans go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tracing {
    /// To the OTLP service of `kyma-system`, where a Telemetry resource asks for it.
    Otlp,
    /// To Zipkin in `kyma-system`, from every proxy.
    Zipkin,
}

pub(crate) fn lay(tree: &mut Tree, settings: &Settings, profile: Profile) {
    let source = match settings.port_31400 {
        Some(_) => Source::Setting("port-31400"),
        None => Source::Profile(profile),
    };
    let ports: Vec<Value> = gateway_ports(settings, profile)
        .iter()
        .map(Port::value)
        .collect();
    tree.put(
        "components.ingressGateways[name:istio-ingressgateway].k8s.service.ports",
        json!(ports),
        &source,
    );
    if settings.injection == Injection::All {
        let source = Source::Setting("injection");
        tree.put(
            "values.sidecarInjectorWebhook.enableNamespacesByDefault",
            json!(true),
            &source,
        );
    }
    if settings.tracing == Tracing::Zipkin {
        let source = Source::Setting("tracing");
        let zipkin = json!({"name": "kyma-zipkin", "zipkin": {"service": "zipkin.kyma-system.svc.cluster.local", "port": 9411}});
        tree.append("meshConfig.extensionProviders", zipkin, &source);
        tree.put(
            "meshConfig.defaultProviders.tracing",
            json!(["kyma-zipkin"]),
            &source,
        );
        tree.put("meshConfig.enableTracing", json!(true), &source);
    }
}

/// A TCP port of the ingress gateway.
pub(crate) struct Port {
    name: &'static str,
    port: u16,
    /// The port of its pods.
    pub target: u16,
}

impl Port {
    fn value(&self) -> Value {
        json!({"name": self.name, "port": self.port, "targetPort": self.target, "protocol": "TCP"})
    }
}

/// Health, 80, 443, and 31400 where it is wanted.
pub(crate) fn gateway_ports(settings: &Settings, profile: Profile) -> Vec<Port> {
    let port = |name, port, target| Port { name, port, target };
    let mut ports = vec![
        port("status-port", 15021, 15021),
        port("http2", 80, 8080),
        port("https", 443, 8443),
    ];
    if settings
        .port_31400
        .unwrap_or(profile == Profile::Evaluation)
    {
        ports.push(port("tcp", 31400, 31400));
    }
    ports
}
