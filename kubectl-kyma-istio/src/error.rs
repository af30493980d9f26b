//! What a command can't do, for the person who must act; and the exit codes.

use std::borrow::Cow;
use std::path::PathBuf;

use cluster::error::{Class, ClusterError};
use cluster::istioctl::IstioctlError;
use cluster::run::RunError;
use mesh::codes::Code;
use mesh::plan::Gate;

/// Exit codes. They are API: scripts branch on them.
pub mod exit {
    /// Yes, or done.
    pub const DONE: u8 = 0;
    /// Judged negative: a request denied, a case failed, a difference found, a criterion not met.
    pub const NEGATIVE: u8 = 1;
    /// Wrong usage, or invalid input.
    pub const INVALID: u8 = 2;
    /// The cluster can't be reached, or forbids it.
    pub const UNREACHABLE: u8 = 3;
    /// It took too long.
    pub const TIMED_OUT: u8 = 4;
    /// A gate refused: version, foreign Istio, blockers.
    pub const REFUSED: u8 = 5;
    /// Partly done; running it again continues.
    pub const PARTLY: u8 = 6;
}

/// The exit codes, as `--help` prints them.
pub const EXIT_CODES: &str = "Exit codes:
  0  yes, or done
  1  judged negative: request denied, case failed, difference found, criterion not met
  2  wrong usage or invalid input
  3  cluster unreachable or forbidden
  4  timed out
  5  refused by a gate (version, foreign Istio, blockers)
  6  partly done; running it again continues";

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file can't be read.
    #[error("can't read `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Input that is not what it should be.
    #[error("{what}")]
    Input {
        /// What is wrong, one line.
        what: String,
        /// What helps.
        hint: Option<String>,
    },
    /// The policy does not compile; each problem is a line.
    #[error("`{file}` is no valid policy:\n{}", problems.join("\n"))]
    Policy {
        /// The file.
        file: String,
        /// Every problem.
        problems: Vec<String>,
    },
    /// Input with several problems; each is a line.
    #[error("{what}:\n{}", problems.join("\n"))]
    Problems {
        /// What is wrong as a whole.
        what: String,
        /// Every problem, with its place and its hint.
        problems: Vec<String>,
    },
    /// Nothing was done, because a gate forbids it; each is a line.
    #[error("refused:\n{}", gates(.0))]
    Gates(Vec<Gate>),
    /// The user said no, or can't be asked.
    #[error("{what}")]
    NotConfirmed {
        /// What happened.
        what: Cow<'static, str>,
        /// What helps.
        hint: &'static str,
        /// `INVALID` where nobody can be asked, `REFUSED` where somebody said no.
        code: u8,
    },
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
    /// There is no module to run.
    #[error("this plugin was built without the filter")]
    NoModule,
    /// The reader of our output went away.
    #[error("the output was closed")]
    Closed,
    /// The output can't be written.
    #[error("can't write: {0}")]
    Write(std::io::Error),
}

impl From<ClusterError> for Error {
    fn from(error: ClusterError) -> Self {
        Self::Cluster(Box::new(error))
    }
}

impl Error {
    /// Invalid input without a hint.
    pub fn input(what: impl Into<String>) -> Self {
        Self::Input {
            what: what.into(),
            hint: None,
        }
    }

    /// Invalid input with a hint.
    pub fn input_hint(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Input {
            what: what.into(),
            hint: Some(hint.into()),
        }
    }

    /// What helps, where something does.
    pub fn hint(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Input { hint, .. } | Self::Delivery { hint, .. } => hint.as_deref().map(Cow::Borrowed),
            Self::Policy { .. } => Some(
                "`kubectl kyma-istio filter schema` prints every field; docs/header-policy.md explains them".into(),
            ),
            Self::NotConfirmed { hint, .. } => Some((*hint).into()),
            Self::Gates(_) => Some("`kubectl kyma-istio explain CODE` tells what a code means".into()),
            Self::Cluster(error) => error.hint().map(Cow::Owned),
            Self::Istioctl(error) => error.hint().map(Cow::Borrowed),
            Self::Run(error) => error.hint().map(Cow::Owned),
            Self::NoModule => Some(
                "`make wasm` builds the filter, a build after it embeds it; or name one with `--filter FILE.wasm`, or use `--engine native`".into(),
            ),
            Self::Read { .. } | Self::Problems { .. } | Self::Closed | Self::Write(_) => None,
        }
    }

    /// The exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            // `… | head` got what it wanted.
            Self::Closed => exit::DONE,
            // What can't be read for want of rights is the cluster's no, not ours.
            Self::Gates(gates) if gates.iter().any(|gate| gate.code == Code::CannotTell) => {
                exit::UNREACHABLE
            }
            Self::Gates(_) => exit::REFUSED,
            Self::NotConfirmed { code, .. } => *code,
            Self::Cluster(error) => of_class(error.class()),
            Self::Istioctl(error) => of_class(error.class()),
            Self::Delivery { class, .. } => of_delivery(*class),
            Self::Run(error) => of_class(error.class()),
            Self::Read { .. }
            | Self::Input { .. }
            | Self::Policy { .. }
            | Self::Problems { .. }
            | Self::NoModule
            | Self::Write(_) => exit::INVALID,
        }
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
                Self::Delivery { what: error.to_string(), hint: error.hint(), class: error.class() }
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

fn gates(gates: &[Gate]) -> String {
    let lines = gates.iter().flat_map(|gate| {
        let hint = gate.hint.as_ref().map(|hint| format!("hint: {hint}"));
        std::iter::once(format!("{}: {}", gate.code, gate.what)).chain(hint)
    });
    lines.collect::<Vec<_>>().join("\n")
}

impl From<RunError> for Error {
    fn from(error: RunError) -> Self {
        Self::Run(Box::new(error))
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            Self::Closed
        } else {
            Self::Write(error)
        }
    }
}
