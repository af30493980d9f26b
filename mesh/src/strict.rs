//! Before STRICT: what loses traffic when the mesh stops taking plain text, as far as the API shows it. A workload
//! without a sidecar can still be called (proxies send plain text to it), but its own calls into the mesh are reset.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;

use crate::criteria;
use crate::object::{Id, Object};
use crate::observed::{
    ISTIO_SYSTEM, Injection, Observed, Owner, ProxyKind, is_under_way, owner, proxy, service_name,
};

/// What STRICT would change.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StrictReport {
    /// Workloads without a sidecar next to workloads that have one.
    pub workloads: Vec<Bare>,
    /// `PeerAuthentication`s that are weaker than STRICT; they keep what they select from changing.
    pub policies: Vec<String>,
    /// `DestinationRule`s that turn TLS off towards workloads with a sidecar.
    pub rules: Vec<PlainRule>,
    /// What the API can't show; never empty.
    pub not_seen: Vec<String>,
}

/// A workload without a sidecar.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Bare {
    /// The workload.
    pub workload: Owner,
    /// How many pods of it run.
    pub pods: usize,
    /// The Services that select it, `namespace/name`.
    pub serves: Vec<String>,
    /// Why it has none.
    pub why: String,
    /// What it loses.
    pub loses: String,
}

/// A rule that makes clients send plain text.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlainRule {
    /// The `DestinationRule`.
    pub rule: Id,
    /// Where in it: `spec.trafficPolicy.tls.mode`.
    pub path: String,
    /// Its host.
    pub host: String,
    /// The Services behind the host that have pods with a sidecar.
    pub services: Vec<String>,
}

impl StrictReport {
    /// True when nothing was found that STRICT would change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.workloads.is_empty() && self.policies.is_empty() && self.rules.is_empty()
    }
}

/// Looks for everything that STRICT would change.
#[must_use]
pub fn without_sidecar(observed: &Observed) -> StrictReport {
    StrictReport {
        workloads: bare_workloads(observed),
        policies: criteria::weaker(observed),
        rules: plain_rules(observed),
        not_seen: not_seen(observed),
    }
}

/// Workloads without a sidecar, in namespaces where some workload has one or should have one. While nothing in the
/// cluster has a sidecar, STRICT refuses nobody.
fn bare_workloads(observed: &Observed) -> Vec<Bare> {
    let meshed = namespaces_with_sidecars(observed);
    if meshed.is_empty() {
        return Vec::new();
    }
    let mut found: BTreeMap<Owner, Vec<&Pod>> = BTreeMap::new();
    for pod in observed
        .pods
        .iter()
        .filter(|pod| is_under_way(pod) && proxy(pod).is_none())
    {
        let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
        let is_near =
            meshed.contains(namespace) || Injection::of_namespace(namespace, observed).is_asked();
        if is_near && namespace != ISTIO_SYSTEM {
            found.entry(owner(pod)).or_default().push(pod);
        }
    }
    found
        .into_iter()
        .map(|(workload, pods)| bare(workload, &pods, observed))
        .collect()
}

fn bare(workload: Owner, pods: &[&Pod], observed: &Observed) -> Bare {
    let is_selected = |pod: &Pod| {
        pods.iter()
            .any(|own| own.metadata.name == pod.metadata.name)
    };
    let services = observed.services.iter().filter(|service| {
        service.metadata.namespace.as_deref() == Some(&workload.namespace)
            && observed.pods_of(service).any(&is_selected)
    });
    let serves: Vec<String> = services.map(service_name).collect();
    let why = pods.first().map(|pod| Injection::of(pod, observed));
    let why = match why {
        Some(Injection::Asked { by }) => {
            format!("not restarted since a sidecar was asked for by {by}")
        }
        Some(Injection::Refused { by }) => by,
        Some(Injection::NotAsked) | None => "nothing asks for a sidecar".to_owned(),
    };
    let loses = match serves.as_slice() {
        [] => "its calls to workloads with a sidecar are reset".to_owned(),
        names => format!(
            "its calls to workloads with a sidecar are reset; calls to {} stay plain text",
            names.join(", ")
        ),
    };
    Bare {
        workload,
        pods: pods.len(),
        serves,
        why,
        loses,
    }
}

fn namespaces_with_sidecars(observed: &Observed) -> BTreeSet<&str> {
    let has_sidecar = |pod: &&Pod| has_sidecar(pod) && is_under_way(pod);
    observed
        .pods
        .iter()
        .filter(has_sidecar)
        .filter_map(|pod| pod.metadata.namespace.as_deref())
        .collect()
}

/// True when the pod's proxy stands beside an application.
pub(crate) fn has_sidecar(pod: &Pod) -> bool {
    proxy(pod).is_some_and(|proxy| proxy.kind == ProxyKind::Sidecar)
}

fn plain_rules(observed: &Observed) -> Vec<PlainRule> {
    let mut found = Vec::new();
    for rule in &observed.destination_rules {
        for path in tls_modes(rule, "DISABLE") {
            let host = rule.string("/spec/host").unwrap_or_default().to_owned();
            let services = observed.services_of(&host, rule.namespace().unwrap_or_default());
            let services: Vec<String> = services
                .filter(|service| observed.pods_of(service).any(has_sidecar))
                .map(service_name)
                .collect();
            if !services.is_empty() {
                found.push(PlainRule {
                    rule: rule.id(),
                    path,
                    host,
                    services,
                });
            }
        }
    }
    found
}

/// The paths at which a `DestinationRule` sets this TLS mode: for the host, for a port, for a subset.
pub(crate) fn tls_modes(rule: &Object, mode: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut look = |policy: Option<&Value>, path: &str| {
        let Some(policy) = policy else { return };
        let has_mode =
            |setting: &Value| setting.pointer("/tls/mode").and_then(Value::as_str) == Some(mode);
        if has_mode(policy) {
            found.push(format!("{path}.tls.mode"));
        }
        let ports = policy.get("portLevelSettings").and_then(Value::as_array);
        for setting in ports
            .into_iter()
            .flatten()
            .filter(|setting| has_mode(setting))
        {
            let port = setting
                .pointer("/port/number")
                .map(Value::to_string)
                .unwrap_or_default();
            found.push(format!("{path}.portLevelSettings[{port}].tls.mode"));
        }
    };
    look(rule.pointer("/spec/trafficPolicy"), "spec.trafficPolicy");
    let subsets = rule.pointer("/spec/subsets").and_then(Value::as_array);
    for subset in subsets.into_iter().flatten() {
        let name = subset
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or_default();
        look(
            subset.get("trafficPolicy"),
            &format!("spec.subsets[{name}].trafficPolicy"),
        );
    }
    found
}

fn not_seen(observed: &Observed) -> Vec<String> {
    let mut lines = vec![
        "who calls whom: callers in namespaces without any sidecar, and callers from outside the cluster that bypass the gateway".to_owned(),
        "scrapers and probes that reach pods directly: HTTP probes of pods with a sidecar are rewritten, other traffic isn't".to_owned(),
    ];
    let needed = [
        "pods",
        "services",
        "namespaces",
        "peerauthentications.security.istio.io",
        "destinationrules.networking.istio.io",
    ];
    let unread = observed
        .forbidden
        .iter()
        .filter(|denied| needed.contains(&denied.resource.as_str()));
    lines.extend(
        unread.map(|denied| {
            format!("`{denied}` is forbidden, so what it would show is missing here")
        }),
    );
    lines
}
