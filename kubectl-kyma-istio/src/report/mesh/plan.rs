//! A plan as it is shown, before anybody says yes to it.

use mesh::checks::Finding;
use mesh::diff::Consequence;
use mesh::object::Id;
use mesh::plan::{Action, Plan, Skip, Step};
use serde::Serialize;

use super::diff::{consequences, notes};
use crate::printer::{Style, Text};

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
    /// `apply`, `wait`, `delete`, `merge`.
    pub verb: &'static str,
    /// On what, `Kind namespace/name`.
    pub objects: Vec<String>,
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
            Action::Delete(doomed) => ("delete", names(doomed)),
            Action::WaitGone(doomed) => ("wait", names(doomed)),
            Action::Merge { id, .. } => ("merge", vec![id.to_string()]),
        };
        Self {
            name: step.name,
            title: step.title.clone(),
            verb,
            objects,
        }
    }
}

fn names(doomed: &[(Id, String)]) -> Vec<String> {
    doomed.iter().map(|(id, _)| id.to_string()).collect()
}
