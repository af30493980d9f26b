//! The arguments of `upgrade`: those of `install`.

use clap::Args;

use super::Install;

#[derive(Debug, Args)]
pub struct Upgrade {
    #[command(flatten)]
    pub install: Install,
}

pub const AFTER_HELP: &str = "Examples:
  kubectl kyma-istio upgrade --dry-run
  kubectl kyma-istio upgrade --istio-version 1.31.1
  kubectl kyma-istio upgrade -f istio.yaml --yes

Give the same inputs as to `install`: what is not given becomes the default again; the dry run shows it. One minor version at a time, and never down.

Exit codes: 0 done, or nothing to do; 1 a criterion failed afterwards; 2 invalid input, or no terminal and no --yes; 3 cluster unreachable or forbidden; 4 timed out; 5 refused by a gate, or by you; 6 partly done.";
