//! Who checks signatures: the host where it can, the module itself otherwise.
//!
//! Envoy's `verify_signature` runs BoringSSL outside the VM, an order of magnitude faster than the same work inside. It knows RSA PKCS#1 v1.5 and ECDSA. Whether it is there
//! and honest is asked at configure time by known vectors, a good and a bad one: a host that says yes to everything is not believed.

use policy::{Algorithm, Key, KeyMaterial, Verdict, Verify};
use signature::Software;

use crate::{abi, der};

/// Checks signatures with the best that this host has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signatures {
    rsa_by_host: bool,
    ecdsa_by_host: bool,
}

impl Signatures {
    /// Asks the host what it can do. The answer chooses an engine and never refuses a configuration.
    pub fn probe() -> Self {
        Self {
            rsa_by_host: answers(&vectors::rsa()),
            ecdsa_by_host: answers(&vectors::ecdsa()),
        }
    }

    /// For the log: who does what.
    pub fn describe(self) -> &'static str {
        match (self.rsa_by_host, self.ecdsa_by_host) {
            (true, true) => "RSA and ECDSA by the host",
            (true, false) => "RSA by the host, ECDSA in the module",
            (false, true) => "ECDSA by the host, RSA in the module",
            (false, false) => "all in the module",
        }
    }
}

impl Verify for Signatures {
    fn verify(&self, key: &Key, message: &[u8], signature: &[u8]) -> Verdict {
        use Algorithm::{EdDsa, Es256, Es384, Ps256, Rs256, Rs384, Rs512};
        let by_host = match key.algorithm {
            Rs256 | Rs384 | Rs512 => self.rsa_by_host,
            Es256 | Es384 => self.ecdsa_by_host,
            Ps256 | EdDsa => false,
        };
        // A host that fails now though it could before is no reason to refuse: the module can do it too.
        let answer = by_host.then(|| ask(key, message, signature)).flatten();
        match answer {
            Some(true) => Verdict::Valid,
            Some(false) => Verdict::Invalid,
            None => Software.verify(key, message, signature),
        }
    }

    fn usable(&self, key: &Key) -> bool {
        Software.usable(key)
    }
}

/// Whether the host finds a good signature good and a bad one bad.
fn answers((key, message, signature): &(Key, Vec<u8>, Vec<u8>)) -> bool {
    let mut bad = signature.clone();
    if let Some(last) = bad.last_mut() {
        *last ^= 1;
    }
    ask(key, message, signature) == Some(true) && ask(key, message, &bad) == Some(false)
}

/// Asks the host about one signature; `None` when it does not say.
fn ask(key: &Key, message: &[u8], signature: &[u8]) -> Option<bool> {
    let (hash, signature) = match (key.algorithm, &key.material) {
        (Algorithm::Rs256, _) => ("sha256", signature.to_vec()),
        (Algorithm::Rs384, _) => ("sha384", signature.to_vec()),
        (Algorithm::Rs512, _) => ("sha512", signature.to_vec()),
        // The width is part of the algorithm (RFC 7518 section 3.4); DER would hide a wrong one.
        (Algorithm::Es256, KeyMaterial::P256 { .. }) if signature.len() == 64 => {
            ("sha256", der::ecdsa_signature(signature))
        }
        (Algorithm::Es384, KeyMaterial::P384 { .. }) if signature.len() == 96 => {
            ("sha384", der::ecdsa_signature(signature))
        }
        _ => return None,
    };
    let key = der::public_key(key)?;
    let mut question = Vec::with_capacity(key.len() + signature.len() + message.len() + 32);
    for (field, bytes) in [
        (1, hash.as_bytes()),
        (2, &key),
        (3, &signature),
        (4, message),
    ] {
        put(&mut question, field, bytes);
    }
    verdict(&abi::foreign_function("verify_signature", &question).ok()?)
}

/// Appends a protobuf field of bytes. Envoy's message: 1 the hash, 2 the key in DER, 3 the signature, 4 the text.
fn put(message: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    message.push(field << 3 | 2);
    let mut length = bytes.len();
    while length >= 0x80 {
        message.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    message.push(length as u8);
    message.extend_from_slice(bytes);
}

/// Envoy's answer: field 1 is the result, absent when false; field 2 an error text, empty or absent when there is none.
fn verdict(answer: &[u8]) -> Option<bool> {
    match answer {
        [] => Some(false),
        [0x08, result @ (0 | 1)] => Some(*result == 1),
        [0x08, 0, 0x12, ..] | [0x12, ..] => Some(false),
        [0x08, 1, 0x12, 0] => Some(true),
        _ => None,
    }
}

mod vectors {
    //! Known answers: RFC 7515 appendix A.2 (RS256) and A.3 (ES256), decoded.

    use policy::{Algorithm, Key, KeyMaterial};

    type Vector = (Key, Vec<u8>, Vec<u8>);

    fn vector(
        algorithm: Algorithm,
        material: KeyMaterial,
        message: &[u8],
        signature: &[u8],
    ) -> Vector {
        (
            Key {
                id: None,
                algorithm,
                material,
            },
            message.to_vec(),
            signature.to_vec(),
        )
    }

    pub fn rsa() -> Vector {
        let material = KeyMaterial::Rsa {
            modulus: RSA_N.to_vec(),
            exponent: vec![1, 0, 1],
        };
        vector(Algorithm::Rs256, material, RSA_MESSAGE, RSA_SIGNATURE)
    }

    pub fn ecdsa() -> Vector {
        vector(
            Algorithm::Es256,
            KeyMaterial::P256 { x: *EC_X, y: *EC_Y },
            EC_MESSAGE,
            EC_SIGNATURE,
        )
    }

    include!("vectors.rs");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_are_those_of_the_rfc() {
        for (key, message, mut signature) in [vectors::rsa(), vectors::ecdsa()] {
            assert_eq!(Software.verify(&key, &message, &signature), Verdict::Valid);
            *signature.last_mut().unwrap() ^= 1;
            assert_eq!(
                Software.verify(&key, &message, &signature),
                Verdict::Invalid
            );
        }
    }

    #[test]
    fn without_a_host_the_module_verifies() {
        let signatures = Signatures::probe();
        assert_eq!(signatures.describe(), "all in the module");
        let (key, message, signature) = vectors::rsa();
        assert_eq!(
            signatures.verify(&key, &message, &signature),
            Verdict::Valid
        );
    }

    #[test]
    fn reads_the_answers_that_envoy_gives() {
        for (answer, expected) in [
            (&[8, 1][..], Some(true)),
            (&[8, 0], Some(false)),
            (&[], Some(false)),
            (&[0x12, 1, b'e'], Some(false)),
            (&[8, 1, 0x12, 0], Some(true)),
            (&[8], None),
            (&[8, 1, 0x12, 1, b'e'], None),
            (&[8, 2], None),
            (&[0xff], None),
        ] {
            assert_eq!(verdict(answer), expected, "{answer:?}");
        }
    }
}
