//! Tokens of the corpus' test keys, and the provider that issues them.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use corpus::{Keys, Mint, Token};
use serde_json::{Value, json};

/// A finished token.
pub type Minted = String;

/// The mint.
#[derive(Debug)]
pub struct Tokens(Mutex<Mint>);

/// Who issues.
const ISSUER: &str = "https://login.example.com";

fn keys() -> Keys {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/README.md");
    Keys::near(&beside).expect("testdata/keys")
}

/// The provider `login` of a HeaderPolicy: audience `shop`, key `rsa-a`, its subject in `x-user`.
#[must_use]
pub fn login() -> Value {
    json!({
        "name": "login", "issuer": ISSUER, "audiences": ["shop"], "jwks": jwks(),
        "claimsToHeaders": [{ "claim": "sub", "header": "x-user" }],
    })
}

fn jwks() -> String {
    keys().jwks("@jwks.json#rsa-a").expect("the key rsa-a")
}

impl Tokens {
    /// A mint whose tokens count from now.
    ///
    /// # Panics
    /// There are no keys, or a clock before 1970.
    #[must_use]
    pub fn new() -> Self {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("a clock");
        Self(Mutex::new(Mint::new(keys(), now.as_secs())))
    }

    /// A token as a case of the corpus describes it; without `key` and `claims` those of a good one.
    ///
    /// # Panics
    /// It can't be made.
    #[track_caller]
    #[must_use]
    pub fn mint(&self, mut described: Value) -> Minted {
        let mut claims = json!({ "iss": ISSUER, "aud": "shop", "sub": "ann" });
        for (name, value) in described["claims"].as_object().into_iter().flatten() {
            claims[name] = value.clone();
        }
        described["claims"] = claims;
        if described["key"].is_null() {
            described["key"] = json!("rsa-a");
        }
        let token: Token = serde_json::from_value(described).expect("a token as cases describe it");
        let mut mint = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        mint.mint(&token).expect("a token")
    }

    /// What Istio must know to accept the same tokens: an item of `jwtRules`.
    #[must_use]
    pub fn rule_of_istio(&self) -> Value {
        json!({ "issuer": ISSUER, "audiences": ["shop"], "jwks": jwks(), "forwardOriginalToken": true })
    }
}

impl Default for Tokens {
    fn default() -> Self {
        Self::new()
    }
}
