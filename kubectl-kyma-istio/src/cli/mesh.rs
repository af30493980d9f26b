//! The verbs about Istio and about a cluster.

mod connection;
mod delivery;
mod filter;
mod inputs;
mod patch;
mod uninstall;
mod upgrade;
mod verbs;
mod xff;

use clap::Subcommand;

use super::{Output, TestForm};

pub use connection::Connection;
pub use delivery::{Inspect, Push, Registry, Save};
pub use filter::{Compare, Deploy, FilterStatus, Logs, Operate, Remove, Replace, Rolls};
pub use inputs::{Inputs, Istioctl};
pub use patch::Patch;
pub use uninstall::Uninstall;
pub use upgrade::Upgrade;
pub use verbs::{Check, Diff, Explain, Install, Render, RenderForm, Status, Verify};
pub use xff::{ExplainChain, Probe, Set, Show, Xff};

/// What stands beside `filter` and `version`.
#[derive(Debug, Subcommand)]
pub enum MeshCommand {
    /// Bring Istio to what Kyma needs: plan, confirm, apply, wait, verify.
    #[command(after_help = INSTALL)]
    Install(Box<Install>),
    /// Bring Istio to another version: control plane and gateways in place, sidecars by `sync` afterwards.
    #[command(after_help = upgrade::AFTER_HELP)]
    Upgrade(Box<Upgrade>),
    /// Bring an Istio that others installed to what Kyma needs, and back.
    #[command(after_help = patch::AFTER_HELP)]
    Patch(Box<Patch>),
    /// Remove Istio: what blocks it is listed, then everything goes in order.
    #[command(after_help = uninstall::AFTER_HELP)]
    Uninstall(Box<Uninstall>),
    /// Show what `install` would change, asked of the API server, and what that does to what runs.
    #[command(after_help = DIFF)]
    Diff(Box<Diff>),
    /// Print the manifests that `install` applies; needs no cluster.
    #[command(after_help = RENDER)]
    Render(Box<Render>),
    /// Judge the five criteria by which an Istio is fit for Kyma.
    #[command(after_help = VERIFY)]
    Verify(Box<Verify>),
    /// One screen about the mesh.
    #[command(after_help = STATUS)]
    Status(Box<Status>),
    /// Find what is wrong, or would be: findings with codes and hints.
    #[command(after_help = CHECK)]
    Check(Box<Check>),
    /// Explain a code, offline.
    #[command(after_help = EXPLAIN)]
    Explain(Explain),
    /// Trusted proxies: who is believed about the client's address.
    #[command(subcommand)]
    Xff(Box<Xff>),
}

/// What `filter` does with registries and proxies.
#[derive(Debug, Subcommand)]
pub enum FilterCommand {
    /// Push the filter as an image that istio-agent takes.
    #[command(after_help = delivery::PUSH)]
    Push(Push),
    /// Write the filter's image to a folder, for the tools that copy to registries.
    #[command(after_help = delivery::SAVE)]
    Save(Save),
    /// Show what istio-agent makes of an image or a module, or why nothing.
    #[command(after_help = delivery::INSPECT)]
    Inspect(Inspect),
    /// Bring a policy to its proxies, and wait until each says that it runs it.
    #[command(after_help = filter::DEPLOY)]
    Deploy(Box<Deploy>),
    /// Show what each selected proxy makes of its policy.
    #[command(after_help = filter::STATUS)]
    Status(Box<FilterStatus>),
    /// List the deployed policies.
    #[command(after_help = filter::LIST)]
    List(Box<FilterStatus>),
    /// Go back to the image and the policy before the last roll-out.
    #[command(after_help = filter::ROLLBACK)]
    Rollback(Box<Replace>),
    /// Compare what a policy and its canary counted, by reason.
    #[command(after_help = filter::COMPARE)]
    Compare(Box<Compare>),
    /// Let the canary become the policy that runs.
    #[command(after_help = filter::PROMOTE)]
    Promote(Box<Replace>),
    /// Take a policy and its canary away; nothing of them is left.
    #[command(after_help = filter::REMOVE)]
    Remove(Box<Remove>),
    /// Show what the filter logs in the selected proxies.
    #[command(after_help = filter::LOGS)]
    Logs(Box<Logs>),
}

const INSTALL: &str = "Examples:
  kubectl kyma-istio install --profile evaluation
  kubectl kyma-istio install -f istio.yaml --dry-run
  kubectl kyma-istio install -f istio.yaml --set meshConfig.accessLogFile=/dev/stdout --yes

Killed or interrupted at any point, the same command continues.

Exit codes: 0 done, or nothing to do; 1 a criterion failed afterwards; 2 invalid input, or no terminal and no --yes; 3 cluster unreachable or forbidden; 4 timed out; 5 refused by a gate, or by you; 6 partly done.";
const DIFF: &str = "Examples:
  kubectl kyma-istio diff -f istio.yaml
  KUBECTL_EXTERNAL_DIFF='diff -u' kubectl kyma-istio diff -f istio.yaml

Exit codes: 0 no differences, 1 differences, 2 to 5 errors.";
const RENDER: &str = "Examples:
  kubectl kyma-istio render --profile production > istio.yaml
  kubectl kyma-istio render --profile evaluation -f istio.yaml --explain

With a profile no cluster is asked, unless a flag names one; then the provider comes from its nodes.

Exit codes: 0 rendered, 2 invalid input.";
const VERIFY: &str = "Examples:
  kubectl kyma-istio verify
  kubectl kyma-istio verify --version 1.31.1 -o junit > verify.xml

Nothing is written: what needs a try is asked by dry runs.

Exit codes: 0 all met, 1 one is not met, 3 cluster unreachable or forbidden.";
const STATUS: &str = "Example:
  kubectl kyma-istio status -o json

Exit codes: 0 told, 3 cluster unreachable or forbidden.";
const CHECK: &str = "Examples:
  kubectl kyma-istio check
  kubectl kyma-istio check --pre
  kubectl kyma-istio check --proxy -o junit > check.xml

Without a flag everything is checked.

Exit codes: 0 no errors, 1 an error was found, 3 cluster unreachable or forbidden.";
const EXPLAIN: &str = "Examples:
  kubectl kyma-istio explain KI-V002
  kubectl kyma-istio explain";
