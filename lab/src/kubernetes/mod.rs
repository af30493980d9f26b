//! A real Kubernetes control plane for tests, and a real istiod beside it. No container runs.
//!
//! etcd, the API server, the controller manager and the scheduler are the real programs; so are admission, RBAC, CRDs and
//! garbage collection. kwok plays the kubelets: a pod that is bound to one of its nodes is Running and Ready a moment later.
//! [`Istiod`] is a real process as well, and the API server reaches its webhooks through the Service of the manifests, as
//! it would in a cluster ([`ControlPlane::route`]).
//!
//! ```no_run
//! use lab::kubernetes::{ControlPlane, Istiod, IstiodOptions, NodeSpec, istioctl};
//! # fn main() -> lab::Result<()> {
//! let control_plane = ControlPlane::with_nodes(&[NodeSpec::new("node-1")])?;
//! // The product under test: KUBECONFIG=control_plane.kubeconfig() ISTIOCTL=istioctl(None)? kubectl kyma-istio install
//! let istiod = Istiod::start(&control_plane, &IstiodOptions::default())?;
//! control_plane.kubectl(&["-n", "istio-system", "rollout", "status", "--timeout=60s", "deployment/istiod"])?;
//! # Ok(())
//! # }
//! ```
//!
//! Not here: traffic through pods (`e2e`, on kind), and what is installed (the product under test).

mod control_plane;
mod istiod;
mod nodes;
mod process;
mod programs;
mod services;
mod users;

pub use control_plane::ControlPlane;
pub use istiod::{Istiod, IstiodOptions};
pub use nodes::NodeSpec;
pub use programs::{istioctl, kubectl, program};
