//! Configuration that breaks calls, as far as the API shows it: the causes of 503 and of refused connections.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{List, some_of};
use crate::codes::Code;
use crate::criteria::{self, Mode};
use crate::observed::{ISTIO_SYSTEM, Observed, is_ready, is_under_way, proxy, service_name};
use crate::strict::{has_sidecar, tls_modes, without_sidecar};

pub(super) fn check(observed: &Observed, list: &mut List<'_>) {
    let meshed: BTreeSet<&str> = observed
        .pods
        .iter()
        .filter(|pod| is_under_way(pod) && proxy(pod).is_some())
        .filter_map(|pod| pod.metadata.namespace.as_deref())
        .collect();
    let is_near = |service: &&Service| {
        service
            .metadata
            .namespace
            .as_deref()
            .is_some_and(|namespace| meshed.contains(namespace))
    };
    for service in observed.services.iter().filter(is_near) {
        endpoints(service, observed, list);
    }
    list.ok_unless_found(
        Code::NoReadyPod,
        "every Service of the mesh has a ready pod",
    );
    list.ok_unless_found(Code::TargetPort, "every named target port exists");
    mutual_to_plain(observed, list);
    plain_to_strict(observed, list);
}

/// What STRICT changes, or what it already breaks.
pub(super) fn check_strict(observed: &Observed, list: &mut List<'_>) {
    let report = without_sidecar(observed);
    for bare in &report.workloads {
        let what = format!("{}: {} ({})", bare.workload, bare.loses, bare.why);
        list.warning(
            Code::WithoutSidecar,
            what,
            "turn injection on and restart it, or keep what it calls PERMISSIVE",
        );
    }
    for line in &report.policies {
        list.warning(
            Code::WeakerPolicy,
            line.clone(),
            "delete it once all callers have a sidecar",
        );
    }
    for plain in &report.rules {
        let what = format!(
            "{} sends plain text to {} ({})",
            plain.rule,
            plain.services.join(", "),
            plain.path
        );
        list.warning(Code::TlsDisabled, what, "remove `tls.mode` from the rule");
    }
    list.ok_unless_found(
        Code::WithoutSidecar,
        "no workload without a sidecar next to meshed ones",
    );
    list.ok_unless_found(Code::WeakerPolicy, "no policy is weaker than STRICT");
    list.ok_unless_found(
        Code::TlsDisabled,
        "no DestinationRule turns TLS off towards the mesh",
    );
    for line in report.not_seen {
        list.ok(Code::NotSeen, format!("not seen: {line}"));
    }
}

fn endpoints(service: &Service, observed: &Observed, list: &mut List<'_>) {
    let has_selector = service
        .spec
        .as_ref()
        .and_then(|spec| spec.selector.as_ref())
        .is_some_and(|labels| !labels.is_empty());
    if !has_selector {
        return;
    }
    let name = service_name(service);
    let pods: Vec<&Pod> = observed.pods_of(service).collect();
    if !pods.iter().any(|pod| is_ready(pod)) {
        let what = format!(
            "Service {name}: none of its {} pods is ready, callers get 503",
            pods.len()
        );
        return list.warning(
            Code::NoReadyPod,
            what,
            "compare its selector with the labels of the pods, and look at the pods",
        );
    }
    for port in service
        .spec
        .iter()
        .flat_map(|spec| spec.ports.iter().flatten())
    {
        let Some(IntOrString::String(wanted)) = &port.target_port else {
            continue;
        };
        let has_port = |pod: &&Pod| {
            let spec = pod.spec.iter();
            let containers = spec.flat_map(|spec| {
                spec.containers
                    .iter()
                    .chain(spec.init_containers.iter().flatten())
            });
            containers
                .flat_map(|container| container.ports.iter().flatten())
                .any(|port| port.name.as_ref() == Some(wanted))
        };
        if !pods.iter().any(has_port) {
            let what = format!(
                "Service {name}, port {}: target port `{wanted}` exists in none of its pods",
                port.port
            );
            list.error(
                Code::TargetPort,
                what,
                "correct `targetPort`, or the name of the container's port",
            );
        }
    }
}

fn mutual_to_plain(observed: &Observed, list: &mut List<'_>) {
    for rule in &observed.destination_rules {
        for path in ["ISTIO_MUTUAL", "MUTUAL"]
            .iter()
            .flat_map(|mode| tls_modes(rule, mode))
        {
            let host = rule.string("/spec/host").unwrap_or_default();
            let is_bare =
                |service: &&Service| observed.pods_of(service).any(|pod| proxy(pod).is_none());
            let services: Vec<String> = observed
                .services_of(host, rule.namespace().unwrap_or_default())
                .filter(is_bare)
                .map(service_name)
                .collect();
            if !services.is_empty() {
                let what = format!(
                    "{}: mutual TLS ({path}) towards pods without a sidecar: {}",
                    rule.id(),
                    some_of(services)
                );
                list.warning(
                    Code::MutualToPlain,
                    what,
                    "give them a sidecar, or set `tls.mode: DISABLE` for these hosts",
                );
            }
        }
    }
    list.ok_unless_found(
        Code::MutualToPlain,
        "no DestinationRule asks pods without a sidecar for mutual TLS",
    );
}

fn plain_to_strict(observed: &Observed, list: &mut List<'_>) {
    let is_strict = criteria::mesh_wide(observed).is_some_and(|(_, mode)| mode == Mode::Strict);
    // Which override reaches which pod isn't judged: a namespace with one, or one for the mesh, is left out.
    let is_weaker = |namespace: &str| {
        observed.peer_authentications.iter().any(|policy| {
            let here =
                policy.namespace() == Some(namespace) && policy.namespace() != Some(ISTIO_SYSTEM);
            here && criteria::is_weaker(policy)
        })
    };
    for rule in observed.destination_rules.iter().filter(|_| is_strict) {
        for path in tls_modes(rule, "DISABLE") {
            let host = rule.string("/spec/host").unwrap_or_default();
            let takes_mutual_only = |service: &&Service| {
                observed.pods_of(service).any(has_sidecar)
                    && !is_weaker(service.metadata.namespace.as_deref().unwrap_or_default())
            };
            let services = observed.services_of(host, rule.namespace().unwrap_or_default());
            let services: Vec<String> = services
                .filter(takes_mutual_only)
                .map(service_name)
                .collect();
            if !services.is_empty() {
                let what = format!(
                    "{}: plain text ({path}) towards pods under STRICT: {}",
                    rule.id(),
                    some_of(services)
                );
                list.error(Code::PlainToStrict, what, "remove `tls.mode` from the rule");
            }
        }
    }
    list.ok_unless_found(
        Code::PlainToStrict,
        "no DestinationRule sends plain text to pods under STRICT",
    );
}
