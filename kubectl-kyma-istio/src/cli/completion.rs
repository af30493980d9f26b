//! The arguments of `completion`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use super::Output;

pub const AFTER_HELP: &str = "Examples:
  source <(kubectl kyma-istio completion bash)
  kubectl kyma-istio completion install

The scripts complete `kubectl-kyma_istio`; `install` makes kubectl's own completion complete `kubectl kyma-istio`.";
const INSTALL: &str = "Examples:
  kubectl kyma-istio completion install
  kubectl kyma-istio completion install --dir ~/.local/bin --dry-run

kubectl's completion runs an executable `kubectl_complete-kyma_istio` of $PATH; this command writes it. Repeating it changes nothing. A file of that name that this command did not write is left alone.

Exit codes: 0 written, or already there; 2 the folder can't be written to, or another file has the name.";

#[derive(Debug, Subcommand)]
pub enum Completion {
    /// Print the completion script for bash: `source <(kubectl-kyma_istio completion bash)`.
    Bash,
    /// Print the completion script for zsh: `source <(kubectl-kyma_istio completion zsh)`.
    Zsh,
    /// Print the completion script for fish: `kubectl-kyma_istio completion fish | source`.
    Fish,
    /// Print the completion script for PowerShell: `kubectl-kyma_istio completion powershell | Out-String | Invoke-Expression`.
    Powershell,
    /// Let kubectl complete `kubectl kyma-istio`.
    #[command(after_help = INSTALL)]
    Install(InstallCompletion),
    /// Write the man pages to a folder; `make release` packs them.
    #[command(hide = true)]
    Man {
        /// The folder; it is made.
        #[arg(value_name = "FOLDER", value_hint = ValueHint::DirPath)]
        folder: PathBuf,
    },
}

#[derive(Debug, Args)]
pub struct InstallCompletion {
    /// The folder to write to; kubectl finds the file only in $PATH [default: where the plugin is in $PATH].
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub dir: Option<PathBuf>,
    /// Show what would be written; write nothing.
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub output: Output,
}
