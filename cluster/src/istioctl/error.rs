//! What can be wrong with an `istioctl`.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::error::{Class, first_line};

/// Why there is no `istioctl`, or no manifests of it.
#[derive(Debug, thiserror::Error)]
pub enum IstioctlError {
    /// None is named, and `$PATH` has none that fits.
    #[error("found no istioctl {wanted}{}", passed_over.as_ref().map(|error| format!(" ({error})")).unwrap_or_default())]
    NotFound {
        /// The version.
        wanted: String,
        /// Why the one on `$PATH` doesn't fit.
        passed_over: Option<Box<IstioctlError>>,
    },
    /// It is another version.
    #[error("`{}` is istioctl {found}, expected {wanted}", path.display())]
    OtherVersion {
        /// The program.
        path: PathBuf,
        /// What it says.
        found: String,
        /// What is needed.
        wanted: String,
    },
    /// It isn't there, can't be run, or isn't istioctl.
    #[error("`{}` can't be used as istioctl: {what}", path.display())]
    Unusable {
        /// The program.
        path: PathBuf,
        /// Why.
        what: String,
    },
    /// Nothing comes from there.
    #[error("can't download `{url}`: {cause}")]
    Download {
        /// From where.
        url: String,
        /// Why, one line.
        cause: String,
    },
    /// Something else came. It was removed.
    #[error("`{url}` has SHA-256 {found}, expected {expected}; it was removed")]
    Checksum {
        /// From where.
        url: String,
        /// What came.
        found: String,
        /// What was expected.
        expected: String,
    },
    /// The archive is right by its checksum, but not what is needed.
    #[error("`{url}` {what}")]
    Archive {
        /// From where.
        url: String,
        /// What is wrong with it.
        what: String,
    },
    /// The cache can't be used.
    #[error("can't {what} `{}`: {source}", path.display())]
    Cache {
        /// `write`, `create`.
        what: &'static str,
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It refuses the input.
    #[error("istioctl can't render this: {said}")]
    Render {
        /// The last line that it printed.
        said: String,
        /// All that it printed to stderr, for `-v`.
        stderr: String,
    },
    /// It doesn't come to an end.
    #[error("istioctl was not done after {} s", limit.as_secs())]
    TimedOut {
        /// How long was waited.
        limit: Duration,
    },
    /// The user stopped it.
    #[error("interrupted")]
    Interrupted,
}

impl IstioctlError {
    /// Who must act.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::NotFound { .. }
            | Self::OtherVersion { .. }
            | Self::Unusable { .. }
            | Self::Archive { .. }
            | Self::Cache { .. }
            | Self::Render { .. } => Class::Invalid,
            Self::Download { .. } => Class::Unreachable,
            Self::Checksum { .. } => Class::Refused,
            Self::TimedOut { .. } => Class::TimedOut,
            Self::Interrupted => Class::Partly,
        }
    }

    /// What helps, where something does.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotFound { .. } | Self::OtherVersion { .. } | Self::Unusable { .. } => Some(
                "name one of the right version with `--istioctl FILE` or $ISTIOCTL, or let it be downloaded",
            ),
            Self::Download { .. } => Some(
                "running it again continues the download; `--istioctl-url` names a mirror, `--istioctl FILE` one that you have",
            ),
            Self::Checksum { .. } => {
                Some("a proxy or mirror may have changed it; don't run what came from there")
            }
            Self::Archive { .. }
            | Self::Cache { .. }
            | Self::Render { .. }
            | Self::TimedOut { .. }
            | Self::Interrupted => None,
        }
    }
}

/// The last line of a program's output that says something.
pub(super) fn last_line(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let last = text
        .lines()
        .rev()
        .map(str::trim)
        .find(|line| !line.is_empty());
    last.map_or_else(|| "it says nothing".to_owned(), first_line)
}
