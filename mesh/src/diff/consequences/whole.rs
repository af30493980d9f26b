//! Whole objects that come and go.

use super::{Told, counted, pods, qualified, role};
use crate::diff::Impact;
use crate::object::Object;
use crate::observed::Observed;

pub(super) fn creation(new: &Object) -> Vec<Told> {
    let is_strict = new.string("/spec/mtls/mode") == Some("STRICT");
    match new.kind() {
        "PeerAuthentication" if is_strict => {
            vec![(
                Impact::Traffic,
                format!("refuses plain text where {} holds", qualified(new)),
            )]
        }
        _ => Vec::new(),
    }
}

pub(super) fn removal(live: &Object, observed: &Observed) -> Option<Told> {
    let name = qualified(live);
    let told = match live.kind() {
        "Deployment" | "DaemonSet" | "StatefulSet" => {
            format!(
                "stops {} {name} ({})",
                role(live),
                counted(pods(live), "pod")
            )
        }
        "Service" => format!("removes the address of {name}"),
        "CustomResourceDefinition" => format!("removes every resource of {name}"),
        "MutatingWebhookConfiguration" => format!("new pods get no sidecar by {name}"),
        "ValidatingWebhookConfiguration" => {
            format!("{name} no longer refuses invalid Istio configuration")
        }
        "PeerAuthentication" => format!("the mode of {name} no longer holds"),
        "Namespace" => {
            let inside = observed
                .pods
                .iter()
                .filter(|pod| pod.metadata.namespace.as_deref() == Some(live.name()));
            format!(
                "removes everything in {name} ({})",
                counted(inside.count(), "pod")
            )
        }
        "PodDisruptionBudget" => {
            return Some((
                Impact::Note,
                format!("{name} no longer holds back evictions"),
            ));
        }
        "HorizontalPodAutoscaler" => {
            return Some((Impact::Note, format!("{name} no longer scales")));
        }
        _ => return None,
    };
    Some((Impact::Stops, told))
}
