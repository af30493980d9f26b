//! With Kyma's operator on the cluster: edit its custom resource, wait for what it says, touch nothing else.

use serde_json::{Map, Value, json};

use super::install::apply;
use super::{Action, Gate, Plan, Skip, Step, Wanted, gates};
use crate::observed::Observed;

pub(super) fn plan(observed: &Observed, wanted: &Wanted) -> Result<Plan, Vec<Gate>> {
    let gates = gates::managed(observed, wanted);
    let Some(given) = wanted.istio_cr.as_ref().filter(|_| gates.is_empty()) else {
        return Err(gates);
    };
    let mut plan = Plan::default();
    plan.skips.push(Skip {
        what: "Istio itself is not touched".to_owned(),
        why: "Kyma's operator manages it and reverts changes; it installs its own version"
            .to_owned(),
    });
    let live = gates::custom_resource(observed);
    let edit = live.map(|live| merge(spec(live.pointer("/spec")), spec(given.pointer("/spec"))));
    match edit {
        None => apply(
            &mut plan,
            "custom-resource",
            "create the Istio custom resource",
            vec![given.clone()],
        ),
        Some(patch) if patch.is_empty() => {}
        Some(patch) => plan.steps.push(Step {
            name: "custom-resource",
            title: "edit the Istio custom resource".to_owned(),
            action: Action::Merge {
                id: given.id(),
                patch: json!({ "spec": patch }),
            },
        }),
    }
    let is_ready = live.and_then(|live| live.string("/status/state")) == Some("Ready");
    if plan.steps.is_empty() && is_ready {
        return Ok(plan);
    }
    let ready = |condition: &&Value| condition.get("type").and_then(Value::as_str) == Some("Ready");
    let conditions = live
        .and_then(|live| live.pointer("/status/conditions"))
        .and_then(Value::as_array);
    let since = conditions
        .into_iter()
        .flatten()
        .find(ready)
        .and_then(|c| c.get("lastTransitionTime")?.as_str());
    let unlike = since.filter(|_| !plan.steps.is_empty()).map(str::to_owned);
    plan.steps.push(Step {
        name: "custom-resource-ready",
        title: "wait until Kyma's operator is done".to_owned(),
        action: Action::WaitCondition {
            id: given.id(),
            state: "Ready",
            failed: &["Error", "Warning"],
            unlike,
        },
    });
    Ok(plan)
}

fn spec(value: Option<&Value>) -> Map<String, Value> {
    value
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default()
}

/// The merge patch (RFC 7396) that makes `to` of `from`; empty when they are the same.
fn merge(from: Map<String, Value>, mut to: Map<String, Value>) -> Map<String, Value> {
    let mut patch = Map::new();
    for (key, before) in from {
        match (before, to.remove(&key)) {
            (_, None) => {
                patch.insert(key, Value::Null);
            }
            (before, Some(after)) if before == after => {}
            (Value::Object(before), Some(Value::Object(after))) => {
                patch.insert(key, Value::Object(merge(before, after)));
            }
            (_, Some(after)) => {
                patch.insert(key, after);
            }
        }
    }
    patch.append(&mut to);
    patch
}
