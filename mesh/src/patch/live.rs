//! What became of an object since `patch` changed or made it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::{Value, json};

use super::Patchable;
use crate::object::{Id, Object};
use crate::observed::{MANAGED_BY, Observed};

/// Who else writes into what `patch` makes and leaves it `patch`'s own: istiod, its CA and `failurePolicy`.
const ISTIOD: &str = "pilot-discovery";
const CHANGED: &str = "somebody changed it since";

/// What an object is now.
pub(super) enum State {
    /// As `patch` left it.
    Ours(Object),
    /// As it was before, or no longer there.
    Back,
    /// Somebody else's by now; why.
    Other(&'static str),
}

/// Of an object whose fields were changed.
pub(super) fn changed(id: &Id, before: &Value, after: &Value, observed: &Observed) -> State {
    let Some(live) = typed_live(id, observed) else {
        return State::Other("it is no longer there");
    };
    match (holds(&live, after), holds(&live, before)) {
        (_, true) => State::Back,
        (true, false) => State::Ours(live),
        (false, false) => State::Other(CHANGED),
    }
}

/// Of an object that was made: `made` is what [`marks`] says of it.
pub(super) fn made(id: &Id, made: &Value, observed: &Observed, found: &Patchable) -> State {
    let in_root = found.root.iter().find(|one| one.id().is_same_object(id));
    let Some(live) = in_root.cloned().or_else(|| typed_live(id, observed)) else {
        return State::Back;
    };
    let has_our_labels =
        live.labels() == made.pointer("/metadata/labels").and_then(Value::as_object);
    match has_our_labels
        && contains(live.value(), &without_istiods(made))
        && is_written_by_us(&live)
    {
        true => State::Ours(live),
        false => State::Other(CHANGED),
    }
}

/// By what an object that was made is known again. Of a certificate no key: the chain says which key belongs to it.
pub(super) fn marks(object: &Object) -> Value {
    let mut marks = json!({ "metadata": { "labels": object.labels() } });
    for field in ["type", "webhooks"] {
        if let Some(value) = object.value().get(field) {
            marks[field] = value.clone();
        }
    }
    if let Some(chain) = object.pointer("/data/tls.crt") {
        marks["data"] = json!({ "tls.crt": chain });
    }
    marks
}

/// The API server writes who wrote; a server too old for that leaves the contents to judge by.
fn is_written_by_us(live: &Object) -> bool {
    let entries = live
        .pointer("/metadata/managedFields")
        .and_then(Value::as_array);
    let manager = |entry: &Value| {
        entry
            .get("manager")
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    entries
        .into_iter()
        .flatten()
        .filter_map(manager)
        .all(|manager| [MANAGED_BY, ISTIOD].contains(&manager.as_str()))
}

/// True when all of `wanted` stands there; the API server adds its defaults.
fn contains(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => wanted.iter().all(|(key, wanted)| {
            let found = found.get(key).unwrap_or(&Value::Null);
            contains(found, wanted)
        }),
        (Value::Array(found), Value::Array(wanted)) => {
            let mut pairs = found.iter().zip(wanted);
            found.len() == wanted.len() && pairs.all(|(found, wanted)| contains(found, wanted))
        }
        _ => found == wanted,
    }
}

/// True when the object has these fields. What istiod writes into webhooks doesn't count.
fn holds(live: &Object, fields: &Value) -> bool {
    let Some(fields) = fields.as_object() else {
        return false;
    };
    fields.iter().all(
        |(key, wanted)| match (live.value().get(key), key.as_str()) {
            (Some(found), "webhooks") => {
                let bare = |webhooks: &Value| without_istiods(&json!({ "webhooks": webhooks }));
                bare(found) == bare(wanted)
            }
            (Some(found), _) => wanted.as_object().is_some_and(|wanted| {
                wanted
                    .iter()
                    .all(|(key, value)| found.get(key) == Some(value))
            }),
            (None, _) => false,
        },
    )
}

fn without_istiods(object: &Value) -> Value {
    let mut object = object.clone();
    let webhooks = object.get_mut("webhooks").and_then(Value::as_array_mut);
    for webhook in webhooks.into_iter().flatten() {
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
    object
}

/// An object among those that `patch` changes.
fn typed_live(id: &Id, observed: &Observed) -> Option<Object> {
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
