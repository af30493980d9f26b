//! Keys and signatures made by ring, which shares no code with what is tested, and signatures that OpenSSL made.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use policy::{Algorithm, Key, KeyMaterial};
use ring::rand::SystemRandom;
use ring::signature::{self, EcdsaKeyPair, Ed25519KeyPair, RsaEncoding, RsaKeyPair};

/// The committed public key with this name, pinned to `algorithm`.
pub fn test_key(name: &str, algorithm: Algorithm) -> Key {
    let jwks: serde_json::Value =
        serde_json::from_slice(&std::fs::read(keys().join("jwks.json")).unwrap()).unwrap();
    let jwk = jwks["keys"]
        .as_array()
        .unwrap()
        .iter()
        .find(|jwk| jwk["kid"] == name)
        .unwrap();
    let member = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
    let material = match jwk["crv"].as_str() {
        None => KeyMaterial::Rsa {
            modulus: member("n"),
            exponent: member("e"),
        },
        Some("P-256") => KeyMaterial::P256 {
            x: member("x").try_into().unwrap(),
            y: member("y").try_into().unwrap(),
        },
        Some("P-384") => KeyMaterial::P384 {
            x: member("x").try_into().unwrap(),
            y: member("y").try_into().unwrap(),
        },
        Some(_) => KeyMaterial::Ed25519(member("x").try_into().unwrap()),
    };
    Key {
        id: Some(name.to_owned()),
        algorithm,
        material,
    }
}

/// A private key.
pub enum Signer {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Signer {
    /// One of the keys under testdata.
    pub fn committed(name: &str) -> Self {
        let pem = std::fs::read_to_string(keys().join(format!("{name}.pem"))).unwrap();
        let lines: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let der = STANDARD.decode(lines).unwrap();
        match name {
            "ec-a" => Self::ecdsa(Algorithm::Es256, &der),
            "ec384-a" => Self::ecdsa(Algorithm::Es384, &der),
            "ed-a" => Self::Ed25519(Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).unwrap()),
            _ => Self::Rsa(RsaKeyPair::from_pkcs8(&der).unwrap()),
        }
    }

    /// A key that nobody trusts, for which `algorithm` works: a new one, but for RSA, of which ring makes none.
    pub fn stranger(algorithm: Algorithm) -> Self {
        let random = SystemRandom::new();
        match algorithm {
            Algorithm::Es256 | Algorithm::Es384 => {
                let new = EcdsaKeyPair::generate_pkcs8(curve(algorithm), &random).unwrap();
                Self::ecdsa(algorithm, new.as_ref())
            }
            Algorithm::EdDsa => {
                let new = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
                Self::Ed25519(Ed25519KeyPair::from_pkcs8(new.as_ref()).unwrap())
            }
            _ => Self::committed("stranger"),
        }
    }

    fn ecdsa(algorithm: Algorithm, pkcs8: &[u8]) -> Self {
        let pair = EcdsaKeyPair::from_pkcs8(curve(algorithm), pkcs8, &SystemRandom::new());
        Self::Ecdsa(pair.unwrap())
    }

    /// The signature as a JWS carries it.
    pub fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(pair) => {
                let encoding: &dyn RsaEncoding = match algorithm {
                    Algorithm::Rs256 => &signature::RSA_PKCS1_SHA256,
                    Algorithm::Rs384 => &signature::RSA_PKCS1_SHA384,
                    Algorithm::Rs512 => &signature::RSA_PKCS1_SHA512,
                    Algorithm::Ps256 => &signature::RSA_PSS_SHA256,
                    _ => panic!("an RSA key doesn't sign {algorithm:?}"),
                };
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(encoding, &random, message, &mut signature)
                    .unwrap();
                signature
            }
            Self::Ecdsa(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }
}

fn curve(algorithm: Algorithm) -> &'static signature::EcdsaSigningAlgorithm {
    match algorithm {
        Algorithm::Es384 => &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
        _ => &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
    }
}

/// The signature in openssl.txt that was made so.
pub fn by_openssl(how: &str) -> Vec<u8> {
    let line = include_str!("../openssl.txt")
        .lines()
        .find(|line| line.split(' ').next() == Some(how))
        .unwrap_or_else(|| panic!("no `{how}` in openssl.txt"));
    URL_SAFE_NO_PAD
        .decode(line.rsplit(' ').next().unwrap())
        .unwrap()
}

fn keys() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/keys")
}
