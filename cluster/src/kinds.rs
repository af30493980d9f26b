//! What the server calls a kind in its URLs. Asked once for each group and version, and again when a kind isn't there:
//! a CRD may have come since.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use http::Method;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{APIResource, APIResourceList};
use mesh::object::Id;

use crate::api::{About, Failure, send};
use crate::connect::Connection;
use crate::error::ClusterError;

/// What is known of the server's kinds.
#[derive(Default)]
pub(crate) struct Kinds(Mutex<BTreeMap<String, Arc<Vec<APIResource>>>>);

/// A kind that the server serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kind {
    pub api_version: String,
    pub plural: String,
    pub is_namespaced: bool,
}

impl Kind {
    /// A kind whose name in URLs is known.
    pub(crate) fn known(api_version: &str, plural: &str, is_namespaced: bool) -> Self {
        Self {
            api_version: api_version.to_owned(),
            plural: plural.to_owned(),
            is_namespaced,
        }
    }

    /// `deployments.apps`, or the plural alone for the core group: as RBAC and kubectl name it.
    pub(crate) fn resource(&self) -> String {
        match self.api_version.split_once('/') {
            Some((group, _)) => format!("{}.{group}", self.plural),
            None => self.plural.clone(),
        }
    }

    /// The path of all of them, in a namespace or in all.
    pub(crate) fn collection(&self, namespace: Option<&str>) -> String {
        let root = root(&self.api_version);
        match namespace.filter(|_| self.is_namespaced) {
            Some(namespace) => format!("{root}/namespaces/{namespace}/{}", self.plural),
            None => format!("{root}/{}", self.plural),
        }
    }

    /// The path of one object. A namespaced object without a namespace goes where kubectl puts it.
    pub(crate) fn path(&self, id: &Id, connection: &Connection) -> String {
        let namespace = id.namespace.as_deref().unwrap_or(&connection.namespace);
        format!("{}/{}", self.collection(Some(namespace)), id.name)
    }

    /// A request about one object.
    pub(crate) fn about(&self, verb: &'static str, id: &Id) -> About {
        let namespace = id.namespace.clone().filter(|_| self.is_namespaced);
        About {
            verb,
            resource: self.resource(),
            namespace,
            id: Some(id.clone()),
        }
    }
}

/// The kind, if the server serves it.
pub(crate) async fn find(
    connection: &Connection,
    api_version: &str,
    kind: &str,
) -> Result<Option<Kind>, ClusterError> {
    if let Some(found) = connection
        .kinds
        .cached(api_version)
        .and_then(|known| pick(&known, api_version, kind))
    {
        return Ok(Some(found));
    }
    let about = About::all("get", root(api_version));
    match send(connection, &about, Method::GET, &root(api_version), None).await {
        Ok(answer) => {
            let list: APIResourceList =
                serde_json::from_value(answer.body).map_err(|_| ClusterError::NoKind {
                    api_version: api_version.to_owned(),
                    kind: kind.to_owned(),
                })?;
            let known = Arc::new(list.resources);
            connection.kinds.keep(api_version, known.clone());
            Ok(pick(&known, api_version, kind))
        }
        Err(Failure::Status(status)) if status.code == 404 => Ok(None),
        Err(failure) => Err(about.error(connection, failure)),
    }
}

/// The kind, which must be there.
pub(crate) async fn need(connection: &Connection, id: &Id) -> Result<Kind, ClusterError> {
    find(connection, &id.api_version, &id.kind)
        .await?
        .ok_or_else(|| ClusterError::NoKind {
            api_version: id.api_version.clone(),
            kind: id.kind.clone(),
        })
}

impl Kinds {
    fn cached(&self, api_version: &str) -> Option<Arc<Vec<APIResource>>> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(api_version)
            .cloned()
    }

    fn keep(&self, api_version: &str, resources: Arc<Vec<APIResource>>) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(api_version.to_owned(), resources);
    }
}

fn pick(known: &[APIResource], api_version: &str, kind: &str) -> Option<Kind> {
    // A name with a slash is a subresource.
    let found = known
        .iter()
        .find(|resource| resource.kind == kind && !resource.name.contains('/'))?;
    Some(Kind::known(api_version, &found.name, found.namespaced))
}

fn root(api_version: &str) -> String {
    match api_version.contains('/') {
        true => format!("/apis/{api_version}"),
        false => format!("/api/{api_version}"),
    }
}
