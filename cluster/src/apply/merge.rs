//! A merge patch on an object that isn't ours: labels, annotations, a custom resource's spec.

use http::Method;
use mesh::object::Id;
use serde_json::Value;

use super::{Applied, ApplyMode, Change, MANAGER, as_object, dry_run, get, is_same};
use crate::api::{Body, Failure, send};
use crate::connect::Connection;
use crate::error::ClusterError;
use crate::kinds;

/// A merge patch (RFC 7396) on an object that isn't ours. None: the object isn't there.
///
/// # Errors
/// As [`apply`].
pub async fn merge(
    connection: &Connection,
    id: &Id,
    patch: &Value,
    mode: ApplyMode,
) -> Result<Option<Applied>, ClusterError> {
    let kind = kinds::need(connection, id).await?;
    let Some(before) = get(connection, &kind, id).await? else {
        return Ok(None);
    };
    let path = format!(
        "{}?fieldManager={MANAGER}{}",
        kind.path(id, connection),
        dry_run(mode)
    );
    let body = Body {
        media: "application/merge-patch+json",
        value: patch,
    };
    let about = kind.about("patch", id);
    match send(connection, &about, Method::PATCH, &path, Some(body)).await {
        Ok(answer) => {
            let result = as_object(&about, connection, answer.body)?;
            let change = if is_same(&before, &result) {
                Change::Unchanged
            } else {
                Change::Changed
            };
            Ok(Some(Applied {
                change,
                before: Some(before),
                result,
            }))
        }
        Err(Failure::Status(status)) if status.code == 404 => Ok(None),
        Err(failure) => Err(about.error(connection, failure)),
    }
}
