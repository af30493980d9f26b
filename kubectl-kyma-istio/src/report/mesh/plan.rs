//! A plan as it is shown, before anybody says yes to it.

use mesh::checks::Finding;
use mesh::diff::Consequence;
use mesh::object::Id;
use mesh::plan::{Action, Plan, Skip, Step};
use serde::Serialize;
use serde_json::Value;

use super::diff::{consequences, notes};
use crate::printer::{Style, Text};

/// The verb of a step that removes objects.
const DELETE: &str = "delete";

/// What is to be done.
#[derive(Debug, Serialize)]
pub struct Planned {
    pub steps: Vec<PlannedStep>,
    pub skips: Vec<Skip>,
    pub consequences: Vec<Consequence>,
    pub warnings: Vec<Finding>,
}

/// One step.
#[derive(Debug, Serialize)]
pub struct PlannedStep {
    pub name: &'static str,
    pub title: String,
    /// `apply`, `wait`, `delete`, `merge`, `look`.
    pub verb: &'static str,
    /// On what, `Kind namespace/name`.
    pub objects: Vec<String>,
    /// Fields that an edit takes away, `spec.config.numTrustedProxies`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub removes: Vec<String>,
}

impl Planned {
    pub fn of(plan: &Plan) -> Self {
        Self {
            steps: plan.steps.iter().map(PlannedStep::of).collect(),
            skips: plan.skips.clone(),
            consequences: plan.consequences.clone(),
            warnings: plan.warnings.clone(),
        }
    }

    pub fn human(&self, text: &mut Text) {
        for (number, step) in self.steps.iter().enumerate() {
            let name = text.styled(Style::Strong, &format!("{:<22}", step.name));
            let count = match step.objects.as_slice() {
                [one] => one.clone(),
                many => format!("{} objects", many.len()),
            };
            text.line(format_args!(
                "{:>3}  {name} {} ({count})",
                number + 1,
                step.title
            ));
            // What goes is always named; a single object is named above.
            let objects = match step.objects.as_slice() {
                many @ [_, _, ..] if step.verb == DELETE => many,
                _ => &[],
            };
            for gone in objects.iter().chain(&step.removes) {
                let label = text.styled(Style::Bad, "removes:");
                text.line(format_args!("     {label} {gone}"));
            }
        }
        consequences(&self.consequences, text);
        notes(&self.skips, &self.warnings, text);
    }
}

impl PlannedStep {
    fn of(step: &Step) -> Self {
        let (verb, objects): (_, Vec<String>) = match &step.action {
            Action::Apply(objects) => (
                "apply",
                objects
                    .iter()
                    .map(|object| object.id().to_string())
                    .collect(),
            ),
            Action::WaitReady(ids) => ("wait", ids.iter().map(ToString::to_string).collect()),
            Action::WaitCondition { id, .. } => ("wait", vec![id.to_string()]),
            Action::Delete(doomed) => (DELETE, names(doomed)),
            Action::WaitGone(doomed) => ("wait", names(doomed)),
            Action::LastLook(looked) => (
                "look",
                looked.iter().map(|one| one.crd.to_string()).collect(),
            ),
            Action::Merge { id, .. } => ("merge", vec![id.to_string()]),
        };
        let mut removes = Vec::new();
        if let Action::Merge { patch, .. } = &step.action {
            taken_away(patch, "", &mut removes);
        }
        Self {
            name: step.name,
            title: step.title.clone(),
            verb,
            objects,
            removes,
        }
    }
}

/// The fields that a merge patch makes null (RFC 7396 section 2).
fn taken_away(patch: &Value, at: &str, found: &mut Vec<String>) {
    match patch {
        Value::Null => found.push(at.to_owned()),
        Value::Object(fields) => {
            for (name, value) in fields {
                let dot = if at.is_empty() { "" } else { "." };
                taken_away(value, &format!("{at}{dot}{name}"), found);
            }
        }
        _ => {}
    }
}

fn names(doomed: &[(Id, String)]) -> Vec<String> {
    doomed.iter().map(|(id, _)| id.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use mesh::object::Object;
    use serde_json::json;

    use super::*;

    fn shown(action: Action) -> String {
        let step = Step {
            name: "a-step",
            title: "do it".to_owned(),
            action,
        };
        let plan = Plan {
            steps: vec![step],
            ..Plan::default()
        };
        Text::plain(|text| Planned::of(&plan).human(text))
    }

    fn id(name: &str) -> Id {
        Object::new(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "a"}}))
            .unwrap()
            .id()
    }

    #[test]
    fn what_goes_is_named_one_by_one() {
        let doomed = |names: &[&str]| {
            let doomed = names.iter().map(|name| (id(name), "1".to_owned()));
            shown(Action::Delete(doomed.collect()))
        };
        let both = doomed(&["one", "two"]);
        assert!(
            both.contains("removes: Secret a/one\n") && both.contains("removes: Secret a/two\n"),
            "{both}"
        );
        let single = doomed(&["one"]);
        assert!(single.contains("(Secret a/one)"), "{single}");
    }

    #[test]
    fn what_an_edit_takes_away_is_named() {
        let patch = json!({"spec": {"config": {"numTrustedProxies": null, "authorizers": [null]}, "other": null}});
        let text = shown(Action::Merge {
            id: id("one"),
            patch,
        });
        assert!(
            text.contains("removes: spec.config.numTrustedProxies\n")
                && text.contains("removes: spec.other\n")
                && !text.contains("authorizers"),
            "{text}"
        );
    }
}
