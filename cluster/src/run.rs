//! Runs a plan: step by step, each write reported, stoppable between two writes. Not here: what is in a plan.

mod journal;
mod report;

use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt};
use mesh::object::{Id, Object};
use mesh::plan::{Action, Looked, Plan, Step};

use crate::apply::{Applied, ApplyMode, Change, Conflicts, Deleted, apply, delete, merge};
use crate::connect::Connection;
use crate::error::ClusterError;
use crate::interrupt::Interrupt;
use crate::kinds::Kind;
use crate::list::some;
use crate::progress::{Event, Progress};
use crate::wait::{Deadline, States, gone, ready, state};
pub use journal::Journal;
pub use report::{Report, RunError, RunFailure, Stands, Verb, Written};

/// Applies on their way at once. Only objects of one kind are: these never need each other.
const AT_ONCE: usize = 8;

/// How a plan is run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The limit of each wait.
    pub timeout: Duration,
    /// What becomes of fields that belong to others.
    pub conflicts: Conflicts,
    /// Stops after the step of this name, as if killed there: `$KYMA_ISTIO_ABORT_AFTER`, for tests of resuming.
    pub abort_after: Option<String>,
    /// Ctrl-C.
    pub interrupt: Interrupt,
}

/// Runs a plan to its end, or to its first failure. `journal` is kept as it goes: it is whole even where this is dropped.
///
/// # Errors
/// The step that failed, why, and everything that was written before. Running the plan of a fresh look continues.
pub async fn run(
    connection: &Connection,
    plan: &Plan,
    settings: &Settings,
    journal: &Journal,
    progress: &dyn Progress,
) -> Result<Report, RunError> {
    let run = Run {
        connection,
        settings,
        progress,
        journal,
    };
    for (index, step) in plan.steps.iter().enumerate() {
        let title = step.title.as_str();
        progress.event(Event::StepStarted {
            name: step.name,
            title,
            number: index + 1,
            of: plan.steps.len(),
        });
        journal.step(step.name);
        let started = Instant::now();
        if let Err(stop) = run.step(step).await {
            let Stop { failed, cause } = *stop;
            return Err(journal.failed(failed, cause));
        }
        progress.event(Event::StepFinished {
            name: step.name,
            took: started.elapsed(),
        });
        if settings.abort_after.as_deref() == Some(step.name) {
            return Err(journal.failed(None, RunFailure::Aborted));
        }
    }
    Ok(journal.report())
}

/// What ended a step.
struct Stop {
    failed: Option<Id>,
    cause: RunFailure,
}

impl Stop {
    fn at(id: &Id, cause: impl Into<RunFailure>) -> Box<Self> {
        Box::new(Self {
            failed: Some(id.clone()),
            cause: cause.into(),
        })
    }

    fn because(cause: impl Into<RunFailure>) -> Box<Self> {
        Box::new(Self {
            failed: None,
            cause: cause.into(),
        })
    }
}

struct Run<'a> {
    connection: &'a Connection,
    settings: &'a Settings,
    progress: &'a dyn Progress,
    journal: &'a Journal,
}

impl Run<'_> {
    async fn step(&self, step: &Step) -> Result<(), Box<Stop>> {
        let deadline = Deadline::after(self.settings.timeout);
        let (connection, interrupt, progress) =
            (self.connection, &self.settings.interrupt, self.progress);
        match &step.action {
            Action::Apply(objects) => self.apply_all(step.name, objects).await,
            Action::WaitReady(ids) => ready(connection, ids, deadline, interrupt, progress)
                .await
                .map_err(Stop::because),
            Action::WaitGone(objects) => gone(connection, objects, deadline, interrupt, progress)
                .await
                .map_err(Stop::because),
            Action::LastLook(looked) => self.last_look(looked).await,
            Action::WaitCondition {
                id,
                state: wanted,
                failed,
                unlike,
            } => {
                let unlike = unlike.as_deref();
                let states = States {
                    wanted,
                    failed,
                    unlike,
                };
                state(connection, id, states, deadline, interrupt, progress)
                    .await
                    .map_err(Stop::because)
            }
            Action::Delete(objects) => {
                for (id, uid) in objects {
                    self.delete(step.name, id, uid)
                        .await
                        .map_err(|cause| Stop::at(id, cause))?;
                }
                Ok(())
            }
            Action::Merge { id, patch } => {
                interrupt.check().map_err(Stop::because)?;
                self.journal.begin(id);
                let merged = merge(connection, id, patch, ApplyMode::Real).await;
                self.journal.end(id);
                let applied = merged
                    .and_then(|found| found.ok_or_else(|| ClusterError::Absent { id: id.clone() }));
                let applied = applied.map_err(|cause| Stop::at(id, cause))?;
                self.note(step.name, &applied);
                Ok(())
            }
        }
    }

    /// A resource that came since the plan was made would go with its CRD. Between this look and the deletes are milliseconds.
    async fn last_look(&self, looked: &[Looked]) -> Result<(), Box<Stop>> {
        let mut found = Vec::new();
        for one in looked {
            self.settings.interrupt.check().map_err(Stop::because)?;
            let kind = Kind::known(&one.api_version, &one.plural, true);
            let some = some(self.connection, &kind).await;
            found.extend(some.map_err(|cause| Stop::at(&one.crd, cause))?);
        }
        match found.is_empty() {
            true => Ok(()),
            false => Err(Stop::because(RunFailure::Resources(found))),
        }
    }

    /// In the given order, but objects of one kind that follow each other go together.
    async fn apply_all(&self, step: &str, objects: &[Object]) -> Result<(), Box<Stop>> {
        let (connection, settings, journal) = (self.connection, self.settings, self.journal);
        for same_kind in objects.chunk_by(|a, b| a.kind() == b.kind() && a.group() == b.group()) {
            let writes = same_kind.iter().map(|object| async move {
                let id = object.id();
                if let Err(interrupted) = settings.interrupt.check() {
                    return (id, Err(interrupted));
                }
                journal.begin(&id);
                let result = apply(connection, object, ApplyMode::Real, settings.conflicts).await;
                (id, result)
            });
            // All that was begun is brought to its end, so that the report tells everything that was written.
            let mut results = stream::iter(writes).buffered(AT_ONCE);
            let mut failure = None;
            while let Some((id, result)) = results.next().await {
                match result {
                    Ok(applied) => self.note(step, &applied),
                    Err(cause) => {
                        failure.get_or_insert_with(|| Stop::at(&id, cause));
                    }
                }
                // Not before it is noted: results come in their order, and one that waits for an earlier one must not be lost.
                journal.end(&id);
            }
            if let Some(failure) = failure {
                return Err(failure);
            }
        }
        Ok(())
    }

    async fn delete(&self, step: &str, id: &Id, uid: &str) -> Result<(), ClusterError> {
        self.settings.interrupt.check()?;
        self.journal.begin(id);
        let deleted = delete(self.connection, id, uid).await;
        self.journal.end(id);
        if deleted? == Deleted::Deleted {
            self.progress.event(Event::Deleted { id });
            self.journal.written(step, Verb::Deleted, id.clone());
        }
        Ok(())
    }

    fn note(&self, step: &str, applied: &Applied) {
        let (id, change) = (applied.result.id(), applied.change);
        self.progress.event(Event::Applied { id: &id, change });
        self.journal.stands(&id, Stands::of(&applied.result));
        match change {
            Change::Created => self.journal.written(step, Verb::Created, id),
            Change::Changed => self.journal.written(step, Verb::Changed, id),
            Change::Unchanged => self.journal.unchanged(),
        }
    }
}
