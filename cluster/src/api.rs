//! One request and its answer, with failures said in the words of who must act. Everything that talks to the cluster
//! comes through here.

use http::{Method, StatusCode};
use kube::core::Status;
use mesh::object::Id;
use serde_json::Value;

use crate::connect::{Connection, transport};
use crate::error::{ClusterError, first_line};
use crate::guard::Refused;
use crate::retry::{Once, is_passing_status};

/// What a request is about, for its errors.
#[derive(Debug, Clone)]
pub(crate) struct About {
    /// `patch`, `list`: as in RBAC.
    pub verb: &'static str,
    /// `deployments.apps`, or the plural alone for the core group.
    pub resource: String,
    /// Where, if anywhere.
    pub namespace: Option<String>,
    /// The object, if it is about one.
    pub id: Option<Id>,
}

/// An answer of the 200s.
#[derive(Debug)]
pub(crate) struct Answer {
    pub body: Value,
}

/// No answer of the 200s: the server's no, or what the caller can't do anything about.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The server said no, and said why.
    Status(Box<Status>),
    /// Anything else.
    Cluster(ClusterError),
}

/// How the API server begins its complaint about an object that doesn't fit its schema.
const UNTYPED: &str = "failed to create typed patch object";

/// A body and its media type.
pub(crate) struct Body<'a> {
    pub media: &'static str,
    pub value: &'a Value,
}

/// Sends one request; the layers below repeat it where that is safe.
pub(crate) async fn send(
    connection: &Connection,
    about: &About,
    method: Method,
    path: &str,
    body: Option<Body<'_>>,
) -> Result<Answer, Failure> {
    exchange(
        connection,
        about,
        http::Request::builder().method(method).uri(path),
        body,
    )
    .await
}

/// Sends one request, and takes what comes for the answer.
pub(crate) async fn send_once(
    connection: &Connection,
    about: &About,
    method: Method,
    path: &str,
    body: Option<Body<'_>>,
) -> Result<Answer, Failure> {
    exchange(
        connection,
        about,
        http::Request::builder()
            .method(method)
            .uri(path)
            .extension(Once),
        body,
    )
    .await
}

async fn exchange(
    connection: &Connection,
    about: &About,
    mut request: http::request::Builder,
    body: Option<Body<'_>>,
) -> Result<Answer, Failure> {
    let mut bytes = Vec::new();
    if let Some(body) = body {
        request = request.header(http::header::CONTENT_TYPE, body.media);
        bytes = body.value.to_string().into_bytes();
    }
    let request = request
        .body(kube::client::Body::from(bytes))
        .map_err(|_| Failure::Cluster(about.answer("its name can't stand in a URL".to_owned())))?;
    let broken = |error: kube::Error| Failure::Cluster(about.broken(connection, &error));
    let response = connection.client.send(request).await.map_err(broken)?;
    let status = response.status();
    let bytes = response.into_body().collect_bytes().await.map_err(broken)?;
    if status.is_success() {
        let body = serde_json::from_slice(&bytes)
            .map_err(|_| Failure::Cluster(about.answer("the answer is no JSON".to_owned())))?;
        return Ok(Answer { body });
    }
    let mut refusal = serde_json::from_slice::<Status>(&bytes).unwrap_or_else(|_| {
        // API Priority and Fairness, and proxies in front of the server, answer in plain text.
        Status::failure(&first_line(&String::from_utf8_lossy(&bytes)), "")
    });
    refusal.code = status.as_u16();
    Err(Failure::Status(Box::new(refusal)))
}

impl About {
    /// A request that is about no single object.
    pub(crate) fn all(verb: &'static str, resource: impl Into<String>) -> Self {
        Self {
            verb,
            resource: resource.into(),
            namespace: None,
            id: None,
        }
    }

    /// What a failure means when nothing else is known.
    pub(crate) fn error(&self, connection: &Connection, failure: Failure) -> ClusterError {
        match failure {
            Failure::Status(status) => self.refused(connection, &status),
            Failure::Cluster(error) => error,
        }
    }

    fn refused(&self, connection: &Connection, status: &Status) -> ClusterError {
        let cause = first_line(&status.message);
        let code = StatusCode::from_u16(status.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        match (code, &self.id) {
            (StatusCode::UNAUTHORIZED, _) => ClusterError::Unauthorized {
                server: connection.server.clone(),
                context: connection.context.clone(),
                cause,
            },
            (StatusCode::FORBIDDEN, Some(id)) if !is_about_rights(status) => {
                ClusterError::Rejected {
                    id: id.clone(),
                    status: code,
                    cause,
                }
            }
            (StatusCode::FORBIDDEN, _) => ClusterError::Forbidden {
                verb: self.verb,
                resource: self.resource.clone(),
                namespace: self.namespace.clone(),
                cause,
            },
            // Server-side apply answers 500 to a field that the schema doesn't have.
            (StatusCode::INTERNAL_SERVER_ERROR, Some(id)) if cause.contains(UNTYPED) => {
                ClusterError::Rejected {
                    id: id.clone(),
                    status: StatusCode::UNPROCESSABLE_ENTITY,
                    cause,
                }
            }
            (StatusCode::NOT_FOUND, Some(id)) => ClusterError::Absent { id: id.clone() },
            (code, _) if is_passing_status(code) || code == StatusCode::CONFLICT => {
                self.gave_up(connection, format!("{}: {cause}", code.as_u16()))
            }
            (code, Some(id)) => ClusterError::Rejected {
                id: id.clone(),
                status: code,
                cause,
            },
            (code, None) => self.answer(format!("{}: {cause}", code.as_u16())),
        }
    }

    pub(crate) fn gave_up(&self, connection: &Connection, cause: String) -> ClusterError {
        ClusterError::GaveUp {
            verb: self.verb,
            what: self.what(),
            tries: connection.patience.tries,
            cause,
        }
    }

    pub(crate) fn answer(&self, cause: String) -> ClusterError {
        ClusterError::Answer {
            verb: self.verb,
            what: self.what(),
            cause,
        }
    }

    fn broken(&self, connection: &Connection, error: &kube::Error) -> ClusterError {
        match refused_in_dry_run(error) {
            Some(refused) => ClusterError::WroteInDryRun(refused),
            None => self.gave_up(connection, transport(error)),
        }
    }

    fn what(&self) -> String {
        match &self.id {
            Some(id) => format!("`{id}`"),
            None => self.resource.clone(),
        }
    }
}

fn refused_in_dry_run(error: &kube::Error) -> Option<String> {
    match error {
        kube::Error::Service(cause) => cause.downcast_ref::<Refused>().map(ToString::to_string),
        _ => None,
    }
}

/// 403 has two meanings: RBAC says no, or an admission plugin refuses this object (quota, a terminating namespace, a
/// webhook). RBAC's message names the user and the verb.
fn is_about_rights(status: &Status) -> bool {
    status.message.contains(" cannot ") || status.message.contains("is forbidden: User ")
}
