//! Waiting until objects work, and, when they don't, the cause. Not here: what is waited for, and how long.

mod absence;
mod cause;
mod ready;

use std::time::Duration;

use mesh::object::{Id, Object};
use tokio::time::Instant;

use crate::apply::get;
use crate::connect::Connection;
use crate::error::{ClusterError, first_line};
use crate::interrupt::Interrupt;
use crate::kinds;
use crate::progress::{Event, Progress};
pub use ready::{Readiness, readiness};

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(1);
/// A reason that doesn't change is said again after this.
const REPEAT: Duration = Duration::from_secs(10);

/// How long the last look may take when time is over.
const LAST_LOOK: Duration = Duration::from_secs(1);
/// How long the causes of a time-out may be asked for.
const DETAILS: Duration = Duration::from_secs(5);

/// The moment at which waiting ends.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    limit: Duration,
    end: Instant,
}

/// Why waiting ended without success.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// Time is over.
    #[error("not ready after {} s: {}", limit.as_secs(), causes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    TimedOut {
        /// How long was waited.
        limit: Duration,
        /// One for each object that isn't ready.
        causes: Vec<Cause>,
    },
    /// It says that it failed; more time won't help.
    #[error("{0}")]
    Failed(Cause),
    /// The cluster can't be asked.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
}

/// Why one object isn't ready.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, serde::Serialize)]
#[error("`{id}`: {why}{}", details.first().map(|detail| format!(" ({detail})")).unwrap_or_default())]
pub struct Cause {
    /// Which.
    pub id: Id,
    /// What is missing: `0 of 1 replicas ready`.
    pub why: String,
    /// What its pods, containers, events and the quota say; the most telling first.
    pub details: Vec<String>,
}

/// `status.state` of a custom resource that ends waiting.
#[derive(Debug, Clone, Copy)]
pub struct States<'a> {
    /// Well.
    pub wanted: &'a str,
    /// Badly.
    pub failed: &'a [&'a str],
    /// A `lastTransitionTime` of the condition `Ready` at which the state doesn't count: it is
    /// from before our edit.
    pub unlike: Option<&'a str>,
}

impl Deadline {
    /// So long from now.
    #[must_use]
    pub fn after(limit: Duration) -> Self {
        Self {
            limit,
            end: Instant::now() + limit,
        }
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.end
    }

    /// What comes of a look before the end; of one that begins at the end, within a second. None: no answer came.
    async fn within<T>(&self, look: impl Future<Output = T>) -> Option<T> {
        let end = self.end.max(Instant::now() + LAST_LOOK);
        tokio::time::timeout_at(end, look).await.ok()
    }
}

/// Waits until every object is ready.
///
/// # Errors
/// Time over, with the causes; rights that are missing; an interrupt. A server that fails for a while is borne until the
/// deadline.
pub async fn ready(
    connection: &Connection,
    ids: &[Id],
    deadline: Deadline,
    interrupt: &Interrupt,
    progress: &dyn Progress,
) -> Result<(), NotReady> {
    let mut waiting: Vec<Waiting> = ids.iter().cloned().map(Waiting::new).collect();
    loop {
        for one in &mut waiting {
            let state = look(connection, &one.id, deadline, readiness).await?;
            one.note(state, progress);
        }
        waiting.retain(|one| one.state != Readiness::Ready);
        if waiting.is_empty() {
            return Ok(());
        }
        if deadline.is_over() {
            return Err(timed_out(connection, &waiting, deadline).await);
        }
        interrupt.check()?;
        interrupt.sleep(PAUSE).await;
    }
}

/// Waits until a custom resource says in `status.state` that it is done.
///
/// # Errors
/// As [`ready`]; and a state that means failure, with `status.description` and the conditions that are false.
pub async fn state(
    connection: &Connection,
    id: &Id,
    states: States<'_>,
    deadline: Deadline,
    interrupt: &Interrupt,
    progress: &dyn Progress,
) -> Result<(), NotReady> {
    let mut waiting = Waiting::new(id.clone());
    loop {
        let by_state = |object: &Object| ready::by_state(object, states);
        let now = look(connection, id, deadline, by_state).await?;
        waiting.note(now, progress);
        match &waiting.state {
            Readiness::Ready => return Ok(()),
            Readiness::Failed(why) => {
                return Err(NotReady::Failed(Cause {
                    id: id.clone(),
                    why: why.clone(),
                    details: Vec::new(),
                }));
            }
            Readiness::NotYet(_) => {}
        }
        if deadline.is_over() {
            return Err(timed_out(connection, &[waiting], deadline).await);
        }
        interrupt.check()?;
        interrupt.sleep(PAUSE).await;
    }
}

/// Waits until every object is gone, or another stands in its place.
///
/// # Errors
/// As [`ready`]; the causes name what holds an object.
pub async fn gone(
    connection: &Connection,
    objects: &[(Id, String)],
    deadline: Deadline,
    interrupt: &Interrupt,
    progress: &dyn Progress,
) -> Result<(), NotReady> {
    let waiting = objects
        .iter()
        .map(|(id, uid)| (Waiting::new(id.clone()), uid));
    let mut waiting: Vec<(Waiting, &String)> = waiting.collect();
    loop {
        for (one, uid) in &mut waiting {
            let state = match find(connection, &one.id, deadline).await {
                Ok(None) => Readiness::Ready,
                Ok(Some(object)) => absence::by_absence(&object, uid),
                Err(error) => passing(error)?,
            };
            // "Ready" is no news of something that went.
            match state {
                Readiness::Ready => one.state = state,
                state => one.note(state, progress),
            }
        }
        waiting.retain(|(one, _)| one.state != Readiness::Ready);
        if waiting.is_empty() {
            return Ok(());
        }
        if deadline.is_over() {
            let still: Vec<Waiting> = waiting.into_iter().map(|(one, _)| one).collect();
            return Err(timed_out(connection, &still, deadline).await);
        }
        interrupt.check()?;
        interrupt.sleep(PAUSE).await;
    }
}

struct Waiting {
    id: Id,
    state: Readiness,
    since: Instant,
    said: Option<Instant>,
}

impl Waiting {
    fn new(id: Id) -> Self {
        Self {
            id,
            state: Readiness::NotYet("not looked at yet".to_owned()),
            since: Instant::now(),
            said: None,
        }
    }

    fn note(&mut self, state: Readiness, progress: &dyn Progress) {
        let is_news = state != self.state || self.said.is_none_or(|said| said.elapsed() >= REPEAT);
        self.state = state;
        match &self.state {
            Readiness::Ready => progress.event(Event::Ready { id: &self.id }),
            Readiness::NotYet(why) | Readiness::Failed(why) if is_news => {
                progress.event(Event::Waiting {
                    id: &self.id,
                    why,
                    waited: self.since.elapsed(),
                });
                self.said = Some(Instant::now());
            }
            _ => {}
        }
    }
}

/// One look. What may pass (a server that restarts, a CRD that isn't served yet) is a reason to wait; missing rights
/// are not.
async fn look(
    connection: &Connection,
    id: &Id,
    deadline: Deadline,
    judge: impl Fn(&Object) -> Readiness,
) -> Result<Readiness, ClusterError> {
    match find(connection, id, deadline).await {
        Ok(Some(object)) => Ok(judge(&object)),
        Ok(None) => Ok(Readiness::NotYet("it does not exist".to_owned())),
        Err(error) => passing(error),
    }
}

async fn find(
    connection: &Connection,
    id: &Id,
    deadline: Deadline,
) -> Result<Option<Object>, ClusterError> {
    let look = async {
        match kinds::find(connection, &id.api_version, &id.kind).await? {
            Some(kind) => get(connection, &kind, id).await,
            None => Ok(None),
        }
    };
    // One request may be tried for minutes.
    let found = deadline.within(look).await;
    found.unwrap_or_else(|| {
        Err(ClusterError::Answer {
            verb: "get",
            what: format!("`{id}`"),
            cause: "no answer came in time".to_owned(),
        })
    })
}

fn passing(error: ClusterError) -> Result<Readiness, ClusterError> {
    match error {
        ClusterError::GaveUp { .. } | ClusterError::Answer { .. } => {
            Ok(Readiness::NotYet(first_line(&error.to_string())))
        }
        error => Err(error),
    }
}

async fn timed_out(connection: &Connection, waiting: &[Waiting], deadline: Deadline) -> NotReady {
    let mut causes = Vec::with_capacity(waiting.len());
    for one in waiting {
        let (Readiness::NotYet(why) | Readiness::Failed(why)) = &one.state else {
            continue;
        };
        causes.push(Cause {
            id: one.id.clone(),
            why: why.clone(),
            details: tokio::time::timeout(DETAILS, cause::details(connection, &one.id))
                .await
                .unwrap_or_default(),
        });
    }
    NotReady::TimedOut {
        limit: deadline.limit,
        causes,
    }
}
