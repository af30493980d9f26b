//! What is to be done, as a value: the same plan is shown, confirmed and run. Not here: doing it.

mod consent;
mod gates;
mod install;
mod managed;
mod marks;
mod parts;
mod prune;
mod remaining;
mod uninstall;

use serde_json::Value;

use crate::checks::Finding;
use crate::codes::Code;
use crate::diff::Consequence;
use crate::object::{Id, Object};

pub use consent::{Consent, Novelty};
pub use gates::{custom_resource, is_ours, readable, unsupported, upgradable};
pub use install::{install, keeps_custom_resources};
pub use marks::{ISTIO_TAG, LAST_APPLIED, MODULE_FINALIZER, MODULE_LABEL};
pub use uninstall::{Leftover, Meshed, Uninstall, uninstall};

/// Steps in their order, what is left out, and what it will do to the cluster.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// In the order in which they run. Empty: nothing to do.
    pub steps: Vec<Step>,
    /// What is not done, and why.
    pub skips: Vec<Skip>,
    /// What the steps do to what runs.
    pub consequences: Vec<Consequence>,
    /// What the user should know before saying yes.
    pub warnings: Vec<Finding>,
}

/// One step. Between two steps a command may be killed; running it again continues.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Stable name, unique in a plan: `istiod-ready`.
    pub name: &'static str,
    /// One line for people.
    pub title: String,
    /// What to do.
    pub action: Action,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Server-side apply, in this order.
    Apply(Vec<Object>),
    /// Wait until each is ready.
    WaitReady(Vec<Id>),
    /// Wait until Kyma's operator has worked on its custom resource.
    WaitCondition {
        /// The resource.
        id: Id,
        /// The `status.state` that ends the wait well.
        state: &'static str,
        /// Values of `status.state` that end it badly.
        failed: &'static [&'static str],
        /// `lastTransitionTime` of the condition `Ready` before the edit. The status has no `observedGeneration`: it counts
        /// only when this time is another one. None: the state counts at once.
        unlike: Option<String>,
    },
    /// Delete each object, if it still has this uid.
    Delete(Vec<(Id, String)>),
    /// Wait until none of them is there any more. One that came back with another uid is gone.
    WaitGone(Vec<(Id, String)>),
    /// A last look before these CRDs go: nothing of their kinds may be there any more, for it would go with them.
    LastLook(Vec<Looked>),
    /// A merge patch on an object that isn't ours: labels, annotations, a custom resource's spec.
    Merge {
        /// The object.
        id: Id,
        /// The merge patch (RFC 7396).
        patch: Value,
    },
}

/// A CRD and how its resources are listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// The CRD.
    pub crd: Id,
    /// A version that is served, `networking.istio.io/v1`.
    pub api_version: String,
    /// `virtualservices`.
    pub plural: String,
}

/// Something that is not done.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Skip {
    /// What.
    pub what: String,
    /// Why.
    pub why: String,
}

/// A refusal to make a plan.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Gate {
    /// Stable code.
    pub code: Code,
    /// What was found, what was expected.
    pub what: String,
    /// What helps.
    pub hint: Option<String>,
}

/// A question that a gate asks, and what the user said to it in advance.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Answers {
    /// Take over an Istio that isn't ours (`--take-ownership`).
    pub take_ownership: bool,
    /// Switch to STRICT although workloads lose traffic (`--accept-strict`).
    pub accept_strict: bool,
    /// The plan is only shown (`diff`): a version that is rendered but not supported is no gate then.
    pub only_shows: bool,
}

/// What is to stand on the cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// What `istioctl manifest generate` printed.
    pub rendered: Vec<Object>,
    /// What Kyma adds: namespaces, the priority class, the STRICT `PeerAuthentication`, network policies.
    pub extras: Vec<Object>,
    /// The Istio version, `1.30.2` or `1.30.2-distroless`.
    pub version: String,
    /// The `Istio` custom resource, if there is one.
    pub istio_cr: Option<Object>,
}

impl Plan {
    /// True when there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Every object that the plan applies, in order: what a server-side dry run is asked about.
    pub fn objects(&self) -> impl Iterator<Item = &Object> {
        self.steps.iter().flat_map(|step| match &step.action {
            Action::Apply(objects) => objects.as_slice(),
            _ => &[],
        })
    }
}
