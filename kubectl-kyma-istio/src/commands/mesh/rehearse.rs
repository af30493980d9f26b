//! Asks the API server what a plan would change, by dry runs.

use cluster::apply::{Applied, ApplyMode, Conflicts, apply, merge};
use cluster::connect::Connection;
use cluster::error::ClusterError;
use futures_util::stream::{self, StreamExt};
use mesh::diff::ObjectChange;
use mesh::object::Object;
use mesh::observed::Observed;
use mesh::plan::{Action, Plan};

use crate::error::Error;
use crate::report::{ObjectDiff, Verb};

/// Dry runs on their way at once.
const AT_ONCE: usize = 8;

/// What the server said.
pub struct Rehearsed {
    /// What is left to do.
    pub plan: Plan,
    /// Every object of it that would change.
    pub objects: Vec<ObjectChange>,
    /// What could not be asked, one line each.
    pub notes: Vec<String>,
}

/// Rehearses a plan and takes out what is there already.
pub async fn rehearse(
    connection: &Connection,
    plan: Plan,
    conflicts: Conflicts,
    observed: &Observed,
) -> Result<Rehearsed, Error> {
    let mut notes = Vec::new();
    let mut asked = Vec::new();
    let tries = plan.objects().map(|object| async move {
        let result = apply(connection, object, ApplyMode::DryRun, conflicts).await;
        (object, result)
    });
    // Collected first: a stream over a borrowing iterator has no single lifetime.
    let tries: Vec<_> = tries.collect();
    let mut results = stream::iter(tries).buffered(AT_ONCE);
    while let Some((object, result)) = results.next().await {
        match result {
            Ok(applied) => asked.extend(change(applied)),
            // A webhook without its istiod, most likely: the plan mends it, the real apply comes later.
            Err(ClusterError::GaveUp { cause, .. }) => {
                notes.push(format!("can't rehearse `{}`: {cause}", object.id()));
            }
            Err(error) => return Err(error.into()),
        }
    }
    drop(results);
    let others = merges_and_deletes(connection, &plan, observed).await?;
    let plan = plan.remaining(&asked, observed);
    let objects = asked.into_iter().chain(others);
    Ok(Rehearsed {
        objects: objects.filter(|one| one.is_change(observed)).collect(),
        plan,
        notes,
    })
}

fn change(applied: Applied) -> Option<ObjectChange> {
    ObjectChange::of(applied.before, Some(applied.result))
}

async fn merges_and_deletes(
    connection: &Connection,
    plan: &Plan,
    observed: &Observed,
) -> Result<Vec<ObjectChange>, Error> {
    let mut changes = Vec::new();
    for step in &plan.steps {
        match &step.action {
            Action::Merge { id, patch } => {
                let merged = merge(connection, id, patch, ApplyMode::DryRun).await?;
                changes.extend(merged.and_then(change));
            }
            Action::Delete(doomed) => {
                let is_doomed =
                    |live: &&Object| doomed.iter().any(|(id, _)| id.is_same_object(&live.id()));
                let live = observed.owned.iter().filter(is_doomed);
                changes.extend(live.filter_map(|live| ObjectChange::of(Some(live.clone()), None)));
            }
            Action::Apply(_)
            | Action::WaitReady(_)
            | Action::WaitGone(_)
            | Action::LastLook(_)
            | Action::WaitCondition { .. } => {}
        }
    }
    Ok(changes)
}

/// As it is shown: whole objects are not listed field by field.
pub fn shown(changes: &[ObjectChange], observed: &Observed) -> Vec<ObjectDiff> {
    let shown = changes.iter().map(|change| {
        let verb = match (&change.live, &change.would_be) {
            (None, _) => Verb::Create,
            (Some(_), Some(_)) => Verb::Change,
            (Some(_), None) => Verb::Delete,
        };
        ObjectDiff {
            verb,
            id: change.id.clone(),
            fields: match verb {
                Verb::Change => change.changes(observed),
                Verb::Create | Verb::Delete => Vec::new(),
            },
        }
    });
    shown.collect()
}

/// What becomes of fields that others own.
pub fn conflicts(force: bool) -> Conflicts {
    match force {
        true => Conflicts::Take,
        false => Conflicts::Refuse,
    }
}
