//! Who is calling: tokens, keys, claims.

mod cache;
mod emit;
mod json;
mod jwks;
mod key;
mod locate;
mod token;
mod verify;

pub(crate) use cache::Verified;
pub use cache::VerifiedTokens;
pub(crate) use emit::edits;
pub(crate) use json::Json;
pub(crate) use jwks::{KeySet, read_jwks};
pub use key::{Key, KeyMaterial};
pub(crate) use locate::{Located, remove};
pub(crate) use token::{Claims, Unverified};
pub use verify::{Algorithm, Verdict, Verify};
