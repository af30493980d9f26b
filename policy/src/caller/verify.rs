//! What the engine asks of whoever checks signatures.
//!
//! Verification is an argument of [`crate::Policy::decide`]: the Envoy filter passes the host's `verify_signature`, everybody else the
//! `signature` crate. Nothing here computes anything.

use super::key::Key;

/// A signature algorithm of RFC 7518 section 3.1 or RFC 8037 section 3.1. There is no `none` and no HMAC, so neither can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256, MGF1 with SHA-256 and a salt of 32 bytes.
    Ps256,
    /// ECDSA on P-256 with SHA-256; the signature is r and s, 32 bytes each.
    Es256,
    /// ECDSA on P-384 with SHA-384; the signature is r and s, 48 bytes each.
    Es384,
    /// Ed25519 (RFC 8032); the signature has 64 bytes.
    EdDsa,
}

impl Algorithm {
    /// All of them, in the order in which error messages list them.
    pub const ALL: [Self; 7] = [
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Es256,
        Self::Es384,
        Self::EdDsa,
    ];

    /// The name in a JWS header and in a JWK (`alg`), case-sensitive.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The algorithm with this exact name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name() == name)
    }
}

/// What came of checking one signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The signature is by this key over this message.
    Valid,
    /// It is not.
    Invalid,
    /// It could not be checked. The engine refuses the token.
    Unavailable,
}

/// Checks signatures; implemented by `signature` and by the filter.
pub trait Verify {
    /// Whether `signature` is by `key`, with the one algorithm the key is pinned to, over `message`.
    fn verify(&self, key: &Key, message: &[u8], signature: &[u8]) -> Verdict;

    /// Whether the key's numbers make a key at all (a point on its curve, a usable modulus). Asked once, while a policy is compiled.
    fn usable(&self, key: &Key) -> bool;
}
