//! The data plane: do pods have the sidecar that they should have, and which one is it?

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Pod;

use super::{List, counted, installation::trouble, some_of};
use crate::codes::Code;
use crate::observed::{
    Component, ISTIO_SYSTEM, Injection, Observed, Owner, ProxyKind, Version, is_under_way, owner,
    proxy,
};

/// What brings proxies to the control plane's version.
const RESTART: &str = "kubectl rollout restart, one workload after the other";
pub(super) fn check(observed: &Observed, list: &mut List<'_>) {
    let plane = observed
        .control_planes()
        .iter()
        .flat_map(Component::versions)
        .filter_map(Result::ok)
        .max();
    if let Some(plane) = plane {
        versions(observed, &plane, list);
    }
    missing(observed, list);
    stuck(observed, list);
    not_ready(observed, list);
    without_injection(observed, list);
}

fn versions(observed: &Observed, plane: &Version, list: &mut List<'_>) {
    let mut others: BTreeMap<Option<Version>, BTreeMap<Owner, usize>> = BTreeMap::new();
    let mut same = 0;
    for pod in observed.pods.iter().filter(|pod| is_under_way(pod)) {
        let Some(proxy) = proxy(pod).filter(|proxy| proxy.kind == ProxyKind::Sidecar) else {
            continue;
        };
        match proxy.image.version() {
            Some(version) if version == *plane => same += 1,
            version => {
                *others
                    .entry(version)
                    .or_default()
                    .entry(owner(pod))
                    .or_default() += 1
            }
        }
    }
    for (version, workloads) in &others {
        let pods: usize = workloads.values().sum();
        let has = if pods == 1 { "has" } else { "have" };
        let whose = some_of(workloads.keys());
        let what = match version {
            Some(version) => format!(
                "{} {has} a sidecar {version}, the control plane is {plane}: {whose}",
                counted(pods, "pod")
            ),
            None => format!(
                "{} {has} a sidecar whose image tag tells no version: {whose}",
                counted(pods, "pod")
            ),
        };
        let is_far = version
            .as_ref()
            .is_some_and(|v| v.major != plane.major || v.minor.abs_diff(plane.minor) > 1);
        match is_far {
            true => list.error(Code::ProxyVersions, what, RESTART),
            false => list.warning(Code::ProxyVersions, what, RESTART),
        }
        let stuck: Vec<&Owner> = workloads
            .keys()
            .filter(|owner| matches!(owner.kind.as_str(), "Pod" | "Job"))
            .collect();
        if !stuck.is_empty() {
            let what = format!("no restart renews the sidecar of {}", some_of(stuck));
            list.warning(
                Code::Unrestartable,
                what,
                "create the pod again yourself, or wait until the Job ends",
            );
        }
    }
    list.ok_unless_found(
        Code::ProxyVersions,
        format!(
            "{} with the control plane's version {plane}",
            counted(same, "sidecar")
        ),
    );
}

fn missing(observed: &Observed, list: &mut List<'_>) {
    let mut found: BTreeMap<(String, Owner), usize> = BTreeMap::new();
    for pod in observed
        .pods
        .iter()
        .filter(|pod| is_under_way(pod) && proxy(pod).is_none())
    {
        if let Injection::Asked { by } = Injection::of(pod, observed) {
            *found.entry((by, owner(pod))).or_default() += 1;
        }
    }
    for ((by, owner), pods) in found {
        let hint = match owner.kind.as_str() {
            "Deployment" | "StatefulSet" | "DaemonSet" => {
                format!(
                    "kubectl -n {} rollout restart {} {}",
                    owner.namespace,
                    owner.kind.to_lowercase(),
                    owner.name
                )
            }
            _ => "create its pods again".to_owned(),
        };
        list.warning(
            Code::MissingSidecar,
            format!(
                "{owner}: {} without the sidecar that is asked for by {by}",
                counted(pods, "pod")
            ),
            hint,
        );
    }
    list.ok_unless_found(
        Code::MissingSidecar,
        "every pod that asks for a sidecar has one",
    );
}

fn stuck(observed: &Observed, list: &mut List<'_>) {
    for pod in &observed.pods {
        let phase = pod
            .status
            .as_ref()
            .and_then(|status| status.phase.as_deref())
            .unwrap_or("Unknown");
        let is_meshed = proxy(pod).is_some() || Injection::of(pod, observed).is_asked();
        if matches!(phase, "Pending" | "Failed" | "Unknown") && is_meshed {
            let cause = trouble(pod)
                .map(|cause| format!(": {cause}"))
                .unwrap_or_default();
            list.warning(
                Code::StuckPods,
                format!("Pod {} is {phase}{cause}", name(pod)),
                "repair or delete it; the next pod gets the right sidecar",
            );
        }
    }
    list.ok_unless_found(
        Code::StuckPods,
        "no pod of the mesh is in Pending, Failed or Unknown",
    );
}

fn not_ready(observed: &Observed, list: &mut List<'_>) {
    for pod in observed.pods.iter().filter(|pod| is_under_way(pod)) {
        let Some(status) = pod
            .status
            .as_ref()
            .filter(|status| status.phase.as_deref() == Some("Running"))
        else {
            continue;
        };
        let mut containers = status
            .init_container_statuses
            .iter()
            .chain(&status.container_statuses)
            .flatten();
        if containers.any(|container| container.name == "istio-proxy" && !container.ready) {
            let hint = format!(
                "kubectl -n {} logs {} -c istio-proxy",
                pod.metadata.namespace.as_deref().unwrap_or_default(),
                pod.metadata.name.as_deref().unwrap_or_default()
            );
            list.warning(
                Code::ProxyNotReady,
                format!("Pod {}: its proxy is not ready", name(pod)),
                hint,
            );
        }
    }
    list.ok_unless_found(Code::ProxyNotReady, "every proxy is ready");
}

/// Injection is off by default in Kyma: where nobody asked for it, that is told, not judged.
fn without_injection(observed: &Observed, list: &mut List<'_>) {
    let bare = observed
        .pods
        .iter()
        .filter(|pod| is_under_way(pod) && proxy(pod).is_none());
    let not_asked = bare.filter(|pod| Injection::of(pod, observed) == Injection::NotAsked);
    let names: BTreeSet<&str> = not_asked
        .filter_map(|pod| pod.metadata.namespace.as_deref())
        .filter(|name| *name != ISTIO_SYSTEM)
        .collect();
    match names.is_empty() {
        true => list.ok(
            Code::NoInjection,
            "no pod is without a sidecar for lack of a label",
        ),
        false => list.ok(
            Code::NoInjection,
            format!("nothing asks for sidecars in {}", some_of(names)),
        ),
    }
}

fn name(pod: &Pod) -> String {
    let of = |text: &Option<String>| text.clone().unwrap_or_default();
    format!("{}/{}", of(&pod.metadata.namespace), of(&pod.metadata.name))
}
