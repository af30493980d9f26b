//! The arguments of `xff`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::connection::{Connection, duration};
use super::{Operate, Output};

/// Who the gateway believes about the client's address.
#[derive(Debug, Subcommand)]
pub enum Xff {
    /// Compare what the Istio custom resource says, what the mesh has, what each gateway runs, and what policies count.
    #[command(after_help = SHOW)]
    Show(Show),
    /// Set `numTrustedProxies` in the Istio custom resource.
    #[command(after_help = SET)]
    Set(Set),
    /// Explain a chain, element by element: whom Envoy takes for the client, and whom a policy. Needs no cluster.
    #[command(after_help = EXPLAIN)]
    Explain(ExplainChain),
    /// Send marked requests through a gateway and tell which address each layer saw. Writes nothing to the cluster.
    #[command(after_help = PROBE)]
    Probe(Box<Probe>),
}

const SHOW: &str = "Example:
  kubectl kyma-istio xff show

Exit codes: 0 all say the same, 1 they differ, 3 cluster unreachable or forbidden.";
const SET: &str = "Example:
  kubectl kyma-istio xff set 1

The gateway is restarted when Kyma's operator, or the next `install`, brings the number to it.

Exit codes: 0 done, 2 invalid input, 3 cluster unreachable or forbidden, 5 refused: no Istio custom resource, or by you.";
const EXPLAIN: &str = "Examples:
  kubectl kyma-istio xff explain --xff '203.0.113.9, 192.0.2.7' --peer 192.0.2.5 --trusted 2
  kubectl kyma-istio xff explain --xff 203.0.113.9 --peer 192.0.2.5 --trusted 1 --policy policy.yaml

Exit codes: 0 both mean the same client, or there is no policy; 1 they don't; 2 invalid input.";

const PROBE: &str = "Examples:
  kubectl kyma-istio xff probe
  kubectl kyma-istio xff probe https://shop.example.com/ip --xff 198.51.100.7

Envoy's view comes from the gateway's access log, or from what the backend echoes (x-envoy-external-address); the policy's from its client header, echoed; the backend's from its echo of x-forwarded-for. What none of them shows is said to be not seen.

Exit codes: 0 told, 1 Envoy and a policy saw different clients, 2 invalid input, 3 the gateway or the cluster is unreachable or forbidden.";

#[derive(Debug, Args)]
pub struct Probe {
    /// Where the gateway is asked [default: port 80 of the Service in front of the ingress gateway, by its load balancer's address or a node's].
    #[arg(value_name = "URL")]
    pub url: Option<http::Uri>,
    /// What to send as x-forwarded-for; repeatable, a request for each [default: none, then chains up to one longer than the trusted one].
    #[arg(long, value_name = "CHAIN")]
    pub xff: Vec<String>,
    /// The host to ask for, where routes ask for one [default: the URL's].
    #[arg(long, value_name = "NAME")]
    pub host: Option<String>,
    /// How long an answer may take.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub timeout: Duration,
    #[command(flatten)]
    pub output: Output,
    #[command(flatten)]
    pub connection: Connection,
}

#[derive(Debug, Args)]
pub struct Show {
    #[command(flatten)]
    pub output: Output,
    #[command(flatten)]
    pub connection: Connection,
}

#[derive(Debug, Args)]
pub struct Set {
    /// Trusted proxies in front of the gateway, the direct peer included.
    #[arg(value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(0..=32))]
    pub hops: u32,
    #[command(flatten)]
    pub operate: Operate,
    #[command(flatten)]
    pub output: Output,
    #[command(flatten)]
    pub connection: Connection,
}

#[derive(Debug, Args)]
pub struct ExplainChain {
    /// x-forwarded-for as the client's side sends it; repeatable.
    #[arg(long, value_name = "CHAIN")]
    pub xff: Vec<String>,
    /// The address of the direct peer.
    #[arg(long, value_name = "IP")]
    pub peer: IpAddr,
    /// `numTrustedProxies` of the gateway.
    #[arg(long, value_name = "NUMBER", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=32))]
    pub trusted: u32,
    /// A policy to compare with, YAML or JSON; `-` is stdin.
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    #[command(flatten)]
    pub output: Output,
}
