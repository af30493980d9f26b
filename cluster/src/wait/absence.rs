//! Is an object gone? If not, what holds it. Not here: asking the cluster.

use mesh::object::Object;
use serde_json::Value;

use super::Readiness;

/// Is it gone, or another one? What holds it is told: finalizers, and what a namespace says about its contents.
pub(super) fn by_absence(object: &Object, uid: &str) -> Readiness {
    if object.uid() != Some(uid) {
        return Readiness::Ready;
    }
    let finalizers = object
        .pointer("/metadata/finalizers")
        .and_then(Value::as_array);
    let named: Vec<&str> = finalizers
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let conditions = object
        .pointer("/status/conditions")
        .and_then(Value::as_array);
    let told = conditions.into_iter().flatten().filter(|condition| {
        let is_about_it = |field: &str, word: &str| {
            condition
                .get(field)
                .and_then(Value::as_str)
                .is_some_and(|text| text.contains(word))
        };
        condition["status"] == "True"
            && (is_about_it("type", "Remaining") || is_about_it("reason", "InstanceDeletion"))
    });
    let told: Vec<&str> = told.filter_map(|one| one["message"].as_str()).collect();
    let held = match named.as_slice() {
        [] => "it is still there".to_owned(),
        named => format!("held by {}", named.join(", ")),
    };
    Readiness::NotYet(
        std::iter::once(held.as_str())
            .chain(told)
            .collect::<Vec<_>>()
            .join("; "),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(value: Value) -> Readiness {
        by_absence(&Object::new(value).unwrap(), "one")
    }

    #[test]
    fn what_holds_an_object_is_named() {
        let held = json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": { "name": "a", "uid": "one", "finalizers": ["example.com/holds"] },
            "status": { "conditions": [
                { "type": "NamespaceContentRemaining", "status": "True", "message": "pods. has 2 resource instances" },
                { "type": "NamespaceDeletionDiscoveryFailure", "status": "False", "message": "all is well" },
            ] },
        });
        assert_eq!(
            of(held),
            Readiness::NotYet(
                "held by example.com/holds; pods. has 2 resource instances".to_owned()
            )
        );
    }

    #[test]
    fn one_of_the_same_name_that_came_later_is_another() {
        let other = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "a", "uid": "two" } });
        assert_eq!(of(other), Readiness::Ready);
    }
}
