//! `config.json` of Docker, `auth.json` of Podman and `.dockerconfigjson` of Kubernetes: one format.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::{Credentials, CredentialsError, Secret};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Config {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
    #[serde(default)]
    cred_helpers: BTreeMap<String, String>,
    #[serde(default)]
    creds_store: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    #[serde(alias = "identityToken")]
    identitytoken: Option<String>,
    #[serde(alias = "registryToken")]
    registrytoken: Option<String>,
}

/// Docker Hub's name in these files.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

impl Config {
    pub(super) fn read(bytes: &[u8], place: &str) -> Result<Self, CredentialsError> {
        let malformed = |problem: String| CredentialsError::Malformed {
            place: place.to_owned(),
            problem,
        };
        // A derived reader would take a list for an object.
        if !bytes.trim_ascii_start().starts_with(b"{") {
            return Err(malformed("it is no JSON object".to_owned()));
        }
        // The parser's message may quote the input: its place is told, not its words.
        serde_json::from_slice(bytes).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            malformed(format!("it is no such JSON, line {line}, column {column}"))
        })
    }

    /// The helper that is asked for this registry.
    pub(super) fn helper(&self, registry: &str) -> Option<&str> {
        let own = self
            .cred_helpers
            .iter()
            .find(|(host, _)| host_of(host) == registry);
        let name = own.map(|(_, name)| name).or(self.creds_store.as_ref());
        name.map(String::as_str).filter(|name| !name.is_empty())
    }

    /// The entry of a repository: the longest path wins, as Podman has it; without a repository only the host counts.
    pub(super) fn entry(&self, registry: &str, repository: Option<&str>) -> Option<&Entry> {
        if let Some(repository) = repository {
            let mut path = format!("{registry}/{repository}");
            loop {
                if let Some(entry) = self.auths.get(&path) {
                    return Some(entry);
                }
                path.truncate(path.rfind('/')?.max(registry.len()));
                if path.len() == registry.len() {
                    break;
                }
            }
        }
        let named = self
            .auths
            .get(registry)
            .or_else(|| self.auths.get(self::key(registry)));
        let same_host =
            |key: &str| host_of(key) == registry && (repository.is_none() || is_whole_host(key));
        named.or_else(|| {
            self.auths
                .iter()
                .find(|(key, _)| same_host(key))
                .map(|(_, entry)| entry)
        })
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.auths.values()
    }

    pub(super) fn hosts(&self) -> Vec<String> {
        self.auths
            .keys()
            .map(|key| host_of(key).to_owned())
            .collect()
    }
}

impl Entry {
    pub(super) fn credentials(&self, place: &str) -> Result<Credentials, CredentialsError> {
        let said = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        if let Some(token) = said(&self.identitytoken) {
            return Ok(Credentials::Identity(Secret::new(token)));
        }
        if let Some(token) = said(&self.registrytoken) {
            return Ok(Credentials::Bearer(Secret::new(token)));
        }
        let pair = match said(&self.auth) {
            Some(auth) => Some(decode(&auth).ok_or_else(|| CredentialsError::Malformed {
                place: place.to_owned(),
                problem: "an `auth` of it is no base64 of user:password".to_owned(),
            })?),
            None => said(&self.username).zip(said(&self.password)),
        };
        Ok(match pair {
            Some((username, password)) => Credentials::Basic {
                username,
                password: Secret::new(password),
            },
            None => Credentials::Anonymous,
        })
    }
}

fn decode(auth: &str) -> Option<(String, String)> {
    let text = String::from_utf8(STANDARD.decode(auth.trim()).ok()?).ok()?;
    let (username, password) = text.split_once(':')?;
    Some((username.to_owned(), password.trim_matches('\0').to_owned()))
}

/// What a registry is called as a key of these files, and towards helpers.
pub(super) fn key(registry: &str) -> &str {
    match registry {
        "index.docker.io" => DOCKER_HUB,
        other => other,
    }
}

fn host_of(key: &str) -> &str {
    let rest = key.split_once("://").map_or(key, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}

/// Docker once wrote `https://host/v1/` for the host; Podman means the path that it writes.
fn is_whole_host(key: &str) -> bool {
    key.contains("://") || !key.trim_end_matches('/').contains('/')
}
