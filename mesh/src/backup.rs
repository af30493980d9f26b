//! Objects as files that `kubectl apply` brings back: without what the server wrote, under names that stay the same.

use serde_json::{Map, Value};

use crate::object::{Id, Object};
use crate::plan::LAST_APPLIED;

/// What the server writes. With it, an apply is refused, or means another object.
const SERVERS: [&str; 9] = [
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
    "selfLink",
    // Whoever set them sets them again; without him nobody could delete the object.
    "finalizers",
];
/// Copies of the object that are wrong once it is restored: kubectl's, the module's.
const COPIES: [&str; 2] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    LAST_APPLIED,
];

/// The object as it can be applied again.
#[must_use]
pub fn restorable(object: &Object) -> Value {
    let mut value = object.value().clone();
    if let Some(fields) = value.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|field, _| !SERVERS.contains(&field.as_str()));
        if let Some(annotations) = metadata
            .get_mut("annotations")
            .and_then(Value::as_object_mut)
        {
            annotations.retain(|key, _| !COPIES.contains(&key.as_str()));
            if annotations == &Map::new() {
                metadata.remove("annotations");
            }
        }
    }
    value
}

/// `virtualservice.networking.istio.io_shop_cart.yaml`: the same object has the same name in each backup, and no two
/// objects share one. Names of objects have neither `_` nor `/`.
#[must_use]
pub fn file_name(id: &Id) -> String {
    let kind = match id.group() {
        "" => id.kind.to_lowercase(),
        group => format!("{}.{group}", id.kind.to_lowercase()),
    };
    let namespace = id.namespace.as_deref().unwrap_or_default();
    // RBAC's names may hold a colon, and a slash is nobody's: files on any system can't.
    let name = id.name.replace([':', '/', '\\'], "-");
    format!("{kind}_{namespace}_{name}.yaml")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_server_wrote_is_left_out_and_nothing_else() {
        let object = Object::new(json!({
            "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
            "metadata": {
                "name": "cart", "namespace": "shop", "uid": "1", "resourceVersion": "2", "generation": 3,
                "creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": [{}], "labels": { "a": "b" },
                "annotations": { "kubectl.kubernetes.io/last-applied-configuration": "{}", "kept": "yes" },
                "ownerReferences": [{ "uid": "4" }], "finalizers": ["somebody/holds"],
            },
            "spec": { "hosts": ["cart"] }, "status": { "observedGeneration": 3 },
        }))
        .unwrap();
        assert_eq!(
            restorable(&object),
            json!({
                "apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
                "metadata": {
                    "name": "cart", "namespace": "shop", "labels": { "a": "b" }, "annotations": { "kept": "yes" },
                    "ownerReferences": [{ "uid": "4" }],
                },
                "spec": { "hosts": ["cart"] },
            })
        );
        assert_eq!(
            file_name(&object.id()),
            "virtualservice.networking.istio.io_shop_cart.yaml"
        );
    }
}
