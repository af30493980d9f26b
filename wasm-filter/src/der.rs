//! Keys and signatures in the spelling that the host reads: SubjectPublicKeyInfo (RFC 5280 section 4.1, RFC 3279, RFC 5480) and ECDSA-Sig-Value (RFC 3279 section 2.2.3), in DER.

use policy::{Key, KeyMaterial};

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;

/// `rsaEncryption` with its NULL parameters.
const RSA: &[u8] = &[
    0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
];
/// `id-ecPublicKey` with `secp256r1`.
const P256: &[u8] = &[
    0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d,
    0x03, 0x01, 0x07,
];
/// `id-ecPublicKey` with `secp384r1`.
const P384: &[u8] = &[
    0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22,
];

/// The key as SubjectPublicKeyInfo; `None` for kinds that the host does not verify.
pub(crate) fn public_key(key: &Key) -> Option<Vec<u8>> {
    let (algorithm, key) = match &key.material {
        KeyMaterial::Rsa { modulus, exponent } => (
            RSA,
            element(SEQUENCE, &[&integer(modulus), &integer(exponent)]),
        ),
        KeyMaterial::P256 { x, y } => (P256, [&[4], &x[..], &y[..]].concat()),
        KeyMaterial::P384 { x, y } => (P384, [&[4], &x[..], &y[..]].concat()),
        KeyMaterial::Ed25519(_) => return None,
    };
    let algorithm = element(SEQUENCE, &[algorithm]);
    // No bits of the last byte are unused.
    let key = element(BIT_STRING, &[&[0], &key]);
    Some(element(SEQUENCE, &[&algorithm, &key]))
}

/// An ECDSA signature from r and s of equal width (RFC 7518 section 3.4).
pub(crate) fn ecdsa_signature(signature: &[u8]) -> Vec<u8> {
    let (r, s) = signature
        .split_at_checked(signature.len() / 2)
        .unwrap_or_default();
    element(SEQUENCE, &[&integer(r), &integer(s)])
}

/// A number that is not negative, from its big-endian bytes.
fn integer(bytes: &[u8]) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let bytes = bytes.get(zeros..).unwrap_or_default();
    // A leading bit would make it negative, and a number has at least one byte.
    let sign: &[u8] = if bytes.first().is_none_or(|first| *first >= 0x80) {
        &[0]
    } else {
        &[]
    };
    element(INTEGER, &[sign, bytes])
}

fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let bytes = length.to_be_bytes();
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let long = bytes.get(zeros..).unwrap_or_default();
    let mut der = Vec::with_capacity(length + 6);
    der.push(tag);
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => der.push(short),
        _ => {
            der.push(0x80 | u8::try_from(long.len()).unwrap_or_default());
            der.extend_from_slice(long);
        }
    }
    parts.iter().for_each(|part| der.extend_from_slice(part));
    der
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_not_negative() {
        assert_eq!(integer(&[0, 0, 1]), [2, 1, 1]);
        assert_eq!(integer(&[0x80]), [2, 2, 0, 0x80]);
        assert_eq!(integer(&[0, 0]), [2, 1, 0]);
    }

    #[test]
    fn long_elements_have_long_lengths() {
        assert_eq!(&element(4, &[&[0; 127]])[..2], [4, 127]);
        assert_eq!(&element(4, &[&[0; 128]])[..3], [4, 0x81, 128]);
        assert_eq!(&element(4, &[&[0; 256]])[..4], [4, 0x82, 1, 0]);
    }
}
