//! KI-V002: does the mesh refuse plain text? Modern: PeerAuthentication; legacy: MeshPolicy.

use serde_json::Value;

use super::{Criterion, Facts, Form};
use crate::codes::Code;
use crate::object::Object;
use crate::observed::Observed;

/// What a `PeerAuthentication` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Unset,
    Disable,
    Permissive,
    Strict,
}

const FIX: &str = "kubectl apply -f - <<EOF
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata:
  name: default
  namespace: istio-system
spec:
  mtls:
    mode: STRICT
EOF";

const LEGACY_FIX: &str = "kubectl apply -f - <<EOF
apiVersion: authentication.istio.io/v1alpha1
kind: MeshPolicy
metadata:
  name: default
spec:
  peers:
  - mtls: {}
EOF";

pub(super) fn judge(observed: &Observed, form: Form) -> Criterion {
    let mut facts = Facts::default();
    match form {
        Form::Modern => modern(observed, &mut facts),
        Form::Legacy => legacy(observed, &mut facts),
    }
    let fix = if form == Form::Modern {
        FIX
    } else {
        LEGACY_FIX
    };
    facts.judged(Code::MtlsStrict, "mtls-strict", form, || fix.to_owned())
}

/// The policy that holds for the whole mesh: without a selector, in the root namespace; the oldest, as in istiod.
pub(crate) fn mesh_wide(observed: &Observed) -> Option<(&Object, Mode)> {
    let root = observed.root_namespace();
    let is_mesh_wide =
        |policy: &&Object| policy.namespace() == Some(root.as_str()) && !has_selector(policy);
    let age = |policy: &&Object| {
        (
            policy
                .string("/metadata/creationTimestamp")
                .unwrap_or_default()
                .to_owned(),
            policy.name().to_owned(),
        )
    };
    let oldest = observed
        .peer_authentications
        .iter()
        .filter(is_mesh_wide)
        .min_by_key(age)?;
    Some((oldest, Mode::of(oldest.pointer("/spec/mtls/mode"))))
}

/// True when the policy is weaker than STRICT for its workloads or for a port of theirs.
pub(crate) fn is_weaker(policy: &Object) -> bool {
    let ports = policy
        .pointer("/spec/portLevelMtls")
        .and_then(Value::as_object);
    let mut modes = ports
        .into_iter()
        .flatten()
        .map(|(_, setting)| Mode::of(setting.get("mode")));
    Mode::of(policy.pointer("/spec/mtls/mode")).is_weaker() || modes.any(Mode::is_weaker)
}

/// Every place where a narrower policy is weaker than STRICT:
/// `PeerAuthentication shop/legacy, port 8080: PERMISSIVE (workloads app=shop)`.
pub(crate) fn weaker(observed: &Observed) -> Vec<String> {
    let mut found = Vec::new();
    let mesh = mesh_wide(observed).map(|(policy, _)| policy.id());
    let root = observed.root_namespace();
    for policy in &observed.peer_authentications {
        let id = policy.id();
        let whom = match labels(policy.pointer("/spec/selector/matchLabels")) {
            Some(labels) => format!("workloads {labels}"),
            None if policy.namespace() == Some(root.as_str()) => "the whole mesh".to_owned(),
            None => "its namespace".to_owned(),
        };
        let mode = Mode::of(policy.pointer("/spec/mtls/mode"));
        if mode.is_weaker() && mesh.as_ref() != Some(&id) {
            found.push(format!("{id}: {mode} ({whom})"));
        }
        let ports = policy
            .pointer("/spec/portLevelMtls")
            .and_then(Value::as_object);
        for (port, setting) in ports.into_iter().flatten() {
            let mode = Mode::of(setting.get("mode"));
            if mode.is_weaker() {
                found.push(format!("{id}, port {port}: {mode} ({whom})"));
            }
        }
    }
    found
}

fn modern(observed: &Observed, facts: &mut Facts) {
    facts.must_read(observed, "peerauthentications.security.istio.io");
    // The mesh config names the root namespace.
    facts.must_read(observed, "configmaps");
    match mesh_wide(observed) {
        Some((policy, Mode::Strict)) => {
            facts.holds(format!("{}: STRICT (the whole mesh)", policy.id()))
        }
        Some((policy, mode)) => facts.fails(format!(
            "{}: {mode}, expected STRICT (the whole mesh)",
            policy.id()
        )),
        None => facts.absent(format!(
            "no PeerAuthentication without a selector in the root namespace `{}`: the mesh is PERMISSIVE",
            observed.root_namespace()
        )),
    }
    for exception in weaker(observed) {
        facts.note(format!("weaker: {exception}"));
    }
}

fn legacy(observed: &Observed, facts: &mut Facts) {
    facts.must_read(observed, "meshpolicies.authentication.istio.io");
    let policy = observed
        .mesh_policies
        .iter()
        .find(|policy| policy.name() == "default");
    match policy.map(|policy| (policy, legacy_mode(policy))) {
        Some((policy, Mode::Strict)) => facts.holds(format!("{}: STRICT", policy.id())),
        Some((policy, mode)) => facts.fails(format!("{}: {mode}, expected STRICT", policy.id())),
        None => facts.absent("no MeshPolicy `default`: the mesh doesn't ask for mutual TLS"),
    }
    for policy in &observed.legacy_policies {
        match legacy_mode(policy) {
            Mode::Strict => {}
            mode => facts.note(format!("weaker: {}: {mode}", policy.id())),
        }
    }
}

/// `peers: [{mtls: {}}]` and `mtls: null` are STRICT; no peer at all is no mutual TLS.
fn legacy_mode(policy: &Object) -> Mode {
    let peers = policy.pointer("/spec/peers").and_then(Value::as_array);
    match peers
        .into_iter()
        .flatten()
        .find_map(|peer| peer.get("mtls"))
    {
        None => Mode::Disable,
        Some(mtls) => match Mode::of(mtls.get("mode")) {
            Mode::Unset => Mode::Strict,
            mode => mode,
        },
    }
}

fn has_selector(policy: &Object) -> bool {
    labels(policy.pointer("/spec/selector/matchLabels")).is_some()
}

fn labels(selector: Option<&Value>) -> Option<String> {
    let labels = selector?.as_object().filter(|labels| !labels.is_empty())?;
    let pairs = labels
        .iter()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()));
    Some(pairs.collect::<Vec<_>>().join(","))
}

impl Mode {
    fn of(value: Option<&Value>) -> Self {
        match value.and_then(Value::as_str) {
            Some("STRICT") => Self::Strict,
            Some("DISABLE") => Self::Disable,
            Some("PERMISSIVE") => Self::Permissive,
            _ => Self::Unset,
        }
    }

    fn is_weaker(self) -> bool {
        matches!(self, Self::Disable | Self::Permissive)
    }
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unset => "UNSET",
            Self::Disable => "DISABLE",
            Self::Permissive => "PERMISSIVE",
            Self::Strict => "STRICT",
        })
    }
}
