//! What the filter counts, and the gauge that proves which policy runs.
//!
//! Names are API: `kyma_istio.header_policy.<plugin>.…`, under Envoy's prefix `wasmcustom.`. Each metric is defined when it is first needed, so a proxy holds only those that it met.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use policy::{Fingerprint, Reason};

use crate::abi::{self, Kind};

/// Counters and the gauge of one plugin.
#[derive(Debug)]
pub(crate) struct Metrics {
    prefix: String,
    /// Ids by the rest of the name.
    ids: RefCell<BTreeMap<&'static str, u32>>,
    denied: RefCell<BTreeMap<Reason, u32>>,
    shadowed: RefCell<BTreeMap<Reason, u32>>,
    /// Requests counted since the last flush: the good case costs no call into the host.
    allowed: Cell<i64>,
    passed: Cell<i64>,
}

impl Metrics {
    pub fn new(plugin: &[u8]) -> Self {
        // Dots would cut the name at another place.
        let plugin: String = plugin
            .iter()
            .map(|b| {
                if b.is_ascii_alphanumeric() || b"-_~".contains(b) {
                    char::from(*b)
                } else {
                    '_'
                }
            })
            .collect();
        Self {
            prefix: format!(
                "kyma_istio.header_policy.{}",
                if plugin.is_empty() {
                    "default"
                } else {
                    &plugin
                }
            ),
            ids: RefCell::default(),
            denied: RefCell::default(),
            shadowed: RefCell::default(),
            allowed: Cell::new(0),
            passed: Cell::new(0),
        }
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
        self.count(&self.denied, "denied", reason);
    }

    /// A refusal that was only noted.
    pub fn shadow(&self, reason: Reason) {
        self.count(&self.shadowed, "shadow", reason);
    }

    fn count(&self, ids: &RefCell<BTreeMap<Reason, u32>>, what: &str, reason: Reason) {
        let known = ids.borrow().get(&reason).copied();
        let id = known.or_else(|| {
            let id = abi::define_metric(Kind::Counter, &format!("{}.{what}.{reason}", self.prefix))
                .ok()?;
            ids.borrow_mut().insert(reason, id);
            Some(id)
        });
        // A metric that can't be counted changes no decision.
        let _ = id.map(|id| abi::increment(id, 1));
    }

    /// Hands what was counted to the host.
    pub fn flush(&self) {
        for (name, count) in [
            ("allowed", &self.allowed),
            ("passed_outbound", &self.passed),
        ] {
            let by = count.take();
            if by != 0
                && let Some(id) = self.id(Kind::Counter, name)
            {
                let _ = abi::increment(id, by);
            }
        }
    }

    /// Says which policy runs. Repeated on every tick: an old policy of another worker may have written later.
    pub fn assert_running(&self, fingerprint: &Fingerprint) {
        if let Some(id) = self.id(Kind::Gauge, "policy_fingerprint") {
            let _ = abi::record(id, fingerprint.gauge());
        }
    }

    /// Takes the word back, unless another policy has spoken since.
    pub fn retract(&self, fingerprint: &Fingerprint) {
        if let Some(id) = self.id(Kind::Gauge, "policy_fingerprint")
            && abi::value(id) == Ok(fingerprint.gauge())
        {
            let _ = abi::record(id, 0);
        }
    }

    fn id(&self, kind: Kind, name: &'static str) -> Option<u32> {
        let known = self.ids.borrow().get(name).copied();
        known.or_else(|| {
            let id = abi::define_metric(kind, &format!("{}.{name}", self.prefix)).ok()?;
            self.ids.borrow_mut().insert(name, id);
            Some(id)
        })
    }
}
