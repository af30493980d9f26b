//! What goes wrong between us and a registry. One line each; what helps is a hint of its own.

use std::path::PathBuf;
use std::time::Duration;

use crate::digest::Digest;
use crate::error::Class;

/// Why a registry didn't do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// No such host.
    #[error("there is no host `{host}`")]
    UnknownHost {
        /// As in the reference.
        host: String,
    },
    /// The host is there, the registry isn't.
    #[error("can't reach `{host}`: {cause}")]
    Unreachable {
        /// As in the reference.
        host: String,
        /// One line.
        cause: String,
    },
    /// It took too long.
    #[error("`{host}` didn't answer within {} s", after.as_secs())]
    TimedOut {
        /// As in the reference.
        host: String,
        /// How long it had.
        after: Duration,
    },
    /// Its certificate isn't one to trust.
    #[error("no trust in `{host}`: {cause}")]
    Tls {
        /// As in the reference.
        host: String,
        /// What is wrong with it, one line.
        cause: String,
    },
    /// It speaks plain HTTP only.
    #[error("`{host}` speaks plain HTTP, expected HTTPS")]
    PlainHttp {
        /// As in the reference.
        host: String,
    },
    /// It sends us, or our credentials, to plain HTTP.
    #[error("`{from}` sends us on to `{to}`, which is plain HTTP; expected HTTPS")]
    RedirectToPlainHttp {
        /// The host.
        from: String,
        /// Scheme and host.
        to: String,
    },
    /// It would see our credentials without TLS.
    #[error("`{host}` speaks plain HTTP, where credentials would go in the open")]
    CredentialsInTheOpen {
        /// As in the reference, or as in its realm.
        host: String,
    },
    /// Another host than the registry's would see our credentials without TLS.
    #[error(
        "`{from}` sends us for a token to `{to}`, another host with plain HTTP, where credentials would go in the open"
    )]
    RealmInTheOpen {
        /// The registry.
        from: String,
        /// The host of its realm.
        to: String,
    },
    /// It doesn't know us, or doesn't let us do this.
    #[error("`{host}` refuses to {doing} ({status}) {}{}", shown(*anonymous), said(cause))]
    Denied {
        /// As in the reference.
        host: String,
        /// `push to team/filter`.
        doing: String,
        /// 401 or 403.
        status: u16,
        /// Whether we showed no credentials.
        anonymous: bool,
        /// What it says, one line.
        cause: String,
    },
    /// It has no such image.
    #[error("`{host}` has no {what}")]
    NotFound {
        /// As in the reference.
        host: String,
        /// `manifest 1.2 in team/filter`.
        what: String,
    },
    /// The bytes aren't what their name says: a broken upload, a broken store or a lie.
    #[error("{what} is corrupt at `{host}`: found {found}, expected {expected}")]
    Corrupt {
        /// As in the reference.
        host: String,
        /// Which blob or manifest.
        what: String,
        /// A digest, or what the registry says.
        found: String,
        /// Its digest.
        expected: Digest,
    },
    /// Another one pushed to the tag, or the image built here isn't the one that the reference names.
    #[error("`{reference}` is {found}, expected {expected}")]
    OtherImage {
        /// Which.
        reference: String,
        /// What it is.
        found: Digest,
        /// What it should be.
        expected: Digest,
    },
    /// Larger than istio-agent takes.
    #[error("{what} at `{host}` has {size} bytes, expected at most {limit}")]
    TooLarge {
        /// As in the reference.
        host: String,
        /// Which blob.
        what: String,
        /// Bytes.
        size: u64,
        /// Bytes.
        limit: u64,
    },
    /// The answer isn't what the distribution specification promises.
    #[error("can't {doing} at `{host}`: {cause}")]
    Answer {
        /// As in the reference.
        host: String,
        /// `push to team/filter`.
        doing: String,
        /// One line.
        cause: String,
    },
    /// The file with certificates is no such file.
    #[error("can't read certificates from `{}`: {cause}", path.display())]
    Certificates {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: String,
    },
}

impl RegistryError {
    /// Who must act.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::NotFound { .. } | Self::TooLarge { .. } | Self::Certificates { .. } => {
                Class::Invalid
            }
            Self::UnknownHost { .. }
            | Self::Unreachable { .. }
            | Self::Denied { .. }
            | Self::Answer { .. } => Class::Unreachable,
            Self::TimedOut { .. } => Class::TimedOut,
            Self::Tls { .. }
            | Self::PlainHttp { .. }
            | Self::RedirectToPlainHttp { .. }
            | Self::CredentialsInTheOpen { .. }
            | Self::RealmInTheOpen { .. }
            | Self::Corrupt { .. }
            | Self::OtherImage { .. } => Class::Refused,
        }
    }

    /// What helps, where something does.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::UnknownHost { .. } => "is the name right, and does this machine's DNS know it?",
            Self::Tls { .. } => {
                "name the registry's CA with `--registry-ca FILE`; proxies need it too, or WASM_INSECURE_REGISTRIES"
            }
            Self::PlainHttp { .. } => {
                "`--plain-http` allows it; anybody in between can then change the module"
            }
            Self::Denied {
                anonymous: true,
                host,
                ..
            } => {
                return Some(format!(
                    "`docker login {host}` or `podman login {host}` first, or name a file in $REGISTRY_AUTH_FILE"
                ));
            }
            Self::Denied {
                status: 401, host, ..
            } => {
                return Some(format!(
                    "the user or the password is wrong: `docker login {host}` again"
                ));
            }
            Self::Denied { .. } => "this user has no right to do it: ask the registry's owner",
            Self::Corrupt { .. } => {
                "push it again; if it stays, the registry or a proxy before it changes content"
            }
            Self::OtherImage { .. } => {
                "somebody else pushed to this tag; pin the digest, or push to a tag of its own"
            }
            Self::CredentialsInTheOpen { .. } => {
                "give the registry a certificate, or do without credentials; with `--plain-http` they are shown all the same"
            }
            Self::RealmInTheOpen { .. } => "the registry's realm needs HTTPS: ask its owner",
            Self::RedirectToPlainHttp { .. } => {
                "its token realm or its storage is set up without HTTPS: ask the registry's owner"
            }
            Self::Unreachable { .. }
            | Self::TimedOut { .. }
            | Self::NotFound { .. }
            | Self::TooLarge { .. }
            | Self::Answer { .. }
            | Self::Certificates { .. } => return None,
        };
        Some(hint.to_owned())
    }
}

fn shown(anonymous: bool) -> &'static str {
    match anonymous {
        true => "without credentials",
        false => "with these credentials",
    }
}

fn said(cause: &str) -> String {
    match cause {
        "" => String::new(),
        cause => format!(": {cause}"),
    }
}
