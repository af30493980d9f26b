//! JWK Sets (RFC 7517), read strictly: a key that could mean two things is refused, and a secret is refused loudly.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;
use serde_json::value::RawValue;

use super::key::{Key, KeyMaterial};
use super::verify::Algorithm;
use crate::read::{Fields, Node};

/// Members that only a private or symmetric key has (RFC 7518 sections 6.2.2, 6.3.2 and 6.4).
const SECRET: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// Reads a JWK Set given as an object or as its text. With `algorithms`, keys for others are left out. Messages never copy what stands there: it could be a private key.
///
/// Keys that are not for signatures or of a kind not known here are left out too (RFC 7517 section 5): identity providers publish such keys beside the ones
/// that matter. What is left must be at least one key, and no `kid` may stand twice.
pub(crate) fn read_jwks(node: Node<'_, '_>, algorithms: &[Algorithm]) -> Option<Vec<Key>> {
    let text;
    let raw = if node.is_text() {
        text = node.text()?;
        match serde_json::from_str::<&RawValue>(&text) {
            Ok(raw) => raw,
            Err(error) => {
                let found = format!(
                    "a text that is no JSON at its line {}, column {}",
                    error.line(),
                    error.column()
                );
                return node.refuse_as(found, "a JWK Set");
            }
        }
    } else {
        node.raw
    };
    let before = node.problems.len();
    let path = node.path;
    let mut fields = Fields::open(Node {
        raw,
        path,
        problems: node.problems,
        quiet: true,
    })?;
    let keys = fields.required_with("keys", |node| {
        // A key that is left out is an item too, so that one bad key hides no other.
        node.items(|node| Some(read_key(node, algorithms)))
    });
    // Other members of the set are allowed by RFC 7517 section 5.
    let keys: Vec<(usize, Key)> = (0..)
        .zip(keys?)
        .filter_map(|(index, key)| Some((index, key?)))
        .collect();
    for (place, (index, key)) in keys.iter().enumerate() {
        if let Some(id) = &key.id
            && keys
                .iter()
                .take(place)
                .any(|(_, other)| other.id.as_ref() == Some(id))
        {
            fields.problem(
                &format!("keys[{index}].kid"),
                format!("`{id}` again"),
                "a kid of its own",
            );
        }
    }
    if keys.is_empty() && fields.problems.len() == before {
        fields.problem(
            "keys",
            "no key that could verify a token",
            "at least one public key for an algorithm in use",
        );
    }
    Some(keys.into_iter().map(|(_, key)| key).collect())
}

/// `None` when the key was refused, or is for something else.
fn read_key(node: Node<'_, '_>, algorithms: &[Algorithm]) -> Option<Key> {
    let mut jwk = Fields::open(node)?;
    if let Some(secret) = SECRET.iter().find(|name| jwk.has(name)) {
        jwk.problem(secret, "a private or symmetric key", "a public key only")
            .hint =
            Some("whoever can read the policy could now sign tokens: make a new key".to_owned());
        return None;
    }
    let kind: Option<String> = jwk.required("kty");
    let usage: Option<String> = jwk.optional("use");
    let id: Option<String> = jwk.optional("kid");
    let named: Option<String> = jwk.optional("alg");
    let curve: Option<String> = jwk.optional("crv");
    if kind.as_deref() == Some("oct") {
        jwk.problem("kty", "a symmetric key", "a public key");
        return None;
    }
    if usage.is_some_and(|usage| usage != "sig") {
        return None;
    }
    let named = match named {
        None => None,
        Some(name) => Some(Algorithm::named(&name)?),
    };
    use Algorithm::{EdDsa, Es256, Es384, Ps256, Rs256, Rs384, Rs512};
    let fits: &[Algorithm] = match (kind?.as_str(), curve.as_deref()) {
        ("RSA", _) => &[Rs256, Rs384, Rs512, Ps256],
        ("EC", Some("P-256")) => &[Es256],
        ("EC", Some("P-384")) => &[Es384],
        ("OKP", Some("Ed25519")) => &[EdDsa],
        _ => return None,
    };
    let algorithm = match (named, fits) {
        (Some(algorithm), _) => algorithm,
        (None, [only]) => *only,
        (None, _) => rsa_algorithm(algorithms),
    };
    if !fits.contains(&algorithm) {
        jwk.problem(
            "alg",
            format!("`{}`", algorithm.name()),
            "an algorithm of the key's kind",
        );
        return None;
    }
    if !algorithms.is_empty() && !algorithms.contains(&algorithm) {
        return None;
    }
    let material = match algorithm {
        Rs256 | Rs384 | Rs512 | Ps256 => rsa(&mut jwk)?,
        Es256 => {
            let (x, y) = (coordinate(&mut jwk, "x"), coordinate(&mut jwk, "y"));
            KeyMaterial::P256 { x: x?, y: y? }
        }
        Es384 => {
            let (x, y) = (coordinate(&mut jwk, "x"), coordinate(&mut jwk, "y"));
            KeyMaterial::P384 { x: x?, y: y? }
        }
        EdDsa => KeyMaterial::Ed25519(coordinate(&mut jwk, "x")?),
    };
    Some(Key {
        id,
        algorithm,
        material,
    })
}

/// An RSA key without `alg` is pinned to the provider's one RSA algorithm, else to RS256.
fn rsa_algorithm(algorithms: &[Algorithm]) -> Algorithm {
    use Algorithm::{Ps256, Rs256, Rs384, Rs512};
    let mut rsa = algorithms
        .iter()
        .filter(|algorithm| matches!(algorithm, Rs256 | Rs384 | Rs512 | Ps256));
    match (rsa.next(), rsa.next()) {
        (Some(only), None) => *only,
        _ => Rs256,
    }
}

fn rsa(jwk: &mut Fields<'_, '_>) -> Option<KeyMaterial> {
    let modulus = number(jwk, "n");
    let exponent = number(jwk, "e");
    let (modulus, exponent) = (modulus?, exponent?);
    let bits = (modulus.len() * 8).saturating_sub(
        modulus
            .first()
            .map_or(0, |top| top.leading_zeros() as usize),
    );
    if !(2048..=8192).contains(&bits) {
        jwk.problem(
            "n",
            format!("a modulus of {bits} bits"),
            "2048 to 8192 bits (RFC 7518 section 3.3)",
        );
        return None;
    }
    let odd = exponent.last().is_some_and(|last| last % 2 == 1);
    if !odd || exponent.len() > 4 || exponent == [1] {
        jwk.problem(
            "e",
            "an exponent that is even, 1 or over 32 bits",
            "an odd exponent of at least 3, as in `AQAB`",
        );
        return None;
    }
    Some(KeyMaterial::Rsa { modulus, exponent })
}

/// A big-endian number without leading zeros.
fn number(jwk: &mut Fields<'_, '_>, name: &'static str) -> Option<Vec<u8>> {
    let bytes = jwk.required_with(name, base64url)?;
    Some(bytes.into_iter().skip_while(|byte| *byte == 0).collect())
}

fn coordinate<const N: usize>(jwk: &mut Fields<'_, '_>, name: &'static str) -> Option<[u8; N]> {
    let bytes = jwk.required_with(name, base64url)?;
    let found = bytes.len();
    match bytes.try_into() {
        Ok(bytes) => Some(bytes),
        Err(_) => {
            jwk.problem(name, format!("{found} bytes"), format!("{N} bytes"));
            None
        }
    }
}

fn base64url(node: Node<'_, '_>) -> Option<Vec<u8>> {
    match node.text().and_then(|text| BASE64URL.decode(text).ok()) {
        Some(bytes) => Some(bytes),
        None => node.refuse_as("no base64url", "base64url without padding"),
    }
}
