//! What `patch` changes on an Istio that others installed, and the way back. Five things, as Kyma's patch job did them: memory
//! limits for sidecars, Zipkin in `kyma-system`, webhooks that point to istiod, a certificate for the ingress gateway, no
//! add-ons of the old charts. Not here: judging the result (`criteria`), rendering, certificates.

mod addons;
mod config;
mod live;
mod record;
mod sidecars;
mod undo;
mod webhooks;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::codes::Code;
use crate::diff::{Consequence, Impact};
use crate::object::{Id, Object};
use crate::observed::{Forbidden, ISTIO_SYSTEM, Observed};
use crate::plan::{self, Action, Gate, Leftover, Meshed, Plan, Skip, Step};

pub use record::{BACKUP, Change, Record, RecordError};
pub use undo::undo;
pub use webhooks::missing as missing_webhooks;

/// The Secret with the ingress gateway's certificate. Istio's charts mount it into the gateway under this name.
pub const CERTIFICATE: &str = "istio-ingressgateway-certs";

/// What `patch` looks at besides [`Observed`].
#[derive(Debug, Clone, Default)]
pub struct Patchable {
    /// What stands in the root namespace and is owned by nothing else.
    pub root: Vec<Object>,
    /// Roles of the whole cluster that carry a chart's label.
    pub wide: Vec<Object>,
    /// What could not be read.
    pub forbidden: Vec<Forbidden>,
}

/// What the user wants of it.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// The memory limit of a sidecar where none is set: `1024Mi`.
    pub memory: String,
    /// The ingress gateway's certificate and key, PEM.
    pub certificate: Option<Certificate>,
    /// PersistentVolumeClaims of the add-ons go too.
    pub delete_data: bool,
    /// Webhook configurations to take missing ones from.
    pub webhooks: Vec<Object>,
}

/// A certificate chain and its key, PEM.
#[derive(Clone)]
pub struct Certificate {
    /// The chain, the leaf first.
    pub chain: String,
    /// The leaf's private key.
    pub key: String,
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Certificate { .. }")
    }
}

/// What is to be done, and what is told about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Patched {
    /// The steps; the backup comes first.
    pub plan: Plan,
    /// What a backup in files holds: everything that is changed or removed, as it is.
    pub kept: Vec<Object>,
    /// Workloads with sidecars that have no memory limit yet: they get it when they restart.
    pub unlimited: Vec<Meshed>,
    /// What looks like an add-on and is left.
    pub leftovers: Vec<Leftover>,
}

/// Makes the plan.
///
/// # Errors
/// Every gate that holds.
pub fn patch(
    observed: &Observed,
    found: &Patchable,
    wishes: &Wishes,
) -> Result<Patched, Vec<Gate>> {
    gates(observed, found)?;
    let mut work = Work {
        plan: Plan::default(),
        record: Record::default(),
        kept: Vec::new(),
    };
    config::limits(observed, &wishes.memory, &mut work);
    config::tracing(observed, &mut work);
    webhooks::patch(observed, &wishes.webhooks, &mut work);
    certificate(found, wishes.certificate.as_ref(), &mut work);
    let leftovers = addons::remove(found, observed, wishes.delete_data, &mut work);
    let before = record::find(&found.root).map_err(|error| vec![error.gate()])?;
    if !work.plan.is_empty() {
        let secret = before.unwrap_or_default().and(work.record).secret();
        let step = step(
            "backup",
            "keep what is changed, for `--undo`",
            Action::Apply(vec![secret]),
        );
        work.plan.steps.insert(0, step);
    }
    let unlimited = sidecars::unlimited(observed);
    consequences(&unlimited, &mut work.plan);
    Ok(Patched {
        plan: work.plan,
        kept: work.kept,
        unlimited,
        leftovers,
    })
}

/// What is being put together.
struct Work {
    plan: Plan,
    record: Record,
    kept: Vec<Object>,
}

impl Work {
    /// Changes fields of an object; `before` is what they hold now.
    fn change(
        &mut self,
        name: &'static str,
        title: &str,
        live: &Object,
        before: Value,
        after: Value,
    ) {
        let mut patch = after.clone();
        // What changed since the look is not written over.
        if let Some(version) = live.string("/metadata/resourceVersion") {
            patch["metadata"] = json!({ "resourceVersion": version });
        }
        let id = live.id();
        self.plan.steps.push(step(
            name,
            title,
            Action::Merge {
                id: id.clone(),
                patch,
            },
        ));
        self.record.add(Change::Changed { id, before, after });
        self.kept.push(live.clone());
    }

    fn create(&mut self, name: &'static str, title: &str, object: Object) {
        self.record.add(Change::Created {
            id: object.id(),
            made: live::marks(&object),
        });
        let action = Action::Apply(vec![object]);
        self.plan.steps.push(step(name, title, action));
    }

    fn skip(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.plan.skips.push(Skip {
            what: what.into(),
            why: why.into(),
        });
    }
}

fn step(name: &'static str, title: &str, action: Action) -> Step {
    Step {
        name,
        title: title.to_owned(),
        action,
    }
}

fn gates(observed: &Observed, found: &Patchable) -> Result<(), Vec<Gate>> {
    let gate = |code, what: String, hint: &str| {
        vec![Gate {
            code,
            what,
            hint: Some(hint.to_owned()),
        }]
    };
    let unread = plan::readable(observed);
    if !unread.is_empty() {
        return Err(unread);
    }
    if !found.forbidden.is_empty() {
        let names: Vec<String> = found
            .forbidden
            .iter()
            .map(|one| format!("`{one}`"))
            .collect();
        let what = format!(
            "can't tell what stands in {ISTIO_SYSTEM}: {} forbidden",
            names.join(", ")
        );
        return Err(gate(
            Code::CannotTell,
            what,
            "grant these rights, or use an administrator's context",
        ));
    }
    if observed.kyma_manager.is_some() {
        let what = "Kyma's operator manages this Istio and would revert a patch".to_owned();
        return Err(gate(
            Code::ManagedMode,
            what,
            "set it in the Istio custom resource",
        ));
    }
    if observed.control_planes().is_empty() {
        let what = "found no istiod to patch".to_owned();
        return Err(gate(Code::NothingInstalled, what, "`install` brings Istio"));
    }
    Ok(())
}

fn certificate(found: &Patchable, given: Option<&Certificate>, work: &mut Work) {
    let name = format!("Secret {ISTIO_SYSTEM}/{CERTIFICATE}");
    let exists = found
        .root
        .iter()
        .any(|object| object.kind() == "Secret" && object.name() == CERTIFICATE);
    match (exists, given) {
        (true, None) => {}
        (true, Some(_)) => work.skip(
            format!("`{name}` is kept"),
            "an existing certificate is never replaced",
        ),
        (false, None) => work.skip(
            format!("`{name}` is not made"),
            "no certificate was given: `--tls-cert` and `--tls-key`, or `--domain` for a self-signed one",
        ),
        (false, Some(Certificate { chain, key })) => {
            let secret = json!({
                "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
                "metadata": { "name": CERTIFICATE, "namespace": ISTIO_SYSTEM, "labels": record::labels() },
                "data": { "tls.crt": STANDARD.encode(chain), "tls.key": STANDARD.encode(key) },
            });
            if let Ok(secret) = Object::new(secret) {
                let title = format!("make the ingress gateway's certificate, {name}");
                work.create("certificate", &title, secret);
            }
        }
    }
}

fn consequences(unlimited: &[Meshed], plan: &mut Plan) {
    let told = unlimited.iter().map(|one| Consequence {
        impact: Impact::NeedsSync,
        what: format!(
            "{} has {} without a memory limit until it is restarted",
            one.workload,
            one.proxies()
        ),
        because: Vec::new(),
    });
    plan.consequences.extend(told);
    plan.consequences.sort_by_key(|one| one.impact);
}

fn id(api_version: &str, kind: &str, name: &str) -> Id {
    Id {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        namespace: Some(ISTIO_SYSTEM.to_owned()),
        name: name.to_owned(),
    }
}
