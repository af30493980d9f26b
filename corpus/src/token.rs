//! Tokens as a case describes them, signed by ring: an implementation that shares nothing with ours.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::hmac;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::keys::Keys;
use crate::private_key::{PrivateKey, PrivateKeyError};

/// A token as a case describes it; times are seconds relative to now.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Token {
    /// A name under `keys/`, or `none`.
    pub key: String,
    /// The algorithm; by default the key's.
    pub alg: Option<String>,
    /// By default the key's name; `null` for none.
    #[serde(default, deserialize_with = "given")]
    pub kid: Option<Option<String>>,
    /// More members of the header.
    #[serde(default)]
    pub header: Map<String, Value>,
    /// The claims.
    #[serde(default)]
    pub claims: Map<String, Value>,
    /// By default 300; `null` for none.
    #[serde(default, deserialize_with = "given")]
    pub exp: Option<Option<f64>>,
    /// By default none.
    pub nbf: Option<f64>,
    /// By default none.
    pub iat: Option<f64>,
    /// Text instead of the claims.
    pub payload: Option<String>,
    /// Text instead of the header.
    pub header_text: Option<String>,
    /// What is done to the finished token.
    pub mangle: Option<Mangle>,
}

/// What is done to a finished token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mangle {
    /// One bit of the signature is flipped.
    Signature,
    /// `sub` is changed after signing.
    Payload,
    /// The last segment is cut off with its dot.
    Truncate,
    /// Base64 padding is added.
    Pad,
    /// The payload's segment is emptied.
    EmptySegment,
    /// HS256 with the public key's PEM text as the secret.
    Hmac,
}

/// Why a token could not be made.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Its key can't be used.
    #[error(transparent)]
    Key(#[from] PrivateKeyError),
    /// The case asks for something that does not fit.
    #[error("the token can't be made: {0}")]
    Unfit(String),
}

/// Mints tokens, each one once.
#[derive(Debug)]
pub struct Mint {
    keys: Keys,
    now: u64,
    private: HashMap<String, PrivateKey>,
    minted: HashMap<String, String>,
}

impl Mint {
    /// A mint whose tokens count from `now`, in seconds since 1970.
    #[must_use]
    pub fn new(keys: Keys, now: u64) -> Self {
        Self {
            keys,
            now,
            private: HashMap::new(),
            minted: HashMap::new(),
        }
    }

    /// The keys it signs with.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The finished token.
    pub fn mint(&mut self, token: &Token) -> Result<String, TokenError> {
        let alg = self.algorithm(token)?;
        let header = header(token, &alg);
        let payload = payload(token, self.now);
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(&header),
            URL_SAFE_NO_PAD.encode(&payload)
        );
        let name = format!("{} {alg} {:?} {signed}", token.key, token.mangle);
        if let Some(minted) = self.minted.get(&name) {
            return Ok(minted.clone());
        }
        let signature = self.sign(token, &alg, signed.as_bytes())?;
        let finished = finish(token, &signed, &payload, signature)?;
        self.minted.insert(name, finished.clone());
        Ok(finished)
    }

    fn algorithm(&mut self, token: &Token) -> Result<String, TokenError> {
        match (&token.alg, token.key.as_str()) {
            (Some(alg), _) => Ok(alg.clone()),
            (None, _) if token.mangle == Some(Mangle::Hmac) => Ok("HS256".to_owned()),
            (None, "none") => Ok("none".to_owned()),
            (None, key) => match self.keys.algorithm(key) {
                Some(alg) => Ok(alg),
                None => Ok(self.private(key)?.algorithm().to_owned()),
            },
        }
    }

    fn sign(&mut self, token: &Token, alg: &str, text: &[u8]) -> Result<Vec<u8>, TokenError> {
        if token.key == "none" {
            return Ok(Vec::new());
        }
        let key = self.private(&token.key)?;
        if token.mangle == Some(Mangle::Hmac) {
            let secret = hmac::Key::new(hmac::HMAC_SHA256, key.public_pem().as_bytes());
            return Ok(hmac::sign(&secret, text).as_ref().to_vec());
        }
        // A header may name an algorithm that is none of the key's (`none`, `RS256` on an EC key): it is then signed as the key can.
        Ok(key.sign(alg, text)?)
    }

    /// Each file is read once.
    fn private(&mut self, name: &str) -> Result<&PrivateKey, TokenError> {
        Ok(match self.private.entry(name.to_owned()) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => place.insert(PrivateKey::read(&self.keys.path(name))?),
        })
    }
}

fn header(token: &Token, alg: &str) -> String {
    if let Some(text) = &token.header_text {
        return text.clone();
    }
    let mut header = Map::from_iter([("alg".to_owned(), Value::from(alg))]);
    let kid = token
        .kid
        .clone()
        .unwrap_or_else(|| (token.key != "none").then(|| token.key.clone()));
    if let Some(kid) = kid {
        header.insert("kid".to_owned(), Value::from(kid));
    }
    header.extend(token.header.clone());
    Value::Object(header).to_string()
}

fn payload(token: &Token, now: u64) -> String {
    if let Some(text) = &token.payload {
        return text.clone();
    }
    let mut claims = token.claims.clone();
    let times = [
        ("exp", token.exp.unwrap_or(Some(300.0))),
        ("nbf", token.nbf),
        ("iat", token.iat),
    ];
    for (name, shift) in times {
        // A claim written out (`claims: {exp: soon}`) is meant as written.
        if let (Some(shift), false) = (shift, claims.contains_key(name)) {
            claims.insert(name.to_owned(), moment(now, shift));
        }
    }
    Value::Object(claims).to_string()
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "seconds since 1970 are far below 2^53"
)]
fn moment(now: u64, shift: f64) -> Value {
    let moment = now as f64 + shift;
    if moment.fract() == 0.0 {
        Value::from(moment as i64)
    } else {
        Value::from(moment)
    }
}

fn finish(
    token: &Token,
    signed: &str,
    payload: &str,
    mut signature: Vec<u8>,
) -> Result<String, TokenError> {
    let (header, body) = signed.split_once('.').unwrap_or_default();
    let finished = match token.mangle {
        None | Some(Mangle::Hmac) => format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)),
        Some(Mangle::Signature) => {
            let first = signature
                .first_mut()
                .ok_or_else(|| TokenError::Unfit("it has no signature to mangle".to_owned()))?;
            *first ^= 1;
            format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
        }
        Some(Mangle::Payload) => {
            let mut claims: Map<String, Value> = serde_json::from_str(payload)
                .map_err(|e| TokenError::Unfit(format!("its payload is no JSON object: {e}")))?;
            claims.insert("sub".to_owned(), Value::from("mallory"));
            let changed = URL_SAFE_NO_PAD.encode(Value::Object(claims).to_string());
            format!("{header}.{changed}.{}", URL_SAFE_NO_PAD.encode(signature))
        }
        Some(Mangle::Truncate) => signed.to_owned(),
        Some(Mangle::EmptySegment) => format!("{header}..{}", URL_SAFE_NO_PAD.encode(signature)),
        Some(Mangle::Pad) => {
            let padded = STANDARD
                .encode(&signature)
                .replace('+', "-")
                .replace('/', "_");
            let padding = if padded.ends_with('=') { "" } else { "=" };
            format!("{header}.{body}.{padded}{padding}")
        }
    };
    Ok(finished)
}

fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(deserializer).map(Some)
}
