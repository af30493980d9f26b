//! Tokens signed by ring, requests as owned bytes, and edits as a proxy applies them.
#![allow(dead_code, reason = "each suite uses its part")]

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use ::signature::Software;
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD as BASE64, BASE64_URL_SAFE_NO_PAD as BASE64URL};
use policy::{
    Decision, HeaderList, Headers, Key, Peer, Policy, Position, Request, Verdict, VerifiedTokens,
    Verify,
};
use ring::rand::SystemRandom;
use ring::signature::{self, EcdsaKeyPair, RsaKeyPair};
use serde_json::{Value, json};

pub const JWKS: &str = include_str!("../../../testdata/keys/jwks.json");
/// The time of most requests.
pub const NOW: u64 = 1_800_000_000;
/// When good tokens end.
pub const EXP: u64 = 4_000_000_000;
pub const LOGIN: &str = "https://login.example.com";
pub const PARTNER: &str = "https://partner.example.com";

/// The keys of the JWKS whose kid is one of these.
pub fn keys(ids: &[&str]) -> Value {
    let all: Value = serde_json::from_str(JWKS).unwrap();
    let keys = all["keys"].as_array().unwrap().iter();
    json!({"keys": keys.filter(|key| ids.iter().any(|id| key["kid"] == *id)).collect::<Vec<_>>()})
}

/// Signs a token with a key of testdata/keys. `RS256` or `ES256`, as the key's name tells.
pub fn sign(key: &str, claims: &Value) -> String {
    let algorithm = if key.starts_with("ec") {
        "ES256"
    } else {
        "RS256"
    };
    sign_with(key, &json!({"alg": algorithm, "kid": key}), claims)
}

pub fn sign_with(key: &str, header: &Value, claims: &Value) -> String {
    let input = format!(
        "{}.{}",
        BASE64URL.encode(header.to_string()),
        BASE64URL.encode(claims.to_string())
    );
    let path = format!("{}/../testdata/keys/{key}.pem", env!("CARGO_MANIFEST_DIR"));
    let pem = std::fs::read_to_string(path).unwrap();
    let lines: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let (pkcs8, random) = (BASE64.decode(lines).unwrap(), SystemRandom::new());
    let signature = if key.starts_with("ec") {
        let algorithm = &signature::ECDSA_P256_SHA256_FIXED_SIGNING;
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, &pkcs8, &random).unwrap();
        let signature = pair.sign(&random, input.as_bytes()).unwrap();
        signature.as_ref().to_vec()
    } else {
        let pair = RsaKeyPair::from_pkcs8(&pkcs8).unwrap();
        let mut signature = vec![0; pair.public().modulus_len()];
        let encoding = &signature::RSA_PKCS1_SHA256;
        pair.sign(encoding, &random, input.as_bytes(), &mut signature)
            .unwrap();
        signature
    };
    format!("{input}.{}", BASE64URL.encode(signature))
}

/// Tokens by name, signed once for the whole suite.
pub static TOKENS: LazyLock<Vec<(&str, String)>> = LazyLock::new(|| {
    let claims = |sub: &str| json!({"iss": LOGIN, "aud": "shop", "sub": sub, "exp": EXP, "groups": ["admins", "staff"], "scope": "read write"});
    let with = |name: &str, value: Value| {
        let mut claims = claims("ann");
        claims[name] = value;
        claims
    };
    let ann = sign("rsa-a", &claims("ann"));
    let bob = sign("rsa-a", &claims("bob"));
    let (head, signature) = ann.rsplit_once('.').unwrap();
    let (bob_head, _) = bob.rsplit_once('.').unwrap();
    let none = format!(
        "{}.{}.",
        BASE64URL.encode(r#"{"alg":"none"}"#),
        head.split_once('.').unwrap().1
    );
    vec![
        ("stripped", format!("{head}.")),
        ("swapped", format!("{bob_head}.{signature}")),
        ("none", none),
        (
            "stranger",
            sign_with(
                "stranger",
                &json!({"alg": "RS256", "kid": "rsa-a"}),
                &claims("eve"),
            ),
        ),
        ("expired", sign("rsa-a", &with("exp", json!(NOW - 3600)))),
        ("soon over", sign("rsa-a", &with("exp", json!(NOW + 100)))),
        ("not yet", sign("rsa-a", &with("nbf", json!(NOW + 3600)))),
        (
            "other audience",
            sign("rsa-a", &with("aud", json!(["mail"]))),
        ),
        (
            "plain user",
            sign("rsa-a", &with("groups", json!(["staff"]))),
        ),
        (
            "odd",
            sign("rsa-a", &with("sub", json!("a\r\nx-user: root"))),
        ),
        (
            "partner",
            sign(
                "ec-a",
                &json!({"iss": PARTNER, "sub": "pat", "exp": EXP, "role": {"name": "buyer"}}),
            ),
        ),
        (
            "partner over",
            sign("ec-a", &json!({"iss": PARTNER, "sub": "pat", "exp": 1})),
        ),
        (
            "wrong issuer",
            sign(
                "ec-a",
                &json!({"iss": LOGIN, "aud": "shop", "sub": "pat", "exp": EXP}),
            ),
        ),
        ("bob", bob.clone()),
        ("ann", ann),
    ]
});

pub fn token(name: &str) -> &'static str {
    &TOKENS.iter().find(|(known, _)| *known == name).unwrap().1
}

/// The real verifier, which does not check the same signature twice.
pub struct Honest;

type Seen = Mutex<HashMap<(Option<String>, Vec<u8>, Vec<u8>), Verdict>>;

impl Verify for Honest {
    fn verify(&self, key: &Key, message: &[u8], signature: &[u8]) -> Verdict {
        static SEEN: LazyLock<Seen> = LazyLock::new(Seen::default);
        let case = (key.id.clone(), message.to_vec(), signature.to_vec());
        let known = SEEN.lock().unwrap().get(&case).copied();
        known.unwrap_or_else(|| {
            let verdict = Software.verify(key, message, signature);
            SEEN.lock().unwrap().insert(case, verdict);
            verdict
        })
    }

    fn usable(&self, key: &Key) -> bool {
        Software.usable(key)
    }
}

/// A request that owns its bytes.
#[derive(Clone, Debug)]
pub struct Call {
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub address: Option<IpAddr>,
    pub identity: Option<Vec<u8>>,
    pub position: Option<Position>,
    pub tls: bool,
    pub now: u64,
}

impl Call {
    /// `GET path` of `shop.example.com` at a gateway, from one proxy.
    pub fn new(method: &str, path: &str) -> Self {
        let mut call = Self {
            headers: Vec::new(),
            address: None,
            identity: None,
            position: Some(Position::Gateway),
            tls: false,
            now: NOW,
        };
        call.add(":method", method);
        call.add(":path", path);
        call.add(":authority", "shop.example.com");
        call
    }

    pub fn get(path: &str) -> Self {
        Self::new("GET", path).with("x-forwarded-for", "203.0.113.9, 192.0.2.1")
    }

    pub fn add(&mut self, name: &str, value: impl AsRef<[u8]>) {
        self.headers
            .push((name.as_bytes().to_vec(), value.as_ref().to_vec()));
    }

    /// Adds a header; a pseudo header or `x-forwarded-for` takes the place of the one before.
    pub fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        if name.starts_with(':') || name == "x-forwarded-for" {
            self.headers.retain(|(known, _)| known != name.as_bytes());
        }
        self.add(name, value);
        self
    }

    pub fn bearer(self, token: &str) -> Self {
        self.with("authorization", format!("Bearer {token}"))
    }

    pub fn sidecar(mut self, identity: Option<&str>) -> Self {
        self.position = Some(Position::SidecarInbound);
        self.identity = identity.map(|identity| identity.as_bytes().to_vec());
        self
    }

    pub fn ask(
        &self,
        policy: &Policy,
        known: &mut VerifiedTokens,
        verify: &dyn Verify,
    ) -> Decision {
        let headers: Vec<(&[u8], &[u8])> = self
            .headers
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect();
        let request = Request {
            headers: Headers::new(&headers),
            peer: Peer {
                address: self.address,
                identity: self.identity.as_deref(),
            },
            position: self.position,
            tls: self.tls,
            now: Duration::from_secs(self.now),
        };
        policy.decide(&request, known, verify)
    }

    /// A decision without memory, by the honest verifier.
    pub fn judge(&self, policy: &Policy) -> Decision {
        self.ask(policy, &mut VerifiedTokens::new(0, 0), &Honest)
    }

    /// The lines of one header as the next hop gets them.
    pub fn lines_after(&self, decision: &Decision, name: &str) -> Vec<String> {
        let after = self.after(decision).into_iter();
        after
            .filter(|(known, _)| known == name.as_bytes())
            .map(|(_, value)| String::from_utf8_lossy(&value).into_owned())
            .collect()
    }

    /// The headers as the next hop gets them.
    pub fn after(&self, decision: &Decision) -> HeaderList {
        let mut headers = self.headers.clone();
        decision.apply_to(&mut headers);
        headers
    }
}

/// A policy with this `spec`.
pub fn policy(spec: &Value) -> Policy {
    compiled(spec).unwrap_or_else(|problems| panic!("{spec}: {problems:?}"))
}

pub fn compiled(spec: &Value) -> Result<Policy, Vec<policy::ConfigError>> {
    let document = json!({"apiVersion": policy::API_VERSION, "spec": spec});
    Policy::from_json(document.to_string().as_bytes(), &Honest)
}

/// An object with more fields, or with others in their place.
pub fn extended(mut object: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        object[name] = value.clone();
    }
    object
}

/// A provider with the fields that are needed.
pub fn provider(more: Value) -> Value {
    let provider =
        json!({"name": "login", "issuer": LOGIN, "audiences": ["shop"], "jwks": keys(&["rsa-a"])});
    extended(provider, &more)
}

/// All of a decision but whether a token was known from before.
pub fn essence(decision: &Decision) -> String {
    let mut decision = decision.clone();
    decision.trace.cached = false;
    format!("{decision:?}")
}

/// How programs that can't tell `-` from `_`, nor case, read a name.
pub fn dashed(name: &[u8]) -> Vec<u8> {
    name.iter()
        .map(|byte| {
            if b"!#$%&'*+.^_`|~".contains(byte) {
                b'-'
            } else {
                byte.to_ascii_lowercase()
            }
        })
        .collect()
}

/// Every header that a policy may emit, as its document says.
pub fn emitted(spec: &Value) -> BTreeSet<Vec<u8>> {
    let mut names = vec![
        &spec["forwarded"]["clientIpHeader"],
        &spec["replies"]["reasonHeader"],
    ];
    for provider in spec["jwt"]["providers"].as_array().into_iter().flatten() {
        names.push(&provider["payloadHeader"]);
        let claims = provider["claimsToHeaders"].as_array().into_iter().flatten();
        names.extend(claims.map(|claim| &claim["header"]));
    }
    names
        .into_iter()
        .filter_map(Value::as_str)
        .map(|name| dashed(name.as_bytes()))
        .collect()
}
