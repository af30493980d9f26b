//! The cases under testdata/: what they say, their tokens, who judges them, and what is compared.
//! The plugin's `filter test` and `filter simulate` run through the same engines.

#[cfg(feature = "suite")]
mod case;
#[cfg(feature = "suite")]
mod coverage;
#[cfg(feature = "suite")]
mod engine;
#[cfg(feature = "suite")]
mod fault;
#[cfg(feature = "suite")]
mod judge;
#[cfg(feature = "suite")]
mod keys;
#[cfg(feature = "suite")]
mod observed;
#[cfg(feature = "suite")]
mod private_key;
#[cfg(feature = "suite")]
pub mod refused;
mod scenario;
#[cfg(feature = "suite")]
mod suite;
#[cfg(feature = "suite")]
mod token;
#[cfg(feature = "suite")]
pub mod yaml;

#[cfg(feature = "suite")]
pub use case::{Case, CaseValue, Depth, Expect, ExpectedHeader, Outcome, PolicyChoice};
#[cfg(feature = "suite")]
pub use coverage::Coverage;
#[cfg(feature = "suite")]
pub use engine::{Engine, EngineError, Native};
#[cfg(feature = "wasm")]
pub use engine::{Module, Wasm, request};
#[cfg(feature = "suite")]
pub use fault::{HostFault, Verification};
#[cfg(feature = "suite")]
pub use judge::{disagreements, judge};
#[cfg(feature = "suite")]
pub use keys::{Keys, substitute};
#[cfg(feature = "suite")]
pub use observed::{ByName, Observed, by_name, text};
#[cfg(feature = "suite")]
pub use private_key::{PrivateKey, PrivateKeyError};
pub use scenario::{Arrived, HeaderValue, Scenario};
#[cfg(feature = "suite")]
pub use suite::{Ready, Suite, SuiteError, files};
#[cfg(feature = "suite")]
pub use token::{Mangle, Mint, Token, TokenError};
