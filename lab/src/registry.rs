//! A container registry on a free loopback port.
//!
//! `KYMA_LAB_REGISTRY=distribution` names the implementation that most registries run, built from its Go module; otherwise a small
//! one of ours runs inside the test's process. The same tests run against both, so that ours can't hide a mistake.

mod distribution;
mod in_process;
mod token;

use std::{path::PathBuf, sync::PoisonError};

use crate::{Error, Result, SelfSigned, error::Doing as _, server::Server};

/// Who may push and pull.
pub enum Access<'a> {
    /// Everybody.
    Everybody,
    /// [`USER`] with [`PASSWORD`], by basic authentication.
    Password {
        /// The realm, a text for people.
        realm: &'a str,
    },
    /// Whoever has a token of this service, signed with the key of this certificate. Its issuer and its audience are `tests`.
    Token {
        /// Where tokens are given out.
        realm: &'a str,
        /// Of the service.
        certificate: &'a SelfSigned,
    },
}

/// The one user.
pub const USER: &str = "kyma";
/// The user's password.
pub const PASSWORD: &str = "correct horse";

/// A registry that runs until it is dropped.
pub struct Registry {
    host: String,
    kind: Kind,
}

enum Kind {
    InProcess {
        store: in_process::Shared,
        _server: Server,
    },
    Distribution(distribution::Process),
}

impl Registry {
    /// An empty registry, with TLS if it has a certificate.
    pub fn start(access: &Access<'_>, tls: Option<&SelfSigned>) -> Result<Self> {
        match std::env::var("KYMA_LAB_REGISTRY").as_deref() {
            Err(_) | Ok("") => {
                let store = in_process::Shared::default();
                let server = in_process::start(access, tls, &store)?;
                Ok(Self {
                    host: server.address().to_string(),
                    kind: Kind::InProcess {
                        store,
                        _server: server,
                    },
                })
            }
            Ok("distribution") => {
                let process = distribution::Process::start(access, tls)?;
                Ok(Self {
                    host: process.host.clone(),
                    kind: Kind::Distribution(process),
                })
            }
            Ok(other) => Err(Error::Unusable(format!(
                "KYMA_LAB_REGISTRY: found `{other}`, expected `distribution` or nothing"
            ))),
        }
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The bytes that it keeps for `sha256:…`, a blob or a manifest.
    pub fn stored(&self, digest: &str) -> Option<Vec<u8>> {
        match &self.kind {
            Kind::InProcess { store, .. } => {
                let store = store.lock().unwrap_or_else(PoisonError::into_inner);
                store.bytes.get(digest).cloned()
            }
            Kind::Distribution(process) => std::fs::read(process.file(digest)).ok(),
        }
    }

    /// Puts other bytes where those of `sha256:…` are, as a disk that fails does.
    pub fn corrupt(&self, digest: &str, bytes: Vec<u8>) -> Result<()> {
        match &self.kind {
            Kind::InProcess { store, .. } => {
                let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
                store.bytes.insert(digest.to_owned(), bytes);
                Ok(())
            }
            Kind::Distribution(process) => {
                let file: PathBuf = process.file(digest);
                std::fs::write(&file, bytes).doing(|| format!("writing {}", file.display()))
            }
        }
    }

    /// Whether nothing was ever written, not even a part of an upload.
    pub fn is_untouched(&self) -> bool {
        match &self.kind {
            Kind::InProcess { store, .. } => {
                let store = store.lock().unwrap_or_else(PoisonError::into_inner);
                *store == in_process::Store::default()
            }
            Kind::Distribution(process) => process.is_untouched(),
        }
    }
}

/// `sha256:…` of these bytes.
fn digest_of(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let hash = ring::digest::digest(&ring::digest::SHA256, bytes);
    let mut text = "sha256:".to_owned();
    for byte in hash.as_ref() {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
