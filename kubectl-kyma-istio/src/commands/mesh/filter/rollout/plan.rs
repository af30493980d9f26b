//! The plan of a roll-out: a plugin is all ours, or it isn't what was tried.

use cluster::apply::{ApplyMode, Conflicts, apply};
use cluster::connect::Connection;
use mesh::object::Object;
use mesh::plan::{Action, Plan, Step};
use serde_json::{Value, json};

use super::super::super::operation::Operation;
use crate::error::{Error, exit};

/// The apply; before it, what others put into the plugin is taken out, which an apply alone leaves there.
pub async fn plan(
    connection: &Connection,
    object: &Object,
    operation: &Operation,
) -> Result<Plan, Error> {
    let would_be = apply(connection, object, ApplyMode::DryRun, operation.conflicts)
        .await?
        .result;
    let (wanted, result) = (object.pointer("/spec"), would_be.pointer("/spec"));
    let foreign = match (wanted, result) {
        (Some(wanted), Some(result)) => without(result, wanted),
        _ => None,
    };
    let mut steps = Vec::new();
    if let Some(patch) = foreign {
        let id = object.id();
        if operation.conflicts == Conflicts::Refuse {
            return Err(Error::NotConfirmed {
                what: format!(
                    "`{id}` has fields from others, which would stay: {}",
                    paths(&patch, "spec")
                )
                .into(),
                hint: "take them away there, or here with `--force-conflicts`",
                code: exit::REFUSED,
            });
        }
        steps.push(Step {
            name: "foreign-fields",
            title: format!("remove {} from {id}", paths(&patch, "spec")),
            action: Action::Merge {
                id,
                patch: json!({"spec": patch}),
            },
        });
    }
    steps.push(Step {
        name: "policy",
        title: format!("apply {}", object.id()),
        action: Action::Apply(vec![object.clone()]),
    });
    Ok(Plan {
        steps,
        ..Plan::default()
    })
}

/// A merge patch that takes out of `found` what `wanted` doesn't have; none if there is nothing.
fn without(found: &Value, wanted: &Value) -> Option<Value> {
    let (Value::Object(found), Value::Object(wanted)) = (found, wanted) else {
        return None;
    };
    let mut patch = serde_json::Map::new();
    for (key, value) in found {
        match wanted.get(key) {
            None => drop(patch.insert(key.clone(), Value::Null)),
            Some(wanted) => {
                if let Some(inner) = without(value, wanted) {
                    patch.insert(key.clone(), inner);
                }
            }
        }
    }
    (!patch.is_empty()).then_some(Value::Object(patch))
}

/// `spec.imagePullSecret, spec.match`.
fn paths(patch: &Value, at: &str) -> String {
    let Value::Object(fields) = patch else {
        return at.to_owned();
    };
    let all: Vec<String> = fields
        .iter()
        .map(|(key, value)| paths(value, &format!("{at}.{key}")))
        .collect();
    all.join(", ")
}
