//! The cases under testdata/: what they say, their tokens, who judges them, and what is compared.
//! The plugin's `filter test` and `filter simulate` run through the same engines.

mod case;
mod coverage;
mod engine;
mod fault;
mod judge;
mod keys;
mod observed;
mod private_key;
pub mod refused;
mod suite;
mod token;
pub mod yaml;

pub use case::{Case, CaseValue, Depth, Expect, ExpectedHeader, Outcome, PolicyChoice};
pub use coverage::Coverage;
pub use engine::{Engine, EngineError, Native};
#[cfg(feature = "wasm")]
pub use engine::{Module, Wasm, request};
pub use fault::{HostFault, Verification};
pub use judge::{disagreements, judge};
pub use keys::{Keys, substitute};
pub use observed::{ByName, HeaderList, Observed, by_name, text};
pub use private_key::{PrivateKey, PrivateKeyError};
pub use suite::{Ready, Suite, SuiteError, files};
pub use token::{Mangle, Mint, Token, TokenError};
