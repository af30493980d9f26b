//! Keys and signatures made by the openssl command.

use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use policy::{Algorithm, Key, KeyMaterial};
use tempfile::TempDir;

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

/// A private key on disk.
pub struct Signer {
    pem: PathBuf,
    scratch: TempDir,
}

impl Signer {
    /// One of the keys under testdata.
    pub fn committed(name: &str) -> Self {
        Self {
            pem: keys().join(format!("{name}.pem")),
            scratch: tempfile::tempdir().unwrap(),
        }
    }

    /// A new key, for which `algorithm` works.
    pub fn generated(algorithm: Algorithm) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let pem = scratch.path().join("key.pem");
        let kind: &[&str] = match algorithm {
            Algorithm::Rs256 | Algorithm::Rs384 | Algorithm::Rs512 | Algorithm::Ps256 => &["RSA"],
            Algorithm::Es256 => &["EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
            Algorithm::Es384 => &["EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
            Algorithm::EdDsa => &["ED25519"],
        };
        openssl(
            &[
                &["genpkey", "-quiet", "-out", text(&pem), "-algorithm"],
                kind,
            ]
            .concat(),
        );
        Self { pem, scratch }
    }

    /// The signature as a JWS carries it.
    pub fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
        match algorithm {
            Algorithm::Rs256 => self.digest_sign("-sha256", &[], message),
            Algorithm::Rs384 => self.digest_sign("-sha384", &[], message),
            Algorithm::Rs512 => self.digest_sign("-sha512", &[], message),
            Algorithm::Ps256 => self.pss("32", message),
            Algorithm::Es256 => fixed_width(&self.ecdsa_der(algorithm, message), 32),
            Algorithm::Es384 => fixed_width(&self.ecdsa_der(algorithm, message), 48),
            Algorithm::EdDsa => {
                let message = self.written(message);
                openssl(&[
                    "pkeyutl",
                    "-sign",
                    "-rawin",
                    "-inkey",
                    text(&self.pem),
                    "-in",
                    text(&message),
                ])
            }
        }
    }

    /// RSASSA-PSS with SHA-256 and a salt of so many bytes, or `max`.
    pub fn pss(&self, salt: &str, message: &[u8]) -> Vec<u8> {
        let salt = format!("rsa_pss_saltlen:{salt}");
        self.digest_sign(
            "-sha256",
            &["-sigopt", "rsa_padding_mode:pss", "-sigopt", &salt],
            message,
        )
    }

    /// ECDSA as X.509 has it: a DER sequence of r and s.
    pub fn ecdsa_der(&self, algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
        let digest = if algorithm == Algorithm::Es384 {
            "-sha384"
        } else {
            "-sha256"
        };
        self.digest_sign(digest, &[], message)
    }

    /// The public key of an RSA key, which need not be in the JWKS.
    pub fn rsa_key(&self, algorithm: Algorithm) -> Key {
        let der = openssl(&[
            "rsa",
            "-in",
            text(&self.pem),
            "-RSAPublicKey_out",
            "-outform",
            "DER",
        ]);
        let [modulus, exponent] = integers(&der);
        Key {
            id: None,
            algorithm,
            material: KeyMaterial::Rsa { modulus, exponent },
        }
    }

    fn digest_sign(&self, digest: &str, options: &[&str], message: &[u8]) -> Vec<u8> {
        let message = self.written(message);
        openssl(
            &[
                &["dgst", digest, "-sign", text(&self.pem)],
                options,
                &[text(&message)],
            ]
            .concat(),
        )
    }

    fn written(&self, message: &[u8]) -> PathBuf {
        let path = self.scratch.path().join("message");
        std::fs::write(&path, message).unwrap();
        path
    }
}

fn keys() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/keys")
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn openssl(arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("openssl")
        .args(arguments)
        .output()
        .expect("openssl is installed");
    let problem = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "openssl {}: {problem}",
        arguments.join(" ")
    );
    output.stdout
}

fn fixed_width(der: &[u8], width: usize) -> Vec<u8> {
    let [r, s] = integers(der);
    [vec![0; width - r.len()], r, vec![0; width - s.len()], s].concat()
}

/// The two positive integers of a DER sequence, without leading zero bytes.
fn integers(der: &[u8]) -> [Vec<u8>; 2] {
    let (first, rest) = element(element(der).0);
    let (second, _) = element(rest);
    [first, second].map(|integer| {
        integer
            .iter()
            .copied()
            .skip_while(|byte| *byte == 0)
            .collect()
    })
}

/// The value of the first DER element, and what follows it.
fn element(der: &[u8]) -> (&[u8], &[u8]) {
    let (length, value) = match der[1] {
        short @ 0..0x80 => (usize::from(short), &der[2..]),
        long => {
            let (length, value) = der[2..].split_at(usize::from(long & 0x7f));
            (
                length
                    .iter()
                    .fold(0, |length, byte| length << 8 | usize::from(*byte)),
                value,
            )
        }
    };
    value.split_at(length)
}
