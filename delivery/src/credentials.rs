//! Who we are for a registry: Docker's and Podman's files, their helper programs, and a cluster's pull secret.

mod config;
mod helper;
mod secret;

use std::path::PathBuf;

pub use secret::Secret;

use crate::error::Class;
use config::{Config, Entry};

/// What a registry is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// Nothing.
    Anonymous,
    /// A user and a password, or a token that stands for one.
    Basic {
        /// The user.
        username: String,
        /// The password.
        password: Secret,
    },
    /// A refresh token, which the token realm takes for an access token.
    Identity(Secret),
    /// A ready access token.
    Bearer(Secret),
}

/// Credentials, and who had them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What there is; [`Credentials::Anonymous`] if nobody has any.
    pub credentials: Credentials,
    /// `/home/me/.docker/config.json`, or the helper that a file names; none if nobody has any.
    pub from: Option<String>,
}

/// Why credentials that should be there aren't. Never holds one.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// A file that can't be read.
    #[error("can't read the credentials in `{}`: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file, or a secret, that is something else.
    #[error("{place} is no configuration of credentials: {problem}")]
    Malformed {
        /// The file, or `the pull secret`.
        place: String,
        /// What was found; never a value.
        problem: String,
    },
    /// A helper program that doesn't help.
    #[error("the credential helper `{program}` {problem}")]
    Helper {
        /// `docker-credential-desktop`.
        program: String,
        /// What it did, one line; never what it printed on stdout.
        problem: String,
    },
}

impl CredentialsError {
    /// Who must act.
    #[must_use]
    pub fn class(&self) -> Class {
        Class::Invalid
    }

    /// What helps, where something does.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Helper { .. } => Some("log in again (`docker login` or `podman login`), or name another file in $REGISTRY_AUTH_FILE".to_owned()),
            Self::Malformed { .. } => Some(r#"expected {"auths": {"HOST": {"auth": "base64 of user:password"}}}"#.to_owned()),
            Self::Read { .. } => None,
        }
    }
}

/// Where credentials are looked for.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// `$REGISTRY_AUTH_FILE`: a file. If it is set, it must be there.
    pub registry_auth_file: Option<PathBuf>,
    /// `$DOCKER_CONFIG`: a folder.
    pub docker_config: Option<PathBuf>,
    /// `$XDG_RUNTIME_DIR`.
    pub runtime_folder: Option<PathBuf>,
    /// `$XDG_CONFIG_HOME`.
    pub config_folder: Option<PathBuf>,
    /// `$HOME`.
    pub home: Option<PathBuf>,
    /// Where helper programs are looked for before `$PATH`.
    pub helpers: Option<PathBuf>,
}

impl Environment {
    /// This process's.
    #[must_use]
    pub fn of_process() -> Self {
        let folder = |name: &str| {
            std::env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        Self {
            registry_auth_file: folder("REGISTRY_AUTH_FILE"),
            docker_config: folder("DOCKER_CONFIG"),
            runtime_folder: folder("XDG_RUNTIME_DIR"),
            config_folder: folder("XDG_CONFIG_HOME"),
            home: std::env::home_dir(),
            helpers: None,
        }
    }

    /// In the order in which they are asked. `$REGISTRY_AUTH_FILE` stands alone, as it does for Podman.
    fn files(&self) -> Vec<PathBuf> {
        if let Some(file) = &self.registry_auth_file {
            return vec![file.clone()];
        }
        let below =
            |folder: &Option<PathBuf>, path: &str| folder.as_ref().map(|folder| folder.join(path));
        let docker = below(&self.docker_config, "config.json")
            .or_else(|| below(&self.home, ".docker/config.json"));
        let runtime = below(&self.runtime_folder, "containers/auth.json");
        let config = below(&self.config_folder, "containers/auth.json")
            .or_else(|| below(&self.home, ".config/containers/auth.json"));
        [docker, runtime, config].into_iter().flatten().collect()
    }
}

/// What the user's files and helpers have for a repository of a registry. Blocks while a helper runs, 15 seconds at most.
///
/// # Errors
/// A file is broken, or a helper fails otherwise than by having nothing.
pub fn find(
    environment: &Environment,
    registry: &str,
    repository: &str,
) -> Result<Found, CredentialsError> {
    for path in environment.files() {
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error)
                if error.kind() == std::io::ErrorKind::NotFound
                    && environment.registry_auth_file.is_none() =>
            {
                continue;
            }
            Err(source) => return Err(CredentialsError::Read { path, source }),
        };
        let place = format!("`{}`", path.display());
        let config = Config::read(&bytes, &place)?;
        if let Some(name) = config.helper(registry)
            && let Some(credentials) = helper::ask(name, registry, environment.helpers.as_deref())?
        {
            let from = Some(format!("helper `{name}` of {}", path.display()));
            return Ok(Found { credentials, from });
        }
        if let Some(entry) = config.entry(registry, Some(repository)) {
            let from = Some(path.display().to_string());
            return Ok(Found {
                credentials: entry.credentials(&place)?,
                from,
            });
        }
    }
    Ok(Found {
        credentials: Credentials::Anonymous,
        from: None,
    })
}

/// What istio-agent reads from a pull secret for a registry. Only the host counts; a helper in it can't run in a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PullSecret {
    /// It has an entry.
    For(Credentials),
    /// It has none for this host: the agent goes on without credentials. These are the hosts that it has.
    OtherHosts(Vec<String>),
}

impl PullSecret {
    /// Reads the value of `.dockerconfigjson`, decoded.
    ///
    /// # Errors
    /// The agent can't read it either: `null`, another type of secret, a broken `auth`, a helper.
    pub fn read(content: &[u8], registry: &str) -> Result<Self, CredentialsError> {
        const PLACE: &str = "the pull secret";
        let config = Config::read(content, PLACE)?;
        if let Some(name) = config.helper(registry) {
            let problem = format!("it names the helper `{name}`, which no proxy has");
            return Err(CredentialsError::Malformed {
                place: PLACE.to_owned(),
                problem,
            });
        }
        // The agent decodes all entries at once: one broken entry spoils the others.
        config
            .entries()
            .try_for_each(|entry| entry.credentials(PLACE).map(drop))?;
        match config
            .entry(registry, None)
            .map(|entry: &Entry| entry.credentials(PLACE))
            .transpose()?
        {
            Some(credentials) => Ok(Self::For(credentials)),
            None => Ok(Self::OtherHosts(config.hosts())),
        }
    }
}
