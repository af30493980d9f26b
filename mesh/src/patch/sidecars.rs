//! Sidecars that the injector's new values don't reach before their pods are made anew.

use k8s_openapi::api::core::v1::{Container, Pod};

use crate::observed::{Observed, ProxyKind, is_under_way, owner, proxy};
use crate::plan::Meshed;

/// Sidecars that run without a memory limit.
pub(super) fn unlimited(observed: &Observed) -> Vec<Meshed> {
    let bare = |pod: &&Pod| {
        is_under_way(pod)
            && proxy(pod).is_some_and(|proxy| proxy.kind == ProxyKind::Sidecar)
            && !has_limit(pod)
    };
    let mut found: Vec<Meshed> = Vec::new();
    for pod in observed.pods.iter().filter(bare) {
        let workload = owner(pod);
        match found.iter_mut().find(|one| one.workload == workload) {
            Some(known) => known.pods += 1,
            None => found.push(Meshed {
                workload,
                pods: 1,
                is_gateway: false,
            }),
        }
    }
    found.sort_by(|a, b| a.workload.cmp(&b.workload));
    found
}

fn has_limit(pod: &Pod) -> bool {
    let spec = pod.spec.as_ref();
    let containers = spec.into_iter().flat_map(|spec| {
        let native = spec.init_containers.iter().flatten();
        spec.containers.iter().chain(native)
    });
    let limited = |container: &Container| {
        let resources = container.resources.as_ref();
        let limits = resources.and_then(|resources| resources.limits.as_ref());
        limits.is_some_and(|limits| limits.contains_key("memory"))
    };
    containers
        .filter(|container| container.name == "istio-proxy")
        .all(limited)
}
