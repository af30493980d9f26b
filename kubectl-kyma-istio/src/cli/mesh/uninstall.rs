//! The arguments of `uninstall`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::Output;
use super::connection::{Connection, duration};

#[derive(Debug, Args)]
pub struct Uninstall {
    /// Show what would be done and what blocks it; write nothing.
    #[arg(long, visible_alias = "plan")]
    pub dry_run: bool,
    /// Don't ask.
    #[arg(short, long)]
    pub yes: bool,
    /// Write Istio's resources of others, header policies and the Istio custom resource as files that `kubectl apply -f DIR` brings back.
    #[arg(long, value_name = "DIR")]
    pub backup: Option<PathBuf>,
    /// Delete Istio's resources of others too, once the backup is written.
    #[arg(long, requires = "backup")]
    pub delete_blockers: bool,
    /// Uninstall an Istio that was installed by others.
    #[arg(long)]
    pub take_ownership: bool,
    /// The limit of each wait for something to be gone.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration)]
    pub timeout: Duration,
    #[command(flatten)]
    pub output: Output,
    #[command(flatten)]
    pub connection: Connection,
}

pub const AFTER_HELP: &str = "Examples:
  kubectl kyma-istio uninstall --plan
  kubectl kyma-istio uninstall --backup before --delete-blockers
  kubectl apply -f before                      # once Istio is back

Killed or interrupted at any point, the same command continues.

Exit codes: 0 done, or nothing to do; 2 no terminal and no --yes, or a backup that can't be written; 3 cluster unreachable or forbidden; 4 timed out; 5 blocked by resources of others, refused by a gate, or by you; 6 partly done.";
