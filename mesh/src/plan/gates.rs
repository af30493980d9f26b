//! What forbids a plan. All gates are told at once.

mod version;

pub use version::unsupported;

use super::{Answers, Gate, Plan, Wanted, marks};
use crate::codes::Code;
use crate::criteria;
use crate::object::Object;
use crate::observed::{Component, Contents, Forbidden, ISTIO_SYSTEM, KYMA_SYSTEM, Observed};
use crate::strict;

/// What must be readable before anything is decided: an empty list of these would look like a fresh cluster.
const NEEDED: [&str; 8] = [
    "namespaces",
    "pods",
    "deployments.apps",
    "daemonsets.apps",
    "customresourcedefinitions.apiextensions.k8s.io",
    "validatingwebhookconfigurations.admissionregistration.k8s.io",
    "peerauthentications.security.istio.io",
    "istios.operator.kyma-project.io",
];

/// Every gate that holds for an installation of our own.
pub(super) fn standalone(observed: &Observed, wanted: &Wanted, answers: Answers) -> Vec<Gate> {
    let planes = observed.control_planes();
    let mut gates = readable(observed);
    gates.extend(custom_resources(observed, wanted));
    gates.extend(foreign(observed, &planes, answers));
    gates.extend(revisions(&planes));
    gates.extend(ambient(observed));
    gates.extend(version::step(observed, &wanted.version, &planes, answers));
    gates.extend(version::stored(observed, wanted));
    gates.extend(strictness(observed, wanted, answers));
    gates
}

/// Every gate that holds when Kyma's operator does the work.
pub(super) fn managed(observed: &Observed, wanted: &Wanted) -> Vec<Gate> {
    let mut gates: Vec<Gate> = readable(observed);
    gates.extend(custom_resources(observed, wanted));
    if wanted.istio_cr.is_none() {
        gates.push(gate(
            Code::ManagedMode,
            format!("Kyma's operator manages this Istio (Deployment {KYMA_SYSTEM}/istio-controller-manager), and no Istio custom resource was given"),
            "give the settings as an Istio custom resource: `-f istio.yaml`",
        ));
    }
    gates
}

/// Every gate that can be told before anything is rendered for an upgrade to this version.
#[must_use]
pub fn upgradable(observed: &Observed, version: &str, answers: Answers) -> Vec<Gate> {
    let planes = observed.control_planes();
    let mut gates = readable(observed);
    if !gates.is_empty() {
        return gates;
    }
    if observed.kyma_manager.is_some() {
        let what = "Kyma's operator manages this Istio, and installs its own version";
        let hint = "upgrade Kyma's Istio module";
        return vec![gate(Code::ManagedMode, what.to_owned(), hint)];
    }
    if planes.is_empty() {
        let what = "found no istiod to upgrade".to_owned();
        return vec![gate(Code::NothingInstalled, what, "`install` brings Istio")];
    }
    gates.extend(foreign(observed, &planes, answers));
    gates.extend(version::step(observed, version, &planes, answers));
    gates
}

/// Every gate that holds for an uninstallation.
pub(super) fn removal(observed: &Observed, contents: &Contents, answers: Answers) -> Vec<Gate> {
    let planes = observed.control_planes();
    let mut gates = readable(observed);
    // What can't be seen can't be told from nothing: a resource of somebody would go unseen.
    gates.extend(cannot_tell(contents.forbidden.iter()));
    gates.extend(foreign(observed, &planes, answers));
    gates.extend(revisions(&planes));
    gates.extend(ambient(observed));
    gates
}

/// An istiod that a plan would leave at work while its CRDs and policies go: what proxies enforce would end at once.
pub(super) fn outlives(observed: &Observed, plan: &Plan) -> Vec<Gate> {
    let doomed = plan.doomed();
    let planes = observed.control_planes();
    let left = planes.iter().filter(|plane| {
        !doomed.iter().any(|id| {
            id.kind == "Deployment"
                && id.namespace.as_deref() == Some(plane.namespace.as_str())
                && id.name == plane.name
        })
    });
    left.map(|plane| {
        gate(
            Code::ForeignIstio,
            format!(
                "istiod `{}/{}` isn't provably ours, so it would stay at work while its CRDs and policies go",
                plane.namespace, plane.name
            ),
            "`kubectl kyma-istio install --take-ownership` makes it ours; or remove it with what installed it",
        )
    })
    .collect()
}

/// The custom resource that counts: the oldest in `kyma-system`, as in the module.
#[must_use]
pub fn custom_resource(observed: &Observed) -> Option<&Object> {
    let age = |cr: &&Object| {
        (
            cr.string("/metadata/creationTimestamp")
                .unwrap_or_default()
                .to_owned(),
            cr.name().to_owned(),
        )
    };
    observed
        .istio_crs
        .iter()
        .filter(|cr| cr.namespace() == Some(KYMA_SYSTEM))
        .min_by_key(age)
}

/// A gate where something is unreadable without which nothing can be decided.
#[must_use]
pub fn readable(observed: &Observed) -> Vec<Gate> {
    let needed = |denied: &&Forbidden| NEEDED.contains(&denied.resource.as_str());
    cannot_tell(observed.forbidden.iter().filter(needed))
        .into_iter()
        .collect()
}

fn cannot_tell<'f>(missing: impl Iterator<Item = &'f Forbidden>) -> Option<Gate> {
    let missing: Vec<String> = missing.map(|denied| format!("`{denied}`")).collect();
    let what = format!(
        "can't tell what is installed: {} forbidden",
        missing.join(", ")
    );
    let hint = "grant these rights, or use an administrator's context";
    (!missing.is_empty()).then(|| gate(Code::CannotTell, what, hint))
}

fn custom_resources(observed: &Observed, wanted: &Wanted) -> Vec<Gate> {
    let Some(counts) = custom_resource(observed) else {
        return Vec::new();
    };
    let mut gates = Vec::new();
    if counts.string("/metadata/deletionTimestamp").is_some() {
        let what = format!("`{}` is being deleted", counts.id());
        gates.push(gate(
            Code::CrBeingDeleted,
            what,
            "let the deletion finish; `kubectl kyma-istio uninstall --plan` lists what blocks it",
        ));
    }
    if let Some(given) = wanted
        .istio_cr
        .as_ref()
        .filter(|given| given.name() != counts.name())
    {
        let what = format!(
            "`{}` exists and counts, the given one is named `{}`",
            counts.id(),
            given.name()
        );
        gates.push(gate(
            Code::SeveralIstioCrs,
            what,
            "name the given one like it, or delete it",
        ));
    }
    gates
}

/// True when labels of the control plane, or the custom resource's record, say that we or the module installed it.
#[must_use]
pub fn is_ours(observed: &Observed) -> bool {
    let is_recorded =
        custom_resource(observed).is_some_and(|cr| cr.annotation(marks::LAST_APPLIED).is_some());
    is_recorded
        || observed.deployments.iter().any(|deployment| {
            let is_istiod = deployment
                .spec
                .iter()
                .flat_map(|spec| spec.template.spec.iter())
                .flat_map(|spec| &spec.containers)
                .any(|c| c.name == "discovery");
            is_istiod && marks::is_kymas(deployment.metadata.labels.as_ref())
        })
}

fn foreign(observed: &Observed, planes: &[Component], answers: Answers) -> Option<Gate> {
    let plane = planes.first()?;
    if answers.take_ownership || is_ours(observed) {
        return None;
    }
    let version = plane
        .versions()
        .into_iter()
        .find_map(Result::ok)
        .map(|version| format!(" {version}"))
        .unwrap_or_default();
    let what = format!(
        "Istio{version} is installed ({plane}), and neither this plugin nor Kyma's module installed it"
    );
    Some(gate(
        Code::ForeignIstio,
        what,
        "bring it to what Kyma needs with `patch`, or take it over with `--take-ownership`",
    ))
}

fn revisions(planes: &[Component]) -> Vec<Gate> {
    let others = planes.iter().filter(|plane| plane.revision != "default");
    others
        .map(|plane| {
            let what = format!("{plane} has revision `{}`, expected the default revision only", plane.revision);
            gate(Code::RevisionedMesh, what, "Kyma upgrades in place; keep managing revisions with istioctl, or remove them first")
        })
        .collect()
}

fn ambient(observed: &Observed) -> Option<Gate> {
    let what = "the mesh is ambient: ztunnel runs, or a namespace is labelled `istio.io/dataplane-mode: ambient`";
    let hint = "Kyma uses sidecars; take the namespaces out of the ambient mode and uninstall ztunnel first";
    observed
        .is_ambient()
        .then(|| gate(Code::AmbientMesh, what.to_owned(), hint))
}

fn strictness(observed: &Observed, wanted: &Wanted, answers: Answers) -> Option<Gate> {
    if answers.accept_strict || !turns_strict(observed, wanted) {
        return None;
    }
    let report = strict::without_sidecar(observed);
    if report.is_empty() {
        return None;
    }
    let counts = [
        (
            report.workloads.len(),
            "workload without a sidecar",
            "workloads without a sidecar",
        ),
        (report.policies.len(), "weaker policy", "weaker policies"),
        (
            report.rules.len(),
            "DestinationRule without TLS",
            "DestinationRules without TLS",
        ),
    ];
    let found: Vec<String> = counts
        .iter()
        .filter(|(count, _, _)| *count > 0)
        .map(|(count, one, many)| format!("{count} {}", if *count == 1 { one } else { many }))
        .collect();
    let what = format!("mutual TLS becomes STRICT; found {}", found.join(", "));
    Some(gate(
        Code::StrictNeedsAcceptance,
        what,
        "look at the list, then confirm or go on with `--accept-strict`",
    ))
}

/// True when the plan makes a mesh STRICT that isn't.
pub(super) fn turns_strict(observed: &Observed, wanted: &Wanted) -> bool {
    let is_strict_now =
        criteria::mesh_wide(observed).is_some_and(|(_, mode)| mode == criteria::Mode::Strict);
    let mut wanted = wanted.extras.iter().chain(&wanted.rendered);
    !is_strict_now
        && wanted.any(|object| {
            object.kind() == "PeerAuthentication"
                && object.namespace() == Some(ISTIO_SYSTEM)
                && object.string("/spec/mtls/mode") == Some("STRICT")
        })
}

fn gate(code: Code, what: String, hint: &str) -> Gate {
    Gate {
        code,
        what,
        hint: Some(hint.to_owned()),
    }
}
