//! Signed tokens, as many as are wanted, the same ones in every run.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ring::{
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use serde_json::json;

use super::policies::{AUDIENCE, ISSUER, KEY};
use crate::{Error, Result, envoy::read, repository};

/// Many times what the filter's cache holds, so that going round in them hardly finds one that is still known.
pub(super) const MANY: usize = 8192;

/// RS256 tokens that differ in their subject, valid from 2026 to 2036.
pub(super) fn sign(count: usize) -> Result<Vec<String>> {
    let pem = read(&repository().join(format!("testdata/keys/{KEY}.pem")))?;
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let key = STANDARD
        .decode(body)
        .ok()
        .and_then(|der| RsaKeyPair::from_pkcs8(&der).ok())
        .ok_or_else(|| Error::Unusable(format!("`testdata/keys/{KEY}.pem` is no RSA key")))?;
    (0..count).map(|number| one(&key, number)).collect()
}

fn one(key: &RsaKeyPair, number: usize) -> Result<String> {
    let header = json!({ "alg": "RS256", "kid": KEY, "typ": "JWT" });
    let claims = json!({
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": format!("user-{number:05}"),
        "groups": ["buyers"],
        "email": format!("user-{number:05}@example.com"),
        "iat": 1_767_225_600,
        "exp": 2_082_758_400,
    });
    let part = |json: serde_json::Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let text = format!("{}.{}", part(header), part(claims));
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        text.as_bytes(),
        &mut signature,
    )
    .map_err(|_| Error::Unusable("the test key does not sign".into()))?;
    Ok(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature)))
}
