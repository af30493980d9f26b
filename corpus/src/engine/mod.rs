//! Who judges: the engine itself, or the real module under wasmtime. Both answer in the same words.

mod native;
#[cfg(feature = "wasm")]
mod wasm;

pub use native::Native;
#[cfg(feature = "wasm")]
pub use wasm::{Module, Wasm, request};

use crate::scenario::Scenario;

use crate::observed::Observed;

/// Something that a policy was loaded into, and that judges requests.
pub trait Engine {
    /// Judges one request.
    fn judge(&mut self, scenario: &Scenario) -> Result<Observed, EngineError>;
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The policy does not compile; each problem is a line.
    #[error("the policy is refused: {}", problems.join("; "))]
    PolicyRefused {
        /// Every problem.
        problems: Vec<String>,
    },
    /// The module can't be run at all.
    #[error("the filter can't be run: {0}")]
    Module(String),
    /// The module trapped: Envoy would answer 500 and close it.
    #[error("the filter trapped: {0}")]
    Trap(String),
    /// The request neither went on nor was answered.
    #[error("the filter left the request waiting")]
    Waiting,
    /// The request says something that can't be.
    #[error("{0}")]
    Request(String),
}
