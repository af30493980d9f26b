//! A file of cases: its policies, its cases, and each of them made ready to run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::scenario::Scenario;
use serde::Deserialize;
use serde_json::{Value, json};
use serde_saphyr::Spanned;

use crate::case::{Case, PolicyChoice};
use crate::fault::{HostFault, Verification};
use crate::keys::{Keys, substitute};
use crate::token::{Mint, TokenError};
use crate::yaml::{self, YamlError};

/// A file of cases.
#[derive(Debug, Clone)]
pub struct Suite {
    /// Where it was read.
    pub path: PathBuf,
    /// Policies by name, each a `spec`.
    pub policies: BTreeMap<String, Value>,
    /// The cases, each with its line.
    pub cases: Vec<(u64, Case)>,
    keys: Option<Keys>,
}

/// A case that can run: its policy and its request are complete.
#[derive(Debug, Clone)]
pub struct Ready {
    /// What the filter is configured with.
    pub policy: Vec<u8>,
    /// What arrives.
    pub scenario: Scenario,
    /// The case's tokens, minted.
    pub tokens: BTreeMap<String, String>,
    /// How the host misbehaves.
    pub host_faults: BTreeMap<String, HostFault>,
    /// What comes of checking a signature.
    pub verify: Option<Verification>,
}

/// Why a file or a case can't run.
#[derive(Debug, thiserror::Error)]
pub enum SuiteError {
    /// The file can't be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no list of cases.
    #[error("{}: {}{source}", path.display(), source.place.map(|p| format!("line {}: ", p.line)).unwrap_or_default())]
    Yaml {
        /// The file.
        path: PathBuf,
        /// Why.
        source: YamlError,
    },
    /// A case says what can't be.
    #[error("{}: line {line}: {problem}", path.display())]
    Case {
        /// The file.
        path: PathBuf,
        /// The case's line.
        line: u64,
        /// What is wrong.
        problem: String,
    },
    /// A case names a policy that the file has not.
    #[error("no policy `{0}` in this file")]
    UnknownPolicy(String),
    /// A policy names a key that is not there.
    #[error("{0}")]
    UnknownKey(String),
    /// There are tokens and no `keys/` folder beside the cases.
    #[error("no folder `keys` with a `jwks.json` beside the cases or above them")]
    NoKeys,
    /// A token can't be made.
    #[error(transparent)]
    Token(#[from] TokenError),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    #[serde(default)]
    policies: BTreeMap<String, Value>,
    cases: Vec<Spanned<Case>>,
}

impl Suite {
    /// Reads one file; keys are those beside it or above it.
    pub fn read(path: &Path) -> Result<Self, SuiteError> {
        Self::read_with(path, Keys::near(path))
    }

    /// Reads one file, with keys from anywhere.
    pub fn read_with(path: &Path, keys: Option<Keys>) -> Result<Self, SuiteError> {
        let text = std::fs::read_to_string(path).map_err(|source| SuiteError::Read {
            path: path.to_owned(),
            source,
        })?;
        let wire: Wire = yaml::read_as(&text).map_err(|source| SuiteError::Yaml {
            path: path.to_owned(),
            source,
        })?;
        let mut cases = Vec::with_capacity(wire.cases.len());
        for case in wire.cases {
            let line = case.referenced.line();
            case.value.check().map_err(|problem| SuiteError::Case {
                path: path.to_owned(),
                line,
                problem,
            })?;
            cases.push((line, case.value));
        }
        Ok(Self {
            path: path.to_owned(),
            policies: wire.policies,
            cases,
            keys,
        })
    }

    /// A mint for the file's tokens; none when there are no keys.
    #[must_use]
    pub fn mint(&self, now: u64) -> Option<Mint> {
        self.keys.clone().map(|keys| Mint::new(keys, now))
    }

    /// The `spec` that judges a case, as written.
    pub fn spec<'a>(&'a self, case: &'a Case) -> Result<&'a Value, SuiteError> {
        match &case.policy {
            PolicyChoice::Spec(spec) => Ok(spec),
            PolicyChoice::Named(name) => self
                .policies
                .get(name)
                .ok_or_else(|| SuiteError::UnknownPolicy(name.clone())),
        }
    }

    /// Makes a case ready: keys and tokens in place. `now` is the mint's, in seconds.
    pub fn ready(
        &self,
        case: &Case,
        mint: &mut Option<Mint>,
        now: u64,
    ) -> Result<Ready, SuiteError> {
        let mut spec = self.spec(case)?.clone();
        substitute(&mut spec, self.keys.as_ref()).map_err(SuiteError::UnknownKey)?;
        let mut tokens = BTreeMap::new();
        for (name, token) in &case.tokens {
            let mint = mint.as_mut().ok_or(SuiteError::NoKeys)?;
            tokens.insert(name.clone(), mint.mint(token)?);
        }
        let policy = json!({"apiVersion": policy::API_VERSION, "spec": spec})
            .to_string()
            .into_bytes();
        #[expect(
            clippy::cast_precision_loss,
            reason = "seconds since 1970 are far below 2^53"
        )]
        let scenario = case.scenario(&tokens, now as f64);
        Ok(Ready {
            policy,
            scenario,
            tokens,
            host_faults: case.host_faults.clone(),
            verify: case.verify,
        })
    }
}

/// The files of cases under the given files and folders, sorted. `refused*.yaml` holds policies, not cases.
pub fn files(roots: &[PathBuf]) -> Result<Vec<PathBuf>, SuiteError> {
    let mut found = Vec::new();
    for root in roots {
        if root.is_dir() {
            collect(root, &mut found)?;
        } else {
            found.push(root.clone());
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), SuiteError> {
    let unreadable = |source| SuiteError::Read {
        path: folder.to_owned(),
        source,
    };
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let refused = path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("refused"));
        let is_yaml = path
            .extension()
            .is_some_and(|extension| extension == "yaml" || extension == "yml");
        if path.is_dir() {
            collect(&path, found)?;
        } else if is_yaml && !refused {
            found.push(path);
        }
    }
    Ok(())
}
