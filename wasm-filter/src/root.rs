//! The plugin's configuration and what lives as long as it does.
//!
//! Envoy makes a new root context for each configuration, in a VM that lives on. So everything hangs on the root context and nothing on the VM, but for the list of
//! who is newest (`held`). A policy that does not compile is refused: a running proxy keeps its last good one, a starting one answers 500 (measured, Envoy 1.40).

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use policy::{Needs, Policy, VerifiedTokens};
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;

use crate::abi;
use crate::http::Http;
use crate::metrics::Metrics;
use crate::verify::Signatures;

/// How often counters are handed over and the gauge is asserted.
const TICK: Duration = Duration::from_secs(5);
/// Verified tokens kept for each policy and worker; all together take at most 1.5 MiB.
const TOKENS: usize = 512;

/// The root context: at first without a policy, later with the one that it was configured with.
#[derive(Default)]
pub(crate) struct Root {
    running: Option<Rc<Running>>,
}

/// A policy at work.
pub(crate) struct Running {
    pub policy: Policy,
    pub needs: Needs,
    pub signatures: Signatures,
    pub known: RefCell<VerifiedTokens>,
    /// Whether `known` has room.
    caches: Cell<bool>,
    pub metrics: Metrics,
    /// Istio's node id, read with the first request that needs it: a process has one.
    pub node: OnceCell<Vec<u8>>,
    /// Whether a failing host was reported since the last tick.
    pub warned: Cell<bool>,
    /// Whether the proxy logs at trace level; looked up on tick.
    pub tracing: Cell<bool>,
}

impl Context for Root {}

/// The host deletes a root context when its last stream is gone. `on_done` would tell the same, and would cost a call into the VM for every request.
impl Drop for Root {
    fn drop(&mut self) {
        if let Some(running) = &self.running {
            running.end();
        }
    }
}

impl RootContext for Root {
    /// INVARIANT: the result depends on the configuration's bytes alone. A worker that failed where the main thread succeeded would poison the module until the process restarts (envoy#43751).
    fn on_configure(&mut self, _size: usize) -> bool {
        let Ok(configuration) = abi::plugin_configuration() else {
            abi::log(
                level::ERROR,
                "header policy: the host did not hand over the configuration",
            );
            return false;
        };
        match Policy::from_json(&configuration, &signature::Software) {
            Ok(policy) => {
                self.run(policy);
                true
            }
            Err(problems) => {
                for problem in problems {
                    abi::log(level::ERROR, &format!("header policy refused: {problem}"));
                    if let Some(hint) = &problem.hint {
                        abi::log(level::ERROR, &format!("hint: {hint}"));
                    }
                }
                false
            }
        }
    }

    fn on_tick(&mut self) {
        if let Some(running) = &self.running {
            running.metrics.flush();
            running.metrics.assert_running();
            running.size_cache();
            running.warned.set(false);
            running.tracing.set(abi::log_level() == level::TRACE);
        }
    }

    fn create_http_context(&self, _context: u32) -> Option<Box<dyn HttpContext>> {
        if let Some(running) = self
            .running
            .as_ref()
            .filter(|running| !running.caches.get())
        {
            running.serve_again();
        }
        Some(Box::new(Http::new(self.running.clone())))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

impl Root {
    fn run(&mut self, policy: Policy) {
        let plugin = abi::property("plugin_name")
            .ok()
            .flatten()
            .unwrap_or_default();
        // Without ticks counters would stay in the module; the gauge is asserted here at least once.
        if let Err(status) = abi::set_tick_period(TICK) {
            abi::warn("the host gives no ticks, most counters stand still", status);
        }
        let running = Running {
            needs: policy.needs(),
            signatures: Signatures::probe(),
            known: RefCell::new(VerifiedTokens::new(0, 0)),
            caches: Cell::new(false),
            metrics: Metrics::new(&plugin, &policy.fingerprint()),
            node: OnceCell::new(),
            warned: Cell::new(false),
            tracing: Cell::new(abi::log_level() == level::TRACE),
            policy,
        };
        running.size_cache();
        let fingerprint = running.policy.fingerprint();
        running.metrics.assert_running();
        abi::log(
            level::INFO,
            &format!(
                "header policy {fingerprint} runs; signatures: {}",
                running.signatures.describe()
            ),
        );
        if let Some(replaced) = self.running.replace(Rc::new(running)) {
            replaced.end();
        }
    }
}

impl Running {
    /// A superseded policy serves the streams that it has; it remembers no tokens for them.
    #[cold]
    fn size_cache(&self) {
        let caches = !self.metrics.is_superseded();
        if caches != self.caches.get()
            && let Ok(mut known) = self.known.try_borrow_mut()
        {
            // A place in the cache that nobody outside can foresee; a host without a clock gives up only that.
            let seed = abi::now().map_or(0, |now| now.subsec_nanos().into());
            *known = VerifiedTokens::new(if caches { TOKENS } else { 0 }, seed);
            self.caches.set(caches);
        }
    }

    /// A superseded policy that gets a new request is the one that Envoy uses, after a roll-back for example.
    #[cold]
    fn serve_again(&self) {
        self.metrics.renew();
        self.size_cache();
        self.metrics.assert_running();
    }

    /// Hands over what was counted, and removes the policy from the gauge.
    #[cold]
    fn end(&self) {
        self.metrics.flush();
        self.metrics.retract();
    }
}

/// Log levels of the ABI.
pub(crate) mod level {
    pub const TRACE: u32 = 0;
    pub const INFO: u32 = 2;
    pub const ERROR: u32 = 4;
}
