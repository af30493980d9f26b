//! What speaks against a policy on a gateway: who the mesh believes, what the load balancer hides, where the registry is.

use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;

use super::super::select::is_selected;
use super::super::target::Select;
use super::{List, Wish};
use crate::codes::Code;
use crate::object::Object;
use crate::observed::Observed;

/// `numTrustedProxies` of the mesh against the policy's own number.
pub(super) fn hops(wish: &Wish<'_>, observed: &Observed, found: &mut List) {
    let Some(policy) = wish
        .policy
        .pointer("/spec/forwarded/trust/hops")
        .and_then(Value::as_u64)
    else {
        return;
    };
    let Some(mesh) = observed.mesh_config() else {
        return;
    };
    let pointer = "/defaultConfig/gatewayTopology/numTrustedProxies";
    let mesh = mesh.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
    if mesh != policy {
        found.warn(
            Code::HopsDisagree,
            format!(
                "the policy trusts {policy} {} in front of the gateway, the mesh's `numTrustedProxies` says {mesh}",
                if policy == 1 { "proxy" } else { "proxies" }
            ),
            "the policy's number holds for the policy; access logs and `remoteIpBlocks` at the gateway follow the mesh's: `kubectl kyma-istio xff show`",
        );
    }
}

/// With `externalTrafficPolicy: Cluster` nodes put their own address in place of the client's.
pub(super) fn addresses(wish: &Wish<'_>, observed: &Observed, found: &mut List) {
    let looks_at_peer = wish.policy.pointer("/spec/forwarded/trust/cidrs").is_some()
        || wish
            .policy
            .pointer("/spec/forwarded/trust/hops")
            .and_then(Value::as_u64)
            == Some(0);
    if !looks_at_peer {
        return;
    }
    for service in &observed.services {
        let Some(spec) = &service.spec else {
            continue;
        };
        let is_outside = matches!(spec.type_.as_deref(), Some("LoadBalancer" | "NodePort"));
        let is_local = spec.external_traffic_policy.as_deref() == Some("Local");
        let selects = |pod: &Pod| {
            let labels = pod.metadata.labels.as_ref();
            let wanted = spec.selector.as_ref();
            pod.metadata.namespace == service.metadata.namespace
                && wanted.is_some_and(|wanted| {
                    wanted.iter().all(|(key, value)| {
                        labels.and_then(|labels| labels.get(key)) == Some(value)
                    })
                })
        };
        let is_ours = |pod: &&Pod| {
            selects(pod) && is_selected(pod, &wish.target.namespace, &wish.target.select)
        };
        if is_outside && !is_local && observed.pods.iter().any(|pod| is_ours(&pod)) {
            found.warn(
                Code::AddressHidden,
                format!(
                    "Service `{}/{}` has `externalTrafficPolicy: Cluster`: the gateway sees addresses of nodes where the policy looks for the peer's",
                    service.metadata.namespace.as_deref().unwrap_or_default(),
                    service.metadata.name.as_deref().unwrap_or_default()
                ),
                "set `gatewayExternalTrafficPolicy: Local` in the Istio custom resource",
            );
        }
    }
}

/// PROXY protocol moves the client's address below HTTP: one hop less to trust.
pub(super) fn proxy_protocol(
    wish: &Wish<'_>,
    observed: &Observed,
    filters: &[Object],
    found: &mut List,
) {
    let trusts_hops = wish
        .policy
        .pointer("/spec/forwarded/trust/hops")
        .and_then(Value::as_u64)
        .is_some_and(|hops| hops > 0);
    let in_mesh = observed.mesh_config().is_some_and(|mesh| {
        mesh.pointer("/defaultConfig/gatewayTopology/proxyProtocol")
            .is_some()
    });
    let by_filter = filters.iter().find(|filter| {
        filter
            .value()
            .to_string()
            .contains("filters.listener.proxy_protocol")
    });
    let source = match (in_mesh, by_filter) {
        (true, _) => "the mesh's `gatewayTopology.proxyProtocol`".to_owned(),
        (false, Some(filter)) => format!("`{}`", filter.id()),
        (false, None) => return,
    };
    if trusts_hops {
        found.warn(
            Code::ProxyProtocol,
            format!(
                "{source} turns PROXY protocol on: the load balancer is then no hop of the chain"
            ),
            "count only the proxies that write x-forwarded-for in `trust.hops`",
        );
    }
}

/// Where a NetworkPolicy closes a gateway's way out, no module can be fetched.
pub(super) fn egress(wish: &Wish<'_>, observed: &Observed, policies: &[Object], found: &mut List) {
    let closes = |policy: &&Object| {
        let types = policy
            .pointer("/spec/policyTypes")
            .and_then(Value::as_array);
        types.is_some_and(|types| types.iter().any(|one| one == "Egress"))
            && is_over(policy, wish, observed)
    };
    let open = |policy: &&Object| {
        let rules = policy.pointer("/spec/egress").and_then(Value::as_array);
        rules
            .into_iter()
            .flatten()
            .any(|rule| rule.get("to").is_none() && rule.get("ports").is_none())
    };
    let closing: Vec<&Object> = policies.iter().filter(closes).collect();
    if closing.is_empty() || closing.iter().any(open) {
        return;
    }
    let names: Vec<&str> = closing.iter().map(|policy| policy.name()).collect();
    found.warn(
        Code::RegistryBlocked,
        format!("NetworkPolicy {} of `{}` may keep the gateway from the registry; the rehearsal from here doesn't see that", names.join(", "), wish.target.namespace),
        "allow the gateway egress to the registry; pods of a registry in the cluster are reached with the label `networking.kyma-project.io/from-ingressgateway: allowed`",
    );
}

fn is_over(policy: &Object, wish: &Wish<'_>, observed: &Observed) -> bool {
    let labels = policy
        .pointer("/spec/podSelector/matchLabels")
        .and_then(Value::as_object);
    let theirs = labels
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
    let theirs = Select::Labels(theirs.collect());
    let namespace = policy.namespace().unwrap_or_default();
    observed.pods.iter().any(|pod| {
        pod.metadata.namespace.as_deref() == Some(namespace)
            && is_selected(pod, namespace, &theirs)
            && is_selected(pod, &wish.target.namespace, &wish.target.select)
    })
}
