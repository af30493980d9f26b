//! Runs a plan: step by step, each write reported, stoppable between two writes. Not here: what is in a plan.

mod report;

use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt};
use mesh::object::{Id, Object};
use mesh::plan::{Action, Plan, Step};

use crate::apply::{ApplyMode, Change, Conflicts, Deleted, apply, delete, merge};
use crate::connect::Connection;
use crate::error::ClusterError;
use crate::interrupt::Interrupt;
use crate::progress::{Event, Progress};
use crate::wait::{Deadline, States, gone, ready, state};
pub use report::{Report, RunError, RunFailure, Verb, Written};

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

/// Runs a plan to its end, or to its first failure.
///
/// # Errors
/// The step that failed, why, and everything that was written before. Running the plan of a fresh look continues.
pub async fn run(
    connection: &Connection,
    plan: &Plan,
    settings: &Settings,
    progress: &dyn Progress,
) -> Result<Report, RunError> {
    let mut run = Run {
        connection,
        settings,
        progress,
        report: Report::default(),
    };
    for (index, step) in plan.steps.iter().enumerate() {
        let title = step.title.as_str();
        progress.event(Event::StepStarted {
            name: step.name,
            title,
            number: index + 1,
            of: plan.steps.len(),
        });
        let started = Instant::now();
        if let Err(stop) = run.step(step).await {
            let Stop { failed, cause } = *stop;
            return Err(RunError {
                done: run.report,
                step: step.name.to_owned(),
                failed,
                cause,
            });
        }
        progress.event(Event::StepFinished {
            name: step.name,
            took: started.elapsed(),
        });
        if settings.abort_after.as_deref() == Some(step.name) {
            let step = step.name.to_owned();
            return Err(RunError {
                done: run.report,
                step,
                failed: None,
                cause: RunFailure::Aborted,
            });
        }
    }
    Ok(run.report)
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
    report: Report,
}

impl Run<'_> {
    async fn step(&mut self, step: &Step) -> Result<(), Box<Stop>> {
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
                let merged = merge(connection, id, patch, ApplyMode::Real).await;
                let applied = merged
                    .and_then(|found| found.ok_or_else(|| ClusterError::Absent { id: id.clone() }));
                let applied = applied.map_err(|cause| Stop::at(id, cause))?;
                self.note(step.name, id.clone(), applied.change);
                Ok(())
            }
        }
    }

    /// In the given order, but objects of one kind that follow each other go together.
    async fn apply_all(&mut self, step: &str, objects: &[Object]) -> Result<(), Box<Stop>> {
        let (connection, settings) = (self.connection, self.settings);
        for same_kind in objects.chunk_by(|a, b| a.kind() == b.kind() && a.group() == b.group()) {
            let writes = same_kind.iter().map(|object| async move {
                let result = match settings.interrupt.check() {
                    Ok(()) => apply(connection, object, ApplyMode::Real, settings.conflicts).await,
                    Err(interrupted) => Err(interrupted),
                };
                (object.id(), result)
            });
            // All that was begun is brought to its end, so that the report tells everything that was written.
            let mut results = stream::iter(writes).buffered(AT_ONCE);
            let mut failure = None;
            while let Some((id, result)) = results.next().await {
                match result {
                    Ok(applied) => self.note(step, id, applied.change),
                    Err(cause) => {
                        failure.get_or_insert_with(|| Stop::at(&id, cause));
                    }
                }
            }
            if let Some(failure) = failure {
                return Err(failure);
            }
        }
        Ok(())
    }

    async fn delete(&mut self, step: &str, id: &Id, uid: &str) -> Result<(), ClusterError> {
        self.settings.interrupt.check()?;
        if delete(self.connection, id, uid).await? == Deleted::Deleted {
            self.progress.event(Event::Deleted { id });
            self.report.written.push(Written {
                step: step.to_owned(),
                verb: Verb::Deleted,
                id: id.clone(),
            });
        }
        Ok(())
    }

    fn note(&mut self, step: &str, id: Id, change: Change) {
        self.progress.event(Event::Applied { id: &id, change });
        let verb = match change {
            Change::Created => Verb::Created,
            Change::Changed => Verb::Changed,
            Change::Unchanged => {
                self.report.unchanged += 1;
                return;
            }
        };
        self.report.written.push(Written {
            step: step.to_owned(),
            verb,
            id,
        });
    }
}
