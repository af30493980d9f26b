//! One Lease keeps two commands from working on the same mesh. Not here: what they do meanwhile.

use std::time::Duration;

use http::Method;
use k8s_openapi::jiff::Timestamp;
use mesh::object::{Id, Object};
use serde_json::{Value, json};

use crate::api::{About, Body, Failure, send};
use crate::apply::{Deleted, delete, get};
use crate::connect::Connection;
use crate::error::ClusterError;
use crate::kinds::Kind;

/// The Lease's name.
pub const NAME: &str = "kyma-istio-operation";
/// A holder that is silent for so long is dead. Every renewal is a write, and waits last minutes.
const LIFE: Duration = Duration::from_secs(60);
/// A third of the life: two renewals may fail.
const RENEWAL: Duration = Duration::from_secs(20);

/// A Lease that is ours, renewed in the background until it is released or dropped.
pub struct Held {
    connection: Connection,
    id: Id,
    uid: String,
    renewals: tokio::task::JoinHandle<()>,
}

/// Takes the Lease. `holder` says who works, for the one who is turned away: `install by anna on laptop`.
///
/// # Errors
/// [`ClusterError::Busy`] when another command holds it; [`ClusterError::Absent`] when the namespace isn't there.
pub async fn acquire(
    connection: &Connection,
    namespace: &str,
    holder: &str,
) -> Result<Held, ClusterError> {
    let id = Id {
        api_version: "coordination.k8s.io/v1".to_owned(),
        kind: "Lease".to_owned(),
        namespace: Some(namespace.to_owned()),
        name: NAME.to_owned(),
    };
    let kind = kind();
    // Between a look and a write another command may come: then look again.
    for _ in 0..connection.patience.tries {
        let written = match get(connection, &kind, &id).await? {
            None => create(connection, &id, holder).await?,
            Some(lease) => {
                if let Some(busy) = busy(&lease, Timestamp::now()) {
                    return Err(busy);
                }
                replace(connection, &id, &lease, holder).await?
            }
        };
        if let Some(lease) = written {
            let uid = lease.uid().unwrap_or_default().to_owned();
            let renewals = tokio::spawn(renew(connection.clone(), id.clone(), lease));
            return Ok(Held {
                connection: connection.clone(),
                id,
                uid,
                renewals,
            });
        }
    }
    Err(kind
        .about("update", &id)
        .gave_up(connection, "others keep changing it".to_owned()))
}

impl Held {
    /// Ends when another command has taken the Lease, or somebody has deleted it: whoever works must stop.
    pub async fn lost(&mut self) {
        let ended = (&mut self.renewals).await;
        // Aborted, or ended by a panic: nobody knows whose it is.
        drop(ended);
    }

    /// Gives the Lease back.
    ///
    /// # Errors
    /// The cluster fails; the Lease then runs out by itself.
    pub async fn release(self) -> Result<Deleted, ClusterError> {
        self.renewals.abort();
        delete(&self.connection, &self.id, &self.uid).await
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.renewals.abort();
    }
}

/// None: somebody was faster.
async fn create(
    connection: &Connection,
    id: &Id,
    holder: &str,
) -> Result<Option<Object>, ClusterError> {
    let kind = kind();
    let path = kind.collection(id.namespace.as_deref());
    let value = json!({
        "apiVersion": id.api_version, "kind": id.kind,
        "metadata": { "name": id.name, "namespace": id.namespace },
        "spec": spec(holder, Timestamp::now()),
    });
    write(
        connection,
        &kind.about("create", id),
        Method::POST,
        &path,
        &value,
    )
    .await
}

/// None: somebody was faster.
async fn replace(
    connection: &Connection,
    id: &Id,
    lease: &Object,
    holder: &str,
) -> Result<Option<Object>, ClusterError> {
    let kind = kind();
    let mut value = lease.value().clone();
    value["spec"] = spec(holder, Timestamp::now());
    write(
        connection,
        &kind.about("update", id),
        Method::PUT,
        &kind.path(id, connection),
        &value,
    )
    .await
}

async fn write(
    connection: &Connection,
    about: &About,
    method: Method,
    path: &str,
    value: &Value,
) -> Result<Option<Object>, ClusterError> {
    let path = format!("{path}?fieldManager={}", crate::apply::MANAGER);
    let body = Body {
        media: "application/json",
        value,
    };
    match send(connection, about, method, &path, Some(body)).await {
        Ok(answer) => Object::new(answer.body)
            .map(Some)
            .map_err(|error| about.answer(error.to_string())),
        Err(Failure::Status(status)) if status.code == 409 => Ok(None),
        // On a create it is the namespace that isn't there; on an update the Lease was given back meanwhile.
        Err(Failure::Status(status)) if status.code == 404 && about.verb == "update" => Ok(None),
        Err(failure) => Err(about.error(connection, failure)),
    }
}

/// Renews until aborted, or until the Lease is another's. One that goes with its namespace is nobody's: no other can be made
/// there.
async fn renew(connection: Connection, id: Id, mut lease: Object) {
    let kind = kind();
    loop {
        tokio::time::sleep(RENEWAL).await;
        let mut value = lease.value().clone();
        value["spec"]["renewTime"] = json!(micros(Timestamp::now()));
        let about = kind.about("update", &id);
        match write(
            &connection,
            &about,
            Method::PUT,
            &kind.path(&id, &connection),
            &value,
        )
        .await
        {
            Ok(Some(renewed)) => lease = renewed,
            Ok(None) if is_going(&connection, &id).await => {}
            Ok(None) => return,
            // It may pass before the life is over.
            Err(_) => {}
        }
    }
}

/// Is the namespace of the Lease on its way out, or away?
async fn is_going(connection: &Connection, id: &Id) -> bool {
    let Some(name) = &id.namespace else {
        return false;
    };
    let namespace = Id {
        api_version: "v1".to_owned(),
        kind: "Namespace".to_owned(),
        namespace: None,
        name: name.clone(),
    };
    let kind = Kind::known("v1", "namespaces", false);
    match get(connection, &kind, &namespace).await {
        Ok(Some(found)) => found.pointer("/metadata/deletionTimestamp").is_some(),
        Ok(None) => true,
        Err(_) => false,
    }
}

/// Who holds it, if he lives.
fn busy(lease: &Object, now: Timestamp) -> Option<ClusterError> {
    let holder = lease
        .string("/spec/holderIdentity")
        .filter(|holder| !holder.is_empty())?;
    let life = lease
        .pointer("/spec/leaseDurationSeconds")
        .and_then(Value::as_u64)
        .map_or(LIFE, Duration::from_secs);
    let renewed: Timestamp = lease.string("/spec/renewTime")?.parse().ok()?;
    let age = Duration::try_from(now.duration_since(renewed)).unwrap_or_default();
    let left = life.checked_sub(age).filter(|left| !left.is_zero())?;
    let since = lease
        .string("/spec/acquireTime")
        .unwrap_or("an unknown time")
        .to_owned();
    Some(ClusterError::Busy {
        holder: holder.to_owned(),
        since,
        left,
    })
}

fn spec(holder: &str, now: Timestamp) -> Value {
    json!({
        "holderIdentity": holder, "leaseDurationSeconds": LIFE.as_secs(),
        "acquireTime": micros(now), "renewTime": micros(now),
    })
}

/// `MicroTime`: exactly six digits.
fn micros(time: Timestamp) -> String {
    format!("{time:.6}")
}

fn kind() -> Kind {
    Kind::known("coordination.k8s.io/v1", "leases", true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(spec: Value) -> Object {
        let value = json!({ "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": { "name": NAME }, "spec": spec });
        Object::new(value).expect("an object")
    }

    #[test]
    fn a_lease_that_ran_out_is_free() {
        let then: Timestamp = "2026-01-01T00:00:00.123456Z".parse().expect("a time");
        let held = lease(spec("install by anna", then));
        let after = |seconds: i64| then + k8s_openapi::jiff::SignedDuration::from_secs(seconds);
        match busy(&held, after(20)) {
            Some(ClusterError::Busy {
                holder,
                since,
                left,
            }) => {
                assert_eq!(holder, "install by anna");
                assert_eq!(since, "2026-01-01T00:00:00.123456Z");
                assert_eq!(left, Duration::from_secs(40));
            }
            other => panic!("expected a holder, found {other:?}"),
        }
        assert!(busy(&held, after(60)).is_none());
        assert!(busy(&lease(json!({ "holderIdentity": "" })), then).is_none());
    }
}
