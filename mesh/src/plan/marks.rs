//! How objects say whose they are: our labels, Kyma's module's, istioctl's. Keys of the module are kept, so that it finds
//! what it expects when it takes over one day.

use serde_json::{Map, Value, json};

use super::parts::Part;
use crate::object::Object;
use crate::observed::{COMPONENT_LABEL, MANAGED_BY, MANAGED_BY_LABEL, Observed, Version};

/// The module's label; its value is `istio`.
pub const MODULE_LABEL: &str = "kyma-project.io/module";
/// The module's finalizer on the `Istio` custom resource.
pub const MODULE_FINALIZER: &str = "istios.operator.kyma-project.io/istio-installation";
/// The module's annotation on the `Istio` custom resource: JSON of its spec and of [`ISTIO_TAG`].
pub const LAST_APPLIED: &str = "operator.kyma-project.io/lastAppliedConfiguration";
/// The field of [`LAST_APPLIED`] that names the Istio version.
pub const ISTIO_TAG: &str = "IstioTag";
/// istioctl's label for the version that installed an object.
pub(super) const VERSION_LABEL: &str = "operator.istio.io/version";

/// A rendered object as it is applied: with owner labels, without fields that others write. None when its `labels` are no
/// object, which no server would take.
pub(super) fn prepared(
    object: &Object,
    version: &str,
    rendered: &[Object],
    observed: &Observed,
) -> Option<Object> {
    let part = Part::of(object);
    let mut value = object.clone().into_value();
    let labels = labels_of(&mut value)?;
    labels
        .entry(COMPONENT_LABEL)
        .or_insert_with(|| part.component().into());
    labels
        .entry("operator.istio.io/managed")
        .or_insert_with(|| "Reconcile".into());
    labels.insert(VERSION_LABEL.to_owned(), version.into());
    labels.insert(MANAGED_BY_LABEL.to_owned(), MANAGED_BY.into());
    labels.insert(MODULE_LABEL.to_owned(), "istio".into());
    match object.kind() {
        // The autoscaler owns the count; applying one would take pods away at each run.
        "Deployment" if has_autoscaler(object, rendered) => {
            value
                .get_mut("spec")
                .and_then(Value::as_object_mut)
                .map(|spec| spec.remove("replicas"));
        }
        "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration" => {
            leave_to_istiod(&mut value, observed)
        }
        _ => {}
    }
    Object::new(value).ok()
}

/// What the annotation [`LAST_APPLIED`] is to say.
pub(super) fn last_applied(spec: Option<&Value>, version: &str) -> Value {
    let mut applied = spec
        .cloned()
        .filter(Value::is_object)
        .unwrap_or_else(|| json!({}));
    if let Some(fields) = applied.as_object_mut() {
        fields.insert(ISTIO_TAG.to_owned(), version.into());
    }
    applied
}

/// The version that a custom resource's annotation names.
pub(super) fn recorded_version(custom_resource: &Object) -> Option<Version> {
    let applied: Value = serde_json::from_str(custom_resource.annotation(LAST_APPLIED)?).ok()?;
    Version::parse(applied.get(ISTIO_TAG)?.as_str()?)
}

/// True when labels say that we or the module installed it.
pub(super) fn is_kymas(labels: Option<&std::collections::BTreeMap<String, String>>) -> bool {
    let says = |key: &str, value: &str| {
        labels
            .and_then(|labels| labels.get(key))
            .is_some_and(|found| found == value)
    };
    says(MANAGED_BY_LABEL, MANAGED_BY) || says(MODULE_LABEL, "istio")
}

/// istiod writes its CA, and `Fail` once it serves. An empty CA says nothing; `Ignore` is for the first start only.
fn leave_to_istiod(value: &mut Value, observed: &Observed) {
    let name = value
        .pointer("/metadata/name")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let live = observed
        .validating_webhooks
        .iter()
        .find(|live| live.metadata.name.as_deref() == Some(name.as_str()));
    let has_flipped = |webhook: Option<&str>| {
        let hooks = live
            .and_then(|live| live.webhooks.as_deref())
            .unwrap_or_default();
        hooks.iter().any(|hook| {
            Some(hook.name.as_str()) == webhook && hook.failure_policy.as_deref() == Some("Fail")
        })
    };
    for webhook in value
        .get_mut("webhooks")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        let flipped = has_flipped(webhook.get("name").and_then(Value::as_str));
        let Some(fields) = webhook.as_object_mut() else {
            continue;
        };
        if flipped && fields.get("failurePolicy").and_then(Value::as_str) == Some("Ignore") {
            fields.remove("failurePolicy");
        }
        if let Some(client) = fields
            .get_mut("clientConfig")
            .and_then(Value::as_object_mut)
            && client
                .get("caBundle")
                .and_then(Value::as_str)
                .is_some_and(str::is_empty)
        {
            client.remove("caBundle");
        }
    }
}

fn has_autoscaler(object: &Object, rendered: &[Object]) -> bool {
    rendered.iter().any(|other| {
        other.kind() == "HorizontalPodAutoscaler"
            && other.namespace() == object.namespace()
            && other.string("/spec/scaleTargetRef/kind") == Some(object.kind())
            && other.string("/spec/scaleTargetRef/name") == Some(object.name())
    })
}

/// `metadata.labels`, made when it isn't there; None when something else stands there.
fn labels_of(value: &mut Value) -> Option<&mut Map<String, Value>> {
    let metadata = value.get_mut("metadata")?.as_object_mut()?;
    metadata
        .entry("labels")
        .or_insert_with(|| json!({}))
        .as_object_mut()
}
