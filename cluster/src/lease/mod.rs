//! One Lease keeps two commands from working on the same mesh, by the rules of client-go's leader election (`tools/leaderelection`): a holder is dead when its record
//! stood unchanged for its whole life, by the clock of who looks; who can't renew in time stops by itself before that. Not here: what they do meanwhile.

mod record;
mod renew;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use http::Method;
use k8s_openapi::jiff::Timestamp;
use mesh::object::{Id, Object};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::api::{About, Answer, Body, Failure, send_once};
use crate::apply::get;
use crate::connect::Connection;
use crate::error::ClusterError;
use crate::kinds::Kind;

pub use record::Holder;
use record::{Record, Sighting, Verdict};

/// The Lease's name, wherever it stands.
pub const NAME: &str = "kyma-istio";

/// Where a Lease stands. What may be seen of the cluster doesn't change it: all must meet the same one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Namespace `default`, which is always there: for the mesh as a whole.
    Mesh,
    /// For the policies of one namespace.
    Namespace(String),
}

impl Place {
    fn id(&self) -> Id {
        let namespace = match self {
            Self::Mesh => "default",
            Self::Namespace(name) => name,
        };
        Id {
            api_version: "coordination.k8s.io/v1".to_owned(),
            kind: "Lease".to_owned(),
            namespace: Some(namespace.to_owned()),
            name: NAME.to_owned(),
        }
    }
}

/// How long a Lease lives, and how it is renewed.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// A holder that is silent for so long is dead.
    pub life: Duration,
    /// A holder that couldn't renew for so long stops, while nobody may take the Lease yet.
    pub deadline: Duration,
    /// Between two renewals, and between two looks at another's Lease.
    pub retry: Duration,
}

impl Rules {
    /// An API server that restarts may be away for half a minute: longer than client-go's deadline of ten seconds.
    pub const USUAL: Self = Self {
        life: Duration::from_secs(60),
        deadline: Duration::from_secs(45),
        retry: Duration::from_secs(5),
    };
}

/// Why a Lease is ours no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lost {
    /// Another command has it.
    Taken {
        /// Its holder.
        by: String,
    },
    /// Somebody deleted it.
    Deleted,
    /// It couldn't be renewed in time, so another command may take it soon.
    NotRenewed,
}

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Taken { by } => write!(f, "`{by}` has taken the Lease"),
            Self::Deleted => write!(f, "somebody deleted the Lease"),
            Self::NotRenewed => write!(f, "the Lease couldn't be renewed in time"),
        }
    }
}

/// A Lease that is ours, renewed in the background until it is released or dropped.
pub struct Held {
    connection: Connection,
    id: Id,
    us: Holder,
    life: Duration,
    kept: Arc<Kept>,
    renewals: tokio::task::JoinHandle<Lost>,
}

/// The Lease as it was last written, and when that was begun.
struct Kept(Mutex<(Object, Moment)>);

impl Kept {
    fn get(&self) -> (Object, Moment) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set(&self, lease: Object, began: Moment) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (lease, began);
    }
}

/// A moment by two clocks: the one that never goes back stands still while a machine sleeps, and others' don't.
#[derive(Debug, Clone, Copy)]
struct Moment {
    steady: Instant,
    wall: SystemTime,
}

impl Moment {
    fn now() -> Self {
        Self {
            steady: Instant::now(),
            wall: SystemTime::now(),
        }
    }

    /// How long ago it was, by the clock that says more.
    fn passed(&self) -> Duration {
        let slept = self.wall.elapsed().unwrap_or_default();
        self.steady.elapsed().max(slept)
    }
}

/// Tells whether a turn may still write: its Lease is not lost and can't be another's yet.
#[derive(Clone)]
pub struct Term {
    kept: Arc<Kept>,
    life: Duration,
}

impl Term {
    /// Whether the time is over in which nobody may take the Lease.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let (_, renewed) = self.kept.get();
        renewed.passed() >= self.life
    }

    /// Ends when it is over.
    pub async fn over(&self) {
        loop {
            let (_, renewed) = self.kept.get();
            let Some(left) = self.life.checked_sub(renewed.passed()) else {
                return;
            };
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left).await;
        }
    }
}

impl std::fmt::Debug for Term {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Term").finish_non_exhaustive()
    }
}

/// Takes the Lease. A holder that shows no sign of life is waited for; `waiting` is told of it once.
///
/// # Errors
/// [`ClusterError::Busy`] when another command holds it and works; [`ClusterError::Absent`] when the namespace isn't there; the cluster fails, or forbids it.
pub async fn acquire(
    connection: &Connection,
    place: &Place,
    us: &Holder,
    rules: Rules,
    waiting: &mut dyn FnMut(&ClusterError),
) -> Result<Held, ClusterError> {
    let id = place.id();
    let kind = kind();
    let mut seen: Option<Sighting> = None;
    let mut writes = 0;
    let mut first_write = None;
    loop {
        let began = Moment::now();
        let found = get(connection, &kind, &id).await?;
        let written = match &found {
            None => create(connection, &id, us, &rules).await?,
            Some(lease) => {
                let record = Record::of(lease);
                let is_new = seen.as_ref().is_none_or(|seen| seen.record != record);
                let sighting = match seen.take() {
                    Some(seen) if !is_new => seen,
                    before => {
                        let now = Sighting::new(record, Instant::now());
                        let is_held = matches!(now.judge(us, Instant::now()), Verdict::Held { .. });
                        // It changed under our eyes: somebody is at work.
                        if let (Some(_), true) = (&before, is_held) {
                            return Err(busy(&now, rules.life));
                        }
                        now
                    }
                };
                let verdict = sighting.judge(us, Instant::now());
                let told = seen.is_none() && is_new;
                seen = Some(sighting.clone());
                match verdict {
                    Verdict::Ours => Some(lease.clone()),
                    Verdict::Free => replace(connection, &id, lease, us, &rules).await?,
                    Verdict::Held { left } => {
                        if told {
                            waiting(&busy(&sighting, left));
                        }
                        tokio::time::sleep(rules.retry.min(left)).await;
                        continue;
                    }
                }
            }
        };
        if let Some(lease) = written {
            // What a look finds to be ours was written by an earlier try.
            let is_found = found
                .as_ref()
                .is_some_and(|found| Record::of(found).holder == us.as_str());
            let began = first_write.filter(|_| is_found).unwrap_or(began);
            return Ok(Held::new(connection, id, us, rules, lease, began));
        }
        first_write.get_or_insert(began);
        // Somebody was faster, or the answer was lost: the next look tells.
        writes += 1;
        tokio::time::sleep(connection.patience.wait(writes)).await;
        if writes > connection.patience.tries {
            return Err(kind
                .about("update", &id)
                .gave_up(connection, "others keep changing it".to_owned()));
        }
    }
}

/// Looks whether somebody works at another place. A holder that shows no sign of life is waited for, and its Lease removed then: it could wake up, and every later
/// command would wait for it again. Who has no right to remove it goes on all the same; a holder that wakes up sees by its own clocks that its time is over.
///
/// # Errors
/// [`ClusterError::Busy`]; the cluster fails, or forbids the look.
pub async fn check_free(
    connection: &Connection,
    place: &Place,
    us: &Holder,
    rules: Rules,
    waiting: &mut dyn FnMut(&ClusterError),
) -> Result<(), ClusterError> {
    let (id, kind) = (place.id(), kind());
    let mut seen: Option<Sighting> = None;
    loop {
        let Some(lease) = get(connection, &kind, &id).await? else {
            return Ok(());
        };
        let record = Record::of(&lease);
        let is_new = seen.as_ref().is_none_or(|seen| seen.record != record);
        let sighting = match seen.take() {
            Some(seen) if !is_new => seen,
            before => {
                let now = Sighting::new(record, Instant::now());
                if let (Some(_), Verdict::Held { left }) = (before, now.judge(us, Instant::now())) {
                    return Err(busy(&now, left));
                }
                now
            }
        };
        match sighting.judge(us, Instant::now()) {
            Verdict::Held { left } => {
                if is_new {
                    waiting(&busy(&sighting, left));
                }
                seen = Some(sighting);
                tokio::time::sleep(rules.retry.min(left)).await;
            }
            Verdict::Free if sighting.record.holder.is_empty() => return Ok(()),
            Verdict::Free | Verdict::Ours => {
                let about = kind.about("delete", &id);
                let path = kind.path(&id, connection);
                let options = exactly(&lease);
                match write(connection, &about, Method::DELETE, &path, &options).await {
                    // It moved: look again.
                    Err(Failure::Status(status)) if status.code == 409 => {
                        seen = Some(sighting);
                        tokio::time::sleep(rules.retry).await;
                    }
                    // Deleted, or the right is missing, or nobody knows.
                    _ => return Ok(()),
                }
            }
        }
    }
}

/// Options of a delete of this object in this version.
fn exactly(lease: &Object) -> Value {
    json!({
        "apiVersion": "v1", "kind": "DeleteOptions",
        "preconditions": {"uid": lease.uid(), "resourceVersion": lease.string("/metadata/resourceVersion")},
    })
}

fn busy(sighting: &Sighting, left: Duration) -> ClusterError {
    ClusterError::Busy {
        holder: sighting.record.holder.clone(),
        since: match sighting.record.acquired.as_str() {
            "" => "an unknown time".to_owned(),
            time => time.to_owned(),
        },
        left,
    }
}

impl Held {
    fn new(
        connection: &Connection,
        id: Id,
        us: &Holder,
        rules: Rules,
        lease: Object,
        began: Moment,
    ) -> Self {
        let kept = Arc::new(Kept(Mutex::new((lease, began))));
        let renewal = renew::Renewal {
            connection: connection.clone(),
            id: id.clone(),
            us: us.clone(),
            rules,
            kept: kept.clone(),
        };
        Self {
            connection: connection.clone(),
            id,
            us: us.clone(),
            life: rules.life,
            kept,
            renewals: tokio::spawn(renewal.run()),
        }
    }

    /// Ends when the Lease is ours no more: whoever works must stop.
    pub async fn lost(&mut self) -> Lost {
        // Aborted, or ended by a panic: nobody renews it.
        (&mut self.renewals).await.unwrap_or(Lost::NotRenewed)
    }

    /// Whether it is ours no more, as far as is known.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.renewals.is_finished()
    }

    /// How long it lasts: nothing of ours may be on its way after that.
    #[must_use]
    pub fn term(&self) -> Term {
        Term {
            kept: self.kept.clone(),
            life: self.life,
        }
    }

    /// Gives the Lease back, if it is still ours.
    ///
    /// # Errors
    /// The cluster fails; the Lease then runs out by itself.
    pub async fn release(self) -> Result<(), ClusterError> {
        self.renewals.abort();
        let (mut lease, _) = self.kept.get();
        let kind = kind();
        let path = kind.path(&self.id, &self.connection);
        for _ in 0..self.connection.patience.tries {
            let options = exactly(&lease);
            let about = kind.about("delete", &self.id);
            let sent = write(&self.connection, &about, Method::DELETE, &path, &options).await;
            match sent {
                Ok(_) => return Ok(()),
                Err(Failure::Status(status)) if status.code == 404 => return Ok(()),
                // Who may not delete it leaves it without a holder.
                Err(Failure::Status(status)) if status.code == 403 => {
                    return self.leave(&lease).await;
                }
                // A renewal was on its way, or the Lease is another's by now; or the answer was lost.
                Err(_) => {}
            }
            match get(&self.connection, &kind, &self.id).await? {
                Some(found) if Record::of(&found).holder == self.us.as_str() => lease = found,
                _ => return Ok(()),
            }
        }
        Ok(())
    }

    async fn leave(&self, lease: &Object) -> Result<(), ClusterError> {
        let kind = kind();
        let about = kind.about("update", &self.id);
        let mut value = lease.value().clone();
        value["spec"]["holderIdentity"] = json!("");
        let path = kind.path(&self.id, &self.connection);
        match write(&self.connection, &about, Method::PUT, &path, &value).await {
            Ok(_) => Ok(()),
            Err(failure) => Err(about.error(&self.connection, failure)),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.renewals.abort();
    }
}

/// None: somebody was faster, or nobody knows.
async fn create(
    connection: &Connection,
    id: &Id,
    us: &Holder,
    rules: &Rules,
) -> Result<Option<Object>, ClusterError> {
    let kind = kind();
    let path = kind.collection(id.namespace.as_deref());
    let value = json!({
        "apiVersion": id.api_version, "kind": id.kind,
        "metadata": { "name": id.name, "namespace": id.namespace },
        "spec": record::taken(us, rules, Timestamp::now()),
    });
    let about = kind.about("create", id);
    let sent = write(connection, &about, Method::POST, &path, &value).await;
    taken(connection, &about, sent)
}

/// None: somebody was faster, or nobody knows.
async fn replace(
    connection: &Connection,
    id: &Id,
    lease: &Object,
    us: &Holder,
    rules: &Rules,
) -> Result<Option<Object>, ClusterError> {
    let kind = kind();
    let mut value = lease.value().clone();
    value["spec"] = record::taken(us, rules, Timestamp::now());
    let about = kind.about("update", id);
    let path = kind.path(id, connection);
    let sent = write(connection, &about, Method::PUT, &path, &value).await;
    taken(connection, &about, sent)
}

/// What a look must tell is no failure: a conflict, a Lease that was given back meanwhile, an answer that was lost.
fn taken(
    connection: &Connection,
    about: &About,
    sent: Result<Answer, Failure>,
) -> Result<Option<Object>, ClusterError> {
    match sent {
        Ok(answer) => Object::new(answer.body)
            .map(Some)
            .map_err(|error| about.answer(error.to_string())),
        Err(failure) if is_unclear(about, &failure) => Ok(None),
        Err(failure) => Err(about.error(connection, failure)),
    }
}

fn is_unclear(about: &About, failure: &Failure) -> bool {
    match failure {
        Failure::Status(status) => match status.code {
            409 | 429 | 500 | 502 | 503 | 504 => true,
            // On a create it is the namespace that isn't there.
            404 => about.verb == "update",
            _ => false,
        },
        Failure::Cluster(error) => matches!(error, ClusterError::GaveUp { .. }),
    }
}

/// Sent once: a repeated write with a version meets its own first try and looks like another's.
async fn write(
    connection: &Connection,
    about: &About,
    method: Method,
    path: &str,
    value: &Value,
) -> Result<Answer, Failure> {
    let path = match method {
        Method::DELETE => path.to_owned(),
        _ => format!("{path}?fieldManager={}", crate::apply::MANAGER),
    };
    let body = Body {
        media: "application/json",
        value,
    };
    send_once(connection, about, method, &path, Some(body)).await
}

fn kind() -> Kind {
    Kind::known("coordination.k8s.io/v1", "leases", true)
}
