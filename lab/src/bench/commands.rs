//! What the plugin's commands take beside `istioctl`: wall time of whole processes, rounds interleaved. Each installation goes
//! to a cluster of its own (a real API server, pods made ready by kwok at once), so that neither waits for images.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Median, Options, machine::load, write};
use crate::{
    Error, Result,
    kubernetes::{ControlPlane, NodeSpec, istioctl},
    tools::output,
};

/// Starts of short commands in a round: one is too short to measure well.
const STARTS: u32 = 10;

/// Every command, in the order of the table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Commands {
    /// Processes that wanted to run in the minute before.
    pub load_before: f64,
    /// Name, and milliseconds of every round.
    pub rounds: Vec<(String, Vec<f64>)>,
}

/// What one round runs.
struct Bench<'a> {
    plugin: &'a Path,
    istioctl: PathBuf,
    /// The IstioOperator that the plugin composes: both render and install the same.
    operator: PathBuf,
}

pub(super) const HELP: &str = "--help";
pub(super) const VERSION: &str = "version";
pub(super) const RENDER: &str = "render";
pub(super) const DIFF: &str = "diff";
pub(super) const INSTALL: &str = "install";
pub(super) const GENERATE: &str = "istioctl manifest generate";
pub(super) const ISTIOCTL_INSTALL: &str = "istioctl install";

const PROFILE: [&str; 2] = ["--profile", "evaluation"];

impl Commands {
    /// The median of one command in milliseconds.
    pub fn median(&self, name: &str) -> Option<Median> {
        self.of(name)
            .map(|rounds| Median::of(rounds.iter().copied()))
    }

    /// How many times as long the one takes as the other.
    pub fn ratio(&self, one: &str, other: &str) -> Option<Median> {
        Some(Median::of_ratios(self.of(one)?, self.of(other)?))
    }

    fn of(&self, name: &str) -> Option<&[f64]> {
        let found = self.rounds.iter().find(|(known, _)| known == name);
        found.map(|(_, rounds)| rounds.as_slice())
    }
}

/// Runs all commands.
pub(super) fn measure(options: &Options, progress: &mut dyn FnMut(String)) -> Result<Commands> {
    let load_before = load();
    let (plugin, rounds) = (options.plugin.as_path(), options.command_rounds);
    let istioctl = istioctl(None)?;
    let operator = options.out.join("operator.yaml");
    let composed = output(
        Command::new(plugin)
            .args(["render", "--operator"])
            .args(PROFILE),
    )?;
    write(&operator, &composed)?;
    let bench = Bench {
        plugin,
        istioctl,
        operator,
    };
    let mut all: Vec<(String, Vec<f64>)> = Vec::new();
    for round in 1..=rounds {
        progress(format!("commands, round {round} of {rounds}"));
        for (name, milliseconds) in bench.round(round % 2 == 0)? {
            match all.iter_mut().find(|(known, _)| known == name) {
                Some((_, found)) => found.push(milliseconds),
                None => all.push((name.to_owned(), vec![milliseconds])),
            }
        }
    }
    Ok(Commands {
        load_before,
        rounds: all,
    })
}

impl Bench<'_> {
    /// Each command once; every second round istioctl first.
    fn round(&self, istioctl_first: bool) -> Result<Vec<(&'static str, f64)>> {
        let mut found = vec![
            (HELP, self.started(&["--help"])?),
            (VERSION, self.started(&["version"])?),
        ];
        let ours = || -> Result<[(&'static str, f64); 3]> {
            let render = timed(self.plugin(None).arg("render").args(PROFILE), &[0])?;
            let cluster = cluster()?;
            let diff = timed(self.plugin(Some(&cluster)).arg("diff").args(PROFILE), &[1])?;
            let install = timed(
                self.plugin(Some(&cluster))
                    .args(["install", "--yes", "--skip-verify"])
                    .args(PROFILE),
                &[0],
            )?;
            is_installed(&cluster)?;
            Ok([(RENDER, render), (DIFF, diff), (INSTALL, install)])
        };
        let theirs = || -> Result<[(&'static str, f64); 2]> {
            let generate = timed(
                self.istioctl()
                    .args(["manifest", "generate", "-f"])
                    .arg(&self.operator),
                &[0],
            )?;
            let cluster = cluster()?;
            // The pods of the operator name it; the plugin brings it itself.
            cluster.kubectl(&[
                "create",
                "priorityclass",
                "istio-kyma-priority",
                "--value=2000000",
            ])?;
            let install = timed(
                self.istioctl()
                    .args(["install", "--skip-confirmation", "-f"])
                    .arg(&self.operator)
                    .env("KUBECONFIG", cluster.kubeconfig()),
                &[0],
            )?;
            is_installed(&cluster)?;
            Ok([(GENERATE, generate), (ISTIOCTL_INSTALL, install)])
        };
        if istioctl_first {
            let theirs = theirs()?;
            found.extend(ours()?);
            found.extend(theirs);
        } else {
            found.extend(ours()?);
            found.extend(theirs()?);
        }
        Ok(found)
    }

    /// Milliseconds of one start.
    fn started(&self, arguments: &[&str]) -> Result<f64> {
        let mut sum = 0.0;
        for _ in 0..STARTS {
            sum += timed(self.plugin(None).args(arguments), &[0])?;
        }
        Ok(sum / f64::from(STARTS))
    }

    fn plugin(&self, cluster: Option<&ControlPlane>) -> Command {
        let mut command = Command::new(self.plugin);
        command
            .env("ISTIOCTL", &self.istioctl)
            .env_remove("KUBECONFIG");
        if let Some(cluster) = cluster {
            command.env("KUBECONFIG", cluster.kubeconfig());
        }
        command
    }

    fn istioctl(&self) -> Command {
        Command::new(&self.istioctl)
    }
}

/// Pods are made and at once ready.
fn cluster() -> Result<ControlPlane> {
    ControlPlane::with_nodes(&[NodeSpec::new("node-1")])
}

/// Both must have done the work: a control plane and a gateway that are ready.
fn is_installed(cluster: &ControlPlane) -> Result<()> {
    let text = cluster.kubectl(&[
        "get",
        "deployments",
        "--namespace=istio-system",
        "--output=json",
    ])?;
    let list: Value = serde_json::from_str(&text).unwrap_or_default();
    let names = ["istiod", "istio-ingressgateway"];
    let is_ready = |name: &&str| {
        let deployments = list["items"].as_array().into_iter().flatten();
        let mut named = deployments.filter(|one| one["metadata"]["name"] == **name);
        named.any(|one| one["status"]["readyReplicas"].as_u64() >= Some(1))
    };
    match names.iter().all(is_ready) {
        true => Ok(()),
        false => Err(Error::Unusable(format!(
            "after the installation {names:?} should be ready, found: {text}"
        ))),
    }
}

/// Milliseconds of a whole process, which must end with one of these codes.
fn timed(command: &mut Command, codes: &[i32]) -> Result<f64> {
    let started = Instant::now();
    let ended = command.stdin(Stdio::null()).output();
    let elapsed = started.elapsed();
    let ended = ended.map_err(|error| Error::Unusable(format!("{command:?}: {error}")))?;
    if ended
        .status
        .code()
        .is_some_and(|code| codes.contains(&code))
    {
        return Ok(elapsed.as_secs_f64() * 1e3);
    }
    Err(Error::Unusable(format!(
        "{command:?} ended with {}: {}",
        ended.status,
        String::from_utf8_lossy(&ended.stderr)
    )))
}
