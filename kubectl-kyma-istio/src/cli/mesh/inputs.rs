//! What is wanted of Istio, as flags.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use mesh::compose::{self, AwsLoadBalancer};

/// What is wanted.
#[derive(Debug, Args)]
#[command(next_help_heading = "Istio")]
pub struct Inputs {
    /// An Istio custom resource, an IstioOperator to lay over it, or a legacy Installation; `-` is stdin; repeatable. Without an
    /// Istio custom resource the one of the cluster counts.
    #[arg(short = 'f', long = "filename", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Resources and replicas [default: by the size of the cluster].
    #[arg(long, value_enum)]
    pub profile: Option<Profile>,
    /// A value of the IstioOperator: `meshConfig.accessLogFile=/dev/stdout`; repeatable.
    #[arg(long = "set", value_name = "PATH=VALUE")]
    pub sets: Vec<String>,
    /// Where the images are: `HUB/pilot:TAG`, `HUB/proxyv2:TAG`, `HUB/install-cni:TAG`.
    #[arg(long, value_name = "HUB")]
    pub hub: Option<String>,
    /// The Istio version [default: the one of this plugin].
    #[arg(long, value_name = "VERSION", conflicts_with = "tag")]
    pub istio_version: Option<mesh::versions::Version>,
    /// The tag of the images; it says the Istio version too.
    #[arg(long, value_name = "TAG")]
    pub tag: Option<String>,
    /// A Secret of istio-system to pull the images with.
    #[arg(long, value_name = "NAME")]
    pub pull_secret: Option<String>,
    /// Where the cluster runs [default: as its nodes say].
    #[arg(long, value_enum)]
    pub provider: Option<Provider>,
    /// Sidecars without asking: in all namespaces but istio-system and kube-system, or only where a label asks.
    #[arg(long, value_enum, default_value_t = Injection::Off)]
    pub injection: Injection,
    /// Where spans go.
    #[arg(long, value_enum, default_value_t = Tracing::Otlp)]
    pub tracing: Tracing,
    /// TCP port 31400 on the ingress gateway; the evaluation profile has it anyhow.
    #[arg(long)]
    pub port_31400: bool,
    #[command(flatten)]
    pub istioctl: Istioctl,
}

impl Inputs {
    /// The flags given that say what to render.
    pub fn rendering(&self) -> Vec<&'static str> {
        let given = [
            (self.profile.is_some(), "--profile"),
            (!self.sets.is_empty(), "--set"),
            (self.hub.is_some(), "--hub"),
            (self.tag.is_some(), "--tag"),
            (self.istio_version.is_some(), "--istio-version"),
            (self.pull_secret.is_some(), "--pull-secret"),
            (self.provider.is_some(), "--provider"),
            (self.injection != Injection::Off, "--injection"),
            (self.tracing != Tracing::Otlp, "--tracing"),
            (self.port_31400, "--port-31400"),
            (self.istioctl.manifests.is_some(), "--manifests"),
        ];
        given
            .into_iter()
            .filter_map(|(is_given, flag)| is_given.then_some(flag))
            .collect()
    }
}

/// The program that renders.
#[derive(Debug, Args)]
#[command(next_help_heading = "Rendering")]
pub struct Istioctl {
    /// The istioctl to render with [default: $ISTIOCTL, one of the right version on $PATH, else downloaded and checked].
    #[arg(long, value_name = "FILE")]
    pub istioctl: Option<PathBuf>,
    /// A mirror of Istio's releases, with archives at `URL/VERSION/`, or where `{version}` stands in it
    /// [default: $KYMA_ISTIO_ISTIOCTL_BASE_URL, else GitHub].
    #[arg(long, value_name = "URL")]
    pub istioctl_base_url: Option<String>,
    /// The SHA-256 that a downloaded archive must have [default: the one published beside it, over TLS].
    #[arg(long, value_name = "SHA-256", value_parser = sha256)]
    pub istioctl_sha256: Option<mesh::versions::Sha256>,
    /// Charts of an earlier bundle instead of those in istioctl.
    #[arg(long, value_name = "FOLDER")]
    pub manifests: Option<PathBuf>,
}

fn sha256(text: &str) -> Result<mesh::versions::Sha256, String> {
    text.to_ascii_lowercase()
        .parse()
        .map_err(|error: mesh::versions::InvalidVersion| error.to_string())
}

/// Resources and replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// One replica of everything, for small clusters.
    Evaluation,
    /// Kyma's production tables.
    Production,
}

/// Where a cluster runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Provider {
    K3d,
    Kind,
    Gke,
    /// With a network load balancer.
    Aws,
    /// With a network load balancer for IPv4 and IPv6.
    AwsDualStack,
    /// With a classic load balancer.
    AwsElb,
    #[value(name = "openstack")]
    OpenStack,
    #[value(name = "openstack-garden-linux")]
    OpenStackGardenLinux,
    Azure,
    /// Nothing to change.
    Other,
}

/// Sidecars without asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Injection {
    /// In all namespaces but istio-system and kube-system.
    On,
    /// Where a label asks.
    Off,
}

/// Where spans go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Tracing {
    /// To the OTLP service of kyma-system, where a Telemetry asks for it.
    Otlp,
    /// To Zipkin in kyma-system, from every proxy.
    Zipkin,
}

impl From<Profile> for compose::Profile {
    fn from(profile: Profile) -> Self {
        match profile {
            Profile::Evaluation => Self::Evaluation,
            Profile::Production => Self::Production,
        }
    }
}

impl From<Provider> for compose::Provider {
    fn from(provider: Provider) -> Self {
        match provider {
            Provider::K3d => Self::K3d,
            Provider::Kind => Self::Kind,
            Provider::Gke => Self::Gke,
            Provider::Aws => Self::Aws(AwsLoadBalancer::Nlb),
            Provider::AwsDualStack => Self::Aws(AwsLoadBalancer::NlbDualStack),
            Provider::AwsElb => Self::Aws(AwsLoadBalancer::Elb),
            Provider::OpenStack => Self::OpenStack {
                garden_linux: false,
            },
            Provider::OpenStackGardenLinux => Self::OpenStack { garden_linux: true },
            Provider::Azure => Self::Azure,
            Provider::Other => Self::Other,
        }
    }
}

impl From<Injection> for compose::Injection {
    fn from(injection: Injection) -> Self {
        match injection {
            Injection::On => Self::All,
            Injection::Off => Self::Labelled,
        }
    }
}

impl From<Tracing> for compose::Tracing {
    fn from(tracing: Tracing) -> Self {
        match tracing {
            Tracing::Otlp => Self::Otlp,
            Tracing::Zipkin => Self::Zipkin,
        }
    }
}
