//! The arguments of the verbs that bring the filter into a registry and look at it there.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum, ValueHint};
use delivery::Reference;

use super::Output;
use super::connection::duration;

pub const PUSH: &str = "Examples:
  kubectl kyma-istio filter push registry.example.com/team/header-policy:1.0
  kubectl kyma-istio filter push localhost:5000/filter:dev ./filter.wasm --layout artifact

The same module gives the same digest. Credentials: $REGISTRY_AUTH_FILE; else Docker's and Podman's files and helpers.

Exit codes: 0 pushed, 2 invalid reference or module, 3 the registry is unreachable or says no, 4 timed out, 5 what is there isn't what was pushed.";
pub const SAVE: &str = "Example:
  kubectl kyma-istio filter save header-policy/

The folder is an OCI image layout. Its manifest has the digest that `filter push` gives.

Exit codes: 0 written; 2 invalid module, or the folder can't be written to or isn't empty.";
pub const INSPECT: &str = "Examples:
  kubectl kyma-istio filter inspect registry.example.com/team/header-policy:1.0
  kubectl kyma-istio filter inspect ./filter.wasm -o json

Exit codes: 0 a proxy would run it, 1 it wouldn't, 2 invalid reference, 3 the registry is unreachable or says no, 4 timed out.";

#[derive(Debug, Args)]
pub struct Push {
    /// Where to: `[oci://]HOST/REPOSITORY[:TAG]`.
    #[arg(value_name = "REF")]
    pub reference: Reference,
    /// A module instead of the embedded one.
    #[arg(value_name = "FILE.wasm")]
    pub file: Option<PathBuf>,
    /// How the module is laid out; istio-agent takes both.
    #[arg(long, value_enum, default_value_t = Layout::Compat)]
    pub layout: Layout,
    /// Where the source of the module is; becomes an annotation, and so part of the digest.
    #[arg(long, value_name = "URL")]
    pub source: Option<String>,
    /// The commit of the source; becomes an annotation, and so part of the digest.
    #[arg(long, value_name = "COMMIT")]
    pub revision: Option<String>,
    #[command(flatten)]
    pub registry: Registry,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct Save {
    /// Where to: a new or an empty folder.
    #[arg(value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub folder: PathBuf,
    /// A module instead of the embedded one.
    #[arg(value_name = "FILE.wasm")]
    pub file: Option<PathBuf>,
    /// How the module is laid out; istio-agent takes both.
    #[arg(long, value_enum, default_value_t = Layout::Compat)]
    pub layout: Layout,
    /// Where the source of the module is; becomes an annotation, and so part of the digest.
    #[arg(long, value_name = "URL")]
    pub source: Option<String>,
    /// The commit of the source; becomes an annotation, and so part of the digest.
    #[arg(long, value_name = "COMMIT")]
    pub revision: Option<String>,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct Inspect {
    /// An image, `[oci://]HOST/REPOSITORY[:TAG][@sha256:…]`, or a wasm file.
    #[arg(value_name = "REF|FILE.wasm")]
    pub what: String,
    #[command(flatten)]
    pub registry: Registry,
    #[command(flatten)]
    pub output: Output,
}

/// How registries are talked to.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Registry")]
pub struct Registry {
    /// Plain HTTP, where the registry has nothing else. Loopback may always.
    #[arg(long)]
    pub plain_http: bool,
    /// PEM certificates to trust instead of the system's.
    #[arg(long, value_name = "FILE")]
    pub registry_ca: Option<PathBuf>,
    /// The longest silence of the registry.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub registry_timeout: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Layout {
    /// An OCI image with one layer: every registry takes it.
    Compat,
    /// Two layers with media types of their own.
    Artifact,
}

impl Registry {
    /// The same, as the library takes it.
    pub fn options(&self) -> delivery::Options {
        delivery::Options {
            plain_http: self.plain_http,
            ca: self.registry_ca.clone(),
            timeout: self.registry_timeout,
        }
    }
}

impl From<Layout> for delivery::Layout {
    fn from(layout: Layout) -> Self {
        match layout {
            Layout::Compat => Self::Compat,
            Layout::Artifact => Self::Artifact,
        }
    }
}
