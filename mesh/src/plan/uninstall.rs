//! The plan of an uninstallation: what others made blocks it, then everything of ours goes: webhooks, gateways, istiod, CNI, header policies, security policies, roles,
//! CRDs, the namespace. While istiod lives it pushes what it sees, so no policy goes before it: a proxy that runs on keeps the last one. The record goes last, so that a
//! killed run is seen as one.

mod blockers;
mod crds;
mod enforced;
mod leftovers;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::json;

use super::parts::Part;
use super::{Action, Answers, Gate, Plan, Skip, Step, gates, marks};
use crate::codes::Code;
use crate::diff::{self, Consequence, Impact, ObjectChange};
use crate::object::{Id, Object};
use crate::observed::{Contents, Observed, is_proved_ours};

use blockers::Sorted;
use crds::Crds;
pub use leftovers::{Leftover, Meshed};

/// What an uninstallation does, and what it leaves.
#[derive(Debug, Clone, PartialEq)]
pub struct Uninstall {
    /// The steps. The step `blockers` is in it only when they may go.
    pub plan: Plan,
    /// Custom resources of others, sorted by name: with the CRDs they would go.
    pub blockers: Vec<Object>,
    /// What a backup holds: the blockers, header policies, what is Kyma's by its name alone, and the `Istio` custom
    /// resource.
    pub kept: Vec<Object>,
    /// Workloads that have a proxy, sorted: they run on without a control plane.
    pub meshed: Vec<Meshed>,
    /// What stays, and why.
    pub leftovers: Vec<Leftover>,
}

/// Makes the plan. `delete_blockers` says that what others made may go.
///
/// # Errors
/// Every gate that holds. Blockers are no gate here: they are listed, so that a backup can be made of them.
pub fn uninstall(
    observed: &Observed,
    contents: &Contents,
    answers: &Answers,
    delete_blockers: bool,
) -> Result<Uninstall, Vec<Gate>> {
    let gates = gates::removal(observed, contents, *answers);
    if !gates.is_empty() {
        return Err(gates);
    }
    let is_managed = observed.kyma_manager.is_some();
    let crds = crds::sort(observed, is_managed || answers.take_ownership);
    let sorted = blockers::sort(&contents.custom_resources, &crds);
    let mut plan = Plan::default();
    record_begins(observed, &mut plan);
    if is_managed && gates::custom_resource(observed).is_none() {
        // Nothing would make the operator remove Istio, and the mesh would serve on without what protects it.
        plan.skips.push(Skip {
            what: "nothing is removed".to_owned(),
            why: "Kyma's operator removes Istio when its custom resource in `kyma-system` goes, and there is none".to_owned(),
        });
        return Ok(Uninstall {
            plan,
            blockers: Vec::new(),
            kept: Vec::new(),
            meshed: Vec::new(),
            leftovers: Vec::new(),
        });
    }
    let blockers: &[Object] = match delete_blockers {
        true => &sorted.blockers,
        false => &[],
    };
    let mut left = Vec::new();
    if is_managed {
        // The operator takes them for somebody's, and would wait for them to go.
        gone(&mut plan, &BLOCKERS, ids(blockers));
        gone(&mut plan, &FILTER, ids(&sorted.filter));
        wait_for_operator(observed, &mut plan);
    } else {
        left = everything(observed, contents, &sorted, blockers, &crds, &mut plan);
        record_ends(observed, &mut plan);
    }
    if !is_managed {
        let gates = gates::outlives(observed, &plan);
        if !gates.is_empty() {
            return Err(gates);
        }
    }
    let meshed = leftovers::meshed(observed, &plan);
    consequences(observed, &meshed, &mut plan);
    let pushed = blockers.iter().chain(&sorted.filter);
    let pushed: Vec<&Object> = pushed.filter(|_| is_managed).collect();
    enforced::consequences(&meshed, is_managed, &pushed, &mut plan);
    let record = gates::custom_resource(observed).into_iter();
    // Known by name alone: somebody may have made it all the same.
    let named = sorted.ours.iter().filter(|one| !is_proved_ours(one));
    let kept = sorted.blockers.iter().chain(&sorted.filter);
    let kept = kept.chain(named).chain(record);
    Ok(Uninstall {
        plan,
        kept: kept.cloned().collect(),
        blockers: sorted.blockers,
        meshed,
        leftovers: left,
    })
}

/// Names of a step that deletes and of the one that waits, and a title.
struct Words(&'static str, &'static str, &'static str);

const FILTER: Words = Words("filter", "filter-gone", "the header policies");
const BLOCKERS: Words = Words("blockers", "blockers-gone", "the resources of others");
const POLICIES: Words = Words("policies", "policies-gone", "what Kyma added to the mesh");
const GATEWAYS: Words = Words("gateways", "gateways-gone", "the gateways");
const ISTIOD: Words = Words("istiod", "istiod-gone", "istiod");
const CNI: Words = Words("cni", "cni-gone", "the CNI node agents");
const CRDS: Words = Words("crds", "crds-gone", "the CRDs");
const NAMESPACE: Words = Words("namespace", "namespace-gone", "the namespace");

/// Istio itself; what it leaves.
fn everything(
    observed: &Observed,
    contents: &Contents,
    sorted: &Sorted,
    blockers: &[Object],
    crds: &Crds,
    plan: &mut Plan,
) -> Vec<Leftover> {
    let runs = |object: &&Object| {
        matches!(
            object.kind(),
            "Deployment"
                | "DaemonSet"
                | "StatefulSet"
                | "HorizontalPodAutoscaler"
                | "PodDisruptionBudget"
                | "Service"
        )
    };
    let of = |part: Part| -> Vec<(Id, String)> {
        let owned = observed.owned.iter();
        ids(owned.filter(runs).filter(|one| Part::of(one) == part))
    };
    let is_webhook = |object: &&Object| object.kind().ends_with("WebhookConfiguration");
    let is_resource = |object: &&Object| object.group().ends_with(".istio.io");
    let owned = observed.owned.iter();
    // While a webhook stands and istiod doesn't, no pod could start.
    delete(
        plan,
        "webhooks",
        "remove the webhooks",
        ids(owned.filter(is_webhook)),
    );
    gone(plan, &GATEWAYS, of(Part::Gateways));
    gone(plan, &ISTIOD, of(Part::Istiod));
    gone(plan, &CNI, of(Part::Cni));
    // No gateway serves any more, and no istiod takes the policy from a proxy that runs on: nothing goes through unjudged.
    gone(plan, &FILTER, ids(&sorted.filter));
    gone(plan, &BLOCKERS, ids(blockers));
    gone(plan, &POLICIES, ids(&sorted.ours));
    let rest = observed.owned.iter().filter(|one| {
        let is_done = runs(one) && Part::of(one) != Part::Base;
        !is_done && !is_webhook(one) && !is_resource(one)
    });
    delete(plan, "base", "remove accounts and roles", ids(rest));
    if !crds.going.is_empty() {
        plan.steps.push(Step {
            name: "last-look",
            title: "look that nothing new goes with the CRDs".to_owned(),
            action: Action::LastLook(crds.looked()),
        });
    }
    gone(plan, &CRDS, crds.doomed());
    delete(
        plan,
        "leavings",
        "remove what istiod wrote",
        ids(leftovers::of_istiod(contents)),
    );
    let (namespace, mut left) = leftovers::namespace(observed, contents, &sorted.staying);
    gone(plan, &NAMESPACE, namespace.into_iter().collect());
    left.extend(crds.leftovers());
    left
}

/// The custom resource is marked as going: `install` then leaves the mesh alone until this is done.
fn record_begins(observed: &Observed, plan: &mut Plan) {
    let record = gates::custom_resource(observed);
    let waits = record.filter(|record| record.string("/metadata/deletionTimestamp").is_none());
    delete(
        plan,
        "custom-resource",
        "delete the Istio custom resource",
        ids(waits),
    );
}

/// The finalizer that holds it is the last thing to go.
fn record_ends(observed: &Observed, plan: &mut Plan) {
    let Some(record) = gates::custom_resource(observed) else {
        return;
    };
    let finalizers = record
        .pointer("/metadata/finalizers")
        .and_then(|all| all.as_array().cloned())
        .unwrap_or_default();
    let ours = json!(marks::MODULE_FINALIZER);
    if !finalizers.contains(&ours) {
        return;
    }
    let (_, others): (Vec<_>, Vec<_>) = finalizers.into_iter().partition(|one| *one == ours);
    if !others.is_empty() {
        plan.skips.push(Skip {
            what: format!("`{}` stays", record.id()),
            why: format!("it has finalizers of others: {}", json!(others)),
        });
    }
    plan.steps.push(Step {
        name: "record",
        title: "let the Istio custom resource go".to_owned(),
        action: Action::Merge {
            id: record.id(),
            patch: json!({ "metadata": { "finalizers": others } }),
        },
    });
}

/// Kyma's operator uninstalls when its custom resource goes.
fn wait_for_operator(observed: &Observed, plan: &mut Plan) {
    plan.skips.push(Skip {
        what: "Istio itself is not touched".to_owned(),
        why: "Kyma's operator uninstalls it when its custom resource is deleted".to_owned(),
    });
    let record = ids(gates::custom_resource(observed));
    wait(
        plan,
        "custom-resource-gone",
        "wait until Kyma's operator is done",
        record,
    );
}

fn consequences(observed: &Observed, meshed: &[Meshed], plan: &mut Plan) {
    let doomed = plan.doomed();
    let going = observed
        .owned
        .iter()
        .filter(|live| doomed.contains(&live.id()));
    let changes: Vec<ObjectChange> = going
        .filter_map(|live| ObjectChange::of(Some(live.clone()), None))
        .collect();
    plan.consequences = diff::consequences(&changes, observed);
    let told = |one: &Meshed| format!("{} keeps its {}", one.workload, one.proxies());
    plan.consequences
        .extend(meshed.iter().map(|one| Consequence {
            impact: Impact::NeedsSync,
            what: format!(
                "{} without a control plane until it is restarted",
                told(one)
            ),
            because: Vec::new(),
        }));
    plan.consequences.sort_by_key(|one| one.impact);
}

impl Uninstall {
    /// The gate that blockers are, for whoever may not delete them; none when nothing blocks.
    #[must_use]
    pub fn blocked(&self) -> Option<Gate> {
        let names: Vec<String> = self
            .blockers
            .iter()
            .map(|one| format!("`{}`", one.id()))
            .collect();
        (!names.is_empty()).then(|| Gate {
            code: Code::Blockers,
            what: format!(
                "with the CRDs would go what others made: {}",
                names.join(", ")
            ),
            hint: Some("delete them yourself, or let them go and keep copies: `--backup DIR --delete-blockers`".to_owned()),
        })
    }
}

impl Plan {
    /// What its steps delete.
    #[must_use]
    pub fn doomed(&self) -> Vec<Id> {
        let of = |step: &Step| match &step.action {
            Action::Delete(doomed) => doomed.iter().map(|(id, _)| id.clone()).collect(),
            _ => Vec::new(),
        };
        self.steps.iter().flat_map(of).collect()
    }
}

fn delete(plan: &mut Plan, name: &'static str, title: &str, doomed: Vec<(Id, String)>) {
    if !doomed.is_empty() {
        plan.steps.push(Step {
            name,
            title: title.to_owned(),
            action: Action::Delete(doomed),
        });
    }
}

fn wait(plan: &mut Plan, name: &'static str, title: &str, doomed: Vec<(Id, String)>) {
    if !doomed.is_empty() {
        plan.steps.push(Step {
            name,
            title: title.to_owned(),
            action: Action::WaitGone(doomed),
        });
    }
}

fn gone(plan: &mut Plan, words: &Words, doomed: Vec<(Id, String)>) {
    let Words(name, waits, what) = words;
    delete(plan, name, &format!("remove {what}"), doomed.clone());
    wait(plan, waits, &format!("wait until {what} went"), doomed);
}

fn ids<'o>(objects: impl IntoIterator<Item = &'o Object>) -> Vec<(Id, String)> {
    let named = |object: &Object| Some((object.id(), object.uid()?.to_owned()));
    objects.into_iter().filter_map(named).collect()
}

fn named(api_version: &str, kind: &str, metadata: &ObjectMeta) -> Option<(Id, String)> {
    let id = Id {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        namespace: metadata.namespace.clone(),
        name: metadata.name.clone()?,
    };
    Some((id, metadata.uid.clone()?))
}
