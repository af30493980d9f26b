//! `status`: one screen about the mesh, as data.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::observed::{Component, Form, Observed, ProxyKind, is_under_way, proxy};
use crate::plan;

/// One screen's data.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// Who manages Istio here.
    pub management: Management,
    /// Modern or legacy; None without an Istio.
    pub form: Option<Form>,
    /// Every istiod.
    pub control_planes: Vec<Part>,
    /// Every gateway.
    pub gateways: Vec<Part>,
    /// CNI, ztunnel.
    pub node_agents: Vec<Part>,
    /// How many sidecars have which version, the newest first; `unknown` where the image tells none.
    pub data_plane: Vec<VersionCount>,
    /// The custom resource that counts.
    pub custom_resource: Option<CustomResource>,
    /// What could not be read: verb and resource.
    pub forbidden: Vec<String>,
}

/// Who manages Istio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Management {
    /// No Istio is installed.
    Nobody,
    /// This plugin, or Kyma's module before it.
    Standalone,
    /// Kyma's operator runs.
    Operator,
    /// Somebody else.
    Foreign,
}

/// One part that runs.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Part {
    /// What it is.
    #[serde(flatten)]
    pub component: Component,
    /// Its versions; an image without a version stands for itself.
    pub versions: Vec<String>,
    /// True when every pod that is wanted is ready.
    pub is_ready: bool,
}

/// Proxies of one version.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct VersionCount {
    /// `1.30.2`, or `unknown`.
    pub version: String,
    /// How many sidecars.
    pub sidecars: usize,
}

/// What the custom resource reports.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct CustomResource {
    /// `namespace/name`.
    pub name: String,
    /// `status.state`, if an operator wrote one.
    pub state: Option<String>,
    /// `status.description`.
    pub description: Option<String>,
    /// Its conditions.
    pub conditions: Vec<Condition>,
}

/// One condition of the custom resource.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Condition {
    /// `Ready`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `True`, `False`, `Unknown`.
    pub status: String,
    /// `ReconcileSucceeded`.
    pub reason: String,
    /// For people.
    pub message: String,
}

/// Sums up what was observed.
#[must_use]
pub fn summary(observed: &Observed) -> Status {
    let planes = observed.control_planes();
    Status {
        management: management(observed, &planes),
        form: (!planes.is_empty()).then(|| observed.form()),
        control_planes: planes.into_iter().map(part).collect(),
        gateways: observed.gateways().into_iter().map(part).collect(),
        node_agents: observed.node_agents().into_iter().map(part).collect(),
        data_plane: data_plane(observed),
        custom_resource: custom_resource(observed),
        forbidden: observed.forbidden.iter().map(ToString::to_string).collect(),
    }
}

fn management(observed: &Observed, planes: &[Component]) -> Management {
    match () {
        () if observed.kyma_manager.is_some() => Management::Operator,
        () if planes.is_empty() => Management::Nobody,
        () if plan::is_ours(observed) => Management::Standalone,
        () => Management::Foreign,
    }
}

fn part(component: Component) -> Part {
    let versions = component
        .versions()
        .into_iter()
        .map(|version| version.map_or_else(|image| image, |v| v.to_string()))
        .collect();
    Part {
        versions,
        is_ready: component.is_ready(),
        component,
    }
}

fn data_plane(observed: &Observed) -> Vec<VersionCount> {
    let mut counts = BTreeMap::new();
    let proxies = observed
        .pods
        .iter()
        .filter(|pod| is_under_way(pod))
        .filter_map(proxy);
    for proxy in proxies.filter(|proxy| proxy.kind == ProxyKind::Sidecar) {
        *counts.entry(proxy.image.version()).or_insert(0) += 1;
    }
    let newest_first = counts.into_iter().rev();
    newest_first
        .map(|(version, sidecars)| VersionCount {
            version: version.map_or_else(|| "unknown".to_owned(), |version| version.to_string()),
            sidecars,
        })
        .collect()
}

fn custom_resource(observed: &Observed) -> Option<CustomResource> {
    let resource = plan::custom_resource(observed)?;
    let conditions = resource
        .pointer("/status/conditions")
        .and_then(Value::as_array);
    let of = |condition: &Value, field: &str| {
        condition
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    Some(CustomResource {
        name: format!(
            "{}/{}",
            resource.namespace().unwrap_or_default(),
            resource.name()
        ),
        state: resource.string("/status/state").map(str::to_owned),
        description: resource
            .string("/status/description")
            .filter(|text| !text.is_empty())
            .map(str::to_owned),
        conditions: conditions
            .into_iter()
            .flatten()
            .map(|condition| Condition {
                kind: of(condition, "type"),
                status: of(condition, "status"),
                reason: of(condition, "reason"),
                message: of(condition, "message"),
            })
            .collect(),
    })
}
