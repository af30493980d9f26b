//! What the fields of an `Istio` CR mean together.

use super::components::{Component, HpaSpec, Resources};
use super::spec::Spec;
use crate::problem::{Place, Problem, list};
use crate::quantity::Quantity;

/// Extension providers that every mesh has already; a second one of that name makes istiod refuse the mesh configuration.
pub const BUILT_IN_PROVIDERS: [&str; 6] = [
    "prometheus",
    "kyma-traces",
    "kyma-zipkin",
    "envoy",
    "stdout-json",
    "kyma-logs",
];

pub(crate) fn check(spec: &Spec, place: &dyn Fn(&str) -> Place) -> Vec<Problem> {
    let mut problems = Vec::new();
    authorizer_names(spec, &mut problems);
    let components = &spec.components;
    let both =
        |component: &Option<Component>| component.as_ref().map(|component| component.k8s.clone());
    let deployments = [
        ("pilot", both(&components.pilot)),
        ("ingressGateway", both(&components.ingress_gateway)),
        (
            "egressGateway",
            components
                .egress_gateway
                .as_ref()
                .map(|gateway| gateway.k8s.clone()),
        ),
    ];
    for (name, k8s) in deployments {
        if let Some(k8s) = k8s {
            replicas(&k8s.hpa_spec, name, &mut problems);
            resources(&k8s.resources, name, &mut problems);
        }
    }
    if let Some(cni) = &components.cni {
        resources(&cni.k8s.resources, "cni", &mut problems);
    }
    if let Some(proxy) = &components.proxy {
        resources(&proxy.k8s.resources, "proxy", &mut problems);
    }
    problems
        .into_iter()
        .map(|problem| at(problem, place))
        .collect()
}

fn at(problem: Problem, place: &dyn Fn(&str) -> Place) -> Problem {
    let place = place(&problem.path);
    problem.at(place)
}

fn authorizer_names(spec: &Spec, problems: &mut Vec<Problem>) {
    let authorizers = &spec.config.authorizers;
    for (index, authorizer) in authorizers.iter().enumerate() {
        let path = format!("spec.config.authorizers[{index}].name");
        let found = format!("`{}`", authorizer.name);
        let first = authorizers
            .iter()
            .position(|other| other.name == authorizer.name);
        if let Some(first) = first.filter(|first| *first < index) {
            let expected = format!("a name of its own: authorizers[{first}] has it");
            problems.push(Problem::new(path, found, expected));
        } else if BUILT_IN_PROVIDERS.contains(&authorizer.name.as_str()) {
            let expected = format!(
                "a name other than {}, which the mesh has already",
                list(&BUILT_IN_PROVIDERS)
            );
            problems.push(Problem::new(path, found, expected));
        }
    }
}

fn replicas(hpa: &HpaSpec, component: &str, problems: &mut Vec<Problem>) {
    if let (Some(min), Some(max)) = (hpa.min_replicas, hpa.max_replicas)
        && min > max
    {
        let path = format!("spec.components.{component}.k8s.hpaSpec.minReplicas");
        let expected = format!("at most maxReplicas, `{max}`");
        problems.push(Problem::new(path, format!("`{min}`"), expected));
    }
}

fn resources(resources: &Resources, component: &str, problems: &mut Vec<Problem>) {
    let (requests, limits) = (&resources.requests, &resources.limits);
    for (name, request, limit) in [
        ("cpu", &requests.cpu, &limits.cpu),
        ("memory", &requests.memory, &limits.memory),
    ] {
        let (Some(request), Some(limit)) = (request, limit) else {
            continue;
        };
        if Quantity::parse(request) > Quantity::parse(limit) {
            let path = format!("spec.components.{component}.k8s.resources.requests.{name}");
            problems.push(Problem::new(
                path,
                format!("`{request}`"),
                format!("at most the limit, `{limit}`"),
            ));
        }
    }
}
