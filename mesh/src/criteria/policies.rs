//! KI-V003: does the mesh enforce its policies? Modern: CRDs served and istiod's webhook refuses an invalid policy;
//! legacy: `disablePolicyChecks: false` in the mesh config.

use serde_json::Value;

use super::{Criterion, Facts, Form, crds};
use crate::codes::Code;
use crate::observed::{ISTIO_SYSTEM, MANAGED_BY, MANAGED_BY_LABEL, Observed, ProbeResult, Probes};

const SERVED: [&str; 2] = [
    "authorizationpolicies.security.istio.io",
    "requestauthentications.security.istio.io",
];

pub(super) fn judge(observed: &Observed, form: Form, probes: &Probes) -> Criterion {
    let mut facts = Facts::default();
    match form {
        Form::Modern => modern(observed, probes, &mut facts),
        Form::Legacy => legacy(observed, &mut facts),
    }
    facts.judged(Code::PolicyEnforcement, "policy-enforcement", form, || match form {
        Form::Modern => "kubectl kyma-istio install    # applies CRDs and webhooks, and waits for istiod".to_owned(),
        Form::Legacy => format!("kubectl -n {ISTIO_SYSTEM} edit configmap istio    # set `disablePolicyChecks: false` in `mesh`"),
    })
}

impl Facts {
    /// Takes a dry run's answer as evidence.
    pub(super) fn probe(&mut self, answer: &ProbeResult) {
        match answer {
            ProbeResult::Yes { evidence } => self.holds(evidence.clone()),
            ProbeResult::No { evidence } => self.fails(evidence.clone()),
            ProbeResult::Unproved { why } => self.fails(format!("can't be proved: {why}")),
        }
    }
}

fn modern(observed: &Observed, probes: &Probes, facts: &mut Facts) {
    crds::established(observed, &SERVED, facts);
    facts.probe(&probes.invalid_policy_refused);
    let is_ours =
        |plugin: &&crate::object::Object| plugin.label(MANAGED_BY_LABEL) == Some(MANAGED_BY);
    facts.must_read(observed, "wasmplugins.extensions.istio.io");
    if observed.wasm_plugins.iter().any(|plugin| is_ours(&plugin)) {
        facts.probe(&probes.filter_enforced);
    }
}

fn legacy(observed: &Observed, facts: &mut Facts) {
    facts.must_read(observed, "configmaps");
    let Some(mesh) = observed.mesh_config() else {
        return facts.absent(format!(
            "no ConfigMap `{ISTIO_SYSTEM}/istio` with a readable key `mesh`"
        ));
    };
    match mesh.get("disablePolicyChecks") {
        Some(Value::Bool(false)) => facts.holds("mesh config: `disablePolicyChecks: false`"),
        Some(other) => facts.fails(format!("mesh config: `disablePolicyChecks: {other}`, expected false")),
        None => facts.fails("mesh config says nothing about `disablePolicyChecks`; its default depends on the version"),
    }
}
