//! The engine itself, with software verification.

use policy::{Policy, Scenario, VerifiedTokens};
use serde_json::Value;
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
        let policy = Policy::from_json(policy, &Software).map_err(|problems| EngineError::PolicyRefused {
            problems: problems.iter().map(ToString::to_string).collect(),
        })?;
        Ok(Self { policy, tokens: VerifiedTokens::with_capacity(1024) })
    }
}
