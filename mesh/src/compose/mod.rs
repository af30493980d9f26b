//! The `IstioOperator` that is asked of istioctl, composed in the module's order: profile, Kyma's settings of every mesh, our settings,
//! the CR, images, provider; then the user's overlays and `--set`. Each leaf knows who set it last.

mod checks;
mod cr;
mod extras;
mod network_policies;
mod profile;
mod provider;
mod roles;
mod settings;
mod tree;

use std::fmt;

use serde_json::{Value, json};

use crate::input::IstioCr;
use crate::input::overlay::Overlay;
use crate::input::path::Path;
use crate::input::set::Set;
use crate::problem::Problem;
use crate::versions::{Version, versions};

pub use extras::{extras, remembered};
pub use profile::{NodeCapacity, Profile};
pub use provider::{AwsHints, AwsLoadBalancer, NodeInfo, Provider};
pub use settings::{Injection, Settings, Tracing};

/// The namespace of the control plane and of the gateways.
pub const ISTIO_SYSTEM: &str = "istio-system";
/// The PriorityClass of istiod and the gateways.
pub const PRIORITY_CLASS: &str = "istio-kyma-priority";
/// Who manages what we write, the value of every managed-by label.
pub const MANAGED_BY: &str = "kubectl-kyma-istio";

/// Everything that decides what is installed.
#[derive(Debug, Clone, PartialEq)]
pub struct Inputs {
    /// Resources and replicas.
    pub profile: Profile,
    /// The CR; `IstioCr::default()` when there is none.
    pub cr: IstioCr,
    /// Where the cluster runs.
    pub provider: Provider,
    /// Images.
    pub images: Images,
    /// Our settings.
    pub settings: Settings,
    /// The user's files, later ones over earlier ones.
    pub overlays: Vec<Overlay>,
    /// `--set`, in its order.
    pub sets: Vec<Set>,
}

impl Inputs {
    /// The profile alone, on no special provider.
    #[must_use]
    pub fn new(profile: Profile) -> Self {
        Self {
            profile,
            cr: IstioCr::default(),
            provider: Provider::Other,
            images: Images::of(versions().istio.default),
            settings: Settings::default(),
            overlays: Vec::new(),
            sets: Vec::new(),
        }
    }
}

/// Which images are run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Images {
    /// The root, as in `registry/path`: `pilot`, `proxyv2`, `install-cni` are below.
    pub hub: String,
    /// The tag of all of them.
    pub tag: String,
    /// A secret of `istio-system` to pull them with.
    pub pull_secret: Option<String>,
}

impl Images {
    /// The default hub's images of a version.
    #[must_use]
    pub fn of(version: Version) -> Self {
        Self {
            hub: versions().istio.hub().to_owned(),
            tag: versions().istio.tag(version),
            pull_secret: None,
        }
    }
}

/// What was composed.
#[derive(Debug, Clone, PartialEq)]
pub struct Composed {
    /// The `IstioOperator`.
    pub operator: Value,
    /// The profile it began with.
    pub profile: Profile,
    /// Every leaf of its spec and who set it last, by path.
    pub why: Vec<Origin>,
}

/// Who set a leaf.
#[derive(Debug, Clone, PartialEq)]
pub struct Origin {
    /// Which leaf, below `spec`. A list without names is one leaf.
    pub path: Path,
    /// What stands there.
    pub value: Value,
    /// Who set it last.
    pub source: Source,
}

/// A layer of the composition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The profile.
    Profile(Profile),
    /// What Kyma asks of every mesh.
    Mesh,
    /// A setting of ours, by its name.
    Setting(&'static str),
    /// The `Istio` CR.
    Cr {
        /// The line of the value.
        line: u64,
    },
    /// Hub, tag, pull secret.
    Images,
    /// The provider.
    Provider(Provider),
    /// A file of the user's.
    Overlay {
        /// What the user calls it.
        name: String,
        /// The line of the value.
        line: Option<u64>,
    },
    /// A `--set`.
    Set,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Profile(profile) => write!(f, "profile {profile}"),
            Self::Mesh => f.write_str("Kyma's settings of every mesh"),
            Self::Setting(name) => write!(f, "setting {name}"),
            Self::Cr { line } => write!(f, "Istio CR, line {line}"),
            Self::Images => f.write_str("images"),
            Self::Provider(provider) => write!(f, "provider {provider}"),
            Self::Overlay {
                name,
                line: Some(line),
            } => write!(f, "{name}, line {line}"),
            Self::Overlay { name, line: None } => f.write_str(name),
            Self::Set => f.write_str("--set"),
        }
    }
}

/// Composes the `IstioOperator`. What the layers make together is checked: Kubernetes would refuse it only half-way through an install.
pub fn compose(inputs: &Inputs) -> Result<Composed, Vec<Problem>> {
    let mut tree = tree::Tree::default();
    tree.lay(&inputs.profile.spec(), &|_| Source::Profile(inputs.profile));
    tree.lay(&profile::mesh(), &|_| Source::Mesh);
    settings::lay(&mut tree, &inputs.settings, inputs.profile);
    cr::lay(&mut tree, &inputs.cr);
    tree.lay(&images(&inputs.images), &|_| Source::Images);
    tree.lay(&inputs.provider.spec(), &|_| {
        Source::Provider(inputs.provider)
    });
    for overlay in &inputs.overlays {
        tree.lay(&overlay.spec, &|path| Source::Overlay {
            name: overlay.name.clone(),
            line: overlay.line(path),
        });
    }
    let mut problems: Vec<Problem> = inputs
        .sets
        .iter()
        .filter_map(|set| tree.set(set, &Source::Set).err())
        .collect();
    problems.extend(checks::check(&tree));
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(composed(tree, inputs.profile))
}

fn images(images: &Images) -> Value {
    let mut spec = json!({"hub": images.hub, "tag": images.tag});
    if let Some(secret) = &images.pull_secret {
        spec["values"] = json!({"global": {"imagePullSecrets": [secret]}});
    }
    spec
}

fn composed(tree: tree::Tree, profile: Profile) -> Composed {
    let why = tree.origins();
    Composed {
        operator: json!({
            "apiVersion": crate::input::overlay::API_VERSION,
            "kind": crate::input::overlay::KIND,
            "metadata": {
                "name": "default-operator",
                "namespace": ISTIO_SYSTEM,
                "labels": {"kyma-project.io/module": "istio", "app.kubernetes.io/managed-by": MANAGED_BY},
            },
            "spec": tree.into_spec(),
        }),
        profile,
        why,
    }
}
