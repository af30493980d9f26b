//! Why a workload doesn't become ready: what its containers, pods, controllers and events say. Best effort: what can't
//! be read is said so, never an error.

use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::{ContainerStatus, Event, Pod};
use mesh::object::{Id, Object};
use serde_json::Value;

use crate::apply::get;
use crate::connect::Connection;
use crate::error::first_line;
use crate::kinds::{self, Kind};
use crate::list::{Query, list};

/// As many details as fit a screen.
const MOST: usize = 6;

/// What can be found out, the most telling first.
pub(super) async fn details(connection: &Connection, id: &Id) -> Vec<String> {
    let object = match kinds::find(connection, &id.api_version, &id.kind).await {
        Ok(Some(kind)) => get(connection, &kind, id).await.ok().flatten(),
        Ok(None) => {
            return vec![format!(
                "the cluster has no kind `{}` in `{}`",
                id.kind, id.api_version
            )];
        }
        Err(_) => None,
    };
    let (Some(object), Some(namespace)) = (object, id.namespace.as_deref()) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut names = vec![id.name.clone()];
    if let Some(selector) = selector(&object) {
        let query = || Query {
            namespace: Some(namespace),
            labels: Some(&selector),
            name: None,
        };
        match list::<Pod>(connection, &Kind::known("v1", "pods", true), query()).await {
            Ok(pods) => {
                found.extend(pods.iter().flat_map(of_pod));
                names.extend(pods.iter().filter_map(|pod| pod.metadata.name.clone()));
            }
            Err(error) => found.push(format!("its pods can't be read: {error}")),
        }
        let sets = list::<ReplicaSet>(
            connection,
            &Kind::known("apps/v1", "replicasets", true),
            query(),
        )
        .await;
        names.extend(
            sets.unwrap_or_default()
                .into_iter()
                .filter_map(|set| set.metadata.name),
        );
    }
    found.extend(of_conditions(&object));
    let all = Query {
        namespace: Some(namespace),
        labels: None,
        name: None,
    };
    match list::<Event>(connection, &Kind::known("v1", "events", true), all).await {
        Ok(events) => found.extend(of_events(events, &names)),
        Err(error) => found.push(format!("its events can't be read: {error}")),
    }
    let mut unique: Vec<String> = Vec::new();
    for detail in found {
        if !unique.contains(&detail) {
            unique.push(detail);
        }
    }
    unique.truncate(MOST);
    unique
}

/// `app=istiod,istio=pilot`, of `spec.selector.matchLabels`.
fn selector(object: &Object) -> Option<String> {
    let labels = object.pointer("/spec/selector/matchLabels")?.as_object()?;
    let pairs: Vec<String> = labels
        .iter()
        .filter_map(|(key, value)| Some(format!("{key}={}", value.as_str()?)))
        .collect();
    (!pairs.is_empty()).then(|| pairs.join(","))
}

fn of_pod(pod: &Pod) -> Vec<String> {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let Some(status) = &pod.status else {
        return Vec::new();
    };
    let init = status.init_container_statuses.iter().flatten();
    let containers = init.chain(status.container_statuses.iter().flatten());
    let mut said: Vec<String> = containers
        .filter_map(of_container)
        .map(|why| format!("pod {name}: {why}"))
        .collect();
    for condition in status.conditions.iter().flatten() {
        if condition.type_ == "PodScheduled" && condition.status == "False" {
            let reason = condition.reason.as_deref().unwrap_or("not scheduled");
            said.push(format!(
                "pod {name}: {reason}: {}",
                first_line(condition.message.as_deref().unwrap_or_default())
            ));
        }
    }
    said
}

fn of_container(status: &ContainerStatus) -> Option<String> {
    let name = &status.name;
    let state = status.state.as_ref()?;
    let last = status
        .last_state
        .as_ref()
        .and_then(|last| last.terminated.as_ref());
    if let Some(waiting) = &state.waiting {
        let reason = waiting.reason.as_deref().unwrap_or("waiting");
        // What every container passes through says nothing.
        if matches!(reason, "ContainerCreating" | "PodInitializing")
            && waiting.message.is_none()
            && last.is_none()
        {
            return None;
        }
        let message = waiting
            .message
            .as_deref()
            .map(first_line)
            .unwrap_or_default();
        let died = last
            .map(|end| format!(" (last exit code {}, {})", end.exit_code, ended(end)))
            .unwrap_or_default();
        return Some(format!("container `{name}` {reason}: {message}{died}"));
    }
    if let Some(end) = state.terminated.as_ref().filter(|end| end.exit_code != 0) {
        return Some(format!(
            "container `{name}` ended with exit code {}, {}",
            end.exit_code,
            ended(end)
        ));
    }
    let is_running = state.running.is_some() && !status.ready;
    is_running.then(|| {
        format!(
            "container `{name}` runs but is not ready ({} restarts)",
            status.restart_count
        )
    })
}

fn ended(end: &k8s_openapi::api::core::v1::ContainerStateTerminated) -> String {
    let message = end.message.as_deref().map(first_line).unwrap_or_default();
    format!(
        "{} {message}",
        end.reason.as_deref().unwrap_or("no reason given")
    )
    .trim_end()
    .to_owned()
}

/// A Deployment passes on that its pods can't even be created: quota, admission.
fn of_conditions(object: &Object) -> Vec<String> {
    let conditions = object
        .pointer("/status/conditions")
        .and_then(Value::as_array);
    let text = |one: &Value, key: &str| {
        one.get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let is_bad = |one: &&Value| match text(one, "type").as_str() {
        "ReplicaFailure" => one["status"] == "True",
        "Progressing" => one["status"] == "False",
        _ => false,
    };
    let bad = conditions.into_iter().flatten().filter(is_bad);
    bad.map(|one| {
        format!(
            "{}: {}",
            text(one, "reason"),
            first_line(&text(one, "message"))
        )
    })
    .collect()
}

/// The warnings about these objects, the newest first.
fn of_events(events: Vec<Event>, names: &[String]) -> Vec<String> {
    let mut warnings: Vec<Event> = events
        .into_iter()
        .filter(|event| event.type_.as_deref() == Some("Warning"))
        .filter(|event| {
            event
                .involved_object
                .name
                .as_ref()
                .is_some_and(|name| names.contains(name))
        })
        .collect();
    let time = |event: &Event| {
        let seen = event.last_timestamp.as_ref().map(|time| time.0);
        seen.or_else(|| event.event_time.as_ref().map(|time| time.0))
    };
    warnings.sort_by_key(|event| std::cmp::Reverse(time(event)));
    let text = |event: &Event| {
        let object = &event.involved_object;
        format!(
            "{} {}: {}: {}",
            object.kind.as_deref().unwrap_or_default().to_lowercase(),
            object.name.as_deref().unwrap_or_default(),
            event.reason.as_deref().unwrap_or_default(),
            first_line(event.message.as_deref().unwrap_or_default())
        )
    };
    warnings.iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_value, json};

    #[test]
    fn a_container_says_why_it_waits_or_died() {
        let of = |state: Value, last: Value| {
            let status = json!({ "name": "discovery", "image": "i", "imageID": "", "ready": false, "restartCount": 4,
                "state": state, "lastState": last });
            of_container(&from_value(status).expect("a status"))
        };
        let pull = json!({ "waiting": { "reason": "ImagePullBackOff", "message": "Back-off pulling image \"x\"" } });
        let pulled = "container `discovery` ImagePullBackOff: Back-off pulling image \"x\"";
        assert_eq!(of(pull, json!({})), Some(pulled.to_owned()));
        let crash =
            json!({ "waiting": { "reason": "CrashLoopBackOff", "message": "back-off 10s" } });
        let died = json!({ "terminated": { "exitCode": 137, "reason": "OOMKilled" } });
        let crashed =
            "container `discovery` CrashLoopBackOff: back-off 10s (last exit code 137, OOMKilled)";
        assert_eq!(of(crash, died), Some(crashed.to_owned()));
        assert_eq!(
            of(
                json!({ "waiting": { "reason": "ContainerCreating" } }),
                json!({})
            ),
            None
        );
        let running = of(json!({ "running": {} }), json!({}));
        assert_eq!(
            running,
            Some("container `discovery` runs but is not ready (4 restarts)".to_owned())
        );
    }

    #[test]
    fn warnings_about_its_pods_come_newest_first() {
        let event = |name: &str, kind: &str, time: &str, reason: &str| {
            let value = json!({ "metadata": {}, "type": kind, "reason": reason, "message": "m\nn",
                "involvedObject": { "kind": "Pod", "name": name }, "lastTimestamp": time });
            from_value::<Event>(value).expect("an event")
        };
        let events = vec![
            event("istiod-1", "Warning", "2026-01-01T00:00:00Z", "Old"),
            event("istiod-1", "Normal", "2026-01-01T00:00:03Z", "Pulled"),
            event("other", "Warning", "2026-01-01T00:00:04Z", "Other"),
            event("istiod-1", "Warning", "2026-01-01T00:00:02Z", "New"),
        ];
        let said = of_events(events, &["istiod-1".to_owned()]);
        assert_eq!(said, ["pod istiod-1: New: m", "pod istiod-1: Old: m"]);
    }
}
