//! The arguments of `patch`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::connection::{Connection, duration};
use super::{Istioctl, Output};

#[derive(Debug, Args)]
pub struct Patch {
    /// Show what would be done, asked of the API server; write nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Don't ask.
    #[arg(short, long)]
    pub yes: bool,
    /// Bring back what `patch` changed and removed; what others changed since stays as it is.
    #[arg(long, conflicts_with_all = ["verify_only", "job"])]
    pub undo: bool,
    /// Change nothing, judge only.
    #[arg(long)]
    pub verify_only: bool,
    /// Don't judge the criteria afterwards.
    #[arg(long, conflicts_with = "verify_only")]
    pub skip_verify: bool,
    /// The Istio version that is to run [default: the one that this plugin installs].
    #[arg(long, value_name = "VERSION")]
    pub istio_version: Option<mesh::versions::Version>,
    /// The memory limit of sidecars that have none.
    #[arg(long, value_name = "QUANTITY", default_value = "1024Mi", value_parser = memory)]
    pub memory_limit: String,
    /// The ingress gateway's certificate chain, PEM, the leaf first.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The key of the certificate, PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Make a self-signed certificate for this domain and all names below it.
    #[arg(long, value_name = "DOMAIN", conflicts_with = "tls_cert")]
    pub domain: Option<String>,
    /// Remove the PersistentVolumeClaims of the add-ons too; `--undo` brings back the claims, but not their data.
    #[arg(long)]
    pub delete_data: bool,
    /// Write what is changed or removed as files too; the cluster keeps its own record in any case.
    #[arg(long, value_name = "DIR")]
    pub backup: Option<PathBuf>,
    /// The limit of each wait.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration)]
    pub timeout: Duration,
    /// Print the Job `istio-kyma-patch` and its rights, which amount to an administrator's, instead of working from here.
    #[arg(
        long,
        requires = "image",
        conflicts_with_all = ["dry_run", "tls_cert", "tls_key", "backup", "istioctl", "manifests"],
    )]
    pub job: bool,
    /// The image of the Job: the plugin is its entrypoint.
    #[arg(long, value_name = "IMAGE", requires = "job")]
    pub image: Option<String>,
    #[command(flatten)]
    pub output: Output,
    #[command(flatten)]
    pub istioctl: Istioctl,
    #[command(flatten)]
    pub connection: Connection,
}

fn memory(text: &str) -> Result<String, String> {
    match mesh::quantity::Quantity::parse(text) {
        Some(quantity) if quantity.0 > 0 => Ok(text.to_owned()),
        _ => Err(format!(
            "found `{text}`, expected a quantity of memory such as `1024Mi`"
        )),
    }
}

pub const AFTER_HELP: &str = "Examples:
  kubectl kyma-istio patch --dry-run
  kubectl kyma-istio patch --domain kyma.example.com
  kubectl kyma-istio patch --undo
  kubectl kyma-istio patch --job --image IMAGE | kubectl apply -f -

Killed or interrupted at any point, the same command continues.

Exit codes: 0 done, or nothing to do; 1 a criterion failed afterwards; 2 invalid input, or no terminal and no --yes; 3 cluster unreachable or forbidden; 4 timed out; 5 refused by a gate, or by you; 6 partly done.";

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Alone {
        #[command(flatten)]
        patch: Patch,
    }

    #[test]
    fn what_the_job_can_not_do_is_refused_and_not_dropped() {
        let job = ["patch", "--job", "--image=example.com/plugin:1"];
        assert!(Alone::try_parse_from(job).is_ok());
        for flags in [
            &["--dry-run"][..],
            &["--undo"],
            &["--backup=before"],
            &["--tls-cert=cert.pem", "--tls-key=key.pem"],
            &["--istioctl=istioctl"],
            &["--manifests=charts"],
        ] {
            let parsed = Alone::try_parse_from([&job[..], flags].concat());
            let error = parsed.expect_err("refused").kind();
            assert_eq!(error, clap::error::ErrorKind::ArgumentConflict, "{flags:?}");
        }
    }
}
