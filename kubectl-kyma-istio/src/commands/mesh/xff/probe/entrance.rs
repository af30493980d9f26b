//! Where a gateway is reached from outside, as its Service says.

use http::Uri;
use k8s_openapi::api::core::v1::{Node, Pod, Service, ServicePort, ServiceSpec};
use mesh::filter::Selected;
use mesh::observed::Observed;

use crate::error::Error;

/// The URL, and the Service that it comes from.
pub(super) fn find(observed: &Observed, gateways: &[Selected]) -> Result<(Uri, String), Error> {
    let leads = |service: &&Service| {
        let pods = observed.pods.iter();
        let mut pods = pods.filter(|pod| gateways.iter().any(|gateway| is(pod, gateway)));
        pods.any(|pod| selects(service, pod))
    };
    let mut services: Vec<&Service> = observed.services.iter().filter(leads).collect();
    // Istio's own ingress gateway before others.
    services
        .sort_by_key(|service| service.metadata.name.as_deref() != Some("istio-ingressgateway"));
    let found = services
        .into_iter()
        .find_map(|service| Some((entrance(service, &observed.nodes)?, name(service))));
    found.ok_or_else(|| {
        Error::input_hint(
            "found no Service with an address outside the cluster in front of a gateway",
            "name where the gateway answers: `xff probe http://HOST:PORT`",
        )
    })
}

fn entrance(service: &Service, nodes: &[Node]) -> Option<Uri> {
    let spec = service.spec.as_ref()?;
    let port = port(spec)?;
    let ingress = service.status.as_ref()?.load_balancer.as_ref();
    let ingress = ingress.and_then(|balancer| balancer.ingress.as_ref()?.first());
    let balancer = ingress.and_then(|ingress| ingress.ip.clone().or(ingress.hostname.clone()));
    let (host, port) = match balancer {
        Some(host) => (host, port.port),
        None => (nodes.iter().find_map(internal)?, port.node_port?),
    };
    let host = match host.contains(':') {
        true => format!("[{host}]"),
        false => host,
    };
    format!("http://{host}:{port}/").parse().ok()
}

/// The port for plain HTTP.
fn port(spec: &ServiceSpec) -> Option<&ServicePort> {
    let ports = spec.ports.as_deref().unwrap_or_default();
    let is_http = |port: &&ServicePort| {
        let name = port.name.as_deref().unwrap_or_default();
        name.starts_with("http") && !name.starts_with("https")
    };
    let eighty = ports.iter().find(|port| port.port == 80);
    eighty.or_else(|| ports.iter().find(is_http))
}

fn internal(node: &Node) -> Option<String> {
    let addresses = node.status.as_ref()?.addresses.as_ref()?;
    let internal = addresses.iter().find(|one| one.type_ == "InternalIP")?;
    Some(internal.address.clone())
}

fn is(pod: &Pod, proxy: &Selected) -> bool {
    pod.metadata.namespace.as_deref() == Some(&proxy.namespace)
        && pod.metadata.name.as_deref() == Some(&proxy.name)
}

fn selects(service: &Service, pod: &Pod) -> bool {
    let wanted = service
        .spec
        .as_ref()
        .and_then(|spec| spec.selector.as_ref());
    let labels = pod.metadata.labels.as_ref();
    service.metadata.namespace == pod.metadata.namespace
        && wanted.is_some_and(|wanted| {
            wanted
                .iter()
                .all(|(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value))
        })
}

fn name(service: &Service) -> String {
    let kind = service.spec.as_ref().and_then(|spec| spec.type_.clone());
    format!(
        "{} {}/{}",
        kind.unwrap_or_else(|| "Service".to_owned()),
        service.metadata.namespace.as_deref().unwrap_or_default(),
        service.metadata.name.as_deref().unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use mesh::observed::ProxyKind;
    use serde_json::{Value, json};

    use super::*;

    fn observed(kind: &str, ports: Value, ingress: Value) -> Observed {
        let service = json!({"metadata": {"namespace": "istio-system", "name": "gw"},
            "spec": {"type": kind, "selector": {"istio": "ingressgateway"}, "ports": ports},
            "status": {"loadBalancer": {"ingress": ingress}}});
        let pod = json!({"metadata": {"namespace": "istio-system", "name": "gw-1", "labels": {"istio": "ingressgateway", "more": "x"}}});
        let node = json!({"status": {"addresses": [{"type": "Hostname", "address": "n"}, {"type": "InternalIP", "address": "192.0.2.10"}]}});
        Observed {
            services: vec![serde_json::from_value(service).unwrap()],
            pods: vec![serde_json::from_value(pod).unwrap()],
            nodes: vec![serde_json::from_value(node).unwrap()],
            ..Observed::default()
        }
    }

    fn found(observed: &Observed) -> Option<String> {
        let gateway = Selected {
            namespace: "istio-system".to_owned(),
            name: "gw-1".to_owned(),
            kind: ProxyKind::Gateway,
        };
        find(observed, &[gateway])
            .ok()
            .map(|(url, _)| url.to_string())
    }

    #[test]
    fn a_load_balancers_address_goes_before_a_nodes() {
        let ports = json!([{"name": "https", "port": 443, "nodePort": 30443}, {"name": "http2", "port": 80, "nodePort": 30080}]);
        let balanced = observed(
            "LoadBalancer",
            ports.clone(),
            json!([{"ip": "2001:db8::1"}]),
        );
        assert_eq!(
            found(&balanced).as_deref(),
            Some("http://[2001:db8::1]:80/")
        );
        let by_node = observed("NodePort", ports, json!([]));
        assert_eq!(found(&by_node).as_deref(), Some("http://192.0.2.10:30080/"));
    }

    #[test]
    fn a_gateway_without_a_port_outside_is_not_found() {
        let inside = observed(
            "ClusterIP",
            json!([{"name": "http", "port": 80}]),
            json!([]),
        );
        assert_eq!(found(&inside), None);
    }
}
