//! The plan of an installation, first or again: CRDs, namespaces, base, istiod, CNI, gateways, then what needs a running
//! istiod, then the record in the custom resource, then what is no longer wanted.

use serde_json::{Value, json};

use super::parts::Part;
use super::{Action, Answers, Gate, Plan, Skip, Step, Wanted, gates, managed, marks, prune};
use crate::checks::{Category, Finding, Level};
use crate::codes::Code;
use crate::diff::{Consequence, Impact};
use crate::object::{Id, Object, apply_order};
use crate::observed::{ISTIO_SYSTEM, KYMA_SYSTEM, Observed, SETTINGS};
use crate::strict::{StrictReport, without_sidecar};

const INJECTION: &str = "istio-injection";

/// Makes the plan, or tells every gate that forbids it. The plan is complete: `Plan::remaining` takes out what a dry run
/// shows to be there already.
///
/// # Errors
/// Every gate that holds.
pub fn install(observed: &Observed, wanted: &Wanted, answers: &Answers) -> Result<Plan, Vec<Gate>> {
    if observed.kyma_manager.is_some() {
        return managed::plan(observed, wanted);
    }
    let gates = gates::standalone(observed, wanted, *answers);
    if !gates.is_empty() {
        return Err(gates);
    }
    let rendered: Vec<Object> = wanted
        .rendered
        .iter()
        .filter_map(|object| marks::prepared(object, &wanted.version, &wanted.rendered, observed))
        .collect();
    let mut plan = Plan::default();
    crds(&rendered, &mut plan);
    namespaces(&rendered, wanted, observed, &mut plan);
    for part in Part::ALL {
        this_part(part, &rendered, wanted, &mut plan);
    }
    policies(wanted, &mut plan);
    kyma_namespace(wanted, observed, &mut plan);
    record(wanted, observed, &mut plan);
    prune::add(&rendered, &wanted.extras, observed, &mut plan);
    if gates::turns_strict(observed, wanted) {
        plan.warnings.extend(warnings(&without_sidecar(observed)));
    }
    Ok(plan)
}

fn crds(rendered: &[Object], plan: &mut Plan) {
    let crds: Vec<Object> = rendered
        .iter()
        .filter(|object| is_crd(object))
        .cloned()
        .collect();
    let ids: Vec<Id> = crds.iter().map(Object::id).collect();
    apply(plan, "crds", "apply the CRDs", crds);
    wait(
        plan,
        "crds-ready",
        "wait until the CRDs are established",
        ids,
    );
}

fn namespaces(rendered: &[Object], wanted: &Wanted, observed: &Observed, plan: &mut Plan) {
    let all = rendered
        .iter()
        .chain(&wanted.extras)
        .filter(|object| object.kind() == "Namespace");
    // What others may have made is only labelled, later.
    let ours: Vec<Object> = all
        .filter(|object| object.name() != KYMA_SYSTEM || !exists(KYMA_SYSTEM, observed))
        .cloned()
        .collect();
    apply(plan, "namespaces", "apply the namespaces", ours);
}

fn this_part(part: Part, rendered: &[Object], wanted: &Wanted, plan: &mut Plan) {
    let (step, wait_step, title) = part.steps();
    let mut objects: Vec<Object> = rendered
        .iter()
        .filter(|object| Part::of(object) == part && !is_early(object))
        .cloned()
        .collect();
    if part == Part::Base {
        objects.extend(
            wanted
                .extras
                .iter()
                .filter(|object| object.kind() == "PriorityClass")
                .cloned(),
        );
    }
    apply_order(&mut objects);
    let is_waited_for =
        |object: &&Object| matches!(object.kind(), "Deployment" | "DaemonSet" | "StatefulSet");
    let ids: Vec<Id> = objects
        .iter()
        .filter(is_waited_for)
        .map(Object::id)
        .collect();
    apply(plan, step, &format!("apply {title}"), objects);
    wait(plan, wait_step, &format!("wait for {title}"), ids);
}

fn policies(wanted: &Wanted, plan: &mut Plan) {
    let is_here = |object: &&Object| !matches!(object.kind(), "Namespace" | "PriorityClass");
    let mut objects: Vec<Object> = wanted.extras.iter().filter(is_here).cloned().collect();
    apply_order(&mut objects);
    apply(
        plan,
        "policies",
        "apply mesh-wide STRICT and what Kyma adds",
        objects,
    );
}

/// `kyma-system` belongs to Kyma: where it exists, one label is merged, and only once sidecars can be injected.
fn kyma_namespace(wanted: &Wanted, observed: &Observed, plan: &mut Plan) {
    let is_it = |object: &&Object| object.kind() == "Namespace" && object.name() == KYMA_SYSTEM;
    let given = wanted.extras.iter().find(is_it);
    let live = observed
        .namespaces
        .iter()
        .find(|live| live.metadata.name.as_deref() == Some(KYMA_SYSTEM));
    let Some(live) = live else {
        if given.is_none() {
            plan.skips.push(Skip {
                what: format!("Namespace {KYMA_SYSTEM} is not labelled for injection"),
                why: "it doesn't exist".to_owned(),
            });
        }
        return;
    };
    let value = given
        .and_then(|given| given.label(INJECTION))
        .unwrap_or("enabled");
    let labels = live.metadata.labels.as_ref();
    if labels
        .and_then(|labels| labels.get(INJECTION))
        .map(String::as_str)
        == Some(value)
    {
        return;
    }
    let id = Id {
        api_version: "v1".to_owned(),
        kind: "Namespace".to_owned(),
        namespace: None,
        name: KYMA_SYSTEM.to_owned(),
    };
    let gets = if value == "enabled" { "a" } else { "no" };
    plan.consequences.push(Consequence {
        impact: Impact::Note,
        what: format!("new pods of {KYMA_SYSTEM} get {gets} sidecar"),
        because: vec![id.clone()],
    });
    plan.steps.push(Step {
        name: "kyma-namespace",
        title: format!("label {KYMA_SYSTEM} for injection"),
        action: Action::Merge {
            id,
            patch: json!({ "metadata": { "labels": { INJECTION: value } } }),
        },
    });
}

/// The CRD of Kyma's custom resource.
const CRD: &str = "istios.operator.kyma-project.io";

/// Is there a place for the custom resource?
#[must_use]
pub fn keeps_custom_resources(observed: &Observed) -> bool {
    let mut crds = observed.crds.iter();
    crds.any(|crd| crd.metadata.name.as_deref() == Some(CRD))
}

/// The custom resource says what was applied, in the module's words, so that the module can take over.
fn record(wanted: &Wanted, observed: &Observed, plan: &mut Plan) {
    let live = gates::custom_resource(observed);
    let Some(resource) = wanted.istio_cr.as_ref().or(live) else {
        return;
    };
    if !keeps_custom_resources(observed) {
        plan.skips.push(Skip {
            what: format!("`{}` is not stored", resource.id()),
            why: format!("the cluster has no CRD {CRD}; ConfigMap {ISTIO_SYSTEM}/{SETTINGS} keeps the settings"),
        });
        return;
    }
    if let Some(given) = &wanted.istio_cr
        && live.is_none_or(|live| live.pointer("/spec") != given.pointer("/spec"))
    {
        apply(
            plan,
            "custom-resource",
            "store the Istio custom resource",
            vec![given.clone()],
        );
    }
    let applied = marks::last_applied(resource.pointer("/spec"), &wanted.version);
    let recorded = live
        .and_then(|live| live.annotation(marks::LAST_APPLIED))
        .and_then(|text| serde_json::from_str(text).ok());
    let mut finalizers: Vec<Value> = live
        .and_then(|live| live.pointer("/metadata/finalizers")?.as_array().cloned())
        .unwrap_or_default();
    let has_finalizer = finalizers.contains(&json!(marks::MODULE_FINALIZER));
    let has_label = live.is_some_and(|live| live.label(marks::MODULE_LABEL) == Some("istio"));
    if recorded.as_ref() == Some(&applied) && has_finalizer && has_label {
        return;
    }
    if !has_finalizer {
        finalizers.push(json!(marks::MODULE_FINALIZER));
    }
    let patch = json!({ "metadata": {
        "annotations": { marks::LAST_APPLIED: applied.to_string() },
        "finalizers": finalizers,
        "labels": { marks::MODULE_LABEL: "istio" },
    }});
    plan.steps.push(Step {
        name: "record",
        title: "record what was applied in the Istio custom resource".to_owned(),
        action: Action::Merge {
            id: resource.id(),
            patch,
        },
    });
}

fn warnings(report: &StrictReport) -> Vec<Finding> {
    let warning = |code, what, hint: &str| Finding {
        code,
        category: Category::Strict,
        level: Level::Warning,
        what,
        hint: Some(hint.to_owned()),
    };
    let workloads = report.workloads.iter().map(|bare| {
        warning(
            Code::WithoutSidecar,
            format!("{}: {} ({})", bare.workload, bare.loses, bare.why),
            "turn injection on and restart it",
        )
    });
    let policies = report.policies.iter().map(|line| {
        warning(
            Code::WeakerPolicy,
            line.clone(),
            "it stays as it is; delete it once callers have sidecars",
        )
    });
    let rules = report.rules.iter().map(|plain| {
        let what = format!(
            "{} sends plain text to {} ({})",
            plain.rule,
            plain.services.join(", "),
            plain.path
        );
        warning(Code::TlsDisabled, what, "remove `tls.mode` from the rule")
    });
    // Who calls from namespaces without sidecars is seen by nobody: that is said even when nothing was found.
    let not_seen = report.not_seen.iter().map(|line| {
        warning(
            Code::WithoutSidecar,
            format!("not seen: {line}"),
            "ask whoever runs clients outside the mesh",
        )
    });
    workloads
        .chain(policies)
        .chain(rules)
        .chain(not_seen)
        .collect()
}

fn exists(namespace: &str, observed: &Observed) -> bool {
    observed
        .namespaces
        .iter()
        .any(|found| found.metadata.name.as_deref() == Some(namespace))
}

fn is_crd(object: &Object) -> bool {
    object.kind() == "CustomResourceDefinition"
}

fn is_early(object: &Object) -> bool {
    is_crd(object) || object.kind() == "Namespace"
}

pub(super) fn apply(plan: &mut Plan, name: &'static str, title: &str, objects: Vec<Object>) {
    if !objects.is_empty() {
        plan.steps.push(Step {
            name,
            title: title.to_owned(),
            action: Action::Apply(objects),
        });
    }
}

fn wait(plan: &mut Plan, name: &'static str, title: &str, ids: Vec<Id>) {
    if !ids.is_empty() {
        plan.steps.push(Step {
            name,
            title: title.to_owned(),
            action: Action::WaitReady(ids),
        });
    }
}
