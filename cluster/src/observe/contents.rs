//! The second look, for `uninstall` and `patch`: what goes with Istio's CRDs, and what stands in its namespace.

use futures_util::future::join_all;
use mesh::object::Object;
use mesh::observed::{COMPONENT_LABEL, Contents, ISTIO_SYSTEM, ISTIODS, Observed, PRUNABLE};
use mesh::patch::Patchable;

use super::{objects, take};
use crate::connect::Connection;
use crate::error::ClusterError;
use crate::kinds::Kind;
use crate::list::{Query, list};

/// What people keep in a namespace. Anything else in it belongs to one of these.
const IN_NAMESPACES: [(&str, &str); 17] = [
    ("apps/v1", "deployments"),
    ("apps/v1", "statefulsets"),
    ("apps/v1", "daemonsets"),
    ("apps/v1", "replicasets"),
    ("batch/v1", "jobs"),
    ("batch/v1", "cronjobs"),
    ("v1", "pods"),
    ("v1", "services"),
    ("v1", "configmaps"),
    ("v1", "secrets"),
    ("v1", "serviceaccounts"),
    ("v1", "persistentvolumeclaims"),
    ("networking.k8s.io/v1", "ingresses"),
    ("networking.k8s.io/v1", "networkpolicies"),
    ("rbac.authorization.k8s.io/v1", "roles"),
    ("rbac.authorization.k8s.io/v1", "rolebindings"),
    ("autoscaling/v2", "horizontalpodautoscalers"),
];

/// Looks at what an uninstallation would take along or leave. What the user may not read is named.
///
/// # Errors
/// A cluster that fails, or doesn't answer as promised.
pub async fn contents(
    connection: &Connection,
    observed: &Observed,
) -> Result<Contents, ClusterError> {
    let crds = observed
        .crds
        .iter()
        .filter(|crd| crd.spec.group.ends_with(".istio.io"));
    let resources = crds.filter_map(|crd| {
        let served = crd.spec.versions.iter().filter(|version| version.served);
        // Any served version lists all; the stored one needs no conversion.
        let version = served.max_by_key(|version| version.storage)?;
        let kind = Kind::known(
            &format!("{}/{}", crd.spec.group, version.name),
            &crd.spec.names.plural,
            crd.spec.scope == "Namespaced",
        );
        Some(look(connection, kind, None, None))
    });
    let selector = format!("app.kubernetes.io/part-of=istio,!{COMPONENT_LABEL}");
    let parts = PRUNABLE.iter().map(|kind| {
        let kind = Kind::known(kind.api_version, kind.plural, true);
        look(connection, kind, None, Some(selector.as_str()))
    });
    let certificates = look(
        connection,
        Kind::known("v1", "configmaps", true),
        None,
        Some("istio.io/config=true"),
    );
    let (resources, root, parts, certificates) = tokio::join!(
        join_all(resources),
        root(connection),
        join_all(parts),
        certificates
    );
    let mut denied = Vec::new();
    let mut all = |lists: Vec<Result<Vec<Object>, ClusterError>>| {
        let mut together = Vec::new();
        for list in lists {
            together.extend(take(list, &mut denied)?);
        }
        Ok::<_, ClusterError>(together)
    };
    let mut found = Contents {
        custom_resources: all(resources)?,
        root: all(root)?,
        certificates: all(vec![certificates])?,
        parts: all(parts)?,
        forbidden: Vec::new(),
    };
    found.root.retain(|one| !is_owned(one));
    found
        .certificates
        .retain(|one| ISTIODS.contains(&one.name()));
    denied.sort();
    denied.dedup();
    found.forbidden = denied;
    Ok(found)
}

async fn look(
    connection: &Connection,
    kind: Kind,
    namespace: Option<&str>,
    labels: Option<&str>,
) -> Result<Vec<Object>, ClusterError> {
    let found = list(
        connection,
        &kind,
        Query {
            namespace,
            labels,
            name: None,
        },
    )
    .await?;
    objects(found)
}

/// Looks at what `patch` may change or remove. What the user may not read is named.
///
/// # Errors
/// A cluster that fails, or doesn't answer as promised.
pub async fn patchable(connection: &Connection) -> Result<Patchable, ClusterError> {
    let rbac = "rbac.authorization.k8s.io/v1";
    let wide = ["clusterroles", "clusterrolebindings"].map(|plural| {
        let kind = Kind::known(rbac, plural, false);
        look(connection, kind, None, Some("chart"))
    });
    let (root, wide) = tokio::join!(root(connection), join_all(wide));
    let mut denied = Vec::new();
    let mut found = Patchable::default();
    for list in root {
        found.root.extend(take(list, &mut denied)?);
    }
    for list in wide {
        found.wide.extend(take(list, &mut denied)?);
    }
    found.root.retain(|one| !is_owned(one));
    denied.sort();
    denied.dedup();
    found.forbidden = denied;
    Ok(found)
}

async fn root(connection: &Connection) -> Vec<Result<Vec<Object>, ClusterError>> {
    let lists = IN_NAMESPACES.iter().map(|(version, plural)| {
        let kind = Kind::known(version, plural, true);
        look(connection, kind, Some(ISTIO_SYSTEM), None)
    });
    join_all(lists).await
}

/// Whatever owns it is in the list, or goes with it.
fn is_owned(object: &Object) -> bool {
    let owners = object
        .pointer("/metadata/ownerReferences")
        .and_then(|owners| owners.as_array());
    owners.is_some_and(|owners| !owners.is_empty())
}
