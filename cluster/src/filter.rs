//! What deploying a policy reads besides [`crate::observe`].

use mesh::object::{Id, Object};

use crate::apply::get;
use crate::connect::Connection;
use crate::error::ClusterError;
use crate::kinds::Kind;
use crate::list::{Query, list};

/// The only type of secret that Istio takes for pulls.
pub const PULL_SECRET_TYPE: &str = "kubernetes.io/dockerconfigjson";
/// The key in it.
const KEY: &str = ".dockerconfigjson";

/// A Secret that is named as a pull secret.
#[derive(Clone, PartialEq, Eq)]
pub struct PullSecret {
    /// Its type; [`PULL_SECRET_TYPE`] if Istio takes it.
    pub kind: String,
    /// The content of `.dockerconfigjson`, if it has that key.
    pub content: Option<Vec<u8>>,
}

impl std::fmt::Debug for PullSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PullSecret")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// A WasmPlugin, if it is there.
///
/// # Errors
/// The cluster fails, or forbids it.
pub async fn plugin(
    connection: &Connection,
    namespace: &str,
    name: &str,
) -> Result<Option<Object>, ClusterError> {
    let kind = Kind::known("extensions.istio.io/v1alpha1", "wasmplugins", true);
    let id = id(
        "extensions.istio.io/v1alpha1",
        "WasmPlugin",
        namespace,
        name,
    );
    get(connection, &kind, &id).await
}

/// A pull secret, if it is there.
///
/// # Errors
/// The cluster fails, or forbids it.
pub async fn pull_secret(
    connection: &Connection,
    namespace: &str,
    name: &str,
) -> Result<Option<PullSecret>, ClusterError> {
    let kind = Kind::known("v1", "secrets", true);
    let found = get(connection, &kind, &id("v1", "Secret", namespace, name)).await?;
    Ok(found.map(|secret| {
        let typed: Result<k8s_openapi::api::core::v1::Secret, _> =
            serde_json::from_value(secret.into_value());
        let typed = typed.unwrap_or_default();
        PullSecret {
            kind: typed.type_.unwrap_or_default(),
            content: typed
                .data
                .and_then(|mut data| data.remove(KEY))
                .map(|content| content.0),
        }
    }))
}

/// The EnvoyFilters of all namespaces. A cluster without the kind has none.
///
/// # Errors
/// The cluster fails, or forbids it.
pub async fn envoy_filters(connection: &Connection) -> Result<Vec<Object>, ClusterError> {
    let kind = Kind::known("networking.istio.io/v1alpha3", "envoyfilters", true);
    objects(connection, &kind, None).await
}

/// The NetworkPolicies of a namespace.
///
/// # Errors
/// The cluster fails, or forbids it.
pub async fn network_policies(
    connection: &Connection,
    namespace: &str,
) -> Result<Vec<Object>, ClusterError> {
    let kind = Kind::known("networking.k8s.io/v1", "networkpolicies", true);
    objects(connection, &kind, Some(namespace)).await
}

/// What routes hosts at gateways, of all namespaces: VirtualServices, Istio's Gateways and HTTPRoutes. A cluster without a kind has none of it.
///
/// # Errors
/// The cluster fails, or forbids it.
pub async fn routes(connection: &Connection) -> Result<Vec<Object>, ClusterError> {
    let services = Kind::known("networking.istio.io/v1", "virtualservices", true);
    let gateways = Kind::known("networking.istio.io/v1", "gateways", true);
    let routes = Kind::known("gateway.networking.k8s.io/v1", "httproutes", true);
    let (services, gateways, routes) = tokio::join!(
        objects(connection, &services, None),
        objects(connection, &gateways, None),
        objects(connection, &routes, None)
    );
    let mut all = services?;
    all.extend(gateways?);
    all.extend(routes?);
    Ok(all)
}

async fn objects(
    connection: &Connection,
    kind: &Kind,
    namespace: Option<&str>,
) -> Result<Vec<Object>, ClusterError> {
    let query = Query {
        namespace,
        ..Query::default()
    };
    let values: Vec<serde_json::Value> = list(connection, kind, query).await?;
    Ok(values
        .into_iter()
        .filter_map(|value| Object::new(value).ok())
        .collect())
}

fn id(api_version: &str, kind: &str, namespace: &str, name: &str) -> Id {
    Id {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        namespace: Some(namespace.to_owned()),
        name: name.to_owned(),
    }
}

/// The pods of a namespace, or of all.
///
/// # Errors
/// The cluster fails, or forbids it.
pub async fn pods(
    connection: &Connection,
    namespace: Option<&str>,
) -> Result<Vec<k8s_openapi::api::core::v1::Pod>, ClusterError> {
    let query = Query {
        namespace,
        ..Query::default()
    };
    list(connection, &Kind::known("v1", "pods", true), query).await
}

/// The WasmPlugins of a namespace, or of all. A cluster without the kind has none.
///
/// # Errors
/// The cluster fails, or forbids it.
pub async fn plugins(
    connection: &Connection,
    namespace: Option<&str>,
) -> Result<Vec<Object>, ClusterError> {
    let kind = Kind::known("extensions.istio.io/v1alpha1", "wasmplugins", true);
    objects(connection, &kind, namespace).await
}
