//! Writes to one object: server-side apply, and beside it merge patches and deletes. Not here: which objects, and in what order.

mod conflict;
mod delete;
mod merge;
mod rehearse;

use http::{Method, StatusCode};
use mesh::object::{Id, Object};
use serde_json::{Value, json};

use crate::api::{About, Answer, Body, Failure, send};
use crate::connect::Connection;
use crate::error::ClusterError;
use crate::kinds::{self, Kind};
use conflict::Settled;
pub use delete::{Deleted, delete};
pub use merge::merge;
pub use rehearse::rehearse;

/// Our field manager.
pub const MANAGER: &str = mesh::observed::MANAGED_BY;
/// istioctl's field manager. What it owns is taken over: both render the same charts.
const ISTIOCTL: &str = mesh::observed::ISTIOCTL_MANAGER;

/// Is it written?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApplyMode {
    /// Yes.
    Real,
    /// No; the server says what would stand there.
    DryRun,
}

/// What becomes of fields that belong to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conflicts {
    /// They stay, and the apply fails.
    Refuse,
    /// They are taken (`--force-conflicts`).
    Take,
}

/// What an apply did, or would do.
#[derive(Debug, Clone, PartialEq)]
pub struct Applied {
    /// What happened.
    pub change: Change,
    /// What stood there before.
    pub before: Option<Object>,
    /// What stands there now, or would.
    pub result: Object,
}

/// What an apply did to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Change {
    /// It is new.
    Created,
    /// It is another than before.
    Changed,
    /// It was so already.
    Unchanged,
}

/// Server-side apply.
///
/// In a dry run, an object whose namespace or kind doesn't exist yet counts as created, as it is given: an earlier step
/// brings what is missing.
///
/// # Errors
/// Conflicts with other field managers, refusals by the server, a server that fails after all tries.
pub async fn apply(
    connection: &Connection,
    object: &Object,
    mode: ApplyMode,
    conflicts: Conflicts,
) -> Result<Applied, ClusterError> {
    let id = object.id();
    let kind = match (
        kinds::find(connection, &id.api_version, &id.kind).await?,
        mode,
    ) {
        (Some(kind), _) => kind,
        (None, ApplyMode::DryRun) => return Ok(created(object.clone())),
        (None, ApplyMode::Real) => {
            return Err(ClusterError::NoKind {
                api_version: id.api_version,
                kind: id.kind,
            });
        }
    };
    let before = get(connection, &kind, &id).await?;
    let target = Target {
        connection,
        kind: &kind,
        id: &id,
        mode,
    };
    let adopts = before.as_ref().is_some_and(is_managed_by_istioctl);
    // A dry run meets the same conflicts: whatever will be refused is refused before anything is written.
    let mut answer = settle(&target, object, conflicts).await?;
    if adopts && mode == ApplyMode::DryRun && answer.is_ok() {
        // What istioctl put there and we don't want goes when istioctl's manager applies what we want.
        answer = target.patch(object.value(), ISTIOCTL, true).await;
    }
    let answer = match answer {
        Ok(answer) => answer,
        Err(Failure::Status(status))
            if status.code == 404 && mode == ApplyMode::DryRun && before.is_none() =>
        {
            return Ok(created(object.clone()));
        }
        Err(failure) => return Err(kind.about("patch", &id).error(connection, failure)),
    };
    let answer = if adopts && mode == ApplyMode::Real {
        target.give_up_as_istioctl().await?
    } else {
        answer
    };
    let result = as_object(&kind.about("patch", &id), connection, answer.body)?;
    let change = match &before {
        None => Change::Created,
        Some(before) if is_same(before, &result) => Change::Unchanged,
        Some(_) => Change::Changed,
    };
    Ok(Applied {
        change,
        before,
        result,
    })
}

/// The object, if it is there.
pub(crate) async fn get(
    connection: &Connection,
    kind: &Kind,
    id: &Id,
) -> Result<Option<Object>, ClusterError> {
    let about = kind.about("get", id);
    match send(
        connection,
        &about,
        Method::GET,
        &kind.path(id, connection),
        None,
    )
    .await
    {
        Ok(answer) => as_object(&about, connection, answer.body).map(Some),
        Err(Failure::Status(status)) if status.code == 404 => Ok(None),
        Err(failure) => Err(about.error(connection, failure)),
    }
}

struct Target<'a> {
    connection: &'a Connection,
    kind: &'a Kind,
    id: &'a Id,
    mode: ApplyMode,
}

impl Target<'_> {
    async fn patch(&self, value: &Value, manager: &str, force: bool) -> Result<Answer, Failure> {
        let path = format!(
            "{}?fieldManager={manager}&force={force}&fieldValidation=Strict{}",
            self.kind.path(self.id, self.connection),
            dry_run(self.mode)
        );
        // JSON is YAML, and the server takes nothing else here.
        let body = Body {
            media: "application/apply-patch+yaml",
            value,
        };
        send(
            self.connection,
            &self.kind.about("patch", self.id),
            Method::PATCH,
            &path,
            Some(body),
        )
        .await
    }

    /// Applies nothing as istioctl: fields that only istioctl had are removed, ours stay.
    async fn give_up_as_istioctl(&self) -> Result<Answer, ClusterError> {
        let mut nothing = json!({
            "apiVersion": self.id.api_version, "kind": self.id.kind, "metadata": { "name": self.id.name },
        });
        if let (Some(namespace), Some(metadata)) =
            (&self.id.namespace, nothing.pointer_mut("/metadata"))
        {
            metadata["namespace"] = json!(namespace);
        }
        let answer = self.patch(&nothing, ISTIOCTL, false).await;
        answer.map_err(|failure| {
            self.kind
                .about("patch", self.id)
                .error(self.connection, failure)
        })
    }
}

/// Applies, and settles conflicts: writes that crossed are repeated, fields that istiod or an autoscaler sets are left
/// to them, istioctl's are taken.
async fn settle(
    target: &Target<'_>,
    object: &Object,
    conflicts: Conflicts,
) -> Result<Result<Answer, Failure>, ClusterError> {
    let mut value = object.value().clone();
    let mut force = conflicts == Conflicts::Take;
    for attempt in 1..=target.connection.patience.tries {
        let status = match target.patch(&value, MANAGER, force).await {
            Err(Failure::Status(status)) if status.code == StatusCode::CONFLICT.as_u16() => status,
            other => return Ok(other),
        };
        let fields = conflict::owned(&status);
        if fields.is_empty() {
            if attempt == target.connection.patience.tries {
                return Ok(Err(Failure::Status(status)));
            }
            tokio::time::sleep(target.connection.patience.wait(attempt)).await;
            continue;
        }
        match conflict::settle(&fields, &mut value) {
            Settled::Yielded => {}
            Settled::Taken => force = true,
            Settled::Foreign(fields) => {
                return Err(ClusterError::Conflict {
                    id: target.id.clone(),
                    fields,
                });
            }
        }
    }
    let about: About = target.kind.about("patch", target.id);
    Err(about.gave_up(target.connection, "others keep changing it".to_owned()))
}

fn created(object: Object) -> Applied {
    Applied {
        change: Change::Created,
        before: None,
        result: object,
    }
}

fn as_object(about: &About, connection: &Connection, body: Value) -> Result<Object, ClusterError> {
    Object::new(body).map_err(|error| about.gave_up(connection, error.to_string()))
}

fn is_managed_by_istioctl(object: &Object) -> bool {
    let managers = object
        .pointer("/metadata/managedFields")
        .and_then(Value::as_array);
    managers.is_some_and(|entries| {
        entries
            .iter()
            .any(|entry| entry["manager"] == ISTIOCTL && entry["operation"] == "Apply")
    })
}

/// Book-keeping aside, which a write of equal values may touch and a dry run doesn't.
fn is_same(before: &Object, after: &Object) -> bool {
    content(before) == content(after)
}

fn content(object: &Object) -> Value {
    let mut value = object.value().clone();
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        for key in ["managedFields", "resourceVersion", "generation"] {
            metadata.remove(key);
        }
    }
    // Controllers write it at any time.
    if let Some(object) = value.as_object_mut() {
        object.remove("status");
    }
    value
}

fn dry_run(mode: ApplyMode) -> &'static str {
    match mode {
        ApplyMode::Real => "",
        ApplyMode::DryRun => "&dryRun=All",
    }
}
