//! What a command can't do, for the person who must act; and the exit codes.

use std::path::PathBuf;

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
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Input { hint, .. } => hint.as_deref(),
            Self::Policy { .. } => Some(
                "`kubectl kyma-istio filter schema` prints every field; docs/header-policy.md explains them",
            ),
            Self::NoModule => Some(
                "`make wasm` builds the filter, a build after it embeds it; or name one with `--filter FILE.wasm`, or use `--engine native`",
            ),
            Self::Read { .. } | Self::Closed | Self::Write(_) => None,
        }
    }

    /// The exit code.
    pub fn exit_code(&self) -> u8 {
        match self {
            // `… | head` got what it wanted.
            Self::Closed => exit::DONE,
            _ => exit::INVALID,
        }
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
