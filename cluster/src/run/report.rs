//! What a run did, and why it ended.

use std::collections::BTreeMap;

use mesh::object::{Id, Object};

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
    /// What was applied, as it stood right after.
    #[serde(skip)]
    pub stands: BTreeMap<Id, Stands>,
}

/// An object as somebody left it: another uid or generation is another's work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stands {
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.generation`, which rises with each change of `spec`; kinds without it have none.
    pub generation: Option<i64>,
    /// Labels and annotations, whose changes raise no generation.
    labels: serde_json::Value,
}

impl Stands {
    /// Of a live object.
    #[must_use]
    pub fn of(object: &Object) -> Self {
        Self {
            uid: object.uid().unwrap_or_default().to_owned(),
            generation: object
                .pointer("/metadata/generation")
                .and_then(serde_json::Value::as_i64),
            labels: serde_json::json!([
                object.pointer("/metadata/labels"),
                object.pointer("/metadata/annotations"),
            ]),
        }
    }
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
    /// Writes that were sent and whose outcome nobody knows.
    pub begun: Vec<Id>,
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
    /// Somebody made these since the plan was made; they would go with their CRDs.
    #[error(
        "somebody made resources since the plan was made, which would go with the CRDs: {}",
        .0.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ")
    )]
    Resources(Vec<Id>),
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
            Self::NotReady(NotReady::Failed(_)) | Self::Aborted | Self::Resources(_) => {
                Class::Partly
            }
        }
    }
}

impl RunError {
    /// Who must act. Time-outs stay time-outs; any other failure after the first write left something half done.
    #[must_use]
    pub fn class(&self) -> Class {
        match self.cause.class() {
            Class::TimedOut => Class::TimedOut,
            _ if !self.done.written.is_empty() || !self.begun.is_empty() => Class::Partly,
            _ if matches!(
                self.cause,
                RunFailure::Cluster(ClusterError::TurnLost { .. })
            ) =>
            {
                Class::Refused
            }
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
            RunFailure::Resources(_) => Some(
                "running it again lists them as blockers; whatever makes them anew (GitOps) must be stopped first"
                    .to_owned(),
            ),
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
