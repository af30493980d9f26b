//! What is left of a plan once a dry run has shown what is there already.

use super::{Action, Plan};
use crate::diff::{self, ObjectChange};
use crate::object::Id;
use crate::observed::Observed;

impl Plan {
    /// Takes out objects that a dry run shows to be as wanted, waits for what is ready and unchanged, and steps that are
    /// then empty; adds the consequences of what is left. An object without a dry run stays in.
    #[must_use]
    pub fn remaining(mut self, dry_run: &[ObjectChange], observed: &Observed) -> Self {
        let is_settled = |id: &Id| {
            let of_it = dry_run.iter().find(|change| change.id.is_same_object(id));
            of_it.is_some_and(|change| !change.is_change(observed))
        };
        let mut deleted = Vec::new();
        for step in &mut self.steps {
            match &mut step.action {
                Action::Apply(objects) => objects.retain(|object| !is_settled(&object.id())),
                Action::WaitReady(ids) => {
                    ids.retain(|id| !(is_settled(id) && is_ready(id, observed)))
                }
                Action::Delete(doomed) => deleted.extend(doomed.iter().map(|(id, _)| id.clone())),
                Action::WaitGone(_)
                | Action::LastLook(_)
                | Action::WaitCondition { .. }
                | Action::Merge { .. } => {}
            }
        }
        self.steps.retain(|step| match &step.action {
            Action::Apply(objects) => !objects.is_empty(),
            Action::WaitReady(ids) => !ids.is_empty(),
            Action::Delete(doomed) => !doomed.is_empty(),
            Action::WaitGone(_)
            | Action::LastLook(_)
            | Action::WaitCondition { .. }
            | Action::Merge { .. } => true,
        });
        let going = observed
            .owned
            .iter()
            .filter(|live| deleted.contains(&live.id()));
        let mut changes: Vec<ObjectChange> = going
            .filter_map(|live| ObjectChange::of(Some(live.clone()), None))
            .collect();
        changes.extend(dry_run.iter().cloned());
        self.consequences
            .extend(diff::consequences(&changes, observed));
        self.consequences
            .sort_by_key(|consequence| consequence.impact);
        self
    }
}

/// As far as it was seen; what wasn't seen isn't ready.
fn is_ready(id: &Id, observed: &Observed) -> bool {
    let is_it = |namespace: Option<&String>, name: Option<&String>| {
        namespace == id.namespace.as_ref() && name == Some(&id.name)
    };
    match id.kind.as_str() {
        "Deployment" => observed.deployments.iter().any(|found| {
            let status = found.status.as_ref();
            let wanted = found
                .spec
                .as_ref()
                .and_then(|spec| spec.replicas)
                .unwrap_or(1);
            is_it(
                found.metadata.namespace.as_ref(),
                found.metadata.name.as_ref(),
            ) && status.is_some_and(|status| {
                status.observed_generation >= found.metadata.generation
                    && status.updated_replicas.unwrap_or(0) >= wanted
                    && status.ready_replicas.unwrap_or(0) >= wanted
            })
        }),
        "DaemonSet" => observed.daemon_sets.iter().any(|found| {
            is_it(
                found.metadata.namespace.as_ref(),
                found.metadata.name.as_ref(),
            ) && found.status.as_ref().is_some_and(|status| {
                status.observed_generation >= found.metadata.generation
                    && status.updated_number_scheduled.unwrap_or(0)
                        >= status.desired_number_scheduled
                    && status.number_ready >= status.desired_number_scheduled
            })
        }),
        "CustomResourceDefinition" => observed.crds.iter().any(|found| {
            let conditions = found
                .status
                .iter()
                .flat_map(|status| status.conditions.iter().flatten());
            is_it(None, found.metadata.name.as_ref())
                && conditions
                    .into_iter()
                    .any(|c| c.type_ == "Established" && c.status == "True")
        }),
        _ => false,
    }
}
