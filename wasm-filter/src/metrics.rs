//! What the filter counts, and the gauge that proves which policy runs.
//!
//! Names are API: `kyma_istio.header_policy.<plugin>.…`, under Envoy's prefix `wasmcustom.`. Each metric is defined when it is first needed, so a proxy holds only those that it met.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::rc::Rc;

use policy::{Fingerprint, Reason};

use crate::abi::{self, Kind};
use crate::held::Held;

/// Counters and the gauge of one plugin.
#[derive(Debug)]
pub(crate) struct Metrics {
    held: Rc<Held>,
    /// Ids by the rest of the name.
    ids: RefCell<BTreeMap<&'static str, u32>>,
    denied: RefCell<BTreeMap<Reason, u32>>,
    shadowed: RefCell<BTreeMap<Reason, u32>>,
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
            held: Held::add(prefix(plugin), policy.gauge()),
            ids: RefCell::default(),
            denied: RefCell::default(),
            shadowed: RefCell::default(),
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
        self.count(&self.denied, "denied", reason);
    }

    /// A refusal that was only noted.
    pub fn shadow(&self, reason: Reason) {
        self.count(&self.shadowed, "shadow", reason);
    }

    fn count(&self, ids: &RefCell<BTreeMap<Reason, u32>>, what: &str, reason: Reason) {
        let known = ids.borrow().get(&reason).copied();
        let id = known.or_else(|| {
            let id = self.define(
                Kind::Counter,
                &format!("{}.{what}.{reason}", self.held.prefix),
            )?;
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

    /// Makes this the plugin's newest policy again.
    pub fn renew(&self) {
        self.held.renew();
    }

    /// Writes which policy runs, unless there is a newer one. Repeated on every tick: an old policy of another worker may have written later.
    #[cold]
    pub fn assert_running(&self) {
        if !self.is_superseded()
            && let Some(id) = self.id(Kind::Gauge, GAUGE)
        {
            let _ = abi::record(id, self.held.gauge);
        }
    }

    /// Removes the policy: the gauge falls back to the newest that is left, to 0 with the last one. It stays where another policy wrote it since.
    #[cold]
    pub fn retract(&self) {
        if let Some(left) = self.held.remove()
            && let Some(id) = self.id(Kind::Gauge, GAUGE)
            && abi::value(id) == Ok(self.held.gauge)
        {
            let _ = abi::record(id, left);
        }
    }

    fn id(&self, kind: Kind, name: &'static str) -> Option<u32> {
        let known = self.ids.borrow().get(name).copied();
        known.or_else(|| {
            let id = self.define(kind, &format!("{}.{name}", self.held.prefix))?;
            self.ids.borrow_mut().insert(name, id);
            Some(id)
        })
    }

    #[cold]
    fn define(&self, kind: Kind, name: &str) -> Option<u32> {
        abi::define_metric(kind, name)
            .inspect_err(|status| {
                if !self.undefined.replace(true) {
                    abi::warn("the host defines no metrics", *status);
                }
            })
            .ok()
    }
}

const GAUGE: &str = "policy_fingerprint";

/// What the names of a plugin's metrics begin with. A byte of the plugin's name other than a letter, a digit, `-` and `_` is `~` and two hexadecimal digits (a dot would cut
/// the metric's name at another place), so no two plugins share a metric. `mesh` computes the same for `filter status`.
#[cold]
fn prefix(plugin: &[u8]) -> String {
    let mut prefix = String::from("kyma_istio.header_policy.");
    if plugin.is_empty() {
        prefix.push_str("default");
    }
    for byte in plugin {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
            prefix.push(char::from(*byte));
        } else {
            let _ = write!(prefix, "~{byte:02x}");
        }
    }
    prefix
}
