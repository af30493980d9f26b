//! The arguments of the verbs that work on a mesh.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::connection::{Connection, duration};
use super::inputs::Inputs;
use super::{Output, TestForm};

#[derive(Debug, Args)]
pub struct Render {
    /// The form of the answer.
    #[arg(short, long, value_enum, default_value_t = RenderForm::Yaml)]
    pub output: RenderForm,
    /// Print the IstioOperator that istioctl is given, and don't render it.
    #[arg(long)]
    pub operator: bool,
    /// Print each value of the IstioOperator and who set it.
    #[arg(long, conflicts_with = "operator")]
    pub explain: bool,
    #[command(flatten)]
    pub inputs: Inputs,
    #[command(flatten)]
    pub connection: Connection,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RenderForm {
    /// YAML, as `kubectl apply -f -` takes it; with --explain a table.
    Yaml,
    /// JSON: one List.
    Json,
}

#[derive(Debug, Args)]
pub struct Install {
    /// Show what would be done, asked of the API server; write nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Don't ask.
    #[arg(short, long)]
    pub yes: bool,
    /// Don't judge the criteria afterwards.
    #[arg(long)]
    pub skip_verify: bool,
    /// The limit of each wait for something to become ready.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration)]
    pub timeout: Duration,
    #[command(flatten)]
    pub consent: Consent,
    #[command(flatten)]
    pub output: Output,
    #[command(flatten)]
    pub inputs: Inputs,
    #[command(flatten)]
    pub connection: Connection,
}

/// What the user allows in advance.
#[derive(Debug, Clone, Copy, Args)]
pub struct Consent {
    /// Take over an Istio that was installed by others.
    #[arg(long)]
    pub take_ownership: bool,
    /// Make mutual TLS STRICT although workloads without a sidecar lose traffic.
    #[arg(long)]
    pub accept_strict: bool,
    /// Take fields that other field managers own.
    #[arg(long)]
    pub force_conflicts: bool,
}

#[derive(Debug, Args)]
pub struct Diff {
    #[command(flatten)]
    pub consent: Consent,
    #[command(flatten)]
    pub output: Output,
    #[command(flatten)]
    pub inputs: Inputs,
    #[command(flatten)]
    pub connection: Connection,
}

#[derive(Debug, Args)]
pub struct Verify {
    /// The Istio version that is to run [default: the one that this plugin installs].
    #[arg(
        long = "version",
        visible_alias = "istio-version",
        value_name = "VERSION"
    )]
    pub required: Option<mesh::versions::Version>,
    /// The form of the answer.
    #[arg(short, long, value_enum, default_value_t = TestForm::Table)]
    pub output: TestForm,
    #[command(flatten)]
    pub connection: Connection,
}

#[derive(Debug, Args)]
pub struct Status {
    #[command(flatten)]
    pub output: Output,
    #[command(flatten)]
    pub connection: Connection,
}

#[derive(Debug, Args)]
pub struct Check {
    /// What an installation needs, and what STRICT would change.
    #[arg(long)]
    pub pre: bool,
    /// The data plane and the configuration that breaks calls.
    #[arg(long)]
    pub proxy: bool,
    /// The form of the answer.
    #[arg(short, long, value_enum, default_value_t = TestForm::Table)]
    pub output: TestForm,
    #[command(flatten)]
    pub connection: Connection,
}

#[derive(Debug, Args)]
pub struct Explain {
    /// A code, such as KI-V002; without it all codes are listed.
    #[arg(value_name = "CODE")]
    pub code: Option<String>,
    /// Print docs/codes.md.
    #[arg(long, hide = true, conflicts_with = "code")]
    pub markdown: bool,
    #[command(flatten)]
    pub output: Output,
}
