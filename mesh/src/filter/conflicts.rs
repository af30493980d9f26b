//! What speaks against a policy on these proxies: what must be refused, and what should be known.

mod gateway;
mod hosts;

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
    /// VirtualServices, HTTPRoutes and Istio's Gateways of all namespaces, where [`needs_routes`].
    pub routes: &'a [Object],
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

/// Whether the routes of gateways say something about a policy: it has a rule with `hosts`.
#[must_use]
pub fn needs_routes(policy: &Value) -> bool {
    hosts::names_hosts(policy)
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
    hosts::chosen(wish, &proxies, observed, neighbours.routes, &mut found);
    if proxies.iter().any(|proxy| proxy.kind == ProxyKind::Gateway) {
        gateway::hops(wish, observed, &mut found);
        gateway::addresses(wish, observed, &mut found);
        gateway::proxy_protocol(wish, observed, neighbours.envoy_filters, &mut found);
        gateway::egress(wish, observed, neighbours.network_policies, &mut found);
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
    const HINT: &str = "let the authorizer trust no header that this policy writes or strips";
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
        if !observed.pods.iter().any(|pod| is_shared(&pod)) {
            continue;
        }
        let id = policy.id();
        let before =
            format!("`{id}` asks an external authorizer before this policy strips anything");
        let lost = removed(wish.policy, &written(policy, observed));
        match lost.is_empty() {
            true => found.warn(Code::AuthorizerFirst, before, HINT),
            false => found.warn(
                Code::AuthorizerFirst,
                format!(
                    "{before}; of what the authorizer writes, companions are removed: {}",
                    lost.join(", ")
                ),
                &format!(
                    "name those that your services read in `spec.forwarded.companions.keep`; {HINT}"
                ),
            ),
        }
    }
}

/// The headers that the provider of a CUSTOM policy may write, as the mesh config has them: names, `NAME*`. What a gRPC authorizer writes stands nowhere.
fn written(policy: &Object, observed: &Observed) -> Vec<String> {
    let provider = policy.string("/spec/provider/name");
    let mesh = observed.mesh_config().unwrap_or_default();
    let providers = mesh.get("extensionProviders").and_then(Value::as_array);
    let meant = |one: &&Value| one.get("name").and_then(Value::as_str) == provider;
    let headers = providers.into_iter().flatten().find(meant).and_then(|one| {
        one.pointer("/envoyExtAuthzHttp/headersToUpstreamOnAllow")?
            .as_array()
    });
    let names = headers.into_iter().flatten().filter_map(Value::as_str);
    names.map(str::to_ascii_lowercase).collect()
}

/// Those of these headers that the policy may remove as companions.
fn removed(policy: &Value, names: &[String]) -> Vec<String> {
    let Some(forwarded) = policy.pointer("/spec/forwarded") else {
        return Vec::new();
    };
    let companions = forwarded.get("companions");
    if companions.and_then(Value::as_str) == Some("Keep") {
        return Vec::new();
    }
    let listed = |field: &str, name: &str| {
        let list = companions.and_then(|companions| companions.get(field)?.as_array());
        let mut list = list.into_iter().flatten().filter_map(Value::as_str);
        list.any(|one| match one.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == one,
        })
    };
    let names = names.iter().filter(|name| {
        !listed("keep", name) && (policy::may_be_companion(name) || listed("also", name))
    });
    names.map(|name| format!("`{name}`")).collect()
}

#[cfg(test)]
mod tests;
