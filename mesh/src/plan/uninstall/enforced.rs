//! What proxies that run on enforce once Istio is gone.

use super::{Meshed, Plan};
use crate::diff::{Consequence, Impact};
use crate::object::{Id, Object};

/// What is told before the yes. `pushed`: what goes while istiod still lives, where Kyma's operator removes it.
pub(super) fn consequences(
    meshed: &[Meshed],
    is_managed: bool,
    pushed: &[&Object],
    plan: &mut Plan,
) {
    let ids: Vec<Id> = pushed.iter().map(|object| object.id()).collect();
    if !ids.is_empty() {
        let names: Vec<String> = ids.iter().map(|id| format!("`{id}`")).collect();
        plan.consequences.push(Consequence {
            impact: Impact::Stops,
            what: format!(
                "istiod still runs when these go, so gateways and sidecars lose them at once: {}",
                names.join(", ")
            ),
            because: ids,
        });
    }
    if !is_managed && meshed.iter().any(|one| !one.is_gateway) {
        plan.consequences.push(Consequence {
            impact: Impact::NeedsSync,
            what: "sidecars enforce what istiod told them last until their pods are made anew; their certificates end within a day, and where mutual TLS is STRICT they refuse each other from then on".to_owned(),
            because: Vec::new(),
        });
    }
    plan.consequences.sort_by_key(|one| one.impact);
}
