//! Services: which pods they select, which hosts name them.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Pod, Service};

use super::{Observed, is_under_way};

impl Observed {
    /// The pods that a Service selects and that run or will. A Service without a selector selects none.
    pub fn pods_of<'o>(&'o self, service: &'o Service) -> impl Iterator<Item = &'o Pod> {
        let selector = service
            .spec
            .as_ref()
            .and_then(|spec| spec.selector.as_ref())
            .filter(|labels| !labels.is_empty());
        let namespace = service.metadata.namespace.as_deref();
        self.pods.iter().filter(move |pod| {
            pod.metadata.namespace.as_deref() == namespace
                && is_under_way(pod)
                && selector.is_some_and(|selector| has_all(selector, pod.metadata.labels.as_ref()))
        })
    }

    /// The Services that a host of a `DestinationRule` in `namespace` names: `api`, `api.shop`, `api.shop.svc.cluster.local`,
    /// `*.shop.svc.cluster.local`, `*.local`, `*`.
    pub fn services_of<'o>(
        &'o self,
        host: &str,
        namespace: &str,
    ) -> impl Iterator<Item = &'o Service> {
        // Without a dot it is a Service of the rule's own namespace.
        let host = match host.contains(['.', '*']) {
            true => host.to_owned(),
            false => format!("{host}.{namespace}"),
        };
        self.services.iter().filter(move |service| {
            let name = service.metadata.name.as_deref().unwrap_or_default();
            let of = service.metadata.namespace.as_deref().unwrap_or_default();
            let full = format!("{name}.{of}.svc.cluster.local");
            match host.strip_prefix('*') {
                Some(suffix) => full.ends_with(suffix),
                None => {
                    full == host
                        || format!("{name}.{of}") == host
                        || format!("{name}.{of}.svc") == host
                }
            }
        })
    }
}

/// `namespace/name` of a Service.
#[must_use]
pub fn service_name(service: &Service) -> String {
    let namespace = service.metadata.namespace.as_deref().unwrap_or_default();
    format!(
        "{namespace}/{}",
        service.metadata.name.as_deref().unwrap_or_default()
    )
}

fn has_all(selector: &BTreeMap<String, String>, labels: Option<&BTreeMap<String, String>>) -> bool {
    selector
        .iter()
        .all(|(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value))
}
