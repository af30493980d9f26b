//! Tokens of a registry's realm, as distribution checks them: <https://distribution.github.io/distribution/spec/auth/jwt/>.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::Value;

use crate::{Error, Result, SelfSigned, server::Request};

/// The service whose tokens are accepted.
pub(super) struct Service {
    realm: String,
    /// A point on P-256.
    public: Vec<u8>,
}

/// What stands before the point in the SubjectPublicKeyInfo of a P-256 key (RFC 5480 section 2).
const P256: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
const POINT: usize = 65;

impl Service {
    pub(super) fn new(realm: &str, certificate: &SelfSigned) -> Result<Self> {
        let der = certificate.certificate_der();
        let at = der
            .windows(P256.len())
            .position(|window| window == P256)
            .map(|at| at + P256.len());
        let public = at.and_then(|at| der.get(at..at + POINT));
        Ok(Self {
            realm: realm.to_owned(),
            public: public
                .ok_or_else(|| Error::Unusable("a token service without a P-256 key".into()))?
                .to_vec(),
        })
    }

    /// The challenge, where the request has no token that is good for what it wants.
    pub(super) fn refuses(
        &self,
        request: &Request,
        wanted: Option<&(String, &'static [&'static str])>,
    ) -> Option<String> {
        let token = request
            .authorization
            .as_deref()
            .and_then(|value| value.strip_prefix("Bearer "));
        let mut challenge = format!("Bearer realm=\"{}\",service=\"tests\"", self.realm);
        if let Some((name, actions)) = wanted {
            challenge += &format!(",scope=\"repository:{name}:{}\"", actions.join(","));
        }
        let Some(token) = token else {
            return Some(challenge);
        };
        let Some(claims) = self.claims(token) else {
            return Some(challenge + ",error=\"invalid_token\"");
        };
        let granted = wanted.is_none_or(|(name, actions)| {
            actions.iter().all(|action| grants(&claims, name, action))
        });
        (!granted).then(|| challenge + ",error=\"insufficient_scope\"")
    }

    /// Of a token that is valid now.
    fn claims(&self, token: &str) -> Option<Value> {
        let (signed, signature) = token.rsplit_once('.')?;
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &self.public)
            .verify(signed.as_bytes(), &signature)
            .ok()?;
        let claims = BASE64_URL_SAFE_NO_PAD
            .decode(signed.split_once('.')?.1)
            .ok()?;
        let claims: Value = serde_json::from_slice(&claims).ok()?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
        let valid = claims["iss"] == "tests"
            && claims["aud"] == "tests"
            && claims["nbf"].as_u64()? <= now
            && now < claims["exp"].as_u64()?;
        valid.then_some(claims)
    }
}

fn grants(claims: &Value, name: &str, action: &str) -> bool {
    let access = claims["access"].as_array();
    access.into_iter().flatten().any(|one| {
        let actions = one["actions"].as_array();
        one["type"] == "repository"
            && one["name"] == name
            && actions.is_some_and(|actions| actions.iter().any(|granted| granted == action))
    })
}
