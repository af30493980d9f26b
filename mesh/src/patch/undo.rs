//! Back to what was: removed objects come back, changed fields get their old values, what was made goes. What somebody changed
//! since stays as it is, and is told.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};

use super::{Change, Patchable, Patched, gates, record, step};
use crate::object::{Id, Object, apply_order};
use crate::observed::Observed;
use crate::plan::{Action, Gate, Plan, Skip};

/// Makes the plan of the way back. It is empty where nothing was patched.
///
/// # Errors
/// Every gate that holds.
pub fn undo(observed: &Observed, found: &Patchable) -> Result<Patched, Vec<Gate>> {
    gates(observed, found)?;
    let record = record::find(&found.root).map_err(|error| vec![error.gate()])?;
    let record = record.unwrap_or_default();
    let mut plan = Plan::default();
    let mut back = Vec::new();
    let mut made = Vec::new();
    let mut steps = Vec::new();
    for change in record.changes().iter().rev() {
        match change {
            Change::Removed { object } => back.extend(missing(object, found)),
            Change::Created { id } => {
                made.extend(live_uid(id, observed, found).map(|uid| (id.clone(), uid)))
            }
            Change::Changed { id, before, after } => match state(id, before, after, observed) {
                State::Changed(version) => {
                    let mut patch = before.clone();
                    patch["metadata"] = json!({ "resourceVersion": version });
                    let title = format!("set {id} back");
                    let action = Action::Merge {
                        id: id.clone(),
                        patch,
                    };
                    steps.push(step(step_name(id), &title, action));
                }
                State::Back => {}
                State::Other(why) => plan.skips.push(Skip {
                    what: format!("`{id}` stays as it is"),
                    why: why.to_owned(),
                }),
            },
        }
    }
    apply_order(&mut back);
    if !back.is_empty() {
        let title = "bring back what was removed";
        plan.steps
            .push(step("undo-addons", title, Action::Apply(back)));
    }
    plan.steps.extend(steps);
    if !made.is_empty() {
        let title = "remove what was made";
        plan.steps
            .push(step("undo-made", title, Action::Delete(made)));
    }
    let secret =
        record::secret(&found.root).and_then(|one| Some((one.id(), one.uid()?.to_owned())));
    if let Some(secret) = secret {
        let title = "forget the record";
        plan.steps
            .push(step("undo-backup", title, Action::Delete(vec![secret])));
    }
    Ok(Patched {
        plan,
        kept: Vec::new(),
        unlimited: Vec::new(),
        leftovers: Vec::new(),
    })
}

enum State {
    /// As `patch` set it; its resourceVersion.
    Changed(String),
    /// As it was before.
    Back,
    /// Neither.
    Other(&'static str),
}

fn state(id: &Id, before: &Value, after: &Value, observed: &Observed) -> State {
    let Some(live) = live(id, observed) else {
        return State::Other("it is no longer there");
    };
    let version = live.string("/metadata/resourceVersion").unwrap_or_default();
    match (holds(&live, after), holds(&live, before)) {
        (_, true) => State::Back,
        (true, false) => State::Changed(version.to_owned()),
        (false, false) => State::Other("somebody changed it since"),
    }
}

/// True when the object has these fields. What istiod writes into webhooks doesn't count.
fn holds(live: &Object, fields: &Value) -> bool {
    let Some(fields) = fields.as_object() else {
        return false;
    };
    fields.iter().all(
        |(key, wanted)| match (live.value().get(key), key.as_str()) {
            (Some(found), "webhooks") => without_istiods(found) == without_istiods(wanted),
            (Some(found), _) => wanted.as_object().is_some_and(|wanted| {
                wanted
                    .iter()
                    .all(|(key, value)| found.get(key) == Some(value))
            }),
            (None, _) => false,
        },
    )
}

fn without_istiods(webhooks: &Value) -> Value {
    let mut webhooks = webhooks.clone();
    for webhook in webhooks.as_array_mut().into_iter().flatten() {
        if let Some(fields) = webhook.as_object_mut() {
            fields.remove("failurePolicy");
        }
        if let Some(client) = webhook
            .pointer_mut("/clientConfig")
            .and_then(Value::as_object_mut)
        {
            client.remove("caBundle");
        }
    }
    webhooks
}

fn missing(object: &Value, found: &Patchable) -> Option<Object> {
    let object = Object::new(object.clone()).ok()?;
    let id = object.id();
    let mut there = found.root.iter();
    (!there.any(|one| one.id().is_same_object(&id))).then_some(object)
}

fn live_uid(id: &Id, observed: &Observed, found: &Patchable) -> Option<String> {
    let in_root = found.root.iter().find(|one| one.id().is_same_object(id));
    let live = in_root.cloned().or_else(|| live(id, observed))?;
    live.uid().map(str::to_owned)
}

/// An object among those that `patch` changes.
fn live(id: &Id, observed: &Observed) -> Option<Object> {
    let is_it = |metadata: &ObjectMeta| {
        metadata.name.as_ref() == Some(&id.name) && metadata.namespace == id.namespace
    };
    match id.kind.as_str() {
        "ConfigMap" => {
            let mut all = observed.config_maps.iter();
            typed(id, all.find(|one| is_it(&one.metadata))?)
        }
        "MutatingWebhookConfiguration" => {
            let mut all = observed.mutating_webhooks.iter();
            typed(id, all.find(|one| is_it(&one.metadata))?)
        }
        "ValidatingWebhookConfiguration" => {
            let mut all = observed.validating_webhooks.iter();
            typed(id, all.find(|one| is_it(&one.metadata))?)
        }
        _ => None,
    }
}

/// A typed object without its type.
pub(super) fn typed<T: serde::Serialize>(id: &Id, typed: &T) -> Option<Object> {
    let mut value = serde_json::to_value(typed).ok()?;
    value["apiVersion"] = json!(id.api_version);
    value["kind"] = json!(id.kind);
    Object::new(value).ok()
}

fn step_name(id: &Id) -> &'static str {
    match (id.kind.as_str(), id.name.as_str()) {
        ("ConfigMap", "istio") => "undo-tracing",
        ("ConfigMap", _) => "undo-limits",
        ("MutatingWebhookConfiguration", name) if name.contains("default") => {
            "undo-default-injector-webhook"
        }
        ("MutatingWebhookConfiguration", _) => "undo-injector-webhook",
        (_, name) if name.contains("default") => "undo-default-validator-webhook",
        _ => "undo-validator-webhook",
    }
}
