//! JWK Sets (RFC 7517) as identity providers publish them: keys that can't be used are left out and told, a secret is refused.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64URL;

use super::key::{Key, KeyMaterial};
use super::verify::Algorithm;
use crate::spec::kind::{List, Text};
use crate::spec::read::{Fields, Node, Path};
use crate::spec::tape::Tape;
use crate::spec::{ConfigError, Problems};

/// Members that only a private or symmetric key has (RFC 7518 sections 6.2.2, 6.3.2 and 6.4).
pub(crate) const SECRET: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// The keys of a JWK Set.
#[derive(Debug)]
pub(crate) struct KeySet {
    /// A key stands here once for each algorithm that it serves, with its place in the set.
    pub keys: Vec<(usize, Key)>,
    /// Why other keys can't be used. What is meant for something else is not told.
    pub left_out: Problems,
}

/// Reads a JWK Set given as an object or as its text. With `algorithms`, keys for others are left out. Messages never copy what stands there: it could be a private key.
///
/// RFC 7517 section 5: a set may hold keys of kinds not known here, or with missing or bad members, and those SHOULD be ignored. What is left must be at least one key.
pub(crate) fn read_jwks(node: Node<'_, '_>, algorithms: &[Algorithm]) -> Option<KeySet> {
    let (text, tape);
    let raw = if node.is_text() {
        text = match node.text() {
            Some(text) => text,
            None => return node.refuse("a JWK Set"),
        };
        match Tape::of(&text) {
            Ok(read) => {
                tape = read;
                tape.root()
            }
            Err(error) => {
                let found = format!(
                    "a text that is no JSON at its line {}, column {}",
                    error.line(),
                    error.column()
                );
                let mut problem = ConfigError::new(node.path, found, "a JWK Set");
                problem.hint = pasted(text.trim_ascii_start()).map(str::to_owned);
                node.problems.push(problem);
                return None;
            }
        }
    } else {
        node.raw
    };
    let path = node.path;
    let mut fields = Fields::open(Node {
        raw,
        path,
        problems: node.problems,
        quiet: true,
    })?;
    if !fields.has("keys") {
        let hint = if fields.has("kty") {
            Some("a single key belongs into a set: `{\"keys\": [{…}]}`")
        } else {
            raw.get().contains("-----BEGIN").then_some(CERTIFICATES)
        };
        fields.problem_with(
            "keys",
            "nothing",
            "the list of keys (RFC 7517 section 5)",
            hint,
        );
        return None;
    }
    let before = fields.problems.count();
    let mut set = KeySet {
        keys: Vec::new(),
        left_out: Problems::default(),
    };
    // Other members of the set are allowed by RFC 7517 section 5.
    fields.required_with("keys", |node| {
        let mut place = 0..;
        node.items(|node| {
            read_key(node, place.next()?, algorithms, &mut set);
            Some(())
        })
    })?;
    if set.keys.is_empty() && fields.problems.count() == before {
        if set.left_out.is_empty() {
            fields.problem(
                "keys",
                "no key that could verify a token",
                "at least one public key for an algorithm in use",
            );
        }
        fields.problems.append(std::mem::take(&mut set.left_out));
    }
    Some(set)
}

const CERTIFICATES: &str = "these are certificates and no keys: the issuer publishes a JWK Set too, at the `jwks_uri` of its `/.well-known/openid-configuration`";

/// What to do about a text that stands for a key set and is none.
fn pasted(text: &str) -> Option<&'static str> {
    if text.starts_with("http") {
        Some("the address of a key set does not work here: put in what it answers")
    } else if text.starts_with("-----BEGIN") {
        Some("PEM is not read here: write the public key as a JWK, in `{\"keys\": [{…}]}`")
    } else {
        None
    }
}

fn read_key(node: Node<'_, '_>, place: usize, algorithms: &[Algorithm], set: &mut KeySet) {
    let mut told = set.left_out.beside();
    let opened = Fields::open(Node {
        raw: node.raw,
        path: node.path,
        problems: &mut told,
        quiet: true,
    });
    let read = opened.and_then(|mut jwk| {
        let secret = SECRET.iter().find(|name| jwk.has(name));
        if let Some(secret) = secret {
            let problem = ConfigError::new(
                Path::Field(&node.path, secret),
                "a private or symmetric key",
                "a public key only",
            );
            node.problems.push(
                problem.hint("whoever can read the policy could now sign tokens: make a new key"),
            );
            return None;
        }
        let kind = jwk.required::<Text>("kty", None).value;
        if kind.as_deref() == Some("oct") {
            node.problems.push(ConfigError::new(
                Path::Field(&node.path, "kty"),
                "a symmetric key",
                "a public key",
            ));
            return None;
        }
        read_public(&mut jwk, kind, algorithms)
    });
    match read {
        Some((id, serves, material)) if told.is_empty() => {
            set.keys.extend(serves.into_iter().map(|algorithm| {
                let (id, material) = (id.clone(), material.clone());
                let key = Key {
                    id,
                    algorithm,
                    material,
                };
                (place, key)
            }));
        }
        _ => set.left_out.append(told),
    }
}

/// `None` when the key can't be used, which a problem tells, or is for something else, which nothing tells.
fn read_public(
    jwk: &mut Fields<'_, '_>,
    kind: Option<String>,
    algorithms: &[Algorithm],
) -> Option<(Option<String>, Vec<Algorithm>, KeyMaterial)> {
    use Algorithm::{EdDsa, Es256, Es384, Ps256, Rs256, Rs384, Rs512};
    let usage = jwk.optional::<Text>("use").value;
    let operations = jwk.optional::<List<Text>>("key_ops").value;
    let id = jwk.optional::<Text>("kid").value;
    let named = jwk.optional::<Text>("alg").value;
    let curve = jwk.optional::<Text>("crv").value;
    // RFC 7517 sections 4.2 and 4.3.
    let verifies = usage.is_none_or(|usage| usage == "sig")
        && operations.is_none_or(|operations| operations.iter().any(|name| name == "verify"));
    if !verifies {
        return None;
    }
    let fits: &[Algorithm] = match (kind?.as_str(), curve.as_deref()) {
        ("RSA", _) => &[Rs256, Rs384, Rs512, Ps256],
        ("EC", Some("P-256")) => &[Es256],
        ("EC", Some("P-384")) => &[Es384],
        ("OKP", Some("Ed25519")) => &[EdDsa],
        _ => {
            let expected = "`RSA`, `EC` with P-256 or P-384, or `OKP` with Ed25519";
            jwk.problem("kty", "a kind of key that is not supported", expected);
            return None;
        }
    };
    let wanted = |algorithm: &Algorithm| algorithms.is_empty() || algorithms.contains(algorithm);
    let serves: Vec<Algorithm> = match named.as_deref().map(Algorithm::named) {
        Some(Some(named)) if fits.contains(&named) => vec![named],
        Some(Some(named)) => {
            let found = format!("`{}`", named.name());
            jwk.problem("alg", found, "an algorithm of the key's kind");
            return None;
        }
        // A list of algorithms says already that others don't matter.
        Some(None) if !algorithms.is_empty() => return None,
        Some(None) => {
            let found = "an algorithm that is not supported";
            jwk.problem("alg", found, "one of `algorithms` in the reference");
            return None;
        }
        None if algorithms.is_empty() => fits.iter().take(1).copied().collect(),
        None => fits.to_vec(),
    };
    let serves: Vec<Algorithm> = serves.into_iter().filter(wanted).collect();
    let first = *serves.first()?;
    let material = match first {
        Rs256 | Rs384 | Rs512 | Ps256 => rsa(jwk)?,
        Es256 => {
            let (x, y) = (coordinate(jwk, "x"), coordinate(jwk, "y"));
            KeyMaterial::P256 { x: x?, y: y? }
        }
        Es384 => {
            let (x, y) = (coordinate(jwk, "x"), coordinate(jwk, "y"));
            KeyMaterial::P384 { x: x?, y: y? }
        }
        EdDsa => KeyMaterial::Ed25519(coordinate(jwk, "x")?),
    };
    Some((id.filter(|id| !id.is_empty()), serves, material))
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
    match node.text().and_then(|text| BASE64URL.decode(&*text).ok()) {
        Some(bytes) => Some(bytes),
        None => node.refuse_as("no base64url", "base64url without padding"),
    }
}
