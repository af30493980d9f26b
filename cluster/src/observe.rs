//! One look at a cluster: everything that `mesh` judges by, read at once. Not here: what it means.

mod contents;

use futures_util::future::join_all;
use http::Method;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::APIGroup;
use mesh::object::{Id, Object};
use mesh::observed::{
    COMPONENT_LABEL, Forbidden, ISTIO_SYSTEM, KYMA_MANAGER, KYMA_SYSTEM, MANAGED_BY,
    MANAGED_BY_LABEL, Observed, PRUNABLE, is_proved_ours,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::api::{About, Failure, send};
use crate::apply::get;
use crate::connect::Connection;
use crate::error::ClusterError;
use crate::kinds::Kind;
use crate::list::{Query, list};
pub use contents::{contents, patchable};

/// Looks at everything. What the user may not read is named in [`Observed::forbidden`]; a kind that the cluster doesn't
/// have is empty.
///
/// # Errors
/// A cluster that fails, or doesn't answer as promised.
pub async fn observe(connection: &Connection) -> Result<Observed, ClusterError> {
    let look = Look { connection };
    let root = Some(ISTIO_SYSTEM);
    let (
        nodes,
        namespaces,
        pods,
        services,
        deployments,
        cni,
        kube_system,
        config_maps,
        autoscalers,
    ) = tokio::join!(
        look.list("v1", "nodes", None),
        look.list("v1", "namespaces", None),
        look.list("v1", "pods", None),
        look.list("v1", "services", None),
        look.list("apps/v1", "deployments", None),
        look.list("apps/v1", "daemonsets", root),
        look.list("apps/v1", "daemonsets", Some("kube-system")),
        look.list::<ConfigMap>("v1", "configmaps", root),
        look.list("autoscaling/v2", "horizontalpodautoscalers", root),
    );
    let admission = "admissionregistration.k8s.io/v1";
    let (mutating, validating, crds, kyma_leases, istio_leases, kyma_manager) = tokio::join!(
        look.list(admission, "mutatingwebhookconfigurations", None),
        look.list(admission, "validatingwebhookconfigurations", None),
        look.list::<CustomResourceDefinition>(
            "apiextensions.k8s.io/v1",
            "customresourcedefinitions",
            None
        ),
        look.list("coordination.k8s.io/v1", "leases", Some(KYMA_SYSTEM)),
        look.list("coordination.k8s.io/v1", "leases", root),
        look.kyma_manager(),
    );
    let (security, networking, extensions, authentication, kyma, installer) = tokio::join!(
        look.group(
            "security.istio.io",
            &[
                "peerauthentications",
                "requestauthentications",
                "authorizationpolicies"
            ]
        ),
        look.group("networking.istio.io", &["destinationrules"]),
        look.group("extensions.istio.io", &["wasmplugins"]),
        look.group("authentication.istio.io", &["meshpolicies", "policies"]),
        look.group("operator.kyma-project.io", &["istios"]),
        look.group("installer.kyma-project.io", &["installations"]),
    );
    let owned = look.owned().await;

    let mut forbidden = Vec::new();
    let denied = &mut forbidden;
    let [
        peer_authentications,
        request_authentications,
        authorization_policies,
    ] = security.map(|all| take(all, denied));
    let [mesh_policies, legacy_policies] = authentication.map(|all| take(all, denied));
    let mut observed = Observed {
        server: Some(connection.version),
        nodes: take(nodes, denied)?,
        namespaces: take(namespaces, denied)?,
        pods: take(pods, denied)?,
        deployments: take(deployments, denied)?,
        daemon_sets: [take(cni, denied)?, take(kube_system, denied)?].concat(),
        services: take(services, denied)?,
        config_maps: take(config_maps, denied)?,
        mutating_webhooks: take(mutating, denied)?,
        validating_webhooks: take(validating, denied)?,
        crds: take(crds, denied)?,
        peer_authentications: peer_authentications?,
        destination_rules: first(networking, denied)?,
        request_authentications: request_authentications?,
        authorization_policies: authorization_policies?,
        wasm_plugins: first(extensions, denied)?,
        mesh_policies: mesh_policies?,
        legacy_policies: legacy_policies?,
        autoscalers: take(autoscalers, denied)?,
        istio_crs: first(kyma, denied)?,
        installations: first(installer, denied)?,
        kyma_manager: take(
            kyma_manager.map(|found| found.into_iter().collect()),
            denied,
        )?
        .pop(),
        leases: [take(kyma_leases, denied)?, take(istio_leases, denied)?].concat(),
        ..Observed::default()
    };
    for objects in owned {
        let objects = take(objects, denied)?;
        observed
            .owned
            .extend(objects.into_iter().filter(is_proved_ours));
    }
    observed.config_maps.retain(|map| {
        map.metadata
            .name
            .as_deref()
            .is_some_and(|name| name.starts_with("istio"))
    });
    observed.crds.retain(|crd| is_ours_to_know(&crd.spec.group));
    forbidden.sort();
    forbidden.dedup();
    observed.forbidden = forbidden;
    Ok(observed)
}

struct Look<'a> {
    connection: &'a Connection,
}

impl Look<'_> {
    async fn list<T: DeserializeOwned>(
        &self,
        api_version: &str,
        plural: &str,
        namespace: Option<&str>,
    ) -> Result<Vec<T>, ClusterError> {
        let kind = Kind::known(api_version, plural, true);
        list(
            self.connection,
            &kind,
            Query {
                namespace,
                labels: None,
                name: None,
            },
        )
        .await
    }

    /// Resources of one group, in the version that the server prefers: Istio's have changed theirs over the years.
    async fn group<const N: usize>(
        &self,
        group: &str,
        plurals: &[&str; N],
    ) -> [Result<Vec<Object>, ClusterError>; N] {
        let version = match self.preferred(group).await {
            Ok(version) => version,
            Err(error) => {
                let mut error = Some(error);
                return std::array::from_fn(|_| error.take().map_or(Ok(Vec::new()), Err));
            }
        };
        let mut found = Vec::new();
        if let Some(version) = &version {
            found = join_all(
                plurals
                    .map(|plural| async move { objects(self.list(version, plural, None).await?) }),
            )
            .await;
        }
        let mut found = found.into_iter();
        std::array::from_fn(|_| found.next().unwrap_or(Ok(Vec::new())))
    }

    async fn preferred(&self, group: &str) -> Result<Option<String>, ClusterError> {
        let about = About::all("get", format!("/apis/{group}"));
        match send(
            self.connection,
            &about,
            Method::GET,
            &format!("/apis/{group}"),
            None,
        )
        .await
        {
            Ok(answer) => {
                let group: APIGroup = serde_json::from_value(answer.body)
                    .map_err(|error| about.answer(error.to_string()))?;
                let version = group
                    .preferred_version
                    .or(group.versions.into_iter().next());
                Ok(version.map(|version| version.group_version))
            }
            Err(Failure::Status(status)) if status.code == 404 => Ok(None),
            Err(failure) => Err(about.error(self.connection, failure)),
        }
    }

    /// Kyma's own operator. Asked for by name: who may not list all Deployments may still see this one.
    async fn kyma_manager(&self) -> Result<Option<Deployment>, ClusterError> {
        let id = Id {
            api_version: "apps/v1".to_owned(),
            kind: "Deployment".to_owned(),
            namespace: Some(KYMA_SYSTEM.to_owned()),
            name: KYMA_MANAGER.to_owned(),
        };
        let kind = Kind::known("apps/v1", "deployments", true);
        let Some(object) = get(self.connection, &kind, &id).await? else {
            return Ok(None);
        };
        let about = kind.about("get", &id);
        serde_json::from_value(object.into_value())
            .map(Some)
            .map_err(|error| about.answer(error.to_string()))
    }

    /// What carries istioctl's label or ours, of every kind that may be pruned.
    async fn owned(&self) -> Vec<Result<Vec<Object>, ClusterError>> {
        let ours = format!("{MANAGED_BY_LABEL}={MANAGED_BY},!{COMPONENT_LABEL}");
        let asked = PRUNABLE
            .iter()
            .flat_map(|kind| [(kind, COMPONENT_LABEL), (kind, ours.as_str())]);
        let lists = asked.map(|(kind, labels)| async move {
            let kind = Kind::known(kind.api_version, kind.plural, true);
            objects(
                list(
                    self.connection,
                    &kind,
                    Query {
                        namespace: None,
                        labels: Some(labels),
                        name: None,
                    },
                )
                .await?,
            )
        });
        join_all(lists).await
    }
}

/// What was read; a refusal becomes an entry of `forbidden`, and nothing.
fn take<T>(
    found: Result<Vec<T>, ClusterError>,
    forbidden: &mut Vec<Forbidden>,
) -> Result<Vec<T>, ClusterError> {
    match found {
        Err(ClusterError::Forbidden { verb, resource, .. }) => {
            forbidden.push(Forbidden {
                verb: verb.to_owned(),
                resource,
            });
            Ok(Vec::new())
        }
        other => other,
    }
}

fn first(
    [found]: [Result<Vec<Object>, ClusterError>; 1],
    forbidden: &mut Vec<Forbidden>,
) -> Result<Vec<Object>, ClusterError> {
    take(found, forbidden)
}

fn objects(values: Vec<Value>) -> Result<Vec<Object>, ClusterError> {
    let read = values
        .into_iter()
        .map(Object::new)
        .collect::<Result<_, _>>();
    read.map_err(|error| About::all("list", "objects").answer(error.to_string()))
}

fn is_ours_to_know(group: &str) -> bool {
    group.ends_with(".istio.io") || group == "operator.kyma-project.io"
}
