//! From what is given and what was seen to what is composed: profile and provider, and why.

use cluster::error::ClusterError;
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use mesh::compose::{self, AwsHints, Composed, Images, NodeCapacity, NodeInfo, Profile, Provider};
use mesh::input::IstioCr;
use mesh::observed::{ISTIO_SYSTEM, Observed, SETTINGS, SETTINGS_PROFILE, SETTINGS_RESOURCE};
use mesh::plan::{custom_resource, keeps_custom_resources};
use serde_json::Value;

use super::given::{self, Given};
use crate::cli;
use crate::error::Error;

/// What is composed, and what the user should know about it.
pub struct Decided {
    pub inputs: compose::Inputs,
    pub composed: Composed,
    /// One line each.
    pub notes: Vec<String>,
}

/// Decides. Without a look at a cluster the profile must be given.
pub fn decide(
    flags: &cli::Inputs,
    given: &Given,
    observed: Option<&Observed>,
) -> Result<Decided, Error> {
    let mut notes = Vec::new();
    let inputs = compose::Inputs {
        profile: profile(flags, observed, &mut notes)?,
        cr: resource(given, observed, &mut notes)?,
        provider: provider(flags, observed, &mut notes),
        images: images(flags, given),
        settings: compose::Settings {
            injection: flags.injection.into(),
            tracing: flags.tracing.into(),
            port_31400: flags.port_31400.then_some(true),
            api_server_port: observed.and_then(api_server_port).unwrap_or(443),
        },
        overlays: given.overlays.clone(),
        sets: given.sets.clone(),
    };
    let composed = compose::compose(&inputs).map_err(|problems| {
        given::invalid(
            problems
                .iter()
                .map(|problem| given::line("", problem))
                .collect(),
        )
    })?;
    Ok(Decided {
        inputs,
        composed,
        notes,
    })
}

fn profile(
    flags: &cli::Inputs,
    observed: Option<&Observed>,
    notes: &mut Vec<String>,
) -> Result<Profile, Error> {
    if let Some(profile) = flags.profile {
        return Ok(profile.into());
    }
    let needed = |why: &str| {
        Error::input_hint(
            format!("{why}, so the profile is not known"),
            "`--profile evaluation` or `--profile production` names it",
        )
    };
    let observed = observed.ok_or_else(|| needed("no cluster was asked"))?;
    if observed.kyma_manager.is_some() {
        // Kyma's operator chooses by itself.
        return Ok(Profile::Evaluation);
    }
    if observed.is_forbidden("nodes") {
        return Err(ClusterError::Forbidden {
            verb: "list",
            resource: "nodes".to_owned(),
            namespace: None,
            cause: "so the profile is not known; `--profile` names it".to_owned(),
        }
        .into());
    }
    if observed.nodes.is_empty() {
        return Err(needed("the cluster has no nodes"));
    }
    let remembered = observed.remembered(SETTINGS_PROFILE);
    if let Some(profile) = remembered.and_then(|name| name.parse().ok()) {
        notes.push(format!("profile {profile}: as in the last installation"));
        return Ok(profile);
    }
    let (profile, why) = size(observed);
    notes.push(format!("profile {profile}: {why}"));
    Ok(profile)
}

/// The profile that fits the nodes, and why.
pub fn size(observed: &Observed) -> (Profile, String) {
    let nodes: Vec<NodeCapacity> = observed.nodes.iter().filter_map(capacity).collect();
    Profile::for_cluster(&nodes)
}

fn capacity(node: &Node) -> Option<NodeCapacity> {
    let capacity = node.status.as_ref()?.capacity.as_ref()?;
    NodeCapacity::parse(&capacity.get("cpu")?.0, &capacity.get("memory")?.0)
}

/// The custom resource that is given, else the cluster's, else one that says nothing.
fn resource(
    given: &Given,
    observed: Option<&Observed>,
    notes: &mut Vec<String>,
) -> Result<IstioCr, Error> {
    if let Some(resource) = &given.resource {
        return Ok(resource.cr.clone());
    }
    if let Some(live) = observed.and_then(custom_resource) {
        notes.push(format!("settings: the cluster's `{}`", live.id()));
        return Ok(given::of_cluster(live)?.cr);
    }
    match observed.and_then(|observed| observed.remembered(SETTINGS_RESOURCE)) {
        None => Ok(IstioCr::default()),
        Some(text) => {
            notes.push(format!("settings: those of the last installation, kept in ConfigMap {ISTIO_SYSTEM}/{SETTINGS}"));
            let resource = given::resource(text).map_err(|problems| {
                given::invalid(
                    problems
                        .iter()
                        .map(|problem| given::line(SETTINGS, problem))
                        .collect(),
                )
            })?;
            Ok(resource.cr)
        }
    }
}

/// What the next command is to find: the profile, and the custom resource where the cluster keeps none.
pub fn remembered(decided: &Decided, given: &Given, observed: &Observed) -> Value {
    let given = given
        .resource
        .as_ref()
        .map(|resource| resource.object.value().to_string());
    let before = || observed.remembered(SETTINGS_RESOURCE).map(str::to_owned);
    let resource = given
        .or_else(before)
        .filter(|_| !keeps_custom_resources(observed));
    compose::remembered(decided.inputs.profile, resource.as_deref())
}

fn provider(flags: &cli::Inputs, observed: Option<&Observed>, notes: &mut Vec<String>) -> Provider {
    if let Some(provider) = flags.provider {
        return provider.into();
    }
    let (provider, why) = match observed {
        Some(observed) => where_it_runs(observed),
        None => (
            Provider::Other,
            "no cluster was asked; `--provider` names another".to_owned(),
        ),
    };
    notes.push(format!("provider {provider}: {why}"));
    provider
}

/// The provider that the nodes tell, and why.
pub fn where_it_runs(observed: &Observed) -> (Provider, String) {
    let nodes: Vec<NodeInfo> = observed.nodes.iter().map(node_info).collect();
    Provider::detect(&nodes, aws(observed))
}

fn node_info(node: &Node) -> NodeInfo {
    let info = node
        .status
        .as_ref()
        .and_then(|status| status.node_info.as_ref());
    NodeInfo {
        kubelet_version: info
            .map(|info| info.kubelet_version.clone())
            .unwrap_or_default(),
        provider_id: node
            .spec
            .as_ref()
            .and_then(|spec| spec.provider_id.clone())
            .unwrap_or_default(),
        os_image: info.map(|info| info.os_image.clone()).unwrap_or_default(),
    }
}

fn aws(observed: &Observed) -> AwsHints {
    const TYPE: &str = "service.beta.kubernetes.io/aws-load-balancer-type";
    let named = |found: Option<&str>, name: &str| found == Some(name);
    let is_nlb = |value: &String| matches!(value.as_str(), "nlb" | "external");
    let gateway = observed.services.iter().find(|service| {
        named(service.metadata.namespace.as_deref(), ISTIO_SYSTEM)
            && named(service.metadata.name.as_deref(), "istio-ingressgateway")
    });
    let annotations = gateway.and_then(|service| service.metadata.annotations.as_ref());
    AwsHints {
        elb_deprecated: observed
            .config_maps
            .iter()
            .any(|map| named(map.metadata.name.as_deref(), "elb-deprecated")),
        gateway_has_nlb: annotations
            .and_then(|all| all.get(TYPE))
            .is_some_and(is_nlb),
        dual_stack: api_server(observed)
            .and_then(|service| service.spec.as_ref()?.ip_families.as_ref())
            .is_some_and(|families| families.len() > 1),
    }
}

fn api_server(observed: &Observed) -> Option<&k8s_openapi::api::core::v1::Service> {
    observed.services.iter().find(|service| {
        service.metadata.namespace.as_deref() == Some("default")
            && service.metadata.name.as_deref() == Some("kubernetes")
    })
}

/// The target port `https` of the Service `default/kubernetes`.
fn api_server_port(observed: &Observed) -> Option<u16> {
    let spec = api_server(observed)?.spec.as_ref()?;
    let port = spec
        .ports
        .iter()
        .flatten()
        .find(|port| port.name.as_deref() == Some("https"))?;
    match port.target_port.as_ref()? {
        IntOrString::Int(number) => u16::try_from(*number).ok(),
        IntOrString::String(_) => None,
    }
}

fn images(flags: &cli::Inputs, given: &Given) -> Images {
    let usual = Images::of(given.version);
    Images {
        hub: flags.hub.clone().unwrap_or(usual.hub),
        tag: flags.tag.clone().unwrap_or(usual.tag),
        pull_secret: flags.pull_secret.clone(),
    }
}
