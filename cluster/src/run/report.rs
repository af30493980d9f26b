//! What a run did, and why it ended.

use mesh::object::Id;

use crate::error::{Class, ClusterError};
use crate::wait::NotReady;

/// What was done.
#[derive(Debug, Default, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Every write, in its order. What was unchanged is not among them.
    pub written: Vec<Written>,
    /// How many objects were as wanted already.
    pub unchanged: usize,
}

/// One write.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Written {
    /// The step that it belongs to.
    pub step: String,
    /// What was done.
    pub verb: Verb,
    /// To which object.
    pub id: Id,
}

/// What was done to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verb {
    /// It is new.
    Created,
    /// It was changed.
    Changed,
    /// It was deleted.
    Deleted,
}

/// A plan that was not run to its end.
#[derive(Debug, thiserror::Error)]
#[error("step `{step}` failed: {cause}{}", done.said())]
pub struct RunError {
    /// What was written before.
    pub done: Report,
    /// The step that failed.
    pub step: String,
    /// The object that failed, if it was one.
    pub failed: Option<Id>,
    /// Why.
    pub cause: RunFailure,
}

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
pub enum RunFailure {
    /// A write failed.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// A wait failed.
    #[error(transparent)]
    NotReady(#[from] NotReady),
    /// `$KYMA_ISTIO_ABORT_AFTER`.
    #[error("aborted here, as `KYMA_ISTIO_ABORT_AFTER` asks")]
    Aborted,
}

impl RunFailure {
    /// Who must act, where nothing was written yet.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Cluster(error) | Self::NotReady(NotReady::Cluster(error)) => error.class(),
            Self::NotReady(NotReady::TimedOut { .. }) => Class::TimedOut,
            Self::NotReady(NotReady::Failed(_)) | Self::Aborted => Class::Partly,
        }
    }
}

impl RunError {
    /// Who must act. Time-outs stay time-outs; any other failure after the first write left something half done.
    #[must_use]
    pub fn class(&self) -> Class {
        match self.cause.class() {
            Class::TimedOut => Class::TimedOut,
            _ if !self.done.written.is_empty() => Class::Partly,
            class => class,
        }
    }

    /// What helps.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let of_cause = match &self.cause {
            RunFailure::Cluster(error) | RunFailure::NotReady(NotReady::Cluster(error)) => {
                error.hint()
            }
            RunFailure::NotReady(NotReady::TimedOut { .. }) => Some(
                "mend the cause, or give it more time with `--timeout`; running it again continues"
                    .to_owned(),
            ),
            RunFailure::NotReady(NotReady::Failed(_)) => None,
            RunFailure::Aborted => Some("running it again continues".to_owned()),
        };
        of_cause.or_else(|| {
            (!self.done.written.is_empty()).then(|| "running it again continues".to_owned())
        })
    }
}

impl Report {
    fn said(&self) -> String {
        match self.written.len() {
            0 => "; nothing was written".to_owned(),
            1 => "; 1 object was written before".to_owned(),
            n => format!("; {n} objects were written before"),
        }
    }
}
