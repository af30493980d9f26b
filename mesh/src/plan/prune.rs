//! What was installed and is no longer wanted.

use super::{Action, Plan, Skip, Step};
use crate::object::{Id, Object};
use crate::observed::{Observed, is_default_tag};

pub(super) fn add(rendered: &[Object], extras: &[Object], observed: &Observed, plan: &mut Plan) {
    let wanted: Vec<Id> = rendered.iter().chain(extras).map(Object::id).collect();
    let mut doomed = Vec::new();
    for object in &observed.owned {
        let id = object.id();
        if wanted.iter().any(|other| other.is_same_object(&id)) {
            continue;
        }
        match (why_kept(object), object.uid()) {
            (Some(why), _) => plan.skips.push(Skip {
                what: format!("`{id}` is not pruned"),
                why: why.to_owned(),
            }),
            (None, Some(uid)) => doomed.push((id, uid.to_owned())),
            (None, None) => {}
        }
    }
    if !doomed.is_empty() {
        plan.steps.push(Step {
            name: "prune",
            title: "remove what is no longer wanted".to_owned(),
            action: Action::Delete(doomed),
        });
    }
}

fn why_kept(object: &Object) -> Option<&'static str> {
    if is_default_tag(object) {
        return None;
    }
    // The gateway's key that `patch` made, the record of what it changed: nothing brings them back.
    if matches!(object.kind(), "Secret" | "PersistentVolumeClaim") {
        return Some("what it holds may stand nowhere else");
    }
    if object.label("install.operator.istio.io/owning-resource-not-pruned") == Some("true") {
        return Some("its label `install.operator.istio.io/owning-resource-not-pruned` says so");
    }
    if object.label("istio.io/tag").is_some() {
        return Some("it is a revision tag of istioctl");
    }
    let revision = object.label("istio.io/rev").unwrap_or("default");
    (revision != "default").then_some("it belongs to another revision")
}
