//! Private keys that sign the tests' tokens. ring signs, an implementation that shares no code with the engine's own verification
//! (`signature`, RustCrypto). Nothing that decides about a request signs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::SignatureScheme;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::sign::SigningKey;

/// A private key.
#[derive(Debug, Clone)]
pub struct PrivateKey {
    path: PathBuf,
    key: Arc<dyn SigningKey>,
}

/// Why there is no key or no signature.
#[derive(Debug, thiserror::Error)]
pub enum PrivateKeyError {
    /// There is no such file, or it is no PEM file.
    #[error("`{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls::pki_types::pem::Error,
    },
    /// ring can't use it.
    #[error("`{}`: found a private key of another kind, expected RSA of 2048 to 4096 bits, P-256, P-384 or Ed25519", path.display())]
    Kind {
        /// The file.
        path: PathBuf,
    },
    /// It signed nothing.
    #[error("`{}`: no signature: {problem}", path.display())]
    Sign {
        /// The key's file.
        path: PathBuf,
        /// Why.
        problem: String,
    },
}

/// RFC 7518 section 3.1 and RFC 8037 section 3.1.
const ALGORITHMS: [(&str, SignatureScheme); 9] = [
    ("RS256", SignatureScheme::RSA_PKCS1_SHA256),
    ("RS384", SignatureScheme::RSA_PKCS1_SHA384),
    ("RS512", SignatureScheme::RSA_PKCS1_SHA512),
    ("PS256", SignatureScheme::RSA_PSS_SHA256),
    ("PS384", SignatureScheme::RSA_PSS_SHA384),
    ("PS512", SignatureScheme::RSA_PSS_SHA512),
    ("ES256", SignatureScheme::ECDSA_NISTP256_SHA256),
    ("ES384", SignatureScheme::ECDSA_NISTP384_SHA384),
    ("EdDSA", SignatureScheme::ED25519),
];

impl PrivateKey {
    /// Reads a PEM file: PKCS#8, PKCS#1 (RSA) or SEC 1 (EC).
    pub fn read(path: &Path) -> Result<Self, PrivateKeyError> {
        let path = path.to_owned();
        let der = match PrivateKeyDer::from_pem_file(&path) {
            Ok(der) => der,
            Err(source) => return Err(PrivateKeyError::Read { path, source }),
        };
        match any_supported_type(&der) {
            Ok(key) => Ok(Self { path, key }),
            Err(_) => Err(PrivateKeyError::Kind { path }),
        }
    }

    /// The algorithm that it signs with when nobody names one.
    #[must_use]
    pub fn algorithm(&self) -> &'static str {
        let fitting = ALGORITHMS
            .iter()
            .find(|(_, scheme)| self.key.choose_scheme(&[*scheme]).is_some());
        fitting.map_or("none", |(name, _)| name)
    }

    /// A JWS signature with this algorithm, or with the key's own where this one is none of the key's.
    pub fn sign(&self, algorithm: &str, text: &[u8]) -> Result<Vec<u8>, PrivateKeyError> {
        let signer = [algorithm, self.algorithm()]
            .iter()
            .filter_map(|name| ALGORITHMS.iter().find(|(known, _)| known == name))
            .find_map(|(_, scheme)| self.key.choose_scheme(&[*scheme]))
            .ok_or_else(|| PrivateKeyError::Kind {
                path: self.path.clone(),
            })?;
        let bad = |problem: String| PrivateKeyError::Sign {
            path: self.path.clone(),
            problem,
        };
        let signature = signer.sign(text).map_err(|error| bad(error.to_string()))?;
        let width = match signer.scheme() {
            SignatureScheme::ECDSA_NISTP256_SHA256 => 32,
            SignatureScheme::ECDSA_NISTP384_SHA384 => 48,
            _ => return Ok(signature),
        };
        fixed_width(&signature, width).ok_or_else(|| bad("found no ECDSA signature".to_owned()))
    }

    /// The public half, DER of a SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7).
    #[must_use]
    pub fn public_der(&self) -> Vec<u8> {
        self.key
            .public_key()
            .map_or_else(Vec::new, |spki| spki.as_ref().to_vec())
    }

    /// The public half as PEM text, as `openssl pkey -pubout` prints it.
    #[must_use]
    pub fn public_pem(&self) -> String {
        let text = STANDARD.encode(self.public_der());
        let mut pem = "-----BEGIN PUBLIC KEY-----\n".to_owned();
        for (at, character) in text.chars().enumerate() {
            if at > 0 && at % 64 == 0 {
                pem.push('\n');
            }
            pem.push(character);
        }
        pem + "\n-----END PUBLIC KEY-----\n"
    }
}

/// RFC 7518 section 3.4: both numbers in full width, instead of an ASN.1 sequence of two integers.
fn fixed_width(der: &[u8], width: usize) -> Option<Vec<u8>> {
    // One length byte is enough up to P-384.
    let mut rest = der.get(2..)?;
    let mut raw = Vec::with_capacity(2 * width);
    for _ in 0..2 {
        let length = usize::from(*rest.get(1)?);
        let number = rest.get(2..2 + length)?;
        // A zero byte in front keeps the number positive.
        let number = &number[number.len().saturating_sub(width)..];
        raw.extend(std::iter::repeat_n(0, width - number.len()));
        raw.extend_from_slice(number);
        rest = rest.get(2 + length..)?;
    }
    Some(raw)
}
