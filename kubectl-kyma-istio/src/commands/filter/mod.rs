//! The verbs that bring the filter into the mesh: push, inspect, deploy, and everything after.

pub mod canary;
pub mod deploy;
pub mod inspect;
pub mod logs;
pub(super) mod looking;
mod pull;
pub mod push;
pub mod remove;
mod replacement;
pub mod rollback;
mod rollout;
pub mod save;
pub mod status;

use delivery::{Credentials, Environment, Reference};

use crate::error::Error;

/// What the user's files and helpers have for a registry.
fn credentials(reference: &Reference) -> Result<Credentials, Error> {
    let environment = Environment::of_process();
    let found = delivery::find(&environment, reference.registry(), reference.repository())?;
    Ok(found.credentials)
}
