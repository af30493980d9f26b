//! What a pod tells: its proxy, its owner, its state.

use k8s_openapi::api::core::v1::{Container, Pod};

use super::Image;

/// The proxy of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// What it does.
    pub kind: ProxyKind,
    /// What it runs.
    pub image: Image,
    /// True when it is an init container that stays ("native sidecar").
    pub native: bool,
}

/// What a proxy does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProxyKind {
    /// Stands beside an application.
    Sidecar,
    /// Stands alone: an ingress or egress gateway.
    Gateway,
    /// Stands alone in an ambient mesh.
    Waypoint,
}

/// What would make a new pod when this one goes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner {
    /// `Deployment`, `StatefulSet`, …; `Pod` when nothing would.
    pub kind: String,
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

/// The container `istio-proxy` of a pod.
#[must_use]
pub fn proxy(pod: &Pod) -> Option<Proxy> {
    let spec = pod.spec.as_ref()?;
    let is_proxy = |container: &&Container| container.name == "istio-proxy";
    let (container, native) = match spec.containers.iter().find(is_proxy) {
        Some(container) => (container, false),
        None => (spec.init_containers.iter().flatten().find(is_proxy)?, true),
    };
    let has_argument = |role: &str| {
        container
            .args
            .iter()
            .flatten()
            .any(|argument| argument == role)
    };
    let kind = match () {
        () if has_argument("router") => ProxyKind::Gateway,
        () if has_argument("waypoint") => ProxyKind::Waypoint,
        () => ProxyKind::Sidecar,
    };
    let image = Image::parse(container.image.as_deref().unwrap_or_default());
    Some(Proxy {
        kind,
        image,
        native,
    })
}

/// The workload that a pod belongs to. A ReplicaSet of a Deployment carries the pod template's hash behind its name, so
/// the Deployment is known without reading ReplicaSets.
#[must_use]
pub fn owner(pod: &Pod) -> Owner {
    let namespace = pod.metadata.namespace.clone().unwrap_or_default();
    let references = pod.metadata.owner_references.as_deref().unwrap_or_default();
    let Some(first) = references
        .iter()
        .find(|r| r.controller == Some(true))
        .or_else(|| references.first())
    else {
        let name = pod.metadata.name.clone().unwrap_or_default();
        return Owner {
            kind: "Pod".to_owned(),
            namespace,
            name,
        };
    };
    let hash = pod
        .metadata
        .labels
        .as_ref()
        .and_then(|labels| labels.get("pod-template-hash"));
    let deployment =
        hash.and_then(|hash| first.name.strip_suffix(hash.as_str())?.strip_suffix('-'));
    match deployment {
        Some(name) if first.kind == "ReplicaSet" => Owner {
            kind: "Deployment".to_owned(),
            namespace,
            name: name.to_owned(),
        },
        _ => Owner {
            kind: first.kind.clone(),
            namespace,
            name: first.name.clone(),
        },
    }
}

/// True when the pod's condition `Ready` is.
#[must_use]
pub fn is_ready(pod: &Pod) -> bool {
    let conditions = pod
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_deref());
    conditions
        .unwrap_or_default()
        .iter()
        .any(|c| c.type_ == "Ready" && c.status == "True")
}

/// True when the pod runs or will: neither ended nor going.
#[must_use]
pub fn is_under_way(pod: &Pod) -> bool {
    let phase = pod
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref());
    pod.metadata.deletion_timestamp.is_none() && !matches!(phase, Some("Succeeded" | "Failed"))
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

impl serde::Serialize for Owner {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
