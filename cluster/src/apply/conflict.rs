//! Fields that others hold: whose are theirs to hold, whose are taken over, whose stop us.

use kube::core::Status;
use serde_json::Value;

use super::{ISTIOCTL, MANAGER};
use crate::error::Owned;

/// How conflicts were settled.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// Fields were left out; the apply can be tried again.
    Yielded,
    /// All are istioctl's or our own by an older write: take them.
    Taken,
    /// Nobody may take these without being asked.
    Foreign(Vec<Owned>),
}

/// A field that another controller sets at run time, on objects that we render. Applying ours would undo its work.
struct Theirs {
    kind: &'static str,
    leaf: &'static str,
    list: Option<&'static str>,
}

const THEIRS: [Theirs; 5] = [
    // istiod writes its CA, and switches to Fail when it can answer.
    Theirs {
        kind: "ValidatingWebhookConfiguration",
        leaf: "failurePolicy",
        list: Some("webhooks"),
    },
    Theirs {
        kind: "ValidatingWebhookConfiguration",
        leaf: "caBundle",
        list: Some("webhooks"),
    },
    Theirs {
        kind: "MutatingWebhookConfiguration",
        leaf: "caBundle",
        list: Some("webhooks"),
    },
    // An autoscaler's number.
    Theirs {
        kind: "Deployment",
        leaf: "replicas",
        list: None,
    },
    Theirs {
        kind: "StatefulSet",
        leaf: "replicas",
        list: None,
    },
];

/// Managers that set fields of [`THEIRS`] as their job. A person with `kubectl scale` is none of them.
const CONTROLLERS: [&str; 4] = [
    "pilot-discovery",
    "istiod",
    "kube-controller-manager",
    "vpa-recommender",
];

/// Managers whose fields we take. By the second name istioctl edits the webhooks when it makes a revision tag.
const ADOPTED: [&str; 3] = [ISTIOCTL, "istioctl", MANAGER];

/// Which manager holds which field, as a 409 of an apply tells. Empty: it is another kind of conflict.
pub(super) fn owned(status: &Status) -> Vec<Owned> {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let conflicts = causes.filter(|cause| cause.reason == "FieldManagerConflict");
    conflicts
        .map(|cause| Owned {
            manager: manager(&cause.message).to_owned(),
            field: cause.field.clone(),
        })
        .collect()
}

/// Leaves to controllers what is theirs, takes what is istioctl's, names the rest.
pub(super) fn settle(fields: &[Owned], value: &mut Value) -> Settled {
    let kind = value
        .get("kind")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let rule = |owned: &Owned| {
        let leaf = owned.field.rsplit('.').next().unwrap_or_default();
        let is_controller = CONTROLLERS.contains(&owned.manager.as_str());
        THEIRS
            .iter()
            .find(|theirs| is_controller && theirs.kind == kind && theirs.leaf == leaf)
    };
    let yielded: Vec<&Theirs> = fields.iter().filter_map(rule).collect();
    if !yielded.is_empty() {
        yielded.iter().for_each(|theirs| leave_out(theirs, value));
        return Settled::Yielded;
    }
    let foreign: Vec<Owned> = fields
        .iter()
        .filter(|owned| !ADOPTED.contains(&owned.manager.as_str()))
        .cloned()
        .collect();
    match foreign.is_empty() {
        true => Settled::Taken,
        false => Settled::Foreign(foreign),
    }
}

fn leave_out(theirs: &Theirs, value: &mut Value) {
    match theirs
        .list
        .and_then(|list| value.get_mut(list))
        .and_then(Value::as_array_mut)
    {
        Some(items) => items.iter_mut().for_each(|item| {
            remove(item, theirs.leaf);
            if let Some(client) = item.get_mut("clientConfig") {
                remove(client, theirs.leaf);
            }
        }),
        None => {
            if let Some(spec) = value.get_mut("spec") {
                remove(spec, theirs.leaf);
            }
        }
    }
}

fn remove(value: &mut Value, key: &str) {
    if let Some(object) = value.as_object_mut() {
        object.remove(key);
    }
}

/// `conflict with "kubectl-edit" using apps/v1` → `kubectl-edit`.
fn manager(message: &str) -> &str {
    message.split('"').nth(1).unwrap_or("somebody")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn by(manager: &str, field: &str) -> Owned {
        Owned {
            manager: manager.to_owned(),
            field: field.to_owned(),
        }
    }

    #[test]
    fn istiod_keeps_what_it_writes_into_its_webhooks() {
        let mut webhook = json!({ "kind": "ValidatingWebhookConfiguration", "webhooks": [
            { "name": "a", "failurePolicy": "Ignore", "clientConfig": { "caBundle": "", "service": {} } },
        ] });
        let fields = [
            by("pilot-discovery", ".webhooks[name=\"a\"].failurePolicy"),
            by(
                "pilot-discovery",
                ".webhooks[name=\"a\"].clientConfig.caBundle",
            ),
        ];
        assert_eq!(settle(&fields, &mut webhook), Settled::Yielded);
        assert_eq!(
            webhook,
            json!({ "kind": "ValidatingWebhookConfiguration", "webhooks": [
                { "name": "a", "clientConfig": { "service": {} } },
            ] })
        );
    }

    #[test]
    fn an_autoscaler_keeps_its_number_but_a_person_is_named() {
        let deployment =
            || json!({ "kind": "Deployment", "spec": { "replicas": 1, "paused": false } });
        let mut scaled = deployment();
        assert_eq!(
            settle(
                &[by("kube-controller-manager", ".spec.replicas")],
                &mut scaled
            ),
            Settled::Yielded
        );
        assert_eq!(
            scaled,
            json!({ "kind": "Deployment", "spec": { "paused": false } })
        );

        let mut edited = deployment();
        let person = [
            by("kubectl-edit", ".spec.replicas"),
            by(ISTIOCTL, ".spec.paused"),
        ];
        let foreign = vec![by("kubectl-edit", ".spec.replicas")];
        assert_eq!(settle(&person, &mut edited), Settled::Foreign(foreign));
        assert_eq!(edited, deployment());
    }

    #[test]
    fn istioctl_gives_its_fields_up() {
        let mut service = json!({ "kind": "Service", "spec": {} });
        assert_eq!(
            settle(&[by(ISTIOCTL, ".spec.ports")], &mut service),
            Settled::Taken
        );
    }
}
