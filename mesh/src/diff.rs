//! Differences between what is there and what would be, and what they do to what runs.

mod consequences;
mod noise;
mod walk;

use serde_json::Value;

use crate::object::{Id, Object};
use crate::observed::Observed;

pub use consequences::consequences;
pub use noise::{NOISE, Noise};

/// One field that differs.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Change {
    /// `spec.template.spec.containers[istio-proxy].resources.limits.cpu`.
    pub path: String,
    /// None: it isn't there now.
    pub from: Option<Value>,
    /// None: it would go.
    pub to: Option<Value>,
}

/// One object, before and after.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectChange {
    /// Which.
    pub id: Id,
    /// As it is; None when it would be created.
    pub live: Option<Object>,
    /// As the server says that it would be; None when it would be deleted.
    pub would_be: Option<Object>,
}

/// What a change does to what runs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Consequence {
    /// How much it matters.
    pub impact: Impact,
    /// One line: `restarts the gateway istio-system/istio-ingressgateway (2 pods)`.
    pub what: String,
    /// The objects whose change leads to it.
    pub because: Vec<Id>,
}

/// How much a consequence matters; the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Impact {
    /// Something stops working.
    Stops,
    /// Pods are restarted.
    Restarts,
    /// Traffic may change.
    Traffic,
    /// Sidecars keep an old configuration until they are restarted.
    NeedsSync,
    /// Good to know.
    Note,
}

/// What differs, without what clusters write by themselves ([`NOISE`]). Lists are compared by the names of their elements.
/// A new object is one change at the empty path. Values of Secrets are never shown.
#[must_use]
pub fn changes(live: Option<&Object>, would_be: &Object) -> Vec<Change> {
    let after = noise::cleaned(would_be);
    match live {
        None => vec![Change {
            path: String::new(),
            from: None,
            to: Some(redacted(after, would_be.kind())),
        }],
        Some(live) => {
            let mut found = walk::differences(&noise::cleaned(live), &after, would_be.kind());
            found.retain(|change| !noise::is_noise(change, would_be.kind()));
            if would_be.kind() == "Secret" {
                found.iter_mut().for_each(hide);
            }
            found
        }
    }
}

impl ObjectChange {
    /// Compares two states of one object. None when there is neither.
    #[must_use]
    pub fn of(live: Option<Object>, would_be: Option<Object>) -> Option<Self> {
        let id = would_be.as_ref().or(live.as_ref())?.id();
        Some(Self { id, live, would_be })
    }

    /// What differs. A replica count that an autoscaler owns is no difference.
    #[must_use]
    pub fn changes(&self, observed: &Observed) -> Vec<Change> {
        match (&self.live, &self.would_be) {
            (live, Some(would_be)) => {
                let mut found = changes(live.as_ref(), would_be);
                if is_scaled(&self.id, observed) {
                    found.retain(|change| change.path != "spec.replicas");
                }
                found
            }
            (Some(live), None) => vec![Change {
                path: String::new(),
                from: Some(redacted(noise::cleaned(live), live.kind())),
                to: None,
            }],
            (None, None) => Vec::new(),
        }
    }

    /// True when something differs.
    #[must_use]
    pub fn is_change(&self, observed: &Observed) -> bool {
        !self.changes(observed).is_empty()
    }
}

/// True when an autoscaler of the cluster owns the replica count of this workload.
#[must_use]
pub fn is_scaled(id: &Id, observed: &Observed) -> bool {
    observed.autoscalers.iter().any(|scaler| {
        let target = scaler.spec.as_ref().map(|spec| &spec.scale_target_ref);
        scaler.metadata.namespace == id.namespace
            && target.is_some_and(|target| target.kind == id.kind && target.name == id.name)
    })
}

const REDACTED: &str = "<redacted>";

fn hide(change: &mut Change) {
    if ["data", "stringData"]
        .iter()
        .any(|field| change.path.starts_with(field))
    {
        for side in [&mut change.from, &mut change.to] {
            *side = side.take().map(|_| Value::from(REDACTED));
        }
    }
}

fn redacted(mut value: Value, kind: &str) -> Value {
    for field in ["data", "stringData"] {
        if let Some(fields) = value
            .get_mut(field)
            .and_then(Value::as_object_mut)
            .filter(|_| kind == "Secret")
        {
            fields
                .values_mut()
                .for_each(|value| *value = Value::from(REDACTED));
        }
    }
    value
}
