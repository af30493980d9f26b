//! A public key with the one algorithm that it may be used with (RFC 8725 section 3.1).

use super::verify::Algorithm;

/// A verification key from a JWKS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// `kid`, when the JWK has one.
    pub id: Option<String>,
    /// The only algorithm this key verifies.
    pub algorithm: Algorithm,
    /// The numbers.
    pub material: KeyMaterial,
}

/// The numbers of a public key, big-endian, without leading zero bytes for RSA and with full width for the curves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyMaterial {
    /// RFC 7518 section 6.3.1.
    Rsa {
        /// `n`, 2048 to 8192 bits.
        modulus: Vec<u8>,
        /// `e`, odd and at least 3.
        exponent: Vec<u8>,
    },
    /// RFC 7518 section 6.2.1 with `crv` P-256.
    P256 {
        /// The x coordinate.
        x: [u8; 32],
        /// The y coordinate.
        y: [u8; 32],
    },
    /// RFC 7518 section 6.2.1 with `crv` P-384.
    P384 {
        /// The x coordinate.
        x: [u8; 48],
        /// The y coordinate.
        y: [u8; 48],
    },
    /// RFC 8037 section 2 with `crv` Ed25519.
    Ed25519([u8; 32]),
}
