//! The filter and its VM: one, as one worker of a proxy has it. Requests are judged one after another.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use corpus::Scenario;
use corpus::text;
use policy::Position;
use serde_json::Value;
use wasm_host::{Effects, Level, LocalReply, Module, Pairs, Settings, Simulator};

use super::policy_file::Candidate;
use crate::error::Error;
use crate::redact;

/// The filter with a policy loaded.
pub struct Judge {
    module: Module,
    /// What serves, for a VM that must be started again.
    policy: Vec<u8>,
    position: Position,
    simulator: Simulator,
}

/// What the filter made of a request.
pub struct Judgement {
    pub verdict: Verdict,
    /// The refusal's, or the one that a shadow would have had.
    pub reason: Option<String>,
    pub client: Option<String>,
}

pub enum Verdict {
    /// It goes on with these headers.
    Allow(Pairs),
    Deny(Box<LocalReply>),
    /// There is no answer, and why.
    Failed(String),
}

impl Judge {
    /// Compiles the filter and loads a policy.
    pub fn start(module: &[u8], candidate: Candidate) -> Result<Self, Error> {
        let module = crate::module::compiled(module)?;
        let simulator = start(&module, &candidate.json).map_err(|why| unusable(&why))?;
        Ok(Self {
            module,
            policy: candidate.json,
            position: candidate.position,
            simulator,
        })
    }

    /// Gives another policy to the running VM, as an update does in Envoy. A refusal changes nothing.
    pub fn replace(&mut self, candidate: Candidate) -> Result<(), Error> {
        let configured = self.simulator.configure(&candidate.json);
        if configured.accepted {
            self.policy = candidate.json;
            self.position = candidate.position;
            return Ok(());
        }
        let why = refusal(&configured.effects);
        if configured.effects.trap.is_some() {
            self.revive().map_err(|why| unusable(&why))?;
        }
        Err(unusable(&why))
    }

    /// Judges a request as it comes in now; the position is the policy's.
    pub fn judge(&mut self, mut scenario: Scenario) -> Judgement {
        scenario.position = Some(self.position);
        let mut request = corpus::request(&scenario);
        request.now = Some(now());
        let outcome = self.simulator.request(request);

        let explanation = explanation(&outcome.effects);
        let said = |field: &str| {
            explanation
                .as_ref()
                .and_then(|explanation| explanation.get(field)?.as_str().map(str::to_owned))
        };
        let mut reason = said("shadow");
        let client = said("client");
        let goes_on = outcome.reaches_upstream();
        let verdict = match (outcome.effects.trap, outcome.local_reply) {
            (Some(trap), _) => {
                let revived = self.revive().err();
                let revived = revived.map_or("the VM was started again".to_owned(), |why| {
                    format!("the VM can't be started again: {why}")
                });
                Verdict::Failed(format!(
                    "the filter trapped ({:?} in `{}`), {revived}",
                    trap.kind, trap.during
                ))
            }
            (None, Some(reply)) => {
                reason = Some(label(&text(&reply.details)));
                Verdict::Deny(Box::new(reply))
            }
            (None, None) if goes_on => Verdict::Allow(outcome.headers_after),
            (None, None) => {
                // A stream that waits would stay in the VM for ever. It may be gone already; then nothing is left to end.
                let _ = self.simulator.finish(outcome.stream);
                Verdict::Failed("the filter left the request waiting".to_owned())
            }
        };
        Judgement {
            verdict,
            reason,
            client,
        }
    }

    /// A new VM with the policy that serves.
    fn revive(&mut self) -> Result<(), String> {
        self.simulator = start(&self.module, &self.policy)?;
        Ok(())
    }
}

fn start(module: &Module, policy: &[u8]) -> Result<Simulator, String> {
    let mut settings = Settings::new("header-policy");
    // The decision is logged at this level, and below it not even computed.
    settings.log_level = Level::Trace;
    settings.clock = now();
    let mut simulator = Simulator::new(module, settings).map_err(|error| error.to_string())?;
    let configured = simulator.configure(policy);
    if configured.accepted {
        Ok(simulator)
    } else {
        Err(refusal(&configured.effects))
    }
}

/// Why a configuration was not taken, one line.
fn refusal(effects: &Effects) -> String {
    if let Some(trap) = &effects.trap {
        return format!("it trapped ({:?} in `{}`)", trap.kind, trap.during);
    }
    let problems = effects
        .logs
        .iter()
        .filter(|(level, _)| *level >= Level::Warn);
    let problems: Vec<&str> = problems.map(|(_, line)| line.as_str()).collect();
    format!("it refuses the policy: {}", problems.join("; "))
}

fn unusable(why: &str) -> Error {
    Error::input(redact::anything(&format!("the filter can't be run: {why}")))
}

/// What the filter says of its decision.
fn explanation(effects: &Effects) -> Option<Value> {
    let mut lines = effects.logs.iter();
    let json = lines.find_map(|(_, line)| line.strip_prefix("decision "))?;
    serde_json::from_str(json).ok()
}

/// The reason in a reply's details; details in another form are shown whole.
fn label(details: &str) -> String {
    let inner = details
        .strip_prefix("kyma_istio_header_policy{")
        .and_then(|rest| rest.strip_suffix('}'));
    inner.unwrap_or(details).to_owned()
}

fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}
