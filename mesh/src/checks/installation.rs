//! What is installed: is it there, is it ready, do its parts fit together?

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ContainerStatus, Pod, Service};
use serde_json::Value;

use super::{List, some_of};
use crate::codes::Code;
use crate::criteria;
use crate::observed::{
    Component, KYMA_SYSTEM, Observed, Version, is_injector, is_ready, owner, service_name,
};
use crate::plan;
use crate::versions::versions as known;

pub(super) fn check(observed: &Observed, list: &mut List<'_>) {
    let planes = observed.control_planes();
    if planes.is_empty() {
        list.error(
            Code::ControlPlane,
            "Istio is not installed: no Deployment has a container `discovery`",
            "kubectl kyma-istio install",
        );
        return;
    }
    readiness(Code::ControlPlane, &planes, observed, list);
    webhooks(observed, list);
    readiness(Code::Gateways, &observed.gateways(), observed, list);
    readiness(Code::NodeAgents, &observed.node_agents(), observed, list);
    versions(observed, list);
    supported(&planes, list);
    balancers(observed, list);
    custom_resources(observed, list);
}

fn readiness(code: Code, components: &[Component], observed: &Observed, list: &mut List<'_>) {
    for component in components {
        let wanted = component.wanted.unwrap_or(component.ready);
        let what = format!("{component}: {} of {wanted} pods ready", component.ready);
        // Zero wanted node agents: no node takes one, so there is nothing to wait for.
        if component.is_ready() || (component.kind == "DaemonSet" && component.wanted == Some(0)) {
            list.ok(code, what);
            continue;
        }
        let is_its = |pod: &&Pod| {
            let owner = owner(pod);
            owner.kind == component.kind
                && owner.namespace == component.namespace
                && owner.name == component.name
        };
        let cause = observed
            .pods
            .iter()
            .filter(is_its)
            .filter(|pod| !is_ready(pod))
            .find_map(trouble);
        let hint = format!(
            "kubectl -n {} describe {} {}",
            component.namespace,
            component.kind.to_lowercase(),
            component.name
        );
        list.error(
            code,
            cause.map_or(what.clone(), |cause| format!("{what}: {cause}")),
            hint,
        );
    }
}

/// Why a pod isn't ready: what a container waits for, or what the scheduler says.
pub(super) fn trouble(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    let containers = status
        .init_container_statuses
        .iter()
        .chain(&status.container_statuses)
        .flatten();
    let waiting = |container: &ContainerStatus| {
        let waiting = container.state.as_ref()?.waiting.as_ref()?;
        let reason = waiting
            .reason
            .as_deref()
            .filter(|reason| *reason != "PodInitializing" && *reason != "ContainerCreating")?;
        let message = waiting
            .message
            .as_deref()
            .map(|text| format!(" ({})", text.lines().next().unwrap_or_default()))
            .unwrap_or_default();
        Some(format!(
            "container {} is in {reason}{message}",
            container.name
        ))
    };
    containers.into_iter().find_map(waiting).or_else(|| {
        let conditions = status.conditions.as_deref().unwrap_or_default();
        let not_true = conditions
            .iter()
            .find(|c| c.status != "True" && c.message.is_some())?;
        not_true
            .message
            .as_deref()
            .map(|message| message.lines().next().unwrap_or_default().to_owned())
    })
}

fn webhooks(observed: &Observed, list: &mut List<'_>) {
    let hint = "kubectl -n istio-system rollout restart deployment istiod";
    let injectors = observed
        .mutating_webhooks
        .iter()
        .filter(|found| is_injector(found));
    let injecting = injectors
        .flat_map(|found| found.webhooks.iter().flatten())
        .map(|hook| (&hook.name, &hook.client_config));
    let is_istios =
        |name: &str| name.ends_with("validation.istio.io") || name.ends_with("validator.istio.io");
    let validating = observed
        .validating_webhooks
        .iter()
        .flat_map(|found| found.webhooks.iter().flatten())
        .filter(|hook| is_istios(&hook.name))
        .map(|hook| (&hook.name, &hook.client_config));
    let (injecting, validating): (Vec<_>, Vec<_>) = (injecting.collect(), validating.collect());
    for (what, found) in [("injection", &injecting), ("validation", &validating)] {
        if found.is_empty() {
            list.error(
                Code::Webhooks,
                format!("no webhook for {what}"),
                "kubectl kyma-istio install",
            );
        }
    }
    for (name, client) in injecting.iter().chain(&validating) {
        let bundle = client
            .ca_bundle
            .as_ref()
            .map_or(&[][..], |bundle| &bundle.0);
        if let Some(problem) = criteria::ca_problem(bundle) {
            list.error(Code::Webhooks, format!("webhook {name}: {problem}"), hint);
        }
    }
    list.ok_unless_found(
        Code::Webhooks,
        "webhooks for injection and validation, each with a certificate",
    );
}

fn versions(observed: &Observed, list: &mut List<'_>) {
    let mut by_version: BTreeMap<Version, Vec<String>> = BTreeMap::new();
    let parts = [
        observed.control_planes(),
        observed.gateways(),
        observed.node_agents(),
    ];
    for component in parts.iter().flatten() {
        for version in component.versions().into_iter().flatten() {
            by_version
                .entry(version)
                .or_default()
                .push(component.to_string());
        }
    }
    let lines: Vec<String> = by_version
        .iter()
        .map(|(version, of)| format!("{version} ({})", some_of(of)))
        .collect();
    match by_version.len() {
        0 => list.warning(
            Code::Versions,
            "no image tag tells a version",
            "name images by tag",
        ),
        1 => list.ok(Code::Versions, lines.join("; ")),
        _ => list.warning(
            Code::Versions,
            format!("several versions: {}", lines.join("; ")),
            "run the installation again; it continues",
        ),
    }
}

fn supported(planes: &[Component], list: &mut List<'_>) {
    let istio = &known().istio;
    let Some(runs) = planes
        .iter()
        .flat_map(Component::versions)
        .filter_map(Result::ok)
        .max()
    else {
        return;
    };
    let minor = runs.line();
    let hint = match istio.supported.first() {
        Some(first) if minor < *first => format!(
            "upgrade one minor version at a time; `kubectl kyma-istio upgrade --istio-version {}` is the first that this release does",
            istio.release_of(*first)
        ),
        _ => format!("use a release of the plugin that supports {minor}"),
    };
    match istio.unsupported(minor) {
        None => list.ok(
            Code::SupportedIstio,
            format!("Istio {minor} is supported by this release of the plugin"),
        ),
        Some(why) => list.warning(
            Code::SupportedIstio,
            format!("Istio {runs} runs: {why}"),
            hint,
        ),
    }
}

fn balancers(observed: &Observed, list: &mut List<'_>) {
    let gateways = observed.gateways();
    let is_gateways = |service: &&Service| {
        observed.pods_of(service).any(|pod| {
            let owner = owner(pod);
            gateways.iter().any(|g| {
                g.kind == owner.kind && g.namespace == owner.namespace && g.name == owner.name
            })
        })
    };
    let is_balanced = |service: &&Service| {
        service
            .spec
            .as_ref()
            .is_some_and(|spec| spec.type_.as_deref() == Some("LoadBalancer"))
    };
    for service in observed
        .services
        .iter()
        .filter(is_balanced)
        .filter(is_gateways)
    {
        let name = service_name(service);
        let balancer = service
            .status
            .as_ref()
            .and_then(|status| status.load_balancer.as_ref());
        let addresses = balancer
            .iter()
            .flat_map(|balancer| balancer.ingress.iter().flatten());
        let addresses: Vec<&str> = addresses
            .filter_map(|at| at.ip.as_deref().or(at.hostname.as_deref()))
            .collect();
        match addresses.as_slice() {
            [] => list.warning(
                Code::LoadBalancer,
                format!("Service {name} has no address yet"),
                format!(
                    "kubectl describe service -n {} {}",
                    service.metadata.namespace.as_deref().unwrap_or_default(),
                    service.metadata.name.as_deref().unwrap_or_default()
                ),
            ),
            found => list.ok(
                Code::LoadBalancer,
                format!("Service {name}: {}", found.join(", ")),
            ),
        }
    }
}

fn custom_resources(observed: &Observed, list: &mut List<'_>) {
    let counts = plan::custom_resource(observed);
    for resource in &observed.istio_crs {
        let id = resource.id();
        if Some(resource) != counts {
            let what = format!(
                "{id} doesn't count: only the oldest Istio custom resource in {KYMA_SYSTEM} does"
            );
            list.warning(
                Code::CustomResource,
                what,
                "delete it, or edit the one that counts",
            );
            continue;
        }
        let conditions = resource
            .pointer("/status/conditions")
            .and_then(Value::as_array);
        let reasons = conditions
            .into_iter()
            .flatten()
            .filter(|c| c.get("status").and_then(Value::as_str) == Some("False"));
        let reasons: Vec<&str> = reasons.filter_map(|c| c.get("reason")?.as_str()).collect();
        let description = resource.string("/status/description").unwrap_or_default();
        let what = |state: &str| format!("{id}: {state}, {description} ({})", reasons.join(", "));
        match resource.string("/status/state") {
            Some("Ready") => list.ok(Code::CustomResource, format!("{id}: Ready")),
            Some("Error") => list.error(
                Code::CustomResource,
                what("Error"),
                "correct the resource; its conditions say what is wrong",
            ),
            Some(state) => list.warning(
                Code::CustomResource,
                what(state),
                "see the resource's conditions",
            ),
            None => list.ok(
                Code::CustomResource,
                format!("{id}: no operator reports on it"),
            ),
        }
    }
}
