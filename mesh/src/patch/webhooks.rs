//! Webhooks of injection and validation: there, and pointing to istiod.

use k8s_openapi::api::admissionregistration::v1::ServiceReference;
use k8s_openapi::api::core::v1::Service;
use serde_json::{Value, json};

use super::Work;
use super::live::typed;
use crate::object::{Id, Object};
use crate::observed::{Form, ISTIO_SYSTEM, Observed, is_deactivated, is_injector};

/// istiod's Service.
const ISTIOD: &str = "istiod";
const MUTATING: &str = "MutatingWebhookConfiguration";
const VALIDATING: &str = "ValidatingWebhookConfiguration";

/// Kinds of webhook configurations that an Istio of today should have and doesn't.
#[must_use]
pub fn missing(observed: &Observed) -> Vec<&'static str> {
    if observed.form() == Form::Legacy {
        return Vec::new();
    }
    let all = configurations(observed);
    let lacks = |kind: &&str| !all.iter().any(|one| one.kind() == *kind);
    [MUTATING, VALIDATING].into_iter().filter(lacks).collect()
}

pub(super) fn patch(observed: &Observed, rendered: &[Object], work: &mut Work) {
    for kind in missing(observed) {
        let new = rendered
            .iter()
            .find(|object| object.kind() == kind && !object.name().contains("default"));
        let (name, title) = match kind {
            MUTATING => ("injector-webhook", "bring the injection webhook back"),
            _ => ("validator-webhook", "bring the validation webhook back"),
        };
        match new.and_then(prepared) {
            Some(new) => work.create(name, title, new),
            None => work.skip(format!("{kind} is missing"), "istioctl rendered none"),
        }
    }
    let has_istiod =
        istiods(observed).any(|service| service.metadata.name.as_deref() == Some(ISTIOD));
    for live in configurations(observed) {
        let Some(webhooks) = live.pointer("/webhooks").and_then(Value::as_array) else {
            continue;
        };
        let mut wanted = webhooks.clone();
        for webhook in &mut wanted {
            redirect(webhook, observed);
        }
        if &wanted == webhooks {
            continue;
        }
        if !has_istiod {
            work.skip(
                format!("`{}` points elsewhere", live.id()),
                format!("there is no Service {ISTIO_SYSTEM}/{ISTIOD} in front of istiod"),
            );
            continue;
        }
        let name = match (live.kind(), live.name().contains("default")) {
            (MUTATING, false) => "injector-webhook",
            // istioctl's tag of the default revision has an injector of its own.
            (MUTATING, true) => "default-injector-webhook",
            (_, false) => "validator-webhook",
            (_, true) => "default-validator-webhook",
        };
        let title = format!("point {} to istiod", live.id());
        let (before, after) = (
            json!({ "webhooks": webhooks }),
            json!({ "webhooks": wanted }),
        );
        work.change(name, &title, &live, before, after);
    }
}

/// Configurations of the default revision.
fn configurations(observed: &Observed) -> Vec<Object> {
    let injectors = observed.mutating_webhooks.iter().filter(|one| {
        is_injector(one) && !is_deactivated(one) && is_default(one.metadata.labels.as_ref())
    });
    let injectors = injectors.filter_map(|one| {
        let name = one.metadata.name.as_deref()?;
        typed(&whole(MUTATING, name), one)
    });
    let validators = observed.validating_webhooks.iter().filter(|one| {
        let name = one.metadata.name.as_deref().unwrap_or_default();
        name.starts_with("istio-validator") || name.starts_with("istiod-")
    });
    let validators = validators.filter_map(|one| {
        let name = one.metadata.name.as_deref()?;
        typed(&whole(VALIDATING, name), one)
    });
    injectors.chain(validators).collect()
}

fn is_default(labels: Option<&std::collections::BTreeMap<String, String>>) -> bool {
    let revision = labels.and_then(|labels| labels.get("istio.io/rev"));
    revision.is_none_or(|revision| revision == "default")
}

/// A webhook by URL is somebody's wish; one that names no Service of istiod's is wrong.
fn redirect(webhook: &mut Value, observed: &Observed) {
    let Some(service) = webhook
        .pointer_mut("/clientConfig/service")
        .filter(|service| service.is_object())
    else {
        return;
    };
    let named: Option<ServiceReference> = serde_json::from_value(service.clone()).ok();
    let is_right = named.is_some_and(|named| {
        istiods(observed).any(|one| {
            one.metadata.name.as_ref() == Some(&named.name)
                && one.metadata.namespace.as_ref() == Some(&named.namespace)
        })
    });
    if !is_right {
        service["name"] = json!(ISTIOD);
        service["namespace"] = json!(ISTIO_SYSTEM);
    }
}

/// Services in front of a control plane.
fn istiods(observed: &Observed) -> impl Iterator<Item = &Service> {
    let selects = |service: &Service, namespace: &str, name: &str| {
        let selector = service
            .spec
            .as_ref()
            .and_then(|spec| spec.selector.as_ref());
        let of = observed.deployments.iter().find(|one| {
            one.metadata.name.as_deref() == Some(name)
                && one.metadata.namespace.as_deref() == Some(namespace)
        });
        let labels = of.and_then(|one| {
            let template = &one.spec.as_ref()?.template;
            template.metadata.as_ref()?.labels.as_ref()
        });
        service.metadata.namespace.as_deref() == Some(namespace)
            && selector.zip(labels).is_some_and(|(selector, labels)| {
                !selector.is_empty()
                    && selector
                        .iter()
                        .all(|(key, value)| labels.get(key) == Some(value))
            })
    };
    let planes = observed.control_planes();
    observed.services.iter().filter(move |service| {
        planes
            .iter()
            .any(|plane| selects(service, &plane.namespace, &plane.name))
    })
}

/// istiod writes its CA into it, and closes it.
fn prepared(rendered: &Object) -> Option<Object> {
    let mut value = rendered.clone().into_value();
    for webhook in value.get_mut("webhooks")?.as_array_mut()? {
        if let Some(client) = webhook
            .pointer_mut("/clientConfig")
            .and_then(Value::as_object_mut)
        {
            client.remove("caBundle");
        }
    }
    Object::new(value).ok()
}

fn whole(kind: &str, name: &str) -> Id {
    Id {
        api_version: "admissionregistration.k8s.io/v1".to_owned(),
        kind: kind.to_owned(),
        namespace: None,
        name: name.to_owned(),
    }
}
