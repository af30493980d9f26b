//! Which proxies a plugin selects.

use k8s_openapi::api::core::v1::Pod;

use super::plugin::Side;
use super::target::Select;
use crate::observed::{ISTIO_SYSTEM, ProxyKind, is_under_way, proxy};

/// The label of the pods of a Gateway of the Gateway API.
pub(super) const GATEWAY_NAME: &str = "gateway.networking.k8s.io/gateway-name";

/// A proxy that a plugin selects.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Selected {
    /// Of the pod.
    pub namespace: String,
    /// Of the pod.
    pub name: String,
    /// What the proxy does.
    pub kind: ProxyKind,
}

/// The proxies that a plugin in `namespace` selects, waypoints too. In the root namespace a plugin reaches all namespaces.
#[must_use]
pub fn selected(pods: &[Pod], namespace: &str, select: &Select) -> Vec<Selected> {
    let mut found: Vec<Selected> = pods
        .iter()
        .filter(|pod| is_under_way(pod) && is_selected(pod, namespace, select))
        .filter_map(|pod| {
            Some(Selected {
                namespace: pod.metadata.namespace.clone()?,
                name: pod.metadata.name.clone()?,
                kind: proxy(pod)?.kind,
            })
        })
        .collect();
    found.sort();
    found
}

/// True when a plugin in `namespace` selects this pod's proxy, if it has one.
#[must_use]
pub fn is_selected(pod: &Pod, namespace: &str, select: &Select) -> bool {
    let own = pod.metadata.namespace.as_deref() == Some(namespace);
    let label = |key: &str| pod.metadata.labels.as_ref()?.get(key).map(String::as_str);
    match select {
        Select::Labels(labels) => {
            (own || namespace == ISTIO_SYSTEM)
                && labels.iter().all(|(key, value)| label(key) == Some(value))
        }
        Select::Gateways(names) => {
            own && names.iter().any(|name| label(GATEWAY_NAME) == Some(name))
        }
    }
}

/// Which listeners the filter belongs to. On a gateway all are "client" ones for Istio, so a gateway is left alone; beside
/// a workload it is what the policy's position says, and what comes in where it says nothing.
#[must_use]
pub fn side(proxies: &[Selected], position: &str, judges_outbound: bool) -> Side {
    let has = |kind: ProxyKind| proxies.iter().any(|one| one.kind == kind);
    match (position, has(ProxyKind::Gateway)) {
        ("Gateway", _) | (_, true) => Side::All,
        ("SidecarOutbound", false) => Side::Client,
        (_, false) if judges_outbound && position != "SidecarInbound" => Side::All,
        (_, false) => Side::Server,
    }
}

impl std::fmt::Display for Selected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    fn pod(namespace: &str, name: &str, labels: serde_json::Value, role: &str) -> Pod {
        serde_json::from_value(json!({"metadata": {"namespace": namespace, "name": name, "labels": labels},
            "spec": {"containers": [{"name": "istio-proxy", "image": "p", "args": ["proxy", role]}]}}))
        .unwrap()
    }

    fn labels(of: &[(&str, &str)]) -> Select {
        let of = of
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Select::Labels(BTreeMap::from_iter(of))
    }

    #[test]
    fn the_root_namespace_reaches_all_and_others_only_their_own() {
        let pods = [
            pod(
                "istio-system",
                "g",
                json!({"istio": "ingressgateway"}),
                "router",
            ),
            pod("shop", "a", json!({"app": "a"}), "sidecar"),
            pod("bank", "a", json!({"app": "a"}), "sidecar"),
        ];
        let names = |namespace: &str, select: &Select| -> Vec<String> {
            selected(&pods, namespace, select)
                .iter()
                .map(ToString::to_string)
                .collect()
        };
        assert_eq!(names("shop", &labels(&[])), ["shop/a"]);
        assert_eq!(
            names("istio-system", &labels(&[("app", "a")])),
            ["bank/a", "shop/a"]
        );
        assert_eq!(names("istio-system", &labels(&[])).len(), 3);
        assert!(names("shop", &labels(&[("app", "b")])).is_empty());
    }

    #[test]
    fn gateways_of_the_gateway_api_are_found_by_their_label() {
        let pods = [pod(
            "shop",
            "gw-1",
            json!({"gateway.networking.k8s.io/gateway-name": "gw"}),
            "router",
        )];
        let select = Select::Gateways(vec!["gw".to_owned()]);
        assert_eq!(selected(&pods, "shop", &select).len(), 1);
        assert_eq!(selected(&pods, "istio-system", &select).len(), 0);
    }

    #[test]
    fn a_gateway_is_left_alone_and_a_sidecar_judges_what_comes_in() {
        let proxy = |kind| Selected {
            namespace: "n".to_owned(),
            name: "p".to_owned(),
            kind,
        };
        let (gateway, sidecar) = (proxy(ProxyKind::Gateway), proxy(ProxyKind::Sidecar));
        assert_eq!(
            side(std::slice::from_ref(&gateway), "Detect", false),
            Side::All
        );
        assert_eq!(
            side(std::slice::from_ref(&sidecar), "Detect", false),
            Side::Server
        );
        assert_eq!(
            side(std::slice::from_ref(&sidecar), "Detect", true),
            Side::All
        );
        assert_eq!(
            side(std::slice::from_ref(&sidecar), "SidecarOutbound", true),
            Side::Client
        );
        assert_eq!(side(&[gateway, sidecar], "Detect", false), Side::All);
    }
}
