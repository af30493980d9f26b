//! The arguments of the bench.

use std::path::PathBuf;

use crate::{Error, Result, repository};

/// What to measure and how. The program's help says what each is.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the table in `src/bin/bench.rs` has them all")]
pub struct Options {
    pub filter: Option<PathBuf>,
    pub policy: Option<PathBuf>,
    pub noop: Option<PathBuf>,
    pub token: Option<PathBuf>,
    pub jwks: Option<PathBuf>,
    pub provider: Option<PathBuf>,
    pub xff: String,
    pub rounds: usize,
    pub seconds: u64,
    pub envoy: Option<String>,
    pub out: PathBuf,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            filter: None,
            policy: None,
            noop: None,
            token: None,
            jwks: None,
            provider: None,
            xff: "203.0.113.7".into(),
            rounds: 5,
            seconds: 3,
            envoy: None,
            out: repository().join("out/bench/envoy.json"),
        }
    }
}

impl Options {
    /// Reads `--name value` pairs.
    pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = Self::default();
        let mut arguments = arguments;
        while let Some(name) = arguments.next() {
            let value = arguments
                .next()
                .ok_or_else(|| Error::Unusable(format!("expected a value after `{name}`")))?;
            let file = || Some(PathBuf::from(&value));
            match name.as_str() {
                "--filter" => options.filter = file(),
                "--policy" => options.policy = file(),
                "--noop" => options.noop = file(),
                "--token" => options.token = file(),
                "--jwks" => options.jwks = file(),
                "--provider" => options.provider = file(),
                "--xff" => options.xff = value,
                "--rounds" => options.rounds = number(&name, &value)?,
                "--seconds" => options.seconds = number(&name, &value)?,
                "--envoy" => options.envoy = Some(value),
                "--out" => options.out = PathBuf::from(value),
                _ => return Err(Error::Unusable(format!("unknown option `{name}`"))),
            }
        }
        if options.filter.is_some() != options.policy.is_some() {
            return Err(Error::Unusable(
                "`--filter` and `--policy` go together".into(),
            ));
        }
        if options.token.is_some() != options.jwks.is_some() {
            return Err(Error::Unusable("`--token` and `--jwks` go together".into()));
        }
        Ok(options)
    }
}

fn number<T: std::str::FromStr + PartialOrd + From<u8>>(name: &str, value: &str) -> Result<T> {
    value
        .parse()
        .ok()
        .filter(|number| *number >= T::from(1))
        .ok_or_else(|| {
            Error::Unusable(format!(
                "expected a number from 1 after `{name}`, found `{value}`"
            ))
        })
}
