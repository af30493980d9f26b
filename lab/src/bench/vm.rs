//! One VM of wasmtime with one policy, and what it costs to ask it.

use std::time::{Duration, Instant};

use wasm_host::{Limits, Module, Request, Settings, Simulator};

use super::{
    Median,
    costs::{Configuration, RequestCosts},
    policies::{CLIENT, HOST},
};
use crate::{Error, Result};

pub(super) struct Vm {
    simulator: Simulator,
    pub configuration: Configuration,
}

/// Configurations that are timed, and how long that may take.
const TIMES: usize = 5;
const PATIENCE: Duration = Duration::from_secs(2);

impl Vm {
    pub(super) fn configured(module: &Module, policy: &str) -> Result<Self> {
        let begin = Instant::now();
        let (mut simulator, mut fuel, first) = configure(module, policy)?;
        let mut times = vec![first];
        while times.len() < TIMES && begin.elapsed() < PATIENCE {
            let time;
            (simulator, fuel, time) = configure(module, policy)?;
            times.push(time);
        }
        let times = times.iter().map(|time| time.as_secs_f64() * 1e3);
        let configuration = Configuration {
            bytes: policy.len() as u64,
            fuel,
            ms: Median::of(times).median,
            memory_bytes: simulator.memory_bytes() as u64,
        };
        Ok(Self {
            simulator,
            configuration,
        })
    }

    /// A request that must be allowed.
    pub(super) fn ask(&mut self, request: &Request) -> Result<RequestCosts> {
        let outcome = self.simulator.request(request.clone());
        if outcome.reaches_upstream() {
            return Ok(RequestCosts {
                fuel: outcome.effects.fuel,
                host_calls: outcome.effects.host_call_count(),
            });
        }
        let details = outcome.local_reply.map(|reply| reply.details);
        Err(Error::Unusable(format!(
            "the filter refused a request under wasmtime: {} {:?}",
            String::from_utf8_lossy(&details.unwrap_or_default()),
            outcome.effects.trap
        )))
    }

    /// The same request once everything about it is known.
    pub(super) fn warm(&mut self, request: &Request) -> Result<RequestCosts> {
        self.ask(request)?;
        self.ask(request)?;
        self.ask(request)
    }

    pub(super) fn memory_bytes(&mut self) -> u64 {
        self.simulator.memory_bytes() as u64
    }
}

/// What Envoy shows to a filter of what `wrk` sends, behind a peer that it appended.
pub(super) fn request(path: &str, token: Option<&String>) -> Request {
    request_from(&format!("{CLIENT},192.0.2.1"), path, token)
}

pub(super) fn request_from(chain: &str, path: &str, token: Option<&String>) -> Request {
    let request = Request::new("GET", HOST, path)
        .header("x-forwarded-for", chain)
        .header("x-forwarded-proto", "http")
        .header("x-request-id", "4cb86052-7d0a-4f3b-9a0e-0d2c8a0d4b5e");
    match token {
        Some(token) => request.header("authorization", format!("Bearer {token}")),
        None => request,
    }
}

fn configure(module: &Module, policy: &str) -> Result<(Simulator, u64, Duration)> {
    // Large policies are measured, not refused.
    let settings = Settings {
        limits: Limits {
            fuel_per_call: 1 << 50,
            memory_bytes: 1 << 30,
            host_bytes_per_call: 1 << 30,
        },
        ..Settings::new("bench")
    };
    let mut simulator = Simulator::new(module, settings)
        .map_err(|error| Error::Unusable(format!("under wasmtime: {error}")))?;
    let begin = Instant::now();
    let configured = simulator.configure(policy.as_bytes());
    let time = begin.elapsed();
    if configured.accepted {
        return Ok((simulator, configured.effects.fuel, time));
    }
    let (logs, trap) = (configured.effects.logs, configured.effects.trap);
    Err(Error::Unusable(format!(
        "the filter refused a policy of the bench: {:?} {trap:?}",
        logs.first()
    )))
}
