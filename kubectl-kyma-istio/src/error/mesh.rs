//! What a cluster, istioctl or a registry can't do, for the person who must act.

use std::borrow::Cow;

use cluster::error::{Class, ClusterError};
use cluster::istioctl::IstioctlError;
use cluster::run::RunError;
use mesh::codes::Code;
use mesh::plan::Gate;

use super::{Error, exit};

/// Why a verb about Istio or about a cluster has no report.
#[derive(Debug, thiserror::Error)]
pub enum MeshError {
    /// Nothing was done, because a gate forbids it; each is a line.
    #[error("refused:\n{}", gates(.0))]
    Gates(Vec<Gate>),
    /// The cluster can't or won't.
    #[error(transparent)]
    Cluster(Box<ClusterError>),
    /// There is nothing to render with, or it doesn't render.
    #[error(transparent)]
    Istioctl(#[from] IstioctlError),
    /// A plan stopped half-way.
    #[error(transparent)]
    Run(Box<RunError>),
    /// A registry, an image or a module isn't as it should be.
    #[error("{what}")]
    Delivery {
        /// What was found, one line.
        what: String,
        /// What helps.
        hint: Option<String>,
        /// Who must act.
        class: delivery::Class,
    },
}

impl MeshError {
    /// What helps, where something does.
    pub fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Delivery { hint, .. } => hint.as_deref().map(Cow::Borrowed),
            Self::Gates(_) => {
                Some("`kubectl kyma-istio explain CODE` tells what a code means".into())
            }
            Self::Cluster(error) => error.hint().map(Cow::Owned),
            Self::Istioctl(error) => error.hint().map(Cow::Borrowed),
            Self::Run(error) => error.hint().map(Cow::Owned),
        }
    }

    /// The exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            // What can't be read for want of rights is the cluster's no, not ours.
            Self::Gates(gates) if gates.iter().any(|gate| gate.code == Code::CannotTell) => {
                exit::UNREACHABLE
            }
            Self::Gates(_) => exit::REFUSED,
            Self::Cluster(error) => of_class(error.class()),
            Self::Istioctl(error) => of_class(error.class()),
            Self::Delivery { class, .. } => of_delivery(*class),
            Self::Run(error) => of_class(error.class()),
        }
    }
}

impl From<ClusterError> for Error {
    fn from(error: ClusterError) -> Self {
        MeshError::Cluster(Box::new(error)).into()
    }
}

impl From<IstioctlError> for Error {
    fn from(error: IstioctlError) -> Self {
        MeshError::Istioctl(error).into()
    }
}

/// Who must act, as an exit code.
fn of_class(class: Class) -> u8 {
    match class {
        Class::Invalid => exit::INVALID,
        Class::Unreachable => exit::UNREACHABLE,
        Class::TimedOut => exit::TIMED_OUT,
        Class::Refused => exit::REFUSED,
        Class::Partly => exit::PARTLY,
    }
}

fn of_delivery(class: delivery::Class) -> u8 {
    match class {
        delivery::Class::Invalid => exit::INVALID,
        delivery::Class::Unreachable => exit::UNREACHABLE,
        delivery::Class::TimedOut => exit::TIMED_OUT,
        delivery::Class::Refused => exit::REFUSED,
    }
}

/// The errors of the crate `delivery` all say the same three things.
macro_rules! from_delivery {
    ($($error:ty),*) => {$(
        impl From<$error> for Error {
            fn from(error: $error) -> Self {
                MeshError::Delivery { what: error.to_string(), hint: error.hint(), class: error.class() }.into()
            }
        }
    )*};
}

from_delivery!(
    delivery::CredentialsError,
    delivery::InspectError,
    delivery::ModuleError,
    delivery::RegistryError
);

impl From<Vec<Gate>> for Error {
    fn from(gates: Vec<Gate>) -> Self {
        MeshError::Gates(gates).into()
    }
}

fn gates(gates: &[Gate]) -> String {
    let lines = gates.iter().flat_map(|gate| {
        let hint = gate.hint.as_ref().map(|hint| format!("hint: {hint}"));
        std::iter::once(format!("{}: {}", gate.code, gate.what)).chain(hint)
    });
    lines.collect::<Vec<_>>().join("\n")
}

impl From<RunError> for Error {
    fn from(error: RunError) -> Self {
        MeshError::Run(Box::new(error)).into()
    }
}
