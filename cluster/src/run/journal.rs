//! What was written, kept where it outlives the run: a run that is dropped in the middle of a write has still written what it wrote.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mesh::object::Id;

use super::report::{Report, RunError, RunFailure, Stands, Verb, Written};

/// The writes of one command, in their order, and those that are on their way.
#[derive(Debug, Clone, Default)]
pub struct Journal(Arc<Mutex<Entries>>);

#[derive(Debug, Default)]
struct Entries {
    step: String,
    report: Report,
    begun: BTreeSet<Id>,
}

impl Journal {
    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn step(&self, name: &str) {
        name.clone_into(&mut self.entries().step);
    }

    /// A write is sent. Until [`Journal::end`] nobody knows what became of it.
    pub(super) fn begin(&self, id: &Id) {
        self.entries().begun.insert(id.clone());
    }

    pub(super) fn end(&self, id: &Id) {
        self.entries().begun.remove(id);
    }

    pub(super) fn written(&self, step: &str, verb: Verb, id: Id) {
        let step = step.to_owned();
        self.entries()
            .report
            .written
            .push(Written { step, verb, id });
    }

    pub(super) fn stands(&self, id: &Id, stands: Stands) {
        self.entries().report.stands.insert(id.clone(), stands);
    }

    pub(super) fn unchanged(&self) {
        self.entries().report.unchanged += 1;
    }

    /// All so far.
    #[must_use]
    pub fn report(&self) -> Report {
        self.entries().report.clone()
    }

    /// The run ended in its present step.
    pub(crate) fn failed(&self, failed: Option<Id>, cause: impl Into<RunFailure>) -> RunError {
        let entries = self.entries();
        RunError {
            done: entries.report.clone(),
            begun: entries.begun.iter().cloned().collect(),
            step: match entries.step.as_str() {
                "" => "turn".to_owned(),
                step => step.to_owned(),
            },
            failed,
            cause: cause.into(),
        }
    }
}
