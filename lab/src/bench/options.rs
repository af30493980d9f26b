//! The arguments of the bench.

use std::path::PathBuf;

use crate::{Error, Result, repository};

/// What to do. The program's help says what each option is.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the table in `src/bin/bench.rs` has them all")]
pub struct Options {
    pub job: Job,
    pub filter: PathBuf,
    pub plugin: PathBuf,
    pub rounds: usize,
    pub command_rounds: usize,
    pub seconds: u64,
    pub envoy: Option<String>,
    pub out: PathBuf,
}

/// Which part of the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// All measurements and the report.
    All,
    /// Only what wasmtime tells, in a minute and without `wrk`.
    Costs,
    /// Only the plugin's commands beside istioctl.
    Commands,
    /// Only bring the last report into the documents.
    Publish,
}

impl Options {
    /// Reads a job, if there is one, and `--name value` pairs.
    pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Self> {
        let root = repository();
        let mut options = Self {
            job: Job::All,
            filter: root.join("out/header-policy.wasm"),
            plugin: "kubectl-kyma_istio".into(),
            rounds: 15,
            command_rounds: 9,
            seconds: 2,
            envoy: None,
            out: root.join("out/bench"),
        };
        let mut arguments = arguments.peekable();
        if let Some(job) = arguments.next_if(|first| !first.starts_with('-')) {
            options.job = match job.as_str() {
                "all" => Job::All,
                "costs" => Job::Costs,
                "commands" => Job::Commands,
                "publish" => Job::Publish,
                _ => {
                    return Err(Error::Unusable(format!(
                        "expected `all`, `costs`, `commands` or `publish`, found `{job}`"
                    )));
                }
            };
        }
        while let Some(name) = arguments.next() {
            let value = arguments
                .next()
                .ok_or_else(|| Error::Unusable(format!("expected a value after `{name}`")))?;
            match name.as_str() {
                "--filter" => options.filter = absolute(&value),
                "--plugin" => options.plugin = absolute(&value),
                "--command-rounds" => options.command_rounds = number(&name, &value)?,
                "--rounds" => options.rounds = number(&name, &value)?,
                "--seconds" => options.seconds = number(&name, &value)?,
                "--envoy" => options.envoy = Some(value),
                "--out" => options.out = absolute(&value),
                _ => return Err(Error::Unusable(format!("unknown option `{name}`"))),
            }
        }
        Ok(options)
    }
}

/// Envoy and the plugin run somewhere else.
fn absolute(path: &str) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.into())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Options> {
        Options::parse(arguments.iter().map(|one| (*one).to_owned()))
    }

    #[test]
    fn a_job_comes_first_and_options_follow() {
        let options = parse(&["costs", "--rounds", "3"]).unwrap();
        assert_eq!((options.job, options.rounds), (Job::Costs, 3));
        assert_eq!(parse(&[]).unwrap().job, Job::All);
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (arguments, named) in [
            (&["measure"][..], "`measure`"),
            (&["--rounds"], "`--rounds`"),
            (&["--rounds", "0"], "`0`"),
            (&["--round", "3"], "`--round`"),
        ] {
            let error = parse(arguments).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }
}
