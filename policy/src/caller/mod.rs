//! Who is calling: tokens, keys, claims.

mod cache;
mod emit;
mod json;
mod key;
mod keys;
mod locate;
mod token;
mod token_rules;
mod verify;

pub use cache::VerifiedTokens;
pub(crate) use cache::{Passes, Verified};
pub(crate) use emit::edits;
pub(crate) use json::Json;
pub use key::{Key, KeyMaterial};
pub(crate) use keys::{KeySet, SECRET, read_jwks};
pub(crate) use locate::{Located, remove};
pub(crate) use token::{Claims, Segments, Unverified};
pub(crate) use token_rules::TokenRules;
pub use verify::{Algorithm, Verdict, Verify};
