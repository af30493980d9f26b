//! Is an object ready? Judged by its status alone, as kstatus does. Not here: asking the cluster.

use mesh::object::Object;
use serde_json::Value;

use super::States;

/// What one look says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// It works.
    Ready,
    /// Not yet, and what is missing.
    NotYet(String),
    /// It says that it failed, and why.
    Failed(String),
}

/// Is it ready? Kinds without a state are ready when they exist.
#[must_use]
pub fn readiness(object: &Object) -> Readiness {
    let missing = match object.kind() {
        "Deployment" => deployment(object),
        "DaemonSet" => daemon_set(object),
        "StatefulSet" => stateful_set(object),
        "Namespace" => phase(object),
        "CustomResourceDefinition" => established(object),
        "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration" => webhooks(object),
        _ => None,
    };
    missing.map_or(Readiness::Ready, Readiness::NotYet)
}

/// Is its `status.state` the wanted one?
pub(super) fn by_state(object: &Object, states: States<'_>) -> Readiness {
    let state = object.string("/status/state").unwrap_or_default();
    let told = || {
        let description = object.string("/status/description").unwrap_or_default();
        let said: Vec<String> = [format!("its state is `{state}`"), description.to_owned()]
            .into_iter()
            .chain(false_conditions(object))
            .filter(|part| !part.is_empty())
            .collect();
        said.join(": ")
    };
    let since = condition(object, "Ready").and_then(|ready| ready.get("lastTransitionTime"));
    match state {
        _ if states.unlike.is_some() && since.and_then(Value::as_str) == states.unlike => {
            Readiness::NotYet("its operator has not worked on it yet".to_owned())
        }
        state if state == states.wanted => Readiness::Ready,
        "" => Readiness::NotYet("it has no state yet".to_owned()),
        state if states.failed.contains(&state) => Readiness::Failed(told()),
        _ => Readiness::NotYet(told()),
    }
}

fn deployment(object: &Object) -> Option<String> {
    let wanted = object
        .pointer("/spec/replicas")
        .and_then(Value::as_u64)
        .unwrap_or(1);
    let (updated, available) = (
        count(object, "updatedReplicas"),
        count(object, "availableReplicas"),
    );
    let old = count(object, "replicas").saturating_sub(updated);
    unseen(object)
        .or_else(|| short(updated, wanted, "updated"))
        .or_else(|| short(available, wanted, "available"))
        .or_else(|| (old > 0).then(|| format!("{old} old replicas still there")))
}

fn daemon_set(object: &Object) -> Option<String> {
    let wanted = count(object, "desiredNumberScheduled");
    unseen(object)
        .or_else(|| short(count(object, "updatedNumberScheduled"), wanted, "updated"))
        .or_else(|| short(count(object, "numberReady"), wanted, "ready"))
}

fn stateful_set(object: &Object) -> Option<String> {
    let wanted = object
        .pointer("/spec/replicas")
        .and_then(Value::as_u64)
        .unwrap_or(1);
    unseen(object)
        .or_else(|| short(count(object, "updatedReplicas"), wanted, "updated"))
        .or_else(|| short(count(object, "readyReplicas"), wanted, "ready"))
}

/// The status may still speak of the object as it was before our write.
fn unseen(object: &Object) -> Option<String> {
    let generation = object
        .pointer("/metadata/generation")
        .and_then(Value::as_u64)
        .unwrap_or_default();
    (count(object, "observedGeneration") < generation)
        .then(|| "its controller has not looked at it yet".to_owned())
}

fn short(found: u64, wanted: u64, word: &str) -> Option<String> {
    (found < wanted).then(|| format!("{found} of {wanted} replicas {word}"))
}

fn phase(object: &Object) -> Option<String> {
    let phase = object.string("/status/phase").unwrap_or_default();
    (phase != "Active").then(|| format!("its phase is `{phase}`, expected `Active`"))
}

fn established(object: &Object) -> Option<String> {
    let established = condition(object, "Established");
    if established.and_then(|found| found.get("status")) == Some(&Value::from("True")) {
        return None;
    }
    let names = condition(object, "NamesAccepted").or(established);
    let message = names
        .and_then(|found| found.get("message"))
        .and_then(Value::as_str)
        .unwrap_or_default();
    Some(format!("not established {message}").trim_end().to_owned())
}

/// Without a CA nobody can call it.
fn webhooks(object: &Object) -> Option<String> {
    let hooks = object.pointer("/webhooks").and_then(Value::as_array)?;
    let without_ca = |hook: &&Value| {
        let client = hook.get("clientConfig");
        client
            .and_then(|client| client.get("caBundle"))
            .and_then(Value::as_str)
            .unwrap_or_default()
            .is_empty()
    };
    let hook = hooks.iter().find(without_ca)?;
    let name = hook.get("name").and_then(Value::as_str).unwrap_or_default();
    Some(format!(
        "webhook `{name}` has no caBundle, istiod has not written it yet"
    ))
}

fn false_conditions(object: &Object) -> Vec<String> {
    let conditions = object
        .pointer("/status/conditions")
        .and_then(Value::as_array);
    let failing = conditions
        .into_iter()
        .flatten()
        .filter(|one| one["status"] == "False");
    let text = |one: &Value, key: &str| {
        one.get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    failing
        .map(|one| {
            format!(
                "{} ({}) {}",
                text(one, "type"),
                text(one, "reason"),
                text(one, "message")
            )
        })
        .collect()
}

fn condition<'a>(object: &'a Object, name: &str) -> Option<&'a Value> {
    let conditions = object.pointer("/status/conditions")?.as_array()?;
    conditions
        .iter()
        .find(|condition| condition["type"] == name)
}

fn count(object: &Object, field: &str) -> u64 {
    object
        .pointer("/status")
        .and_then(|status| status.get(field))
        .and_then(Value::as_u64)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(kind: &str, spec: Value, status: Value) -> Readiness {
        let value = json!({ "apiVersion": "v1", "kind": kind, "metadata": { "name": "x", "generation": 3 },
            "spec": spec, "status": status });
        readiness(&Object::new(value).expect("an object"))
    }

    fn not_yet(why: &str) -> Readiness {
        Readiness::NotYet(why.to_owned())
    }

    #[test]
    fn a_deployment_is_ready_when_its_new_pods_are() {
        let two = json!({ "replicas": 2 });
        let judge = |status| of("Deployment", two.clone(), status);
        let status = |observed: u64, all: u64, updated: u64, available: u64| json!({ "observedGeneration": observed, "replicas": all, "updatedReplicas": updated, "availableReplicas": available });
        assert_eq!(
            judge(status(2, 2, 2, 2)),
            not_yet("its controller has not looked at it yet")
        );
        assert_eq!(
            judge(status(3, 2, 1, 2)),
            not_yet("1 of 2 replicas updated")
        );
        assert_eq!(
            judge(status(3, 2, 2, 1)),
            not_yet("1 of 2 replicas available")
        );
        assert_eq!(
            judge(status(3, 3, 2, 3)),
            not_yet("1 old replicas still there")
        );
        assert_eq!(judge(status(3, 2, 2, 2)), Readiness::Ready);
        assert_eq!(
            of("Deployment", json!({}), json!({ "observedGeneration": 3 })),
            not_yet("0 of 1 replicas updated")
        );
        assert_eq!(
            of(
                "Deployment",
                json!({ "replicas": 0 }),
                json!({ "observedGeneration": 3 })
            ),
            Readiness::Ready
        );
    }

    #[test]
    fn a_daemon_set_is_ready_on_every_node() {
        let judge = |updated: u64, ready: u64| {
            of(
                "DaemonSet",
                json!({}),
                json!({ "observedGeneration": 3, "desiredNumberScheduled": 2,
                "updatedNumberScheduled": updated, "numberReady": ready }),
            )
        };
        assert_eq!(judge(1, 2), not_yet("1 of 2 replicas updated"));
        assert_eq!(judge(2, 1), not_yet("1 of 2 replicas ready"));
        assert_eq!(judge(2, 2), Readiness::Ready);
    }

    #[test]
    fn a_crd_is_ready_when_established() {
        let judge = |status: &str| {
            of(
                "CustomResourceDefinition",
                json!({}),
                json!({ "conditions": [
                { "type": "NamesAccepted", "status": "False", "message": "taken" },
                { "type": "Established", "status": status },
            ] }),
            )
        };
        assert_eq!(judge("False"), not_yet("not established taken"));
        assert_eq!(judge("True"), Readiness::Ready);
    }

    #[test]
    fn a_webhook_is_ready_when_istiod_gave_it_its_ca() {
        let judge = |bundle: &str| {
            let value = json!({ "apiVersion": "v1", "kind": "ValidatingWebhookConfiguration", "metadata": { "name": "x" },
                "webhooks": [{ "name": "a", "clientConfig": { "caBundle": "Zm9v" } },
                             { "name": "b", "clientConfig": { "caBundle": bundle } }] });
            readiness(&Object::new(value).expect("an object"))
        };
        assert_eq!(
            judge(""),
            not_yet("webhook `b` has no caBundle, istiod has not written it yet")
        );
        assert_eq!(judge("Zm9v"), Readiness::Ready);
    }

    #[test]
    fn a_custom_resource_is_judged_by_its_state() {
        let states = States {
            wanted: "Ready",
            failed: &["Error", "Warning"],
            unlike: Some("2026-01-01T00:00:00Z"),
        };
        let judge = |status: Value| {
            let value = json!({ "apiVersion": "v1", "kind": "Istio", "metadata": { "name": "x" }, "status": status });
            by_state(&Object::new(value).expect("an object"), states)
        };
        assert_eq!(judge(json!({})), not_yet("it has no state yet"));
        assert_eq!(
            judge(json!({ "state": "Processing" })),
            not_yet("its state is `Processing`")
        );
        assert_eq!(judge(json!({ "state": "Ready" })), Readiness::Ready);
        let old = json!({ "state": "Ready", "conditions": [
            { "type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z" },
        ] });
        assert_eq!(judge(old), not_yet("its operator has not worked on it yet"));
        let old = json!({ "state": "Ready", "conditions": [
            { "type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z" },
        ] });
        assert_eq!(judge(old), not_yet("its operator has not worked on it yet"));
        let failed = json!({ "state": "Error", "description": "broken", "conditions": [
            { "type": "Ready", "status": "False", "reason": "ValidationFailed", "message": "two authorizers" },
        ] });
        let told = "its state is `Error`: broken: Ready (ValidationFailed) two authorizers";
        assert_eq!(judge(failed), Readiness::Failed(told.to_owned()));
    }
}
