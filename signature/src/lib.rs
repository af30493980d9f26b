//! Software signature verification behind [`policy::Verify`]: RSA, ECDSA and Ed25519, verification only.
//!
//! No secret key is ever here, so nothing needs to run in constant time and nothing needs randomness. It builds for wasm32 and for the
//! browser, without a C library. Which algorithm a key is used with is pinned in the key; a token has no say in it.

use ed25519_dalek as ed25519;
use policy::{Algorithm, Key, KeyMaterial, Verdict, Verify};
use rsa::signature::hazmat::PrehashVerifier;
use rsa::traits::SignatureScheme;
use rsa::{BoxedUint, Pkcs1v15Sign, Pss, RsaPublicKey};
use sha2::{Digest, Sha256, Sha384, Sha512};

/// Verifies in this process, with pure-Rust code.
///
/// - A key that is not [usable](Verify::usable) verifies nothing: [`Verdict::Unavailable`].
/// - Signatures have one length per key and one encoding. Any other length is [`Verdict::Invalid`]: ECDSA in DER, an RSA signature
///   without its leading zero bytes, anything appended.
/// - ECDSA signatures with a high `s` are taken. RFC 7518 section 3.4 does not forbid them, signers in the field make them, and a second
///   signature that somebody derives from a first one is over the same message: nothing here tells tokens apart by their signatures.
#[derive(Clone, Copy, Debug)]
pub struct Software;

impl Verify for Software {
    fn verify(&self, key: &Key, message: &[u8], signature: &[u8]) -> Verdict {
        match PublicKey::of(key) {
            None => Verdict::Unavailable,
            Some(key) if key.has_signed(message, signature) => Verdict::Valid,
            Some(_) => Verdict::Invalid,
        }
    }

    fn usable(&self, key: &Key) -> bool {
        match &key.material {
            // Nothing is computed for later multiplications, which takes 40 µs in a VM: a key set may hold thousands.
            KeyMaterial::Rsa { modulus, exponent } => {
                RsaScheme::of(key.algorithm).is_some() && is_rsa_key(modulus, exponent)
            }
            KeyMaterial::P256 { .. } | KeyMaterial::P384 { .. } | KeyMaterial::Ed25519(_) => {
                PublicKey::of(key).is_some()
            }
        }
    }
}

/// A key whose numbers were checked, with the algorithm it is pinned to.
enum PublicKey {
    Rsa(RsaPublicKey, RsaScheme),
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
    Ed25519(ed25519::VerifyingKey),
}

enum RsaScheme {
    Pkcs1Sha256,
    Pkcs1Sha384,
    Pkcs1Sha512,
    PssSha256,
}

impl RsaScheme {
    fn of(algorithm: Algorithm) -> Option<Self> {
        match algorithm {
            Algorithm::Rs256 => Some(Self::Pkcs1Sha256),
            Algorithm::Rs384 => Some(Self::Pkcs1Sha384),
            Algorithm::Rs512 => Some(Self::Pkcs1Sha512),
            Algorithm::Ps256 => Some(Self::PssSha256),
            Algorithm::Es256 | Algorithm::Es384 | Algorithm::EdDsa => None,
        }
    }
}

impl PublicKey {
    /// Nothing if the numbers are no key, or are a key for another algorithm.
    fn of(key: &Key) -> Option<Self> {
        match (&key.material, key.algorithm) {
            (KeyMaterial::Rsa { modulus, exponent }, algorithm) => {
                let scheme = RsaScheme::of(algorithm)?;
                Some(Self::Rsa(rsa_key(modulus, exponent)?, scheme))
            }
            (KeyMaterial::P256 { x, y }, Algorithm::Es256) => {
                let point = p256::Sec1Point::from_affine_coordinates(x.into(), y.into(), false);
                p256::ecdsa::VerifyingKey::from_sec1_point(&point)
                    .ok()
                    .map(Self::P256)
            }
            (KeyMaterial::P384 { x, y }, Algorithm::Es384) => {
                let point = p384::Sec1Point::from_affine_coordinates(x.into(), y.into(), false);
                p384::ecdsa::VerifyingKey::from_sec1_point(&point)
                    .ok()
                    .map(Self::P384)
            }
            (KeyMaterial::Ed25519(bytes), Algorithm::EdDsa) => {
                ed25519_key(bytes).map(Self::Ed25519)
            }
            (KeyMaterial::P256 { .. } | KeyMaterial::P384 { .. } | KeyMaterial::Ed25519(_), _) => {
                None
            }
        }
    }

    fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            // Both check that the signature is exactly as long as the modulus (RFC 8017 sections 8.1.2 and 8.2.2, step 1).
            Self::Rsa(key, scheme) => match scheme {
                RsaScheme::Pkcs1Sha256 => pkcs1(
                    Pkcs1v15Sign::new::<Sha256>(),
                    key,
                    &Sha256::digest(message),
                    signature,
                ),
                RsaScheme::Pkcs1Sha384 => pkcs1(
                    Pkcs1v15Sign::new::<Sha384>(),
                    key,
                    &Sha384::digest(message),
                    signature,
                ),
                RsaScheme::Pkcs1Sha512 => pkcs1(
                    Pkcs1v15Sign::new::<Sha512>(),
                    key,
                    &Sha512::digest(message),
                    signature,
                ),
                RsaScheme::PssSha256 => {
                    // The salt is as long as the digest (RFC 7518 section 3.5), not whatever length the signature turns out to have.
                    let scheme = Pss::<Sha256>::new_with_salt(PSS_SALT);
                    scheme
                        .verify(key, &Sha256::digest(message), signature)
                        .is_ok()
                }
            },
            // `from_slice` takes r and s at full width only, each between 1 and the order of the curve (RFC 7518 section 3.4).
            Self::P256(key) => {
                p256::ecdsa::Signature::from_slice(signature).is_ok_and(|signature| {
                    key.verify_prehash(&Sha256::digest(message), &signature)
                        .is_ok()
                })
            }
            Self::P384(key) => {
                p384::ecdsa::Signature::from_slice(signature).is_ok_and(|signature| {
                    key.verify_prehash(&Sha384::digest(message), &signature)
                        .is_ok()
                })
            }
            // Strict: RFC 8032 leaves open whether a point R of small order is taken, and libraries differ. Such a signature may hold
            // for many messages; no honest signer makes one.
            Self::Ed25519(key) => ed25519::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
        }
    }
}

fn pkcs1(scheme: Pkcs1v15Sign, key: &RsaPublicKey, digest: &[u8], signature: &[u8]) -> bool {
    scheme.verify(key, digest, signature).is_ok()
}

fn rsa_key(modulus: &[u8], exponent: &[u8]) -> Option<RsaPublicKey> {
    if !is_rsa_key(modulus, exponent) {
        return None;
    }
    let modulus = BoxedUint::from_be_slice_vartime(modulus);
    let exponent = BoxedUint::from_be_slice_vartime(exponent);
    RsaPublicKey::new_with_size_limits(modulus, exponent, RSA_BITS).ok()
}

/// RFC 7518 sections 3.3 and 3.5 ask for 2048 bits or more; above 8192 one verification takes too long to be had for a request. Both
/// numbers are odd, and the exponent is between 3 and 2^33 - 1, as the `rsa` crate asks.
fn is_rsa_key(modulus: &[u8], exponent: &[u8]) -> bool {
    let longest = RSA_BITS.end().div_ceil(8);
    let bits = |number: &[u8]| {
        let zeros = number.iter().take_while(|byte| **byte == 0).count();
        let first = number.get(zeros).map_or(0, |byte| byte.leading_zeros());
        (number.len() - zeros) * 8 - first as usize
    };
    let is_odd = |number: &[u8]| number.last().is_some_and(|byte| byte % 2 == 1);
    modulus.len() <= longest
        && exponent.len() <= longest
        && RSA_BITS.contains(&bits(modulus))
        && (2..=33).contains(&bits(exponent))
        && is_odd(modulus)
        && is_odd(exponent)
}

/// A point in its one canonical encoding (RFC 8032 section 5.1.3) and not of small order: with such a key, a signature would hold for
/// messages that nobody signed.
fn ed25519_key(bytes: &[u8; 32]) -> Option<ed25519::VerifyingKey> {
    let key = ed25519::VerifyingKey::from_bytes(bytes).ok()?;
    let canonical = key.to_edwards().compress().to_bytes() == *bytes;
    (canonical && !key.is_weak()).then_some(key)
}

const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// Bytes; the length of a SHA-256 digest.
const PSS_SALT: usize = 32;
