//! Deletes one object, never another that took its name.

use http::Method;
use mesh::object::Id;
use serde_json::json;

use crate::api::{Body, Failure, send};
use crate::connect::Connection;
use crate::error::ClusterError;
use crate::kinds;

/// What a delete did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deleted {
    /// It goes; finalizers may hold it for a while.
    Deleted,
    /// It was not there.
    Absent,
    /// Another object has its name by now; it stays.
    Replaced,
}

/// Deletes an object if it still has this uid; the garbage collector takes what depends on it. A workload is there until
/// its pods are gone.
///
/// # Errors
/// As [`apply`].
pub async fn delete(connection: &Connection, id: &Id, uid: &str) -> Result<Deleted, ClusterError> {
    let Some(kind) = kinds::find(connection, &id.api_version, &id.kind).await? else {
        return Ok(Deleted::Absent);
    };
    let options = json!({
        "apiVersion": "v1", "kind": "DeleteOptions",
        "propagationPolicy": propagation(&id.kind), "preconditions": { "uid": uid },
    });
    let about = kind.about("delete", id);
    let body = Body {
        media: "application/json",
        value: &options,
    };
    match send(
        connection,
        &about,
        Method::DELETE,
        &kind.path(id, connection),
        Some(body),
    )
    .await
    {
        Ok(_) => Ok(Deleted::Deleted),
        Err(Failure::Status(status)) if status.code == 404 => Ok(Deleted::Absent),
        Err(Failure::Status(status)) if status.code == 409 => Ok(Deleted::Replaced),
        Err(failure) => Err(about.error(connection, failure)),
    }
}

/// Roles and accounts that pods need while they end must not go before them, so somebody must be able to wait for pods.
fn propagation(kind: &str) -> &'static str {
    match kind {
        "Deployment" | "DaemonSet" | "StatefulSet" | "Job" => "Foreground",
        _ => "Background",
    }
}
