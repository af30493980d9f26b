//! The engine itself, with software verification.

use policy::{Edit, Outcome as Verdict, Policy, Scenario, VerifiedTokens};
use signature::Software;

use super::{Engine, EngineError};
use crate::case::Outcome;
use crate::observed::{HeaderList, Observed};

/// The engine with a policy loaded.
pub struct Native {
    policy: Policy,
    tokens: VerifiedTokens,
}

impl Native {
    /// Loads a policy.
    pub fn load(policy: &[u8]) -> Result<Self, EngineError> {
        let policy = Policy::from_json(policy, &Software).map_err(|problems| {
            EngineError::PolicyRefused {
                problems: problems.iter().map(ToString::to_string).collect(),
            }
        })?;
        Ok(Self {
            policy,
            tokens: VerifiedTokens::new(1024, 0),
        })
    }
}

impl Engine for Native {
    fn judge(&mut self, scenario: &Scenario) -> Result<Observed, EngineError> {
        let arrived = scenario.arrive();
        let pairs = arrived.pairs();
        let decision = self
            .policy
            .decide(&arrived.request(&pairs), &mut self.tokens, &Software);
        let explanation = serde_json::to_value(decision.explain(&self.policy))
            .map_err(|error| EngineError::Request(error.to_string()))?;
        let after = apply(&arrived.headers, &decision.edits);
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

/// What the filter does with the edits, on a list.
fn apply(headers: &HeaderList, edits: &[Edit]) -> HeaderList {
    let mut after = headers.clone();
    for edit in edits {
        after.retain(|(name, _)| name != edit.name().as_bytes());
        if let Edit::Set(name, value) = edit {
            after.push((name.as_bytes().to_vec(), value.to_vec()));
        }
    }
    after
}
