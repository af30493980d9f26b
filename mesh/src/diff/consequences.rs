//! What changes do to what runs: rules from a kind and a path to a sentence.

mod config;
mod whole;

use serde_json::Value;

use super::{Change, Consequence, Impact, ObjectChange};
use crate::object::Object;
use crate::observed::Observed;

/// Every consequence, the worst first, each told once.
#[must_use]
pub fn consequences(changes: &[ObjectChange], observed: &Observed) -> Vec<Consequence> {
    let mut told: Vec<Consequence> = Vec::new();
    for change in changes {
        let fields = change.changes(observed);
        for (impact, what) in of_one(change, &fields, observed) {
            match told.iter_mut().find(|known| known.what == what) {
                Some(known) => known.because.push(change.id.clone()),
                None => told.push(Consequence {
                    impact,
                    what,
                    because: vec![change.id.clone()],
                }),
            }
        }
    }
    told.sort_by_key(|consequence| consequence.impact);
    told
}

type Told = (Impact, String);

fn of_one(change: &ObjectChange, fields: &[Change], observed: &Observed) -> Vec<Told> {
    match (&change.live, &change.would_be) {
        _ if fields.is_empty() => Vec::new(),
        (Some(live), None) => whole::removal(live, observed).into_iter().collect(),
        (None, Some(new)) => whole::creation(new),
        (Some(live), Some(would_be)) => match change.id.kind.as_str() {
            "Deployment" | "DaemonSet" | "StatefulSet" => workload(live, fields),
            "ConfigMap" => config::config(&change.id, fields, observed),
            "CustomResourceDefinition" => crd(live, would_be),
            "MutatingWebhookConfiguration" => vec![(
                Impact::Traffic,
                format!(
                    "changes how new pods get their sidecar ({})",
                    change.id.name
                ),
            )],
            "ValidatingWebhookConfiguration" => vec![(
                Impact::Note,
                format!(
                    "changes which Istio configuration is refused ({})",
                    change.id.name
                ),
            )],
            "Service" => service(live, would_be, fields),
            "HorizontalPodAutoscaler" => autoscaler(would_be, fields),
            "PeerAuthentication" => peer_authentication(would_be, fields),
            "Namespace" => namespace(would_be, fields),
            _ => Vec::new(),
        },
        (None, None) => Vec::new(),
    }
}

fn workload(live: &Object, fields: &[Change]) -> Vec<Told> {
    let mut told = Vec::new();
    let name = qualified(live);
    let pods = pods(live);
    if fields
        .iter()
        .any(|change| change.path.starts_with("spec.template"))
    {
        told.push((
            Impact::Restarts,
            format!("restarts {} {name} ({})", role(live), counted(pods, "pod")),
        ));
    }
    if let Some(change) = fields.iter().find(|change| change.path == "spec.replicas") {
        let number = |side: &Option<Value>| {
            side.as_ref()
                .map_or_else(|| "1".to_owned(), Value::to_string)
        };
        told.push((
            Impact::Note,
            format!(
                "scales {name} from {} to {}",
                number(&change.from),
                number(&change.to)
            ),
        ));
    }
    told
}

fn crd(live: &Object, would_be: &Object) -> Vec<Told> {
    let served = |object: &Object| -> Vec<String> {
        let versions = object.pointer("/spec/versions").and_then(Value::as_array);
        let served = versions
            .into_iter()
            .flatten()
            .filter(|version| version.get("served") == Some(&Value::Bool(true)));
        served
            .filter_map(|version| version.get("name")?.as_str().map(str::to_owned))
            .collect()
    };
    let (before, after) = (served(live), served(would_be));
    let gone = before.iter().filter(|version| !after.contains(version));
    let mut told: Vec<Told> = gone
        .map(|version| {
            (
                Impact::Stops,
                format!("{} no longer serves {version}", would_be.name()),
            )
        })
        .collect();
    told.push((
        Impact::Note,
        format!(
            "changes the schema of {}; its resources are kept",
            would_be.name()
        ),
    ));
    told
}

fn service(live: &Object, would_be: &Object, fields: &[Change]) -> Vec<Told> {
    const BALANCER: [&str; 7] = [
        "spec.type",
        "metadata.annotations",
        "spec.loadBalancer",
        "spec.externalTrafficPolicy",
        "spec.ipFamil",
        "spec.externalIPs",
        "spec.ports",
    ];
    let is_balanced = [live, would_be]
        .iter()
        .any(|side| side.string("/spec/type") == Some("LoadBalancer"));
    let name = qualified(would_be);
    let mut told = Vec::new();
    if is_balanced
        && fields.iter().any(|change| {
            BALANCER
                .iter()
                .any(|prefix| change.path.starts_with(prefix))
        })
    {
        told.push((
            Impact::Traffic,
            format!("may change the load balancer of {name}"),
        ));
    }
    for closed in fields
        .iter()
        .filter(|change| change.to.is_none() && is_element(&change.path, "spec.ports["))
    {
        let port = closed
            .from
            .as_ref()
            .and_then(|port| port.get("port"))
            .map(Value::to_string)
            .unwrap_or_default();
        told.push((Impact::Stops, format!("closes port {port} of {name}")));
    }
    if fields
        .iter()
        .any(|change| change.path.starts_with("spec.selector"))
    {
        told.push((
            Impact::Traffic,
            format!("sends traffic of {name} to other pods"),
        ));
    }
    told
}

fn autoscaler(would_be: &Object, fields: &[Change]) -> Vec<Told> {
    if !fields.iter().any(|change| {
        matches!(
            change.path.as_str(),
            "spec.minReplicas" | "spec.maxReplicas"
        )
    }) {
        return Vec::new();
    }
    let number = |pointer| {
        would_be
            .pointer(pointer)
            .map_or_else(|| "1".to_owned(), Value::to_string)
    };
    let (min, max) = (number("/spec/minReplicas"), number("/spec/maxReplicas"));
    vec![(
        Impact::Note,
        format!(
            "scales {} between {min} and {max} pods",
            qualified(would_be)
        ),
    )]
}

fn peer_authentication(would_be: &Object, fields: &[Change]) -> Vec<Told> {
    let has_mode = fields
        .iter()
        .any(|change| change.path.starts_with("spec.mtls") || change.path == "spec");
    let mode = would_be.string("/spec/mtls/mode").unwrap_or("UNSET");
    match mode {
        _ if !has_mode => Vec::new(),
        "STRICT" => vec![(
            Impact::Traffic,
            format!("refuses plain text where {} holds", qualified(would_be)),
        )],
        weaker => vec![(
            Impact::Traffic,
            format!(
                "mutual TLS becomes {weaker} where {} holds",
                qualified(would_be)
            ),
        )],
    }
}

fn namespace(would_be: &Object, fields: &[Change]) -> Vec<Told> {
    let touches = fields
        .iter()
        .any(|change| change.path.starts_with("metadata.labels.istio-injection"));
    match would_be.label("istio-injection") {
        Some("enabled") if touches => vec![(
            Impact::Note,
            format!("new pods of {} get a sidecar", would_be.name()),
        )],
        _ if touches => vec![(
            Impact::Stops,
            format!("new pods of {} get no sidecar", would_be.name()),
        )],
        _ => Vec::new(),
    }
}

/// What a workload is in a mesh.
fn role(object: &Object) -> &'static str {
    let containers = object
        .pointer("/spec/template/spec/containers")
        .and_then(Value::as_array);
    let has = |name: &str| {
        containers
            .into_iter()
            .flatten()
            .any(|c| c.get("name").and_then(Value::as_str) == Some(name))
    };
    match object.kind() {
        _ if has("discovery") => "the control plane",
        "DaemonSet" if has("install-cni") => "the node agents",
        "Deployment" if has("istio-proxy") => "the gateway",
        _ => "the workload",
    }
}

/// How many pods the live workload has.
fn pods(live: &Object) -> usize {
    let counts = [
        "/status/replicas",
        "/status/currentNumberScheduled",
        "/spec/replicas",
    ];
    let count = counts
        .iter()
        .find_map(|pointer| live.pointer(pointer)?.as_u64());
    usize::try_from(count.unwrap_or(0)).unwrap_or(usize::MAX)
}

fn is_element(path: &str, list: &str) -> bool {
    path.strip_prefix(list)
        .and_then(|rest| rest.split_once(']'))
        .is_some_and(|(_, rest)| rest.is_empty())
}

fn qualified(object: &Object) -> String {
    object.namespace().map_or_else(
        || object.name().to_owned(),
        |namespace| format!("{namespace}/{}", object.name()),
    )
}

fn counted(number: usize, what: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {what}{ending}")
}
