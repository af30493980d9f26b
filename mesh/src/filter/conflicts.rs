//! What speaks against a policy on these proxies: what must be refused, and what should be known.

use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;

use super::live::Plugin;
use super::select::{Selected, is_selected, selected};
use super::target::{Select, Target};
use crate::codes::Code;
use crate::object::Object;
use crate::observed::{ISTIO_SYSTEM, Observed, ProxyKind};

/// What is about to be deployed.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// Where.
    pub target: &'a Target,
    /// The policy.
    pub policy: &'a Value,
    /// The plugin that it may replace, if it is a canary.
    pub canary_of: Option<&'a str>,
}

/// What else is read for it, besides [`Observed`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Neighbours<'a> {
    /// The EnvoyFilters of all namespaces.
    pub envoy_filters: &'a [Object],
    /// The NetworkPolicies of the plugin's namespace.
    pub network_policies: &'a [Object],
}

/// Something that speaks against it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// What.
    pub code: Code,
    /// True when nothing is written.
    pub refuses: bool,
    /// What was found, one line.
    pub what: String,
    /// What helps.
    pub hint: String,
}

/// Everything that speaks against it.
#[must_use]
pub fn conflicts(wish: &Wish<'_>, observed: &Observed, neighbours: Neighbours<'_>) -> Vec<Finding> {
    let proxies = selected(&observed.pods, &wish.target.namespace, &wish.target.select);
    let mut found = List(Vec::new());
    nobody(wish, observed, &proxies, &mut found);
    ambient(wish, observed, &proxies, &mut found);
    overlaps(wish, observed, &proxies, &mut found);
    authorizers(wish, observed, &mut found);
    if proxies.iter().any(|proxy| proxy.kind == ProxyKind::Gateway) {
        hops(wish, observed, &mut found);
        addresses(wish, observed, &mut found);
        proxy_protocol(wish, observed, neighbours.envoy_filters, &mut found);
        egress(wish, observed, neighbours.network_policies, &mut found);
    }
    found.0
}

struct List(Vec<Finding>);

impl List {
    fn refuse(&mut self, code: Code, what: String, hint: &str) {
        self.add(code, true, what, hint);
    }

    fn warn(&mut self, code: Code, what: String, hint: &str) {
        self.add(code, false, what, hint);
    }

    fn add(&mut self, code: Code, refuses: bool, what: String, hint: &str) {
        self.0.push(Finding {
            code,
            refuses,
            what,
            hint: hint.to_owned(),
        });
    }
}

fn nobody(wish: &Wish<'_>, observed: &Observed, proxies: &[Selected], found: &mut List) {
    if !proxies.is_empty() {
        return;
    }
    let there: Vec<String> = selected(&observed.pods, ISTIO_SYSTEM, &Select::Labels([].into()))
        .iter()
        .take(5)
        .map(ToString::to_string)
        .collect();
    let what = format!(
        "no proxy is selected: {} in namespace `{}`; proxies are {}",
        shown(&wish.target.select),
        wish.target.namespace,
        match there.is_empty() {
            true => "nowhere".to_owned(),
            false => there.join(", "),
        }
    );
    found.refuse(
        Code::NoProxySelected,
        what,
        "correct `spec.target`; `kubectl get pods -A --show-labels` shows the labels",
    );
}

fn shown(select: &Select) -> String {
    match select {
        Select::Labels(labels) if labels.is_empty() => "all pods".to_owned(),
        Select::Labels(labels) => {
            let labels: Vec<String> = labels
                .iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect();
            format!("pods with {}", labels.join(","))
        }
        Select::Gateways(names) => format!("pods of Gateway {}", names.join(", ")),
    }
}

fn ambient(wish: &Wish<'_>, observed: &Observed, proxies: &[Selected], found: &mut List) {
    const HINT: &str =
        "choose sidecars or a gateway; what the filter sees in a waypoint is not measured yet";
    for proxy in proxies
        .iter()
        .filter(|proxy| proxy.kind == ProxyKind::Waypoint)
    {
        found.refuse(
            Code::AmbientTarget,
            format!("`{proxy}` is a waypoint"),
            HINT,
        );
    }
    let is_ambient = |name: &str| {
        observed.namespaces.iter().any(|namespace| {
            let labels = namespace.metadata.labels.as_ref();
            namespace.metadata.name.as_deref() == Some(name)
                && labels
                    .and_then(|labels| labels.get("istio.io/dataplane-mode"))
                    .map(String::as_str)
                    == Some("ambient")
        })
    };
    if is_ambient(&wish.target.namespace) {
        let what = format!(
            "namespace `{}` is part of the ambient mesh",
            wish.target.namespace
        );
        found.refuse(Code::AmbientTarget, what, HINT);
    }
}

/// Two policies on one proxy: each strips the headers that the other writes.
fn overlaps(wish: &Wish<'_>, observed: &Observed, proxies: &[Selected], found: &mut List) {
    let is_shadow =
        |policy: &Value| policy.pointer("/spec/mode").and_then(Value::as_str) == Some("Shadow");
    for other in observed
        .wasm_plugins
        .iter()
        .map(Plugin::of)
        .filter(Plugin::is_ours)
    {
        let is_itself = other.name == wish.target.name && other.namespace == wish.target.namespace;
        let is_pair =
            wish.canary_of == Some(&other.name) || other.canary_of() == Some(&wish.target.name);
        let shared = selected(&observed.pods, &other.namespace, &other.select)
            .into_iter()
            .find(|proxy| proxies.contains(proxy));
        let Some(proxy) = shared.filter(|_| !is_itself) else {
            continue;
        };
        // A shadow touches nothing, so it may stand beside any other.
        if is_shadow(wish.policy) || other.config().is_some_and(is_shadow) {
            continue;
        }
        let what = format!("policy `{other}` is on `{proxy}` too");
        let hint = "narrow one of the two selectors, put both into one policy, or try the new one with `mode: Shadow`";
        match is_pair {
            true => found.warn(Code::PoliciesOverlap, what, hint),
            false => found.refuse(Code::PoliciesOverlap, what, hint),
        }
    }
}

/// Istio calls an external authorizer before every WasmPlugin.
fn authorizers(wish: &Wish<'_>, observed: &Observed, found: &mut List) {
    let custom = observed
        .authorization_policies
        .iter()
        .filter(|policy| policy.string("/spec/action") == Some("CUSTOM"));
    for policy in custom {
        let theirs = Plugin::of(policy);
        let is_shared = |pod: &&Pod| {
            is_selected(pod, &theirs.namespace, &theirs.select)
                && is_selected(pod, &wish.target.namespace, &wish.target.select)
        };
        if observed.pods.iter().any(|pod| is_shared(&pod)) {
            found.warn(
                Code::AuthorizerFirst,
                format!(
                    "`{}` asks an external authorizer before this policy strips anything",
                    policy.id()
                ),
                "let the authorizer trust no header that this policy writes or strips",
            );
        }
    }
}

/// `numTrustedProxies` of the mesh against the policy's own number.
fn hops(wish: &Wish<'_>, observed: &Observed, found: &mut List) {
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
            format!("the policy trusts {policy} proxies in front of the gateway, the mesh's `numTrustedProxies` says {mesh}"),
            "the policy's number holds for the policy; access logs and `remoteIpBlocks` at the gateway follow the mesh's: `kubectl kyma-istio xff show`",
        );
    }
}

/// With `externalTrafficPolicy: Cluster` nodes put their own address in place of the client's.
fn addresses(wish: &Wish<'_>, observed: &Observed, found: &mut List) {
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
fn proxy_protocol(wish: &Wish<'_>, observed: &Observed, filters: &[Object], found: &mut List) {
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
fn egress(wish: &Wish<'_>, observed: &Observed, policies: &[Object], found: &mut List) {
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

#[cfg(test)]
mod tests;
