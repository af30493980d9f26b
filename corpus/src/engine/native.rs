//! The engine itself, with software verification.

use std::time::Duration;

use crate::scenario::Scenario;
use policy::{Needs, Outcome as Verdict, Policy, Request, VerifiedTokens, Verify};
use signature::Software;

use super::{Engine, EngineError};
use crate::case::Outcome;
use crate::fault::Verification;
use crate::observed::Observed;
use crate::suite::Ready;

/// The engine with a policy loaded.
pub struct Native {
    policy: Policy,
    tokens: VerifiedTokens,
    verify: &'static dyn Verify,
}

impl Native {
    /// Loads a policy.
    pub fn load(policy: &[u8]) -> Result<Self, EngineError> {
        Self::with(policy, None)
    }

    /// Loads a case's policy, with what goes wrong around it.
    pub fn ready(ready: &Ready) -> Result<Self, EngineError> {
        Self::with(&ready.policy, ready.verify)
    }

    fn with(policy: &[u8], verification: Option<Verification>) -> Result<Self, EngineError> {
        let policy = Policy::from_json(policy, &Software).map_err(|problems| {
            EngineError::PolicyRefused {
                problems: problems.iter().map(ToString::to_string).collect(),
            }
        })?;
        Ok(Self {
            policy,
            tokens: VerifiedTokens::new(1024, 0),
            verify: Verification::verifier(verification),
        })
    }
}

/// The request as the filter hands it over: it asks the host for nothing that the policy does not need.
fn only_needed(mut request: Request<'_>, needs: Needs) -> Request<'_> {
    request.position = request.position.filter(|_| needs.position);
    request.peer.identity = request.peer.identity.filter(|_| needs.identity);
    request.peer.address = request.peer.address.filter(|_| needs.address);
    request.tls &= needs.tls;
    if !needs.time {
        request.now = Duration::ZERO;
    }
    request
}

impl Engine for Native {
    fn judge(&mut self, scenario: &Scenario) -> Result<Observed, EngineError> {
        let arrived = scenario.arrive();
        let pairs = arrived.pairs();
        let request = only_needed(arrived.request(&pairs), self.policy.needs());
        let decision = self.policy.decide(&request, &mut self.tokens, self.verify);
        let explanation = serde_json::to_value(decision.explain(&self.policy))
            .map_err(|error| EngineError::Request(error.to_string()))?;
        let mut after = arrived.headers.clone();
        decision.apply_to(&mut after);
        let (outcome, status, reason, reply) = match decision.verdict {
            Verdict::Allow => (Outcome::Allow, None, None, Vec::new()),
            Verdict::Deny(reason, reply) => (
                Outcome::Deny,
                Some(reply.status),
                Some(reason.label().to_owned()),
                reply.headers,
            ),
        };
        Ok(Observed {
            outcome,
            status,
            reason,
            explanation: Some(explanation),
            before: arrived.headers,
            after,
            reply,
        })
    }
}
