//! What stays after an uninstallation, and why.

use std::collections::BTreeMap;

use super::super::marks;
use super::{Plan, named};
use crate::object::{Id, Object};
use crate::observed::{
    Contents, ISTIO_SYSTEM, ISTIODS, KYMA_SYSTEM, MANAGED_BY, MANAGED_BY_LABEL, Observed, Owner,
    ProxyKind, is_proved_ours, is_under_way, owner, proxy,
};

/// Something that stays.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Leftover {
    /// Which.
    pub id: Id,
    /// Why.
    pub why: String,
}

/// A workload whose pods have a proxy.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Meshed {
    /// Which.
    pub workload: Owner,
    /// How many pods with a proxy.
    pub pods: usize,
    /// True when the proxy stands alone: a gateway of the user's, which takes its configuration from istiod.
    pub is_gateway: bool,
}

impl Meshed {
    /// `2 sidecars`, `1 gateway`.
    #[must_use]
    pub fn proxies(&self) -> String {
        let what = if self.is_gateway {
            "gateway"
        } else {
            "sidecar"
        };
        let many = if self.pods == 1 { "" } else { "s" };
        format!("{} {what}{many}", self.pods)
    }
}

/// Workloads with a proxy that the plan doesn't remove.
pub(super) fn meshed(observed: &Observed, plan: &Plan) -> Vec<Meshed> {
    let doomed = plan.doomed();
    let goes = |owner: &Owner| {
        doomed.iter().any(|id| {
            id.kind == owner.kind
                && id.namespace.as_ref() == Some(&owner.namespace)
                && id.name == owner.name
        })
    };
    let mut found: BTreeMap<Owner, Meshed> = BTreeMap::new();
    for pod in observed.pods.iter().filter(|pod| is_under_way(pod)) {
        let (Some(proxy), workload) = (proxy(pod), owner(pod)) else {
            continue;
        };
        if goes(&workload) {
            continue;
        }
        let entry = found.entry(workload.clone()).or_insert(Meshed {
            workload,
            pods: 0,
            is_gateway: proxy.kind == ProxyKind::Gateway,
        });
        entry.pods += 1;
    }
    found.into_values().collect()
}

/// ConfigMaps that istiod wrote: its root certificate in every namespace, the records of its elections.
pub(super) fn of_istiod(contents: &Contents) -> impl Iterator<Item = &Object> {
    let elections = contents.root.iter().filter(|object| is_election(object));
    let more = contents.root.iter().filter(|object| {
        // In this namespace one may stand without istiod's label.
        object.kind() == "ConfigMap"
            && ISTIODS.contains(&object.name())
            && !contents.certificates.contains(object)
    });
    contents.certificates.iter().chain(elections).chain(more)
}

/// The root namespace, if it is ours and nothing of others is in it; else what is left in it. `staying`: custom resources of others that stay.
pub(super) fn namespace(
    observed: &Observed,
    contents: &Contents,
    staying: &[Object],
) -> (Option<(Id, String)>, Vec<Leftover>) {
    let mut left: Vec<Leftover> = contents
        .parts
        .iter()
        .filter(|part| !is_proved_ours(part))
        .map(|part| leftover(part, "it says that it is part of Istio, but others made it"))
        .collect();
    let find = |name: &str| {
        let mut all = observed.namespaces.iter();
        all.find(|found| found.metadata.name.as_deref() == Some(name))
    };
    if let Some(kyma) = find(KYMA_SYSTEM).filter(|kyma| {
        let labels = kyma.metadata.labels.as_ref();
        labels.is_some_and(|labels| labels.contains_key("istio-injection"))
    }) {
        let kept = named("v1", "Namespace", &kyma.metadata);
        left.extend(kept.map(|(id, _)| Leftover {
            id,
            why: "it is Kyma's, and keeps its label `istio-injection`".to_owned(),
        }));
    }
    let Some(root) = find(ISTIO_SYSTEM) else {
        return (None, left);
    };
    let Some(id) = named("v1", "Namespace", &root.metadata) else {
        return (None, left);
    };
    let others: Vec<&Object> = contents
        .root
        .iter()
        .filter(|object| {
            !is_proved_ours(object) && !is_clusters(object) && !contents.parts.contains(object)
        })
        .chain(
            staying
                .iter()
                .filter(|object| object.namespace() == Some(ISTIO_SYSTEM)),
        )
        .collect();
    let label = |key: &str| root.metadata.labels.as_ref()?.get(key);
    let is_made_by_us = label("operator.kyma-project.io/managed-by").is_some()
        || label(MANAGED_BY_LABEL).is_some_and(|value| value == MANAGED_BY)
        || label(marks::MODULE_LABEL).is_some();
    let inside = left
        .iter()
        .any(|one| one.id.namespace.as_deref() == Some(ISTIO_SYSTEM));
    let why = match (is_made_by_us, others.is_empty() && !inside) {
        (true, true) => return (Some(id), left),
        (false, _) => "neither this plugin nor Kyma's module made it",
        (true, false) => "others keep something in it",
    };
    left.push(Leftover {
        id: id.0,
        why: why.to_owned(),
    });
    let secret = contents.root.iter().filter(|object| is_ca(object));
    left.extend(secret.map(|object| {
        leftover(
            object,
            "it holds the mesh's root key; the next Istio goes on with it",
        )
    }));
    left.extend(
        others
            .into_iter()
            .map(|object| leftover(object, "others made it")),
    );
    (None, left)
}

fn leftover(object: &Object, why: &str) -> Leftover {
    Leftover {
        id: object.id(),
        why: why.to_owned(),
    }
}

/// What Kubernetes and istiod put into the namespace by themselves.
fn is_clusters(object: &Object) -> bool {
    let is = |kind: &str, name: &str| object.kind() == kind && object.name() == name;
    is("ConfigMap", "kube-root-ca.crt")
        || ISTIODS.iter().any(|name| is("ConfigMap", name))
        || is("ServiceAccount", "default")
        || is_election(object)
        || is_ca(object)
        || object.string("/type") == Some("kubernetes.io/service-account-token")
}

fn is_election(object: &Object) -> bool {
    object.kind() == "ConfigMap"
        && object.name().starts_with("istio-")
        && object
            .annotation("control-plane.alpha.kubernetes.io/leader")
            .is_some()
}

fn is_ca(object: &Object) -> bool {
    object.kind() == "Secret" && object.string("/type") == Some("istio.io/ca-root")
}
