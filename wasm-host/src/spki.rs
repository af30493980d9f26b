//! Just enough DER to take a key out of its SubjectPublicKeyInfo (RFC 5280 §4.1, RFC 3279, RFC 5480).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyKind {
    Rsa,
    Ec(Curve),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Curve {
    P256,
    P384,
}

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OBJECT_IDENTIFIER: u8 = 0x06;
const SEQUENCE: u8 = 0x30;

/// 1.2.840.113549.1.1.1
const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
/// 1.2.840.10045.2.1
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
/// 1.2.840.10045.3.1.7
const PRIME256V1: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
/// 1.3.132.0.34
const SECP384R1: &[u8] = &[0x2b, 0x81, 0x04, 0, 0x22];

/// The kind of key, and the key as ring wants it: an RSAPublicKey or an uncompressed point.
pub(crate) fn read(der: &[u8]) -> Option<(KeyKind, &[u8])> {
    let info = only(der, SEQUENCE)?;
    let (algorithm, rest) = take(info, SEQUENCE)?;
    let (unused_bits, key) = only(rest, BIT_STRING)?.split_first()?;
    if *unused_bits != 0 {
        return None;
    }
    let (name, parameters) = take(algorithm, OBJECT_IDENTIFIER)?;
    let kind = match name {
        RSA_ENCRYPTION => KeyKind::Rsa,
        EC_PUBLIC_KEY => KeyKind::Ec(match only(parameters, OBJECT_IDENTIFIER)? {
            PRIME256V1 => Curve::P256,
            SECP384R1 => Curve::P384,
            _ => return None,
        }),
        _ => return None,
    };
    is_well_formed(kind, key).then_some((kind, key))
}

/// ring can't tell a broken key from a wrong signature, so what can be seen from outside is looked at here.
fn is_well_formed(kind: KeyKind, key: &[u8]) -> bool {
    match kind {
        KeyKind::Rsa => only(key, SEQUENCE)
            .and_then(|numbers| take(numbers, INTEGER))
            .is_some_and(|(_modulus, rest)| only(rest, INTEGER).is_some()),
        KeyKind::Ec(curve) => {
            let length = match curve {
                Curve::P256 => 65,
                Curve::P384 => 97,
            };
            key.len() == length && key.first() == Some(&4)
        }
    }
}

/// The DER inside the first PEM block.
pub(crate) fn from_pem(pem: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(pem).ok()?;
    let (_, rest) = text.split_once("-----BEGIN PUBLIC KEY-----")?;
    let (body, _) = rest.split_once("-----END PUBLIC KEY-----")?;
    let body: String = body.split_ascii_whitespace().collect();
    STANDARD.decode(body).ok()
}

/// The content of the one element that `der` consists of.
fn only(der: &[u8], tag: u8) -> Option<&[u8]> {
    take(der, tag)
        .filter(|(_, rest)| rest.is_empty())
        .map(|(content, _)| content)
}

/// The content of the first element, which has to be of that tag, and what comes after it.
fn take(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    if *found != tag {
        return None;
    }
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        // No key needs more than two bytes of length.
        0x81 => rest
            .split_first()
            .map(|(length, rest)| (usize::from(*length), rest))?,
        0x82 => rest
            .split_first_chunk::<2>()
            .map(|(length, rest)| (usize::from(u16::from_be_bytes(*length)), rest))?,
        _ => return None,
    };
    rest.split_at_checked(length)
}
