//! Load by `wrk`, and what it costs Envoy.

use std::{io::ErrorKind, path::PathBuf, process::Command};

use tempfile::TempDir;

use super::{
    policies::{CLIENT, HOST},
    scenarios::Scenario,
    tokens,
};
use crate::{
    Client, Envoy, Error, RawRequest, Result, error::Doing, http1::broken, repository,
    tools::output,
};

/// Enough to keep Envoy's one worker busy.
const CONNECTIONS: u32 = 16;

pub(super) struct Load {
    seconds: u64,
    first_token: String,
    one: PathBuf,
    many: PathBuf,
    _folder: TempDir,
}

impl Load {
    pub(super) fn new(seconds: u64, tokens: &[String]) -> Result<Self> {
        let folder = TempDir::with_prefix("lab-bench-").doing(|| "making a folder".into())?;
        let file = |name: &str, tokens: &[String]| {
            let path = folder.path().join(name);
            let written = std::fs::write(&path, tokens.join("\n"));
            written.doing(|| format!("writing {}", path.display()))?;
            Ok::<PathBuf, Error>(path)
        };
        let first = tokens.first().cloned().unwrap_or_default();
        Ok(Self {
            seconds,
            one: file("one", std::slice::from_ref(&first))?,
            many: file("many", tokens)?,
            first_token: first,
            _folder: folder,
        })
    }

    /// A scenario that refuses is not worth measuring. This request warms caches, too.
    pub(super) fn check(&self, envoy: &Envoy, scenario: &Scenario) -> Result<()> {
        let request = RawRequest {
            headers: Vec::new(),
            ..RawRequest::get(scenario.path.as_str())
        }
        .header("host", HOST)
        .header("x-forwarded-for", CLIENT)
        .header("authorization", format!("Bearer {}", self.first_token));
        let response = Client::new().send(envoy.listener(scenario.name)?, &request)?;
        if response.status == 200 {
            return Ok(());
        }
        let body = String::from_utf8_lossy(&response.body).into_owned();
        Err(Error::Unusable(format!(
            "scenario `{}` answers {}: {body}",
            scenario.name, response.status
        )))
    }

    /// CPU microseconds of Envoy per request.
    pub(super) fn measure(&self, envoy: &Envoy, scenario: &Scenario) -> Result<f64> {
        let tokens = if scenario.many_tokens {
            &self.many
        } else {
            &self.one
        };
        let mut wrk = Command::new("wrk");
        wrk.args([
            "-t1",
            &format!("-c{CONNECTIONS}"),
            &format!("-d{}s", self.seconds),
            "-s",
        ])
        .arg(repository().join("lab/bench/load.lua"))
        .arg(format!("http://{}/", envoy.listener(scenario.name)?))
        .arg("--")
        .arg(tokens)
        .args([HOST, CLIENT, &scenario.path]);
        let before = envoy.cpu_time()?;
        let said = output(&mut wrk)?;
        let used = envoy.cpu_time()?.saturating_sub(before);
        if said.contains("Non-2xx") {
            return Err(Error::Unusable(format!(
                "scenario `{}` refused requests",
                scenario.name
            )));
        }
        let requests: u32 = said
            .split_once(" requests in")
            .and_then(|(before, _)| before.split_whitespace().last()?.parse().ok())
            .filter(|requests| *requests > 0)
            .ok_or_else(|| broken("wrk's number of requests", said.as_bytes()))?;
        Ok(used.as_secs_f64() * 1e6 / f64::from(requests))
    }
}

/// Signs the tokens for all scenarios, if there is something to send them with.
pub(super) fn prepare(seconds: u64) -> Result<Load> {
    // Its exit code for `-v` is 1.
    match Command::new("wrk").arg("-v").output() {
        Err(error) if error.kind() == ErrorKind::NotFound => Err(Error::Unusable(
            "`wrk` is not installed, expected it in PATH; hint: it is the Debian package `wrk`: apt-get install wrk".into(),
        )),
        said => {
            said.doing(|| "running `wrk`".into())?;
            Load::new(seconds, &tokens::sign(tokens::MANY)?)
        }
    }
}
