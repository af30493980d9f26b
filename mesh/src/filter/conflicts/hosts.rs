//! A rule with `hosts` where the proxy routes any host: who asks then chooses the rule.

use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;

use super::super::select::{GATEWAY_NAME, Selected, is_selected};
use super::{List, Wish};
use crate::codes::Code;
use crate::object::Object;
use crate::observed::{Observed, ProxyKind};

pub(super) fn names_hosts(policy: &Value) -> bool {
    let rules = policy.pointer("/spec/jwt/rules").and_then(Value::as_array);
    rules
        .into_iter()
        .flatten()
        .any(|rule| rule.get("hosts").is_some())
}

/// At a sidecar always: Istio's listener for what comes in has one virtual host, `*`. At a gateway where a route has no host, or `*`.
pub(super) fn chosen(
    wish: &Wish<'_>,
    proxies: &[Selected],
    observed: &Observed,
    routes: &[Object],
    found: &mut List,
) {
    let is_outbound = wish
        .policy
        .pointer("/spec/position")
        .and_then(Value::as_str)
        == Some("SidecarOutbound");
    if is_outbound || !names_hosts(wish.policy) {
        return;
    }
    let sidecar = proxies
        .iter()
        .find(|proxy| proxy.kind == ProxyKind::Sidecar);
    if let Some(sidecar) = sidecar {
        found.warn(
            Code::HostChosen,
            format!("the policy has a rule with `hosts`, and the sidecar `{sidecar}` takes any host: who asks chooses the rule"),
            "tell requests apart by their paths, or do it at the gateway",
        );
    }
    let gateways: Vec<&Pod> = observed
        .pods
        .iter()
        .filter(|pod| is_selected(pod, &wish.target.namespace, &wish.target.select))
        .filter(|pod| {
            proxies.iter().any(|proxy| {
                proxy.kind == ProxyKind::Gateway
                    && pod.metadata.name.as_ref() == Some(&proxy.name)
                    && pod.metadata.namespace.as_ref() == Some(&proxy.namespace)
            })
        })
        .collect();
    let open = |route: &&Object| takes_any_host(route) && leads_to(route, &gateways, routes);
    if let Some(route) = routes.iter().find(open) {
        found.warn(
            Code::HostChosen,
            format!("the policy has a rule with `hosts`, and `{}` takes any host: who asks chooses the rule", route.id()),
            "name the hosts in the route",
        );
    }
}

fn takes_any_host(route: &Object) -> bool {
    let list = |pointer: &str| route.pointer(pointer).and_then(Value::as_array);
    match route.kind() {
        "VirtualService" => {
            list("/spec/hosts").is_some_and(|hosts| hosts.iter().any(|host| host == "*"))
        }
        "HTTPRoute" => list("/spec/hostnames").is_none_or(Vec::is_empty),
        _ => false,
    }
}

/// Whether a route is bound to one of these pods, by the Gateways that it names.
fn leads_to(route: &Object, pods: &[&Pod], objects: &[Object]) -> bool {
    let own = route.namespace().unwrap_or_default();
    let has_label = |pod: &Pod, key: &str, value: &str| {
        let labels = pod.metadata.labels.as_ref();
        labels
            .and_then(|labels| labels.get(key))
            .map(String::as_str)
            == Some(value)
    };
    if route.kind() == "HTTPRoute" {
        let parents = route.pointer("/spec/parentRefs").and_then(Value::as_array);
        return parents.into_iter().flatten().any(|parent| {
            let text = |field: &str| parent.get(field).and_then(Value::as_str);
            let namespace = text("namespace").unwrap_or(own);
            text("kind").is_none_or(|kind| kind == "Gateway")
                && text("name").is_some_and(|name| {
                    pods.iter().any(|pod| {
                        pod.metadata.namespace.as_deref() == Some(namespace)
                            && has_label(pod, GATEWAY_NAME, name)
                    })
                })
        });
    }
    let names = route.pointer("/spec/gateways").and_then(Value::as_array);
    let mut names = names.into_iter().flatten().filter_map(Value::as_str);
    names.any(|name| {
        let (namespace, name) = name.split_once('/').unwrap_or((own, name));
        let gateway = objects.iter().find(|object| {
            object.kind() == "Gateway"
                && object.namespace() == Some(namespace)
                && object.name() == name
        });
        let selector = gateway.and_then(|gateway| gateway.pointer("/spec/selector")?.as_object());
        selector.is_some_and(|selector| {
            pods.iter().any(|pod| {
                selector.iter().all(|(key, value)| {
                    value
                        .as_str()
                        .is_some_and(|value| has_label(pod, key, value))
                })
            })
        })
    })
}
