//! Whose is an object? Labels can be copied, so a label alone is no proof: the object must also have been applied by the one
//! whose label it carries. Only what is proved is ever deleted.

use serde_json::Value;

use super::{COMPONENT_LABEL, ISTIO_SYSTEM, MANAGED_BY, MANAGED_BY_LABEL};
use crate::object::Object;

/// istioctl's field manager, and Kyma's module's, which calls the same code.
pub const ISTIOCTL_MANAGER: &str = "istio-operator";
/// Names the IstioOperator that an object came from.
const OWNING_RESOURCE: &str = "install.operator.istio.io/owning-resource";
/// IstioOperators that stand for the mesh itself: istioctl's without a name, an older istioctl's, Kyma's.
const OF_THE_MESH: [&str; 3] = ["unknown", "installed-state", "default-operator"];

/// True for what this plugin applied, and for what istioctl or Kyma's module applied as part of the mesh itself: not for an
/// IstioOperator of the user's, and not in a namespace of the user's.
#[must_use]
pub fn is_proved_ours(object: &Object) -> bool {
    is_this_plugins(object) || is_of_istioctls_mesh(object) || is_default_tag(object)
}

fn is_this_plugins(object: &Object) -> bool {
    object.label(MANAGED_BY_LABEL) == Some(MANAGED_BY) && is_applied_by(object, MANAGED_BY)
}

fn is_of_istioctls_mesh(object: &Object) -> bool {
    let of_the_mesh = object
        .label(OWNING_RESOURCE)
        .is_none_or(|name| OF_THE_MESH.contains(&name));
    let is_in_place = object
        .namespace()
        .is_none_or(|namespace| [ISTIO_SYSTEM, "kube-system"].contains(&namespace));
    object.label(COMPONENT_LABEL).is_some()
        && of_the_mesh
        && is_in_place
        && is_applied_by(object, ISTIOCTL_MANAGER)
}

/// The tag that istioctl gives the default revision at every installation, whichever IstioOperator that was for. It is the
/// mesh's: its injector selects the pods that ours selects.
pub(crate) fn is_default_tag(object: &Object) -> bool {
    let revision = object.label("istio.io/rev").unwrap_or("default");
    object.label("istio.io/tag") == Some("default")
        && revision == "default"
        && is_applied_by(object, ISTIOCTL_MANAGER)
}

/// The API server writes who applied what; nobody else can.
pub(crate) fn is_applied_by(object: &Object, manager: &str) -> bool {
    let entries = object
        .pointer("/metadata/managedFields")
        .and_then(Value::as_array);
    entries.into_iter().flatten().any(|entry| {
        entry.get("manager").and_then(Value::as_str) == Some(manager)
            && entry.get("operation").and_then(Value::as_str) == Some("Apply")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn service(namespace: &str, labels: Value, manager: &str, operation: &str) -> Object {
        Object::new(json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {
                "name": "gateway", "namespace": namespace, "labels": labels,
                "managedFields": [{ "manager": manager, "operation": operation }],
            },
        }))
        .unwrap()
    }

    fn istioctls(namespace: &str, owner: &str) -> Object {
        let labels = json!({ COMPONENT_LABEL: "IngressGateways", OWNING_RESOURCE: owner });
        service(namespace, labels, ISTIOCTL_MANAGER, "Apply")
    }

    #[test]
    fn what_we_applied_is_ours_wherever_it_is() {
        let labels = json!({ MANAGED_BY_LABEL: MANAGED_BY });
        assert!(is_proved_ours(&service(
            "shop",
            labels.clone(),
            MANAGED_BY,
            "Apply"
        )));
        // Copied labels prove nothing, nor does an edit by our name.
        assert!(!is_proved_ours(&service(
            "shop",
            labels.clone(),
            "kubectl",
            "Apply"
        )));
        assert!(!is_proved_ours(&service(
            "shop", labels, MANAGED_BY, "Update"
        )));
    }

    #[test]
    fn of_istioctl_only_the_mesh_itself_is_taken_over() {
        assert!(is_proved_ours(&istioctls(ISTIO_SYSTEM, "unknown")));
        assert!(!is_proved_ours(&istioctls(ISTIO_SYSTEM, "extra")));
        assert!(!is_proved_ours(&istioctls("shop", "unknown")));
        let tag = json!({ "istio.io/tag": "default", "istio.io/rev": "default", OWNING_RESOURCE: "extra" });
        assert!(is_proved_ours(&service(
            ISTIO_SYSTEM,
            tag,
            ISTIOCTL_MANAGER,
            "Apply"
        )));
        let labels = json!({ COMPONENT_LABEL: "Pilot" });
        assert!(!is_proved_ours(&service(
            ISTIO_SYSTEM,
            labels,
            "kubectl",
            "Apply"
        )));
    }
}
