//! What the filter counts, and the gauge that proves which policy runs.
//!
//! Names are API: `kyma_istio.header_policy.<plugin>.…`, under Envoy's prefix `wasmcustom.`. Each metric is defined when it is first needed, so a proxy holds only those that it met.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use policy::{Fingerprint, Reason};

use crate::abi::{self, Kind};
use crate::held::Held;

/// Counters and the gauge of one plugin.
#[derive(Debug)]
pub(crate) struct Metrics {
    held: Rc<Held>,
    ids: RefCell<BTreeMap<Metric, u32>>,
    /// Requests counted since the last flush: the good case costs no call into the host.
    allowed: Cell<i64>,
    passed: Cell<i64>,
    /// Whether a metric that can't be defined was logged.
    undefined: Cell<bool>,
}

impl Metrics {
    /// Those of a plugin that this policy becomes the newest of.
    pub fn new(plugin: &[u8], policy: &Fingerprint) -> Self {
        Self {
            held: Held::add(policy::metrics_prefix(plugin), policy.gauge()),
            ids: RefCell::default(),
            allowed: Cell::new(0),
            passed: Cell::new(0),
            undefined: Cell::new(false),
        }
    }

    /// Whether the plugin has a newer policy in this VM.
    pub fn is_superseded(&self) -> bool {
        self.held.is_superseded()
    }

    /// A request that went on.
    pub fn allow(&self) {
        self.allowed.set(self.allowed.get().saturating_add(1));
    }

    /// An outbound request of a sidecar that was left alone.
    pub fn pass(&self) {
        self.passed.set(self.passed.get().saturating_add(1));
    }

    /// A refusal.
    pub fn deny(&self, reason: Reason) {
        self.add(Metric::Denied(reason), 1);
    }

    /// A refusal that was only noted.
    pub fn shadow(&self, reason: Reason) {
        self.add(Metric::Shadow(reason), 1);
    }

    fn add(&self, metric: Metric, by: i64) {
        // A metric that can't be counted changes no decision.
        let _ = self.id(metric).map(|id| abi::increment(id, by));
    }

    /// Hands what was counted to the host.
    pub fn flush(&self) {
        for (metric, count) in [
            (Metric::Allowed, &self.allowed),
            (Metric::PassedOutbound, &self.passed),
        ] {
            match count.take() {
                0 => {}
                by => self.add(metric, by),
            }
        }
    }

    /// Makes this the plugin's newest policy again.
    pub fn renew(&self) {
        self.held.renew();
    }

    /// Writes which policy runs, unless there is a newer one. Repeated on every tick: an old policy of another worker may have written later.
    #[cold]
    pub fn assert_running(&self) {
        if !self.is_superseded()
            && let Some(id) = self.id(Metric::PolicyFingerprint)
        {
            let _ = abi::record(id, self.held.gauge);
        }
    }

    /// Removes the policy: the gauge falls back to the newest that is left, to 0 with the last one. It stays where another policy wrote it since.
    #[cold]
    pub fn retract(&self) {
        if let Some(left) = self.held.remove()
            && let Some(id) = self.id(Metric::PolicyFingerprint)
            && abi::value(id) == Ok(self.held.gauge)
        {
            let _ = abi::record(id, left);
        }
    }

    /// The metric's id, which the host gives when it is first needed.
    fn id(&self, metric: Metric) -> Option<u32> {
        let known = self.ids.borrow().get(&metric).copied();
        known.or_else(|| self.define(metric))
    }

    #[cold]
    fn define(&self, metric: Metric) -> Option<u32> {
        let kind = match metric {
            Metric::PolicyFingerprint => Kind::Gauge,
            Metric::Allowed | Metric::PassedOutbound | Metric::Denied(_) | Metric::Shadow(_) => {
                Kind::Counter
            }
        };
        match abi::define_metric(kind, &format!("{}.{metric}", self.held.prefix)) {
            Ok(id) => {
                self.ids.borrow_mut().insert(metric, id);
                Some(id)
            }
            Err(status) => {
                if !self.undefined.replace(true) {
                    abi::warn("the host defines no metrics", status);
                }
                None
            }
        }
    }
}

/// What a policy counts or records, by what follows the prefix in the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Metric {
    PolicyFingerprint,
    Allowed,
    PassedOutbound,
    Denied(Reason),
    Shadow(Reason),
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PolicyFingerprint => f.write_str("policy_fingerprint"),
            Self::Allowed => f.write_str("allowed"),
            Self::PassedOutbound => f.write_str("passed_outbound"),
            Self::Denied(reason) => write!(f, "denied.{reason}"),
            Self::Shadow(reason) => write!(f, "shadow.{reason}"),
        }
    }
}
