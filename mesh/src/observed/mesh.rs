//! The parts of the mesh that run: control planes, gateways, node agents.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::core::v1::{Pod, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{Image, Observed, ProxyKind, Version, is_ready, is_under_way, owner, proxy};

/// Istio before 1.5 had other resources for the same things; each criterion has a form for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// `security.istio.io`.
    Modern,
    /// `authentication.istio.io`, Mixer's policy checks.
    Legacy,
}

/// One part of the mesh: an istiod, a gateway, the node agents.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Component {
    /// `Deployment`, `DaemonSet`.
    pub kind: String,
    /// Where it is.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// `istio.io/rev`.
    pub revision: String,
    /// Every image that its template or its pods name, with the number of pods.
    #[serde(skip)]
    pub images: BTreeMap<Image, usize>,
    /// Pods that are wanted; None when the workload itself could not be read.
    pub wanted: Option<i32>,
    /// Pods that are ready.
    pub ready: i32,
}

impl Component {
    /// True when every pod that is wanted is ready, and one at least.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.ready > 0 && self.ready >= self.wanted.unwrap_or(1)
    }

    /// Every version among its images; an image that tells none is an Err with its reference.
    #[must_use]
    pub fn versions(&self) -> Vec<Result<Version, String>> {
        let mut versions: Vec<_> = self
            .images
            .keys()
            .map(|image| image.version().ok_or(image.reference.clone()))
            .collect();
        versions.sort();
        versions.dedup();
        versions
    }
}

impl std::fmt::Display for Component {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

impl Observed {
    /// Every istiod (before 1.5: pilot): the Deployments with a container `discovery`.
    #[must_use]
    pub fn control_planes(&self) -> Vec<Component> {
        let found = self
            .deployments
            .iter()
            .filter(|d| image_of(template(d), "discovery").is_some());
        found
            .map(|deployment| self.component_of(deployment, "discovery"))
            .collect()
    }

    /// Every gateway: Deployments and pods whose proxy stands alone. A chart's gateway has `image: auto` in its template;
    /// only its pods tell what runs.
    #[must_use]
    pub fn gateways(&self) -> Vec<Component> {
        let is_gateway = |deployment: &&Deployment| {
            image_of(template(deployment), "istio-proxy").is_some()
                && template(deployment).is_some_and(|t| is_alone(t) || is_gateway_template(t))
        };
        let mut gateways: Vec<Component> = self
            .deployments
            .iter()
            .filter(is_gateway)
            .map(|d| self.component_of(d, "istio-proxy"))
            .collect();
        for pod in self.pods.iter().filter(|pod| is_under_way(pod)) {
            let Some(proxy) = proxy(pod).filter(|proxy| proxy.kind == ProxyKind::Gateway) else {
                continue;
            };
            let owner = owner(pod);
            let is_it = |known: &&mut Component| {
                known.kind == owner.kind
                    && known.namespace == owner.namespace
                    && known.name == owner.name
            };
            match gateways.iter_mut().find(is_it) {
                Some(known) if known.wanted.is_some() => {}
                Some(known) => {
                    known.ready += i32::from(is_ready(pod));
                    *known.images.entry(proxy.image).or_default() += 1;
                }
                None => gateways.push(Component {
                    kind: owner.kind,
                    namespace: owner.namespace,
                    name: owner.name,
                    revision: revision(&pod.metadata),
                    images: BTreeMap::from([(proxy.image, 1)]),
                    wanted: None,
                    ready: i32::from(is_ready(pod)),
                }),
            }
        }
        gateways
    }

    /// The CNI node agents and ztunnel.
    #[must_use]
    pub fn node_agents(&self) -> Vec<Component> {
        let of = |set: &DaemonSet, container: &str| {
            let spec = set.spec.as_ref()?;
            let image = image_of(Some(&spec.template), container)?;
            let status = set.status.as_ref();
            Some(Component {
                kind: "DaemonSet".to_owned(),
                namespace: set.metadata.namespace.clone().unwrap_or_default(),
                name: set.metadata.name.clone().unwrap_or_default(),
                revision: revision(&set.metadata),
                images: BTreeMap::from([(image, 0)]),
                wanted: status.map(|status| status.desired_number_scheduled),
                ready: status.map_or(0, |status| status.number_ready),
            })
        };
        let sets = self.daemon_sets.iter();
        sets.filter_map(|set| {
            of(set, "install-cni").or_else(|| is_ztunnel(set).then(|| of(set, "istio-proxy"))?)
        })
        .collect()
    }

    /// True when ztunnel runs or a namespace is labelled for the ambient data plane.
    #[must_use]
    pub fn is_ambient(&self) -> bool {
        let is_labelled = |meta: &ObjectMeta| {
            meta.labels
                .as_ref()
                .and_then(|labels| labels.get("istio.io/dataplane-mode"))
                .is_some_and(|mode| mode == "ambient")
        };
        self.daemon_sets.iter().any(is_ztunnel)
            || self
                .namespaces
                .iter()
                .any(|namespace| is_labelled(&namespace.metadata))
    }

    /// Which form of the criteria fits: by version, or by the CRDs where no version can be told.
    #[must_use]
    pub fn form(&self) -> Form {
        let lowest = self
            .control_planes()
            .iter()
            .flat_map(Component::versions)
            .filter_map(Result::ok)
            .min();
        let has_crd = |name: &str| {
            self.crds
                .iter()
                .any(|crd| crd.metadata.name.as_deref() == Some(name))
        };
        let is_legacy = match lowest {
            Some(version) => (version.major, version.minor) < (1, 5),
            None => {
                has_crd("policies.authentication.istio.io")
                    && !has_crd("peerauthentications.security.istio.io")
            }
        };
        if is_legacy {
            Form::Legacy
        } else {
            Form::Modern
        }
    }

    fn component_of(&self, deployment: &Deployment, container: &str) -> Component {
        let namespace = deployment.metadata.namespace.clone().unwrap_or_default();
        let name = deployment.metadata.name.clone().unwrap_or_default();
        let is_mine = |pod: &&Pod| {
            let owner = owner(pod);
            owner.kind == "Deployment"
                && owner.namespace == namespace
                && owner.name == name
                && is_under_way(pod)
        };
        let mut images = BTreeMap::new();
        // `auto` is a placeholder: the injector puts the image in.
        if let Some(image) =
            image_of(template(deployment), container).filter(|image| image.reference != "auto")
        {
            images.insert(image, 0);
        }
        for image in self
            .pods
            .iter()
            .filter(is_mine)
            .filter_map(|pod| image_in(pod, container))
        {
            *images.entry(image).or_default() += 1;
        }
        Component {
            kind: "Deployment".to_owned(),
            revision: revision(&deployment.metadata),
            images,
            wanted: Some(
                deployment
                    .spec
                    .as_ref()
                    .and_then(|spec| spec.replicas)
                    .unwrap_or(1),
            ),
            ready: deployment
                .status
                .as_ref()
                .and_then(|status| status.ready_replicas)
                .unwrap_or(0),
            namespace,
            name,
        }
    }
}

fn template(deployment: &Deployment) -> Option<&PodTemplateSpec> {
    deployment.spec.as_ref().map(|spec| &spec.template)
}

fn image_of(template: Option<&PodTemplateSpec>, container: &str) -> Option<Image> {
    let spec = template?.spec.as_ref()?;
    let found = spec.containers.iter().find(|c| c.name == container)?;
    Some(Image::parse(found.image.as_deref().unwrap_or_default()))
}

fn image_in(pod: &Pod, container: &str) -> Option<Image> {
    let found = pod
        .spec
        .as_ref()?
        .containers
        .iter()
        .find(|c| c.name == container)?;
    Some(Image::parse(found.image.as_deref().unwrap_or_default()))
}

fn is_alone(template: &PodTemplateSpec) -> bool {
    let containers = template.spec.iter().flat_map(|spec| &spec.containers);
    containers
        .filter_map(|container| container.args.as_ref())
        .flatten()
        .any(|argument| argument == "router")
}

fn is_gateway_template(template: &PodTemplateSpec) -> bool {
    let annotations = template
        .metadata
        .as_ref()
        .and_then(|meta| meta.annotations.as_ref());
    annotations
        .and_then(|a| a.get("inject.istio.io/templates"))
        .is_some_and(|value| value.contains("gateway"))
}

fn is_ztunnel(set: &DaemonSet) -> bool {
    set.metadata
        .name
        .as_deref()
        .is_some_and(|name| name == "ztunnel" || name.starts_with("ztunnel-"))
}

fn revision(meta: &ObjectMeta) -> String {
    let label = meta
        .labels
        .as_ref()
        .and_then(|labels| labels.get("istio.io/rev"));
    label.cloned().unwrap_or_else(|| "default".to_owned())
}
