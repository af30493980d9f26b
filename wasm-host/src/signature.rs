//! The question of Envoy's `verify_signature`, and the answer by ring. Verification only.

use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};

use crate::spki::{self, Curve, KeyKind};

/// What the guest asks: is this the signature of that text?
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifySignature {
    /// The digest.
    pub hash: Hash,
    /// The key as DER, a SubjectPublicKeyInfo (RFC 5280); may be empty if there is PEM.
    pub public_key: Vec<u8>,
    /// The key as PEM.
    pub public_key_pem: Vec<u8>,
    /// RSA: PKCS#1 v1.5. EC: ASN.1 DER, not the `r || s` of JWS.
    pub signature: Vec<u8>,
    /// What was signed.
    pub text: Vec<u8>,
}

/// The digests that Envoy names. ring has no SHA-224 and answers as for a signature that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hash {
    /// `sha1`
    Sha1,
    /// `sha224`
    Sha224,
    /// `sha256`
    Sha256,
    /// `sha384`
    Sha384,
    /// `sha512`
    Sha512,
}

impl Hash {
    /// Envoy compares without regard to case.
    pub(crate) fn from_name(name: &[u8]) -> Option<Hash> {
        [
            (&b"sha1"[..], Hash::Sha1),
            (b"sha224", Hash::Sha224),
            (b"sha256", Hash::Sha256),
            (b"sha384", Hash::Sha384),
            (b"sha512", Hash::Sha512),
        ]
        .into_iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, hash)| hash)
    }
}

/// The key can't be used at all; Envoy answers `BadArgument`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the public key is no RSA, P-256 or P-384 key in SubjectPublicKeyInfo form")]
pub struct BadKey;

/// Verifies as Envoy's BoringSSL does, within what ring offers: RSA from 2048 to 8192 bits with PKCS#1 v1.5, ECDSA on
/// P-256 and P-384 with SHA-256 or SHA-384. Anything else that BoringSSL could do is answered with "does not fit".
pub fn verify_with_ring(question: &VerifySignature) -> Result<bool, BadKey> {
    let from_pem;
    let der = if question.public_key_pem.is_empty() {
        &question.public_key
    } else {
        from_pem = spki::from_pem(&question.public_key_pem).ok_or(BadKey)?;
        &from_pem
    };
    let (kind, key) = spki::read(der).ok_or(BadKey)?;
    let Some(algorithm) = algorithm(kind, question.hash) else {
        return Ok(false);
    };
    Ok(UnparsedPublicKey::new(algorithm, key)
        .verify(&question.text, &question.signature)
        .is_ok())
}

fn algorithm(kind: KeyKind, hash: Hash) -> Option<&'static dyn VerificationAlgorithm> {
    Some(match (kind, hash) {
        (KeyKind::Rsa, Hash::Sha1) => &signature::RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
        (KeyKind::Rsa, Hash::Sha256) => &signature::RSA_PKCS1_2048_8192_SHA256,
        (KeyKind::Rsa, Hash::Sha384) => &signature::RSA_PKCS1_2048_8192_SHA384,
        (KeyKind::Rsa, Hash::Sha512) => &signature::RSA_PKCS1_2048_8192_SHA512,
        (KeyKind::Ec(Curve::P256), Hash::Sha256) => &signature::ECDSA_P256_SHA256_ASN1,
        (KeyKind::Ec(Curve::P256), Hash::Sha384) => &signature::ECDSA_P256_SHA384_ASN1,
        (KeyKind::Ec(Curve::P384), Hash::Sha256) => &signature::ECDSA_P384_SHA256_ASN1,
        (KeyKind::Ec(Curve::P384), Hash::Sha384) => &signature::ECDSA_P384_SHA384_ASN1,
        _ => return None,
    })
}
