//! The arguments of the verbs that bring a policy into the mesh and look after it there.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use delivery::Reference;

use super::Output;
use super::connection::{Connection, duration};
use super::delivery::Registry;

pub const DEPLOY: &str = "Examples:
  kubectl kyma-istio filter deploy -f policy.yaml --image registry.example.com/team/header-policy:1.0
  kubectl kyma-istio filter deploy -f policy.yaml --dry-run

The pull is rehearsed by istio-agent's rules and the digest is written, never the tag. It is done when the filter itself says, on each selected proxy, that it runs this policy. Where one can't, what was there before is brought back. Where nobody knows in time, or after Ctrl-C, it stays deployed; the same command goes on from there.

Exit codes: 0 every selected proxy runs it; 1 one doesn't, and what was before is back; 2 invalid input; 3 cluster or registry unreachable or forbidden; 4 timed out, it stays deployed; 5 refused by a gate, or by you; 6 partly done: interrupted, or what was before couldn't be brought back to work.";
pub const STATUS: &str = "Examples:
  kubectl kyma-istio filter status
  kubectl kyma-istio filter status istio-system/shop -o json

Exit codes: 0 every selected proxy runs its policy, 1 one doesn't, 3 cluster unreachable or forbidden, or a proxy can't be asked.";
pub const LIST: &str = "Example:
  kubectl kyma-istio filter list

Exit codes: 0 told, 3 cluster unreachable or forbidden.";
pub const ROLLBACK: &str = "Example:
  kubectl kyma-istio filter rollback shop

Image and policy go back together, to what they were before the last roll-out; a second rollback goes forth again. The pull is rehearsed, and where a proxy doesn't come to run it, the policy that stood there is brought back, as by `deploy`.

Exit codes: as of `deploy`; 5 also where there is nothing to go back to.";
pub const REMOVE: &str = "Example:
  kubectl kyma-istio filter remove shop

Its canary, if it has one, goes with it.

Exit codes: 0 no proxy has it any more, 3 cluster unreachable or forbidden, 4 timed out, 5 refused by you.";
pub const COMPARE: &str = "Example:
  kubectl kyma-istio filter compare shop --for 1m

Proxies count on through edits of a policy, and a canary counts from its own start: only `--for` puts the same requests on both sides. Requests that were let through are counted every five seconds.

Exit codes: 0 told, 2 there is no canary, 3 cluster unreachable or forbidden.";
pub const PROMOTE: &str = "Example:
  kubectl kyma-istio filter promote shop

The canary's image and policy become the enforcing ones, on all proxies of the policy; then the canary goes. The pull is rehearsed, and where a proxy doesn't come to run it, the policy before is brought back, as by `deploy`.

Exit codes: as of `deploy`; 2 also where there is no canary.";
pub const LOGS: &str = "Examples:
  kubectl kyma-istio filter logs shop
  kubectl kyma-istio filter logs shop -f --level trace

While it follows, the level of the proxies' logger `wasm` is raised; it is put back at the end, after Ctrl-C and a closed terminal too. A proxy that has the level already, from another follower, keeps it. A container that restarts is followed on. At `trace` each decision is logged, five seconds after the level was raised.

Exit codes: 0 told, 1 a level could not be put back, 3 cluster unreachable or forbidden.";

#[derive(Debug, Args)]
pub struct Deploy {
    /// The policy, YAML or JSON; `-` is stdin.
    #[arg(short, long, value_name = "FILE")]
    pub file: PathBuf,
    /// The image that `filter push` made [default: the one that is deployed].
    #[arg(long, value_name = "REF")]
    pub image: Option<Reference>,
    /// A Secret of type kubernetes.io/dockerconfigjson in the plugin's namespace [default: the one that is deployed]; an empty name: none.
    #[arg(long, value_name = "SECRET")]
    pub pull_secret: Option<String>,
    /// Bring it as a shadow beside the one that runs: it counts and touches nothing. `compare` and `promote` go on from there.
    #[arg(long)]
    pub canary: bool,
    #[command(flatten)]
    pub rolls: Rolls,
    #[command(flatten)]
    pub operate: Operate,
    #[command(flatten)]
    pub registry: Registry,
    #[command(flatten)]
    pub output: Output,
    #[command(flatten)]
    pub connection: Connection,
}

/// How a roll-out goes.
#[derive(Debug, Clone, Copy, Args)]
pub struct Rolls {
    /// Don't try the pull: only the proxies reach the registry. The image must name its digest.
    #[arg(long)]
    pub skip_rehearsal: bool,
    /// Leave what was deployed as it is, also where a proxy doesn't run it.
    #[arg(long)]
    pub no_rollback: bool,
    /// Take fields that other field managers own, such as an editor's.
    #[arg(long)]
    pub force_conflicts: bool,
}

/// How a change is made.
#[derive(Debug, Clone, Copy, Args)]
pub struct Operate {
    /// Show what would be done, asked of the API server; write nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Don't ask.
    #[arg(short, long)]
    pub yes: bool,
    /// How long proxies may take.
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = duration)]
    pub timeout: Duration,
}

#[derive(Debug, Args)]
pub struct FilterStatus {
    /// One policy, `[NAMESPACE/]NAME` [default: all].
    #[arg(value_name = "POLICY")]
    pub policy: Option<String>,
    #[command(flatten)]
    pub output: Output,
    #[command(flatten)]
    pub connection: Connection,
}

/// `rollback` and `promote`: another state of a policy that is deployed.
#[derive(Debug, Args)]
pub struct Replace {
    /// `[NAMESPACE/]NAME`.
    #[arg(value_name = "POLICY")]
    pub policy: String,
    #[command(flatten)]
    pub rolls: Rolls,
    #[command(flatten)]
    pub operate: Operate,
    #[command(flatten)]
    pub registry: Registry,
    #[command(flatten)]
    pub output: Output,
    #[command(flatten)]
    pub connection: Connection,
}

#[derive(Debug, Args)]
pub struct Remove {
    /// `[NAMESPACE/]NAME`.
    #[arg(value_name = "POLICY")]
    pub policy: String,
    #[command(flatten)]
    pub operate: Operate,
    #[command(flatten)]
    pub output: Output,
    #[command(flatten)]
    pub connection: Connection,
}

#[derive(Debug, Args)]
pub struct Compare {
    /// `[NAMESPACE/]NAME` of the policy that runs.
    #[arg(value_name = "POLICY")]
    pub policy: String,
    /// Count what comes within this time [default: all that was counted so far].
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub span: Option<Duration>,
    #[command(flatten)]
    pub output: Output,
    #[command(flatten)]
    pub connection: Connection,
}

#[derive(Debug, Args)]
pub struct Logs {
    /// `[NAMESPACE/]NAME`.
    #[arg(value_name = "POLICY")]
    pub policy: String,
    /// Go on with what comes.
    #[arg(short, long)]
    pub follow: bool,
    /// The level while following.
    #[arg(long, value_enum, default_value_t = Level::Info)]
    pub level: Level,
    /// Lines of the past, of each proxy.
    #[arg(long, default_value_t = 100)]
    pub tail: u32,
    #[command(flatten)]
    pub connection: Connection,
}

/// Envoy's levels that let something of the filter through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warning,
}

impl Level {
    /// As Envoy spells it.
    pub fn envoy(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warning => "warning",
        }
    }
}
