//! The keys beside the cases: `keys/<name>.pem` (private) and `keys/jwks.json` (public).

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// A folder of keys.
#[derive(Debug, Clone)]
pub struct Keys {
    folder: PathBuf,
    jwks: Vec<Value>,
    text: String,
}

impl Keys {
    /// The folder `keys` beside `file` or above it; none when there is no such folder.
    #[must_use]
    pub fn near(file: &Path) -> Option<Self> {
        let file = file.canonicalize().ok()?;
        let folder = file
            .ancestors()
            .skip(1)
            .map(|parent| parent.join("keys"))
            .find(|keys| keys.join("jwks.json").is_file())?;
        let text = std::fs::read_to_string(folder.join("jwks.json")).ok()?;
        let parsed: Value = serde_json::from_str(&text).ok()?;
        let jwks = parsed.get("keys")?.as_array()?.clone();
        Some(Self {
            folder,
            jwks,
            text: text.trim_end().to_owned(),
        })
    }

    /// The private key's file.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.pem"))
    }

    /// The algorithm that the JWK Set names for a key.
    #[must_use]
    pub fn algorithm(&self, name: &str) -> Option<String> {
        Some(self.jwk(name)?.get("alg")?.as_str()?.to_owned())
    }

    /// The text that `@jwks.json` or `@jwks.json#rsa-a,ec-a` stands for; none when a key is missing.
    #[must_use]
    pub fn jwks(&self, reference: &str) -> Option<String> {
        let Some(names) = reference.strip_prefix("@jwks.json")?.strip_prefix('#') else {
            return (reference == "@jwks.json").then(|| self.text.clone());
        };
        let keys: Option<Vec<&Value>> =
            names.split(',').map(|name| self.jwk(name.trim())).collect();
        Some(json!({"keys": keys?}).to_string())
    }

    fn jwk(&self, name: &str) -> Option<&Value> {
        self.jwks
            .iter()
            .find(|jwk| jwk.get("kid").and_then(Value::as_str) == Some(name))
    }
}

/// Replaces every text `@jwks.json…` in a policy's JSON by the JWK Set it names.
pub fn substitute(value: &mut Value, keys: Option<&Keys>) -> Result<(), String> {
    match value {
        Value::String(text) if text.starts_with("@jwks.json") => {
            let jwks = keys.and_then(|keys| keys.jwks(text)).ok_or_else(|| {
                format!("`{text}`: no such key in a `keys/jwks.json` beside the case")
            })?;
            *text = jwks;
            Ok(())
        }
        Value::Array(elements) => elements
            .iter_mut()
            .try_for_each(|element| substitute(element, keys)),
        Value::Object(members) => members
            .values_mut()
            .try_for_each(|member| substitute(member, keys)),
        _ => Ok(()),
    }
}
