//! May the user ask proxies at all? Asked by an access review, which stores nothing.

use http::Method;
use serde_json::{Value, json};

use crate::api::{About, Body, send};
use crate::connect::Connection;
use crate::error::ClusterError;

const REVIEWS: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

/// Whether ports of the pods of a namespace may be forwarded.
///
/// # Errors
/// The cluster fails. A right that is missing is an answer.
pub async fn may_ask(connection: &Connection, namespace: &str) -> Result<bool, ClusterError> {
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
        "spec": { "resourceAttributes": {
            "namespace": namespace, "verb": "create", "group": "", "resource": "pods", "subresource": "portforward",
        } },
    });
    let about = About::all("create", "selfsubjectaccessreviews.authorization.k8s.io");
    let body = Body {
        media: "application/json",
        value: &review,
    };
    let answer = send(connection, &about, Method::POST, REVIEWS, Some(body)).await;
    let answer = answer.map_err(|failure| about.error(connection, failure))?;
    let allowed = answer.body.pointer("/status/allowed");
    Ok(allowed.and_then(Value::as_bool).unwrap_or_default())
}
