//! May the user do it? Asked by access reviews, which store nothing.

use futures_util::future::join_all;
use http::Method;
use mesh::checks::Right;
use serde_json::{Value, json};

use crate::api::{About, Body, send};
use crate::connect::Connection;
use crate::error::ClusterError;

const REVIEWS: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

/// Asks for each verb, API group and resource whether the user may do it in every namespace.
///
/// # Errors
/// The cluster fails. A right that is missing is an answer.
pub async fn rights(
    connection: &Connection,
    asked: &[(&str, &str, &str)],
) -> Result<Vec<Right>, ClusterError> {
    let answers = join_all(asked.iter().map(|right| ask(connection, *right))).await;
    answers.into_iter().collect()
}

async fn ask(
    connection: &Connection,
    (verb, group, resource): (&str, &str, &str),
) -> Result<Right, ClusterError> {
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
        "spec": { "resourceAttributes": { "verb": verb, "group": group, "resource": resource } },
    });
    let about = About::all("create", "selfsubjectaccessreviews.authorization.k8s.io");
    let body = Body {
        media: "application/json",
        value: &review,
    };
    let answer = send(connection, &about, Method::POST, REVIEWS, Some(body)).await;
    let answer = answer.map_err(|failure| about.error(connection, failure))?;
    let resource = if group.is_empty() {
        resource.to_owned()
    } else {
        format!("{resource}.{group}")
    };
    let allowed = answer
        .body
        .pointer("/status/allowed")
        .and_then(Value::as_bool)
        .unwrap_or_default();
    Ok(Right {
        verb: verb.to_owned(),
        resource,
        allowed,
    })
}
