//! Who asks for a sidecar: Istio's rules for labels, as its injector's webhooks select.

use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::core::v1::{Namespace, Pod};

use super::Observed;

/// Whether a pod is to have a sidecar, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Injection {
    /// It is to have one.
    Asked {
        /// What asks.
        by: String,
    },
    /// Someone said no, or it can't be.
    Refused {
        /// What refuses.
        by: String,
    },
    /// Nobody said anything, and the default is off.
    NotAsked,
}

/// Namespaces that Istio's injector never touches.
const NEVER: [&str; 3] = ["kube-system", "kube-public", "kube-node-lease"];
const INJECT: &str = "sidecar.istio.io/inject";

impl Injection {
    /// Decides for one pod. The namespace's `disabled` wins over the pod's wish, the pod's `false` over the namespace's.
    #[must_use]
    pub fn of(pod: &Pod, observed: &Observed) -> Self {
        let name = pod.metadata.namespace.as_deref().unwrap_or_default();
        let own = |key: &str| {
            let label = pod
                .metadata
                .labels
                .as_ref()
                .and_then(|labels| labels.get(key));
            label
                .or_else(|| pod.metadata.annotations.as_ref()?.get(key))
                .map(String::as_str)
        };
        let refused = |by: &str| Self::Refused { by: by.to_owned() };
        if pod
            .spec
            .as_ref()
            .is_some_and(|spec| spec.host_network == Some(true))
        {
            return refused("it uses the host's network");
        }
        if NEVER.contains(&name) {
            return refused("the injector leaves this namespace alone");
        }
        if own(INJECT) == Some("false") {
            return refused("its label `sidecar.istio.io/inject: false`");
        }
        match Self::of_namespace(name, observed) {
            Self::NotAsked if own(INJECT) == Some("true") => Self::Asked {
                by: "its label `sidecar.istio.io/inject: true`".to_owned(),
            },
            Self::NotAsked => match own("istio.io/rev") {
                Some(revision) => Self::Asked {
                    by: format!("its label `istio.io/rev: {revision}`"),
                },
                None => Self::NotAsked,
            },
            decided => decided,
        }
    }

    /// Decides for a pod without labels in this namespace.
    #[must_use]
    pub fn of_namespace(name: &str, observed: &Observed) -> Self {
        let is_it = |namespace: &&Namespace| namespace.metadata.name.as_deref() == Some(name);
        let labels = observed
            .namespaces
            .iter()
            .find(is_it)
            .and_then(|found| found.metadata.labels.as_ref());
        let label = |key: &str| {
            labels
                .and_then(|labels| labels.get(key))
                .map(String::as_str)
        };
        match (label("istio-injection"), label("istio.io/rev")) {
            (Some("enabled"), _) => Self::Asked {
                by: "namespace label `istio-injection: enabled`".to_owned(),
            },
            (Some(value), _) => Self::Refused {
                by: format!("namespace label `istio-injection: {value}`"),
            },
            (None, Some(revision)) => Self::Asked {
                by: format!("namespace label `istio.io/rev: {revision}`"),
            },
            (None, None) if NEVER.contains(&name) => Self::Refused {
                by: "the injector leaves this namespace alone".to_owned(),
            },
            (None, None) if observed.injects_by_default() => Self::Asked {
                by: "the mesh's default".to_owned(),
            },
            (None, None) => Self::NotAsked,
        }
    }

    /// True when a sidecar is asked for.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        matches!(self, Self::Asked { .. })
    }
}

impl Observed {
    /// True when namespaces without any label get sidecars: Istio's chart then makes a webhook for them.
    #[must_use]
    pub fn injects_by_default(&self) -> bool {
        self.mutating_webhooks
            .iter()
            .filter(|configuration| is_injector(configuration) && !is_deactivated(configuration))
            .flat_map(|configuration| configuration.webhooks.iter().flatten())
            .any(|webhook| webhook.name == "auto.sidecar-injector.istio.io")
    }
}

impl Observed {
    /// Namespaces that ask for a revision or a tag which no injector has, with what they ask for.
    #[must_use]
    pub fn asking_in_vain(&self) -> Vec<(&str, &str)> {
        let asked = self.namespaces.iter().filter_map(|namespace| {
            let labels = namespace.metadata.labels.as_ref()?;
            // The other label comes first, whatever it says.
            let revision = labels
                .get("istio.io/rev")
                .filter(|_| !labels.contains_key("istio-injection"))?;
            Some((namespace.metadata.name.as_deref()?, revision.as_str()))
        });
        asked
            .filter(|(_, revision)| !self.serves(revision))
            .collect()
    }

    fn serves(&self, revision: &str) -> bool {
        let injectors = self
            .mutating_webhooks
            .iter()
            .filter(|found| is_injector(found));
        injectors
            .filter_map(|found| found.metadata.labels.as_ref())
            .any(|labels| {
                ["istio.io/rev", "istio.io/tag"]
                    .iter()
                    .any(|key| labels.get(*key).is_some_and(|named| named == revision))
            })
    }
}

/// True for the webhook configuration of an injector, of any revision or tag.
#[must_use]
pub fn is_injector(configuration: &MutatingWebhookConfiguration) -> bool {
    let mut webhooks = configuration.webhooks.iter().flatten();
    webhooks.any(|webhook| webhook.name.ends_with("sidecar-injector.istio.io"))
}

/// istioctl deactivates webhooks of the default revision with a selector that never matches.
pub(crate) fn is_deactivated(configuration: &MutatingWebhookConfiguration) -> bool {
    let mut webhooks = configuration.webhooks.iter().flatten();
    webhooks.all(|webhook| {
        let labels = webhook
            .namespace_selector
            .as_ref()
            .and_then(|selector| selector.match_labels.as_ref());
        labels.is_some_and(|labels| labels.contains_key("istio.io/deactivated"))
    })
}
