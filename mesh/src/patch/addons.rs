//! Resources of the charts that came with Istio until 1.5. Only what carries all labels of such a chart is removed: a
//! Prometheus of the user's own looks much like it.

use super::{Change, Patchable, Work, step};
use crate::object::{Id, Object};
use crate::observed::{ISTIO_SYSTEM, Observed};
use crate::plan::{Action, Leftover};

/// The charts, as document 001 names them.
const CHARTS: [&str; 4] = ["prometheus", "tracing", "grafana", "servicegraph"];
/// How such things are called.
const NAMES: [&str; 6] = [
    "prometheus",
    "tracing",
    "grafana",
    "servicegraph",
    "jaeger",
    "zipkin",
];
/// What tells the release that istioctl and Istio's charts were rendered with; this where the control plane doesn't say.
const RELEASE: &str = "istio";

pub(super) fn remove(
    found: &Patchable,
    observed: &Observed,
    delete_data: bool,
    work: &mut Work,
) -> Vec<Leftover> {
    let release = release(observed);
    let mut doomed: Vec<(Id, String)> = Vec::new();
    let mut left = Vec::new();
    let mut leave = |object: &Object, why: &str| {
        left.push(Leftover {
            id: object.id(),
            why: why.to_owned(),
        });
    };
    for object in &found.root {
        let is_claim = object.kind() == "PersistentVolumeClaim";
        match (is_of_chart(object, &release), object.uid()) {
            (true, Some(_)) if is_claim && !delete_data => {
                leave(object, "it holds data; `--delete-data` removes it");
            }
            (true, Some(uid)) => {
                doomed.push((object.id(), uid.to_owned()));
                work.record.add(Change::Removed {
                    object: crate::backup::restorable(object),
                });
                work.kept.push(object.clone());
            }
            _ if is_called_so(object) => {
                leave(
                    object,
                    "it doesn't carry the labels of Istio's own chart: somebody else's, most likely",
                );
            }
            _ => {}
        }
    }
    for object in found.wide.iter().filter(|one| is_of_chart(one, &release)) {
        leave(object, &format!("it isn't in {ISTIO_SYSTEM}"));
    }
    // Pods before what they use.
    doomed.sort_by_key(|(id, _)| (rank(&id.kind), id.clone()));
    if !doomed.is_empty() {
        let title = "remove the add-ons of Istio's old charts";
        let wait = "wait until the add-ons went";
        let all = doomed.clone();
        work.plan
            .steps
            .push(step("addons", title, Action::Delete(doomed)));
        work.plan
            .steps
            .push(step("addons-gone", wait, Action::WaitGone(all)));
    }
    left
}

/// `chart: prometheus` (1.1 to 1.5) or `chart: prometheus-1.0.5`, with the release that Istio was installed by and Helm's
/// label. The chart of Prometheus' own has the same name, but another release.
fn is_of_chart(object: &Object, release: &str) -> bool {
    let is_chart = |label: &str| {
        CHARTS.iter().any(|chart| {
            let version = label.strip_prefix(chart);
            version.is_some_and(|rest| rest.is_empty() || is_version(rest))
        })
    };
    object.label("chart").is_some_and(is_chart)
        && object.label("release") == Some(release)
        && object.label("heritage").is_some()
}

/// `-1.0.5`.
fn is_version(text: &str) -> bool {
    text.strip_prefix('-')
        .is_some_and(|version| version.starts_with(|c: char| c.is_ascii_digit()))
}

fn is_called_so(object: &Object) -> bool {
    let called = |text: &str| NAMES.iter().any(|name| text.contains(name));
    called(object.name()) || object.label("app").is_some_and(called)
}

fn release(observed: &Observed) -> String {
    let of_planes = observed.control_planes().into_iter().find_map(|plane| {
        let deployment = observed.deployments.iter().find(|one| {
            one.metadata.name.as_ref() == Some(&plane.name)
                && one.metadata.namespace.as_ref() == Some(&plane.namespace)
        })?;
        deployment.metadata.labels.as_ref()?.get("release").cloned()
    });
    of_planes.unwrap_or_else(|| RELEASE.to_owned())
}

fn rank(kind: &str) -> u8 {
    match kind {
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job" | "CronJob" => 0,
        "Pod" => 1,
        "PersistentVolumeClaim" => 3,
        _ => 2,
    }
}
