//! Writes testdata/keys/jwks.json from the private keys beside it, and examples/tokens/ anew: `cargo run -p corpus --example test_keys`.
//! The tokens are good for nothing but the examples: whoever has this repository can sign more.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a development tool stops at what is wrong"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use corpus::PrivateKey;
use serde::Serialize;

/// Name, algorithm, curve and how many bytes wide each number of the public key is. No curve: RSA.
const PUBLISHED: [(&str, &str, &str, usize); 5] = [
    ("rsa-a", "RS256", "", 0),
    ("rsa-b", "PS256", "", 0),
    ("ec-a", "ES256", "P-256", 32),
    ("ec384-a", "ES384", "P-384", 48),
    ("ed-a", "EdDSA", "Ed25519", 32),
];

#[derive(Default, Serialize)]
struct Jwk {
    kid: &'static str,
    r#use: &'static str,
    kty: &'static str,
    alg: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    crv: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<String>,
}

/// The repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn key(name: &str) -> PrivateKey {
    PrivateKey::read(&root().join(format!("testdata/keys/{name}.pem"))).unwrap()
}

/// Every file with its text.
pub fn files() -> Vec<(&'static str, String)> {
    let keys: Vec<Jwk> = PUBLISHED.into_iter().map(jwk).collect();
    let jwks = serde_json::to_string_pretty(&BTreeMap::from([("keys", keys)])).unwrap() + "\n";
    // From 2026-01-01 to 2036-01-01; `expired` ends on 2026-01-02.
    let token = |signer: &str, sub: &str, group: &str, exp: u64| {
        let claims = format!(
            r#"{{"iss":"https://login.example.com","aud":"shop","sub":"{sub}","groups":["{group}"],"iat":1767225600,"exp":{exp}}}"#
        );
        let header = BASE64URL.encode(r#"{"alg":"RS256","kid":"rsa-a"}"#);
        let signed = format!("{header}.{}", BASE64URL.encode(claims));
        let signature = key(signer).sign("RS256", signed.as_bytes()).unwrap();
        format!("{signed}.{}\n", BASE64URL.encode(signature))
    };
    vec![
        ("testdata/keys/jwks.json", jwks),
        (
            "examples/tokens/ann.jwt",
            token("rsa-a", "ann", "buyers", 2_082_758_400),
        ),
        (
            "examples/tokens/admin.jwt",
            token("rsa-a", "root", "admins", 2_082_758_400),
        ),
        (
            "examples/tokens/expired.jwt",
            token("rsa-a", "ann", "buyers", 1_767_312_000),
        ),
        (
            "examples/tokens/forged.jwt",
            token("stranger", "ann", "admins", 2_082_758_400),
        ),
    ]
}

fn jwk((kid, alg, curve, width): (&'static str, &'static str, &'static str, usize)) -> Jwk {
    let spki = key(kid).public_der();
    let jwk = Jwk {
        kid,
        r#use: "sig",
        alg,
        ..Jwk::default()
    };
    let number = |bytes: &[u8]| Some(BASE64URL.encode(bytes));
    // The end of a SubjectPublicKeyInfo is the key itself.
    let last = |bytes: usize| &spki[spki.len() - bytes..];
    match (alg, width) {
        ("EdDSA", _) => Jwk {
            kty: "OKP",
            crv: Some(curve),
            x: number(last(width)),
            ..jwk
        },
        (_, 0) => {
            // RFC 8017 appendix A.1.1: a sequence of modulus and exponent, in the bit string behind the algorithm.
            let (_, bits) = element(element(&spki).0);
            let numbers = element(&element(bits).0[1..]).0;
            let (modulus, rest) = element(numbers);
            Jwk {
                kty: "RSA",
                n: number(&modulus[1..]),
                e: number(element(rest).0),
                ..jwk
            }
        }
        _ => Jwk {
            kty: "EC",
            crv: Some(curve),
            x: number(&last(2 * width)[..width]),
            y: number(last(width)),
            ..jwk
        },
    }
}

/// The value of the first DER element, and what follows it.
fn element(der: &[u8]) -> (&[u8], &[u8]) {
    let long = match der[1] {
        length if length & 0x80 != 0 => usize::from(length & 0x7f),
        length => return der[2..].split_at(usize::from(length)),
    };
    let (length, value) = der[2..].split_at(long);
    value.split_at(
        length
            .iter()
            .fold(0, |all, byte| all << 8 | usize::from(*byte)),
    )
}

#[allow(dead_code, reason = "the test of these files has its own")]
fn main() {
    for (path, text) in files() {
        std::fs::write(root().join(path), text).unwrap();
    }
}
