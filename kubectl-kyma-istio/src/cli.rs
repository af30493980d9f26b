//! The command line as clap sees it. It holds values and no behaviour.

mod completion;
#[cfg(feature = "mesh")]
mod mesh;
#[cfg(all(test, feature = "mesh"))]
mod promises;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use completion::{Completion, InstallCompletion};
#[cfg(feature = "mesh")]
pub use mesh::*;

use crate::error::EXIT_CODES;

/// Istio the way Kyma needs it, and header policy in the mesh.
#[derive(Debug, Parser)]
#[command(name = "kubectl kyma-istio", bin_name = "kubectl kyma-istio", version, after_help = EXIT_CODES, max_term_width = 120)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    #[cfg(feature = "mesh")]
    #[command(flatten)]
    Mesh(MeshCommand),
    /// Header policies and the Envoy filter that enforces them.
    #[command(subcommand)]
    Filter(Filter),
    /// Completion for shells, and for kubectl.
    #[command(subcommand, after_help = completion::AFTER_HELP)]
    Completion(Completion),
    /// Print the versions of the plugin and of the filter in it.
    #[command(after_help = "Example:\n  kubectl kyma-istio version -o json")]
    Version {
        #[command(flatten)]
        output: Output,
    },
}

#[derive(Debug, Subcommand)]
#[command(after_help = EXIT_CODES)]
pub enum Filter {
    /// Check policies: every problem at once, with its place.
    #[command(
        after_help = "Example:\n  kubectl kyma-istio filter validate policy.yaml\n\nExit codes: 0 valid, 2 invalid."
    )]
    Validate(Validate),
    /// Print the JSON Schema of a HeaderPolicy.
    #[command(
        after_help = "Example:\n  kubectl kyma-istio filter schema > header-policy.schema.json"
    )]
    Schema,
    /// Show what the filter does with a request, and why.
    #[command(after_help = "Examples:
  kubectl kyma-istio filter simulate --policy policy.yaml --xff 203.0.113.9 --peer 192.0.2.5
  kubectl kyma-istio filter simulate --policy policy.yaml --requests - -o json < requests.jsonl

Exit codes: 0 allowed, 1 denied, 2 invalid input. With --requests: 0 every line was judged, 2 some could not be.")]
    Simulate(Box<Simulate>),
    /// Run test cases on the engine and on the filter.
    #[command(
        after_help = "Example:\n  kubectl kyma-istio filter test cases/ -o junit > report.xml\n\nExit codes: 0 all passed, 1 one failed, 2 invalid input."
    )]
    Test(Test),
    /// Serve a policy on a local port: the filter judges each request.
    #[command(after_help = "Examples:
  kubectl kyma-istio filter serve --policy policy.yaml
  kubectl kyma-istio filter serve --policy policy.yaml --listen 127.0.0.1:0 --upstream http://127.0.0.1:3000 -o json

Then: curl -i -H 'x-forwarded-for: 203.0.113.9' http://127.0.0.1:8080/

Each request is a line on stderr: method, path, verdict, status, reason, client. A policy file that changes is taken at once; one that does not compile is told, and the last good one goes on serving.

Exit codes: 0 stopped by Ctrl-C or SIGTERM, 2 invalid input, or the address can't be listened on.")]
    Serve(Serve),
    #[cfg(feature = "mesh")]
    #[command(flatten)]
    Mesh(FilterCommand),
}

#[derive(Debug, Args)]
pub struct Validate {
    /// Files with HeaderPolicies, YAML or JSON; `-` is stdin.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct Simulate {
    /// The policy, YAML or JSON; `-` is stdin.
    #[arg(long, value_name = "FILE")]
    pub policy: PathBuf,
    #[command(flatten)]
    pub request: RequestFlags,
    /// A request from a file, JSON or YAML; `-` is stdin. Flags win over its fields.
    #[arg(long = "request", value_name = "FILE", help_heading = "Request")]
    pub request_file: Option<PathBuf>,
    /// Many requests: JSON Lines in, JSON Lines out; `-` is stdin.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["request_file", "RequestFlags"], help_heading = "Request")]
    pub requests: Option<PathBuf>,
    /// Who judges.
    #[arg(long, value_enum, default_value_t = Engine::Wasm)]
    pub engine: Engine,
    /// A filter instead of the embedded one.
    #[arg(long, value_name = "FILE.wasm")]
    pub filter: Option<PathBuf>,
    #[command(flatten)]
    pub output: Output,
}

/// A request on the command line.
#[derive(Debug, Args)]
#[command(next_help_heading = "Request")]
pub struct RequestFlags {
    /// x-forwarded-for as the client's side sends it; repeatable.
    #[arg(long, value_name = "CHAIN")]
    pub xff: Vec<String>,
    /// The address of the direct peer. At a gateway without it, the chain's last element is the peer.
    #[arg(long, value_name = "IP")]
    pub peer: Option<IpAddr>,
    /// The SPIFFE id of the mTLS peer.
    #[arg(long, value_name = "SPIFFE-ID")]
    pub peer_identity: Option<String>,
    /// A header; repeatable.
    #[arg(long, value_name = "NAME: VALUE")]
    pub header: Vec<String>,
    /// A bearer token for `authorization`; `@FILE` reads it from a file. It is never printed.
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
    /// The path with its query [default: /].
    #[arg(long)]
    pub path: Option<String>,
    /// The method [default: GET].
    #[arg(long)]
    pub method: Option<String>,
    /// The host [default: localhost].
    #[arg(long)]
    pub host: Option<String>,
    /// Where the proxy stands [default: the policy's position, else Gateway].
    #[arg(long, value_enum)]
    pub position: Option<Position>,
    /// The connection is TLS.
    #[arg(long)]
    pub tls: bool,
    /// The time, in seconds since 1970 [default: now].
    #[arg(long, value_name = "SECONDS")]
    pub now: Option<f64>,
}

#[derive(Debug, Args)]
pub struct Test {
    /// Files of cases, or folders of them.
    #[arg(required = true, value_name = "CASES")]
    pub cases: Vec<PathBuf>,
    /// Who judges.
    #[arg(long, value_enum, default_value_t = TestEngine::Both)]
    pub engine: TestEngine,
    /// A filter instead of the embedded one.
    #[arg(long, value_name = "FILE.wasm")]
    pub filter: Option<PathBuf>,
    /// The form of the answer.
    #[arg(short, long, value_enum, default_value_t = TestForm::Table)]
    pub output: TestForm,
}

#[derive(Debug, Args)]
pub struct Serve {
    /// The policy, YAML or JSON; `-` is stdin, which is read once.
    #[arg(long, value_name = "FILE")]
    pub policy: PathBuf,
    /// Where to listen; port 0 lets the system choose.
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Where allowed requests go, over plain HTTP/1.1 (no https). Without it the answer shows what an upstream would see.
    #[arg(long, value_name = "http://HOST:PORT")]
    pub upstream: Option<String>,
    /// Where the proxy stands [default: the policy's position, else Gateway].
    #[arg(long, value_enum)]
    pub position: Option<Position>,
    /// The SPIFFE id of the mTLS peer, for every connection.
    #[arg(long, value_name = "SPIFFE-ID")]
    pub peer_identity: Option<String>,
    /// A filter instead of the embedded one.
    #[arg(long, value_name = "FILE.wasm")]
    pub filter: Option<PathBuf>,
    /// Listen on an address that other machines can reach.
    #[arg(long)]
    pub allow_remote: bool,
    /// No line for each request.
    #[arg(short, long)]
    pub quiet: bool,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Clone, Copy, Args)]
pub struct Output {
    /// The form of the answer.
    #[arg(short = 'o', long = "output", value_name = "FORM", value_enum, default_value_t = Form::Table)]
    pub form: Form,
}

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// For people.
    Table,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
}

/// The form of an answer that CI reads too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TestForm {
    /// For people.
    Table,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
    /// JUnit XML.
    Junit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Engine {
    /// The real filter under wasmtime.
    Wasm,
    /// The engine that the filter is made of.
    Native,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TestEngine {
    /// The real filter under wasmtime.
    Wasm,
    /// The engine that the filter is made of.
    Native,
    /// Both; they must agree.
    Both,
}

/// Where the proxy stands, as policies spell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub enum Position {
    /// An ingress or egress gateway.
    Gateway,
    /// A sidecar, for what comes to its workload.
    SidecarInbound,
    /// A sidecar, for what its workload sends.
    SidecarOutbound,
}

impl From<Position> for policy::Position {
    fn from(position: Position) -> Self {
        match position {
            Position::Gateway => Self::Gateway,
            Position::SidecarInbound => Self::SidecarInbound,
            Position::SidecarOutbound => Self::SidecarOutbound,
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        super::Cli::command().debug_assert();
    }
}
